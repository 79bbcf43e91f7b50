"""A user's own arrays in one .npz file."""

import dataclasses
import zipfile

import numpy as np
import pytest
from faults import fault

import arjax
from arjax.data import Levels, Npz, Real
from arjax.heads import Bernoulli
from arjax.models import MADE, RNN, Transformer
from arjax.orders import AnyOrder, Raster, Reversed
from arjax.training.conditions import check_fits

BINARY = Levels(2)
X = np.arange(12).reshape(2, 3, 2) % 2
SPLITS = {"train": X, "valid": X, "test": X}
ROWS = np.array([[0, 1, 1, 0], [1, 1, 0, 0]])


def of_each(suffix, array):
    """The array for each of the three splits."""
    return {f"{name}_{suffix}": array for name in SPLITS}


SEQUENCES = dict.fromkeys(SPLITS, ROWS) | of_each("length", np.array([4, 2]))


def saved(tmp_path, arrays):
    np.savez(tmp_path / "mine.npz", **{name: array for name, array in arrays.items() if array is not None})
    return tmp_path / "mine.npz"


def refusal(path):
    line = fault(Npz(str(path), BINARY).load)
    assert str(path) in line
    return line


def test_npz_reads_the_three_splits_and_their_labels(tmp_path, monkeypatch):
    labels = {"train_label": [0, 1], "valid_label": [1, 1], "test_label": [2, 0]}
    path = saved(tmp_path, SPLITS | labels | {"other": np.array("more")})
    monkeypatch.setenv("ARJAX_DATA", str(tmp_path))
    for data in (Npz(str(path), BINARY), Npz("mine.npz", BINARY, root=str(tmp_path)), Npz("mine.npz", BINARY)):
        for split, label in zip(data.load(), ([0, 1], [1, 1], [2, 0]), strict=True):
            np.testing.assert_array_equal(split.x, X)
            np.testing.assert_array_equal(split.label, label)
        assert data.title == "mine.npz, 2 levels, train / valid / test as in the file"


def test_npz_takes_real_values_and_no_labels(tmp_path):
    splits = Npz(str(saved(tmp_path, dict.fromkeys(SPLITS, X + 0.5))), Real()).load()
    assert splits.test.label is None
    np.testing.assert_array_equal(splits.test.x, X + 0.5)


def test_npz_does_not_count_the_padding_of_sequences(tmp_path):
    splits = Npz(str(saved(tmp_path, SEQUENCES)), BINARY).load()
    np.testing.assert_array_equal(splits.valid.counted, [[True] * 4, [True, True, False, False]])
    counted = np.array([[True, False, True, True]] * 2)
    splits = Npz(str(saved(tmp_path, dict.fromkeys(SPLITS, ROWS) | of_each("counted", counted))), BINARY).load()
    np.testing.assert_array_equal(splits.test.counted, counted)


@pytest.mark.parametrize("part", ["local", "memory"])
def test_npz_reads_features(part, tmp_path):
    features = {f"{name}_{part}": np.full((2, 4, 3), i + 0.5) for i, name in enumerate(SPLITS)}
    assert getattr(Npz(str(saved(tmp_path, SEQUENCES | features)), BINARY).load().test, part)[0, 0, 0] == 2.5


def damaged(path):
    content = bytearray(path.read_bytes())
    content[content.index(X.tobytes())] ^= 1
    path.write_bytes(content)


def zip_of_other_things(path):
    with zipfile.ZipFile(path, "w") as file:
        for name in SPLITS:
            file.writestr(name, b"not an array")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.unlink(), "there is no file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-30]), "is not a readable .npz"),
        (lambda path: (path.unlink(), path.mkdir()), "is a folder, no file"),
        (damaged, "is not a readable .npz"),
        (zip_of_other_things, "has no array train, valid, test "),
        (lambda path: np.savez(path, train=X, test=X), "has no array valid (it has train, test); save all three of"),
    ],
)
def test_npz_refuses_another_file(spoil, says, tmp_path):
    path = saved(tmp_path, SPLITS)
    spoil(path)
    assert says in refusal(path)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"valid": ROWS + 5}, "valid has the value 5 at [0, 0]"),
        ({"test": np.where(ROWS, np.nan, 0)}, "test has the value nan at [0, 1]"),
        ({"train": np.array(3)}, "train has shape ()"),
        ({"valid_length": np.array([4, 5])}, "valid_length[1] is 5, not in 1..4"),
        ({"valid_length": np.array([4.0, 2.0])}, "valid_length is float64 of shape (2,); give one whole number"),
        ({"valid_length": None}, "valid has no lengths"),
        ({"train_counted": np.ones((2, 4), bool)}, "both train_length and train_counted"),
    ],
)
def test_npz_names_arrays_that_do_not_fit(changed, says, tmp_path):
    assert says in refusal(saved(tmp_path, SEQUENCES | changed))


# Data and model


@pytest.mark.parametrize("order", [Reversed(), AnyOrder()])
def test_check_fits_refuses_an_order_in_which_padding_would_come_first(tmp_path, order):
    data = Npz(str(saved(tmp_path, SEQUENCES)), BINARY)
    model = arjax.Model(MADE(hidden=(4,)), Bernoulli(), (4,), order)
    with pytest.raises(ValueError, match=r"mine.npz.* has sites that do not count, which needs Raster\(\), not "):
        check_fits(data.title, model, data.load())
    check_fits(data.title, dataclasses.replace(model, order=Raster()), data.load())


@pytest.mark.parametrize(
    ("part", "cond", "says"),
    [
        ("local", {"local": 2}, r"has local features of shape \(4, 3\), but the model takes \(4, 2\) for an example; set"),
        ("memory", {"local": 2}, r"has no local features, but the model takes \(4, 2\) for an example"),
        ("memory", {"memory": (4, 2)}, r"has memory features of shape \(4, 3\), but .* \(4, 2\).*--model.cond.memory to fit"),
        ("local", {"memory": (4, 2)}, r"has no memory features, but the model takes \(4, 2\) for an example; set"),
    ],
)
def test_check_fits_names_features_that_do_not_fit_the_model(part, cond, says, tmp_path):
    data = Npz(str(saved(tmp_path, SEQUENCES | of_each(part, np.ones((2, 4, 3))))), BINARY)
    net = RNN(width=3) if "local" in cond else Transformer(width=4, layers=1, heads=1)
    model = arjax.Model(net, Bernoulli(), (4,), cond=arjax.CondSpec(**cond))
    with pytest.raises(ValueError, match=says):
        check_fits(data.title, model, data.load())
