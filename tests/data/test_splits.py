import tracemalloc

import numpy as np
import pytest

from arjax.data import Dynamic, Levels, Real, Split, Splits, check_splits, evenly_spaced
from arjax.data.splits import fingerprint

GOOD = Split(np.array([[0, 1, 1], [1, 0, 0]]), np.array([4, 0]))


ONE_LINE = r"\A[^\n]+; [^\n]+\Z"  # the fault; the remedy
BINARY = Levels(2)


def fault(values=BINARY, **changed):
    """What check_splits says when these splits are put in place of good ones."""
    with pytest.raises(ValueError, match=ONE_LINE) as info:
        check_splits(Splits(GOOD, GOOD, GOOD)._replace(**changed), values, "here")
    message = str(info.value)
    assert message.startswith("here: ")
    return message


@pytest.mark.parametrize(("count", "places"), [(None, range(7)), (9, range(7)), (7, range(7)), (4, [0, 2, 4, 6]), (1, [0])])
def test_some_examples_are_the_first_the_last_and_those_evenly_between(count, places):
    split = evenly_spaced(Split(x=np.arange(14).reshape(7, 2), label=np.arange(7)), count)
    np.testing.assert_array_equal(split.label, list(places))
    np.testing.assert_array_equal(split.x[:, 0], 2 * split.label)
    assert split.counted is None


def test_good_splits_come_back_unchanged():
    splits = Splits(GOOD, GOOD, GOOD)
    assert check_splits(splits, Levels(2), "here") is splits


def test_a_value_outside_the_support_is_named_with_its_split_and_place():
    message = fault(valid=Split(np.array([[0, 1, 1], [1, 0, 7]]), GOOD.label))
    assert "valid has the value 7 at [1, 2]" in message
    assert "2 levels accepts whole numbers 0..1" in message


def test_a_nan_is_outside_every_support():
    x = np.array([[0.0, np.nan, 1.0]])
    for values in (Levels(2), Dynamic(1), Real()):
        assert "train has the value nan at [0, 1]" in fault(values, train=Split(x, np.array([0])))


def test_splits_of_different_shapes_are_refused():
    assert "shape (4,) in test but (3,) in train" in fault(test=Split(np.zeros((2, 4), int), GOOD.label))


def test_an_empty_split_is_refused():
    assert "valid has shape (0, 3)" in fault(valid=Split(np.zeros((0, 3), int), np.zeros(0, int)))


def test_examples_without_sites_are_refused():
    assert "train has shape (3,)" in fault(train=Split(np.zeros(3, int)))


def test_what_is_no_number_is_refused():
    assert "dtype <U1, not numbers" in fault(train=Split(np.array([["a", "b", "c"]])))


def test_labels_must_be_as_many_as_the_examples():
    assert "labels of test are int64 of shape (1,)" in fault(test=Split(GOOD.x, np.array([1])))


def test_labels_must_be_whole_numbers_from_zero():
    assert "label 1 of train is -1" in fault(train=Split(GOOD.x, np.array([0, -1])))
    assert "labels of train are float64" in fault(train=Split(GOOD.x, np.array([0.0, 1.0])))


def test_labels_in_some_splits_only_are_refused():
    assert "valid has no labels" in fault(valid=Split(GOOD.x))
    assert "train has no labels" in fault(train=Split(GOOD.x))


LOCAL = Split(np.zeros((2, 3), int), local=np.zeros((2, 3, 4), np.float32))
MEMORY = Split(np.zeros((2, 3), int), memory=np.zeros((2, 5, 4), np.float32))
COUNTED = Split(np.zeros((2, 3), int), counted=np.array([[True, True, False], [True, False, False]]))


@pytest.mark.parametrize("part", [LOCAL, MEMORY, COUNTED])
def test_what_examples_come_with_is_accepted_where_it_fits(part):
    splits = Splits(part, part, part)
    assert check_splits(splits, Levels(2), "here") is splits


@pytest.mark.parametrize(
    ("part", "changed", "message"),
    [
        (LOCAL, {"local": None}, "valid has no local features but another split has"),
        (LOCAL, {"local": LOCAL.local.astype(int)}, "the local features of valid are int64 of shape (2, 3, 4)"),
        (LOCAL, {"local": LOCAL.local[:1]}, "a row for each of its 2 examples"),
        (LOCAL, {"local": LOCAL.local[:, :, :2]}, "of one shape in all splits"),
        (LOCAL, {"local": LOCAL.local + np.inf}, "not all finite"),
        (MEMORY, {"memory": None}, "valid has no memory features but another split has"),
        (
            MEMORY,
            {"memory": MEMORY.memory[:, 0]},
            "the memory features of valid are float32 of shape (2, 4); give real numbers [N, S, F]",
        ),
        (MEMORY, {"memory": MEMORY.memory[:, 1:]}, "of one shape in all splits"),
        (MEMORY, {"memory": MEMORY.memory * np.nan}, "not all finite"),
        (COUNTED, {"counted": None}, "valid has no lengths or counted sites but another split has"),
        (COUNTED, {"counted": COUNTED.counted[:, :2]}, "what counts of valid is bool of shape (2, 2)"),
        (COUNTED, {"counted": COUNTED.counted.astype(int)}, "what counts of valid is int64"),
        (COUNTED, {"counted": np.array([[True] * 3, [False] * 3])}, "in example 1 of valid no site counts"),
    ],
)
def test_what_examples_come_with_is_named_where_it_does_not_fit(part, changed, message):
    with pytest.raises(ValueError, match=ONE_LINE) as info:
        check_splits(Splits(part, part._replace(**changed), part), Levels(2), "here")
    assert message in str(info.value)


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
