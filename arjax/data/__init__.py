"""Data: named data sets in three named splits, what their values become, and batches of them."""

from arjax.data.batches import TrainingBatches, evaluation_batches, training_batches
from arjax.data.binarized_mnist import BinarizedMNIST
from arjax.data.density import BinaryDensity
from arjax.data.digits import Digits
from arjax.data.mnist import MNIST, FashionMNIST
from arjax.data.npz import Npz
from arjax.data.sources import Source, data_root
from arjax.data.splits import Dataset, Split, Splits, check_splits
from arjax.data.text import Characters, TinyShakespeare, alphabet
from arjax.data.toy import Bimodal
from arjax.data.values import Dynamic, Levels, Real, Threshold, Values

__all__ = [
    "MNIST",
    "Bimodal",
    "BinarizedMNIST",
    "BinaryDensity",
    "Characters",
    "Dataset",
    "Digits",
    "Dynamic",
    "FashionMNIST",
    "Levels",
    "Npz",
    "Real",
    "Source",
    "Split",
    "Splits",
    "Threshold",
    "TinyShakespeare",
    "TrainingBatches",
    "Values",
    "alphabet",
    "check_splits",
    "data_root",
    "evaluation_batches",
    "training_batches",
]
