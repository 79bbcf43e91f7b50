"""Data: named data sets in three named splits, what their values become, and batches of them."""

from arjax.data.audio import SpokenDigits, WavFolder
from arjax.data.batches import TrainingBatches, evaluation_batches, training_batches
from arjax.data.binarized_mnist import BinarizedMNIST
from arjax.data.bytes import Bytes
from arjax.data.cifar10 import Cifar10Subset
from arjax.data.density import BinaryDensity
from arjax.data.digits import Digits
from arjax.data.halves import LowerHalf
from arjax.data.mnist import MNIST, FashionMNIST
from arjax.data.npz import Npz
from arjax.data.quantization import Linear, MuLaw
from arjax.data.sources import Source, data_root
from arjax.data.splits import Dataset, Split, Splits, check_splits, evenly_spaced
from arjax.data.text import Characters, TinyShakespeare, alphabet
from arjax.data.toy import Bimodal
from arjax.data.values import Dynamic, Levels, Real, Scaled, Threshold, Values
from arjax.data.wikipedia import WikipediaSample
from arjax.data.windows import tile

__all__ = [
    "MNIST",
    "Bimodal",
    "BinarizedMNIST",
    "BinaryDensity",
    "Bytes",
    "Characters",
    "Cifar10Subset",
    "Dataset",
    "Digits",
    "Dynamic",
    "FashionMNIST",
    "Levels",
    "Linear",
    "LowerHalf",
    "MuLaw",
    "Npz",
    "Real",
    "Scaled",
    "Source",
    "Split",
    "Splits",
    "SpokenDigits",
    "Threshold",
    "TinyShakespeare",
    "TrainingBatches",
    "Values",
    "WavFolder",
    "WikipediaSample",
    "alphabet",
    "check_splits",
    "data_root",
    "evaluation_batches",
    "evenly_spaced",
    "tile",
    "training_batches",
]
