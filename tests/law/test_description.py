"""Where described objects differ, in words."""

import dataclasses

import pytest

import arjax
from arjax.data import Digits, TableFile
from arjax.data.table_columns import TableColumn
from arjax.description import difference, differences, in_words
from arjax.heads import Bernoulli
from arjax.models import MADE, PixelCNN
from arjax.training import Adam, AdamW, Experiment

EXPERIMENT = Experiment(data=Digits(), model=arjax.Model(MADE(hidden=(4,)), Bernoulli(), (8, 8)), steps=60, eval_every=3)


def other(**fields):
    return dataclasses.replace(EXPERIMENT, **fields)


def test_differences_are_the_fields_that_differ_by_their_dotted_names():
    wide = arjax.Model(MADE(hidden=(8, 4)), Bernoulli(), (8, 8))
    found = differences([EXPERIMENT, other(seed=1, model=wide), other(optimizer=AdamW(learning_rate=3e-4))])
    assert found == [
        {"model.net.hidden": "4", "optimizer.learning_rate": "0.001", "seed": "0"},
        {"model.net.hidden": "8 4", "optimizer.learning_rate": "0.001", "seed": "1"},
        {"model.net.hidden": "4", "optimizer.learning_rate": "0.0003", "seed": "0"},
    ]


def test_differences_show_parts_of_several_classes_as_a_whole():
    convolved = arjax.Model(PixelCNN(4, 1, kernel=3), Bernoulli(), (8, 8))
    found = differences([EXPERIMENT, other(model=convolved, optimizer=Adam(b1=0.8))])
    assert [names["model.net"] for names in found] == ["MADE(hidden=4)", in_words(convolved.net)]
    assert [names["optimizer"] for names in found] == ["AdamW()", "Adam(b1=0.8)"]
    assert all(names.keys() == {"model.net", "optimizer"} for names in found)


def test_differences_leave_out_what_changes_nothing_that_is_computed():
    assert differences([EXPERIMENT, other(samples=3, log_every=7)]) == [{}, {}]
    assert differences([EXPERIMENT]) == [{}]


def test_difference_is_the_first_one_of_two_whatever_they_are():
    assert difference(EXPERIMENT, other(seed=1, optimizer=AdamW(1e-4))) == "optimizer.learning_rate: 0.001 there, 0.0001 here"
    assert difference(None, AdamW()) == "None there, AdamW() here"
    assert difference(EXPERIMENT, other(samples=3)) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (1e-4, "0.0001"),
        (0.1234567, "0.1234567"),
        (None, "None"),
        ("a\x1bb", "a\\x1bb"),
        ((1, 2), "1 2"),
        ((), "()"),
        ("x" * 99, "x" * 57 + "..."),
    ],
)
def test_in_words_is_one_short_line(value, text):
    assert in_words(value) == text


def test_difference_goes_into_tuples_and_along_texts():
    one, two, other = TableColumn("a", "real"), TableColumn("b", "real", location=1.5), TableColumn("b", "real", location=2.5)
    there, here = (TableFile("t.csv", columns=(one, each)) for each in (two, other))
    assert difference(there, here) == "columns[1].location: 1.5 there, 2.5 here"
    assert difference(there, TableFile("t.csv", columns=(one,))).startswith("columns: TableColumn")
    assert difference("a" * 99 + "b", "a" * 99 + "c") == f"...{'a' * 20}b there, ...{'a' * 20}c here"
    assert difference(("a",) * 60 + ("b",), ("a",) * 61) == f"...{'a ' * 10}b there, ...{'a ' * 10}a here"
    assert difference("a" * 99, "a" * 99 + "c") == f"...{'a' * 20} there, ...{'a' * 20}c here"
