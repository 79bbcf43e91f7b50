"""arjax/training/conditions.py: what a model is given, and what a person is told of it."""

import numpy as np
import pytest

from arjax.data import MNIST, Arrays, Cifar10Subset, Digits, FashionMNIST, LowerHalf, SpokenDigits
from arjax.data.dataset import DataCapabilities
from arjax.protocol import Cond
from arjax.training.conditions import captions_of


def test_captions_of_are_the_names_of_the_classes_or_their_numbers():
    cond = Cond(np.array([9, 1, 1], np.int32))
    assert captions_of(FashionMNIST(), cond) == ("ankle boot", "trouser", "trouser")
    assert captions_of(Arrays(np.zeros((1, 2)), np.zeros((1, 2))), cond) == ("9", "1", "1")
    assert captions_of(Cifar10Subset(), Cond(np.array([10, 0], np.int32))) == ("10", "airplane")
    assert captions_of(FashionMNIST(), Cond()) == ()


@pytest.mark.parametrize(
    ("data", "count", "first"),
    [
        (Digits(), 10, "0"),
        (MNIST(), 10, "0"),
        (FashionMNIST(), 10, "t-shirt"),
        (Cifar10Subset(), 10, "airplane"),
        (SpokenDigits(), 10, "0"),
        (SpokenDigits(label="speaker"), 6, "george"),
        (SpokenDigits(label="both"), 60, "0 george"),
        (LowerHalf(Digits()), 10, "0"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_classes_of_named_sets_have_names(data, count, first):
    classes = DataCapabilities.of(data).classes
    assert (len(classes), len(set(classes)), classes[0]) == (count, count, first)
