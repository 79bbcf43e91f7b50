"""Arrays in memory as a data set."""

import jax
import numpy as np
import pytest
from faults import fault

from arjax.data import Arrays, Images, Levels, Real, Split, Table
from arjax.description import describe, rebuild

X = np.arange(24).reshape(4, 3, 2) % 5


def test_Arrays_are_the_three_splits():
    splits = Arrays(X, X[:2], X[2:]).load()
    for split, x in zip(splits, (X, X[:2], X[2:]), strict=True):
        np.testing.assert_array_equal(split.x, x)


def test_Arrays_report_validation_where_no_test_is_given():
    data = Arrays(X, X[:2])
    np.testing.assert_array_equal(data.load().test.x, X[:2])
    assert "test is valid" in data.title
    assert "test is valid" not in Arrays(X, X[:2], X[2:]).title


@pytest.mark.parametrize(
    ("x", "values", "symbols"),
    [(X, Levels(5), X), (X > 2, Levels(2), X > 2), (X / 2, Real(), X / 2), (X.astype(np.uint8), Levels(5), X)],
    ids=["integers", "booleans", "real", "bytes"],
)
def test_Arrays_become(x, values, symbols):
    data = Arrays(x, x)
    assert (data.values, data.medium) == (values, Images(values.vocab))
    np.testing.assert_array_equal(data.values(jax.random.key(0), data.load().train.x), symbols)


def test_Arrays_take_labels_values_and_a_medium():
    labelled = Split(X, np.array([0, 1, 1, 0]))
    data = Arrays(labelled, labelled, values=Levels(7), medium=Table())
    assert (data.values, data.medium) == (Levels(7), Table())
    np.testing.assert_array_equal(data.load().valid.label, [0, 1, 1, 0])


def test_Arrays_are_equal_if_they_hold_the_same():
    assert Arrays(X, X) == Arrays(X.copy(), X.copy())
    assert Arrays(X, X) != Arrays(X, X[::-1])
    assert hash(Arrays(X, X)) == hash(Arrays(X.copy(), X.copy()))
    assert Arrays(X, X) == Arrays(X.astype(">i8"), X)


def test_Arrays_are_described_by_what_they_hold_and_come_back_without_it():
    data = Arrays(X, X, name="mine")
    back = rebuild(describe(data))
    assert back == data
    assert "mine were arrays in memory" in fault(back.load)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ((X,), "needs train and valid"),
        ((X, X[:, :2]), "an example has shape"),
        ((X, X + 2**17), "too many for symbols"),
        ((X * np.nan, X / 1.0), "has the value"),
        ((X - 1, X), "has the value -1"),
        ((X.astype(complex), X), "not numbers"),
        ((X[0, 0], X), "must be [N, *site_shape]"),
    ],
    ids=["no_valid", "shapes", "integers", "nan", "negative", "complex", "rank"],
)
def test_Arrays_refuse(arrays, said):
    assert said in fault(lambda: Arrays(*arrays))
