"""Data: named data sets in three named splits, what their values become, and batches of them."""

from arjax.data.arrays import Arrays
from arjax.data.audio import SpokenDigits
from arjax.data.batches import TrainingBatches, evaluation_batches, training_batches
from arjax.data.dataset import DataCapabilities, Dataset, Examined
from arjax.data.density import Bimodal, BinaryDensity
from arjax.data.halves import LowerHalf
from arjax.data.image_folder import ImageFolder
from arjax.data.images import MNIST, BinarizedMNIST, Cifar10Subset, Digits, FashionMNIST
from arjax.data.media import Images, Sound, Table, Text
from arjax.data.medium import Medium, MediumCapabilities
from arjax.data.npz import Npz
from arjax.data.sound_folder import SoundFolder
from arjax.data.sources import Source, data_root
from arjax.data.splits import Split, Splits, check_splits, evenly_spaced
from arjax.data.table import TableFile
from arjax.data.table_columns import TableColumn
from arjax.data.text import TinyShakespeare, WikipediaSample
from arjax.data.text_files import TextFiles
from arjax.data.token_file import TokenFile
from arjax.data.values import Dynamic, Levels, Real, Scaled, Threshold, Values
from arjax.data.waveforms import Linear, MuLaw
from arjax.data.windows import tile

__all__ = [
    "MNIST",
    "Arrays",
    "Bimodal",
    "BinarizedMNIST",
    "BinaryDensity",
    "Cifar10Subset",
    "DataCapabilities",
    "Dataset",
    "Digits",
    "Dynamic",
    "Examined",
    "FashionMNIST",
    "ImageFolder",
    "Images",
    "Levels",
    "Linear",
    "LowerHalf",
    "Medium",
    "MediumCapabilities",
    "MuLaw",
    "Npz",
    "Real",
    "Scaled",
    "Sound",
    "SoundFolder",
    "Source",
    "Split",
    "Splits",
    "SpokenDigits",
    "Table",
    "TableColumn",
    "TableFile",
    "Text",
    "TextFiles",
    "Threshold",
    "TinyShakespeare",
    "TokenFile",
    "TrainingBatches",
    "Values",
    "WikipediaSample",
    "check_splits",
    "data_root",
    "evaluation_batches",
    "evenly_spaced",
    "tile",
    "training_batches",
]
