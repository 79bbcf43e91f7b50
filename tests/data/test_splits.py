"""What splits must be, and what identifies them."""

import tracemalloc

import numpy as np
import pytest
from faults import fault

from arjax.data import Arrays, Digits, Dynamic, Levels, Real, Split, Splits, check_splits, evenly_spaced
from arjax.data.dataset import rooted
from arjax.data.splits import fingerprint

BINARY = Levels(2)
GOOD = Split(np.array([[0, 1, 1], [1, 0, 0]]), np.array([4, 0]))
LOCAL = Split(np.zeros((2, 3), int), local=np.zeros((2, 3, 4), np.float32))
MEMORY = Split(np.zeros((2, 3), int), memory=np.zeros((2, 5, 4), np.float32))
COUNTED = Split(np.zeros((2, 3), int), counted=np.array([[True, True, False], [True, False, False]]))


def refusal(splits, values=BINARY):
    line = fault(check_splits, splits, values, "here")
    assert line.startswith("here: ")
    return line


def test_check_splits_names_the_place_of_a_wrong_value_in_a_late_block():
    codes = np.zeros(3_000_000, np.uint8)
    codes[-2] = 7
    windows = Split(np.lib.stride_tricks.sliding_window_view(codes, 4))
    good = Split(np.zeros((1, 4), np.uint8))
    assert f"train has the value 7 at [{3_000_000 - 4}, 2]" in refusal(Splits(windows, good, good))


@pytest.mark.parametrize(("count", "places"), [(None, range(7)), (9, range(7)), (7, range(7)), (4, [0, 2, 4, 6]), (1, [0])])
def test_evenly_spaced_takes_the_first_the_last_and_those_evenly_between(count, places):
    split = evenly_spaced(Split(x=np.arange(14).reshape(7, 2), label=np.arange(7)), count)
    np.testing.assert_array_equal(split.label, list(places))
    np.testing.assert_array_equal(split.x[:, 0], 2 * split.label)
    assert split.counted is None


@pytest.mark.parametrize("part", [GOOD, LOCAL, MEMORY, COUNTED])
def test_check_splits_returns_good_ones_unchanged(part):
    splits = Splits(part, part, part)
    assert check_splits(splits, Levels(2), "here") is splits


def test_check_splits_finds_nan_outside_every_support():
    x = np.array([[0.0, np.nan, 1.0]])
    for values in (Levels(2), Dynamic(1), Real()):
        assert "valid has the value nan at [0, 1]" in refusal(Splits(GOOD, Split(x, np.array([0])), GOOD), values)


@pytest.mark.parametrize(
    ("part", "changed", "says"),
    [
        (GOOD, {"x": GOOD.x + 6 * np.eye(2, 3, 2, int)}, "valid has the value 7 at [0, 2], but 2 levels accepts whole"),
        (GOOD, {"x": np.zeros((2, 4), int)}, "shape (4,) in valid but (3,) in train"),
        (GOOD, {"x": np.zeros((0, 3), int), "label": np.zeros(0, int)}, "valid has shape (0, 3); it must be [N, *site_shape]"),
        (GOOD, {"x": np.array([["a", "b", "c"]])}, "dtype <U1, not numbers"),
        (GOOD, {"label": np.array([1])}, "labels of valid are int64 of shape (1,)"),
        (GOOD, {"label": np.array([0.0, 1.0])}, "labels of valid are float64"),
        (GOOD, {"label": np.array([0, -1])}, "label 1 of valid is -1; number the classes from 0"),
        (GOOD, {"label": np.array([2**40, 0])}, "label 0 of valid is 1099511627776"),
        (GOOD, {"label": None}, "valid has no labels but another split has"),
        (Split(GOOD.x), {"label": GOOD.label}, "train has no labels but another split has"),
        (LOCAL, {"local": LOCAL.local.astype(int)}, "the local features of valid are int64 of shape (2, 3, 4)"),
        (LOCAL, {"local": LOCAL.local[:1]}, "a row for each of its 2 examples"),
        (LOCAL, {"local": LOCAL.local[:, :, :2]}, "of one shape in all splits"),
        (LOCAL, {"local": LOCAL.local + np.inf}, "not all finite"),
        (MEMORY, {"memory": MEMORY.memory[:, 0]}, "are float32 of shape (2, 4); give real numbers [N, S, F]"),
        (COUNTED, {"counted": None}, "valid has no lengths or counted sites but another split has"),
        (COUNTED, {"counted": COUNTED.counted[:, :2]}, "what counts of valid is bool of shape (2, 2)"),
        (COUNTED, {"counted": COUNTED.counted.astype(int)}, "what counts of valid is int64"),
        (COUNTED, {"counted": np.array([[True] * 3, [False] * 3])}, "in example 1 of valid no site counts"),
    ],
)
def test_check_splits_names_what_does_not_fit(part, changed, says):
    assert says in refusal(Splits(part, part._replace(**changed), part))


def test_fingerprint_is_that_of_the_values_however_they_lie_in_memory(monkeypatch):
    splits = Splits(GOOD, GOOD, GOOD)
    laid_out = Split(np.asfortranarray(GOOD.x), np.repeat(GOOD.label, 2)[::2])
    assert fingerprint(splits._replace(train=laid_out)) == fingerprint(splits)
    monkeypatch.setattr("arjax.files._CHUNK", 7)  # a row and a bit
    assert fingerprint(splits._replace(train=laid_out)) == fingerprint(splits)
    assert fingerprint(splits)["test.x"].startswith("int64[2, 3] sha256:")


def test_fingerprint_copies_little():
    x = np.zeros((60_000, 28, 28), np.uint8)
    tracemalloc.start()
    found = fingerprint(Splits(Split(x), Split(np.broadcast_to(x[:1], x.shape)), Split(x[:, ::-1])))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(set(found.values())) == 1
    assert peak < 40e6 < x.nbytes


def test_rooted_changes_data_that_have_files_and_no_others():
    data = Arrays(GOOD.x, GOOD.x)
    assert rooted(data, "here") is data
    assert rooted(Digits(), "here").root == "here"
    assert rooted(Digits(root="there"), None).root == "there"
