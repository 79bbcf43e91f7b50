"""What commands share: arjax/commands/flags.py."""

from types import SimpleNamespace

import pytest
from faults import fault

from arjax.commands.flags import require_label
from arjax.data import Digits, FashionMNIST, ImageFolder, Npz
from arjax.data.values import Levels
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.protocol import CondSpec, Model

TEN, PLAIN = (Model(MADE(hidden=(4,)), Bernoulli(), (2, 2), cond=cond) for cond in (CondSpec(classes=10), CondSpec()))


@pytest.mark.parametrize(
    ("data", "label", "number"),
    [
        (FashionMNIST(), "trouser", 1),
        (FashionMNIST(), "Ankle Boot", 9),
        (FashionMNIST(), "9", 9),
        (Digits(), "3", 3),
        (SimpleNamespace(classes=("A", "a", "b")), "a", 1),
        (Npz("x", Levels(2)), "3", 3),
        (Npz("x", Levels(2)), None, None),
    ],
)
def test_require_label_takes_a_class_by_its_name_or_its_number(data, label, number):
    assert require_label("run", TEN, data, label) == number


def test_require_label_names_the_classes_that_there_are():
    said = fault(require_label, "run", TEN, FashionMNIST(), "sock")
    assert said.startswith("--label sock: label must be in 0..9, or one of t-shirt, trouser, pullover")
    cased = ImageFolder(size=4, classes=("cat", "T-shirt", "t-shirt"))
    assert require_label("run", TEN, cased, "t-shirt") == 2
    assert require_label("run", TEN, cased, "T-SHIRT") == 1
    assert "or one of cat, T-shirt, t-shirt; choose" in fault(require_label, "run", TEN, cased, "sock")
    assert "label must be in 0..9; choose one" in fault(require_label, "run", TEN, Npz("x", Levels(2)), "-1")
    assert "run has no classes; leave it out" in fault(require_label, "run", PLAIN, FashionMNIST(), "bag")
