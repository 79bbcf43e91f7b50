"""Curves of training: what is drawn, in which unit, and that nothing is cut without a word."""

import io
import itertools

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

import arjax
from arjax.data import Digits
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.runs import curves
from arjax.training import Experiment

EXPERIMENT = Experiment(data=Digits(), model=arjax.Model(MADE(hidden=(4,)), Bernoulli(), (8, 8)), steps=6, eval_every=3)


def record(step, split, bits, **more):
    return {"step": step, "split": split, "nats": 64 * bits * np.log(2), "dims": 64.0, "bits_per_dim": bits, **more}


def run_of(train, valid, **test):
    records = [record(10 * i, "train", bits, learning_rate=0.1 / i) for i, bits in enumerate(train, 1)]
    records += [record(20 * i, "valid", bits) for i, bits in enumerate(valid, 1)]
    return [*records, record(20, "test", 0.3, **test)] if test else records


@pytest.fixture
def drawn(monkeypatch):
    """The figure in the place of the PNG."""
    monkeypatch.setattr(curves, "as_png", lambda figure: figure)


def texts(figure):
    return "\n".join(text.get_text() for axes in figure.axes for text in axes.texts).replace("\n", " ")


TRAIN, VALID = [9.0, 0.6, 0.5, 0.45, 0.42, 0.41, 0.4, 0.39], [0.5, 0.4, 0.41, 0.43]


def test_loss_picture_is_in_bits_with_the_best_step_the_test_baselines_and_the_learning_rate(drawn):
    nats = 64 * np.log(2)
    records = run_of(TRAIN, VALID, baselines={"a table": 0.55 * nats, "a far table": 3.0 * nats})
    figure = curves.loss_picture(EXPERIMENT, records, "digits")
    axes, rates = figure.axes
    assert axes.get_ylabel() == "bits/dim"
    said = texts(figure)
    for part in ("train", "valid", "best valid: 0.4000 at step 40", "test: 0.3000 at step 20", "a table: 0.5500"):
        assert part in said
    train = next(line for line in axes.lines if len(line.get_xdata()) == len(TRAIN))
    np.testing.assert_allclose(train.get_ydata(), TRAIN)
    np.testing.assert_allclose(rates.lines[0].get_ydata(), [0.1 / i for i in range(1, 9)])


def test_loss_picture_names_what_lies_outside_with_its_value(drawn):
    nats = 64 * np.log(2)
    figure = curves.loss_picture(EXPERIMENT, run_of(TRAIN, VALID, baselines={"a far table": 3.0 * nats}))
    low, high = figure.axes[0].get_ylim()
    assert low < 0.3
    assert high < 1
    assert "above: train: 9.0000 at step 10 a far table: 3.0000" in texts(figure)


def test_loss_picture_shows_all_where_the_beginning_is_not_far_off(drawn):
    figure = curves.loss_picture(EXPERIMENT, run_of([0.6, 0.5, 0.45, 0.42], [0.5, 0.4]))
    assert figure.axes[0].get_ylim()[1] > 0.6
    assert "above" not in texts(figure)


def test_loss_picture_shows_a_baseline_that_is_better_than_the_model(drawn):
    figure = curves.loss_picture(EXPERIMENT, run_of(TRAIN, VALID, baselines={"a table": 0.01 * 64 * np.log(2)}))
    assert figure.axes[0].get_ylim()[0] < 0.01


@pytest.mark.parametrize("records", [[record(1, "train", 0.5)], [record(1, "valid", 0.5)], run_of([0.5] * 3, [0.5])])
def test_loss_picture_draws_few_records_and_equal_ones(records):
    with Image.open(io.BytesIO(curves.loss_picture(EXPERIMENT, records, "$x$"))) as picture:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 2


def test_runs_picture_labels_each_line_apart_from_the_others(drawn):
    found = [
        curves.curve_of(EXPERIMENT, run_of([], [0.5, 0.4 + i / 1000]), f"hidden={i}", lambda r: r["bits_per_dim"])
        for i in range(12)
    ]
    figure = curves.runs_picture(found, "bits/dim", {"a table": 0.45})
    (axes,) = figure.axes
    labels = {text.get_text().replace("\n", " "): text for text in axes.texts}
    assert {f"{0.4 + i / 1000:.4f}  hidden={i}" for i in range(12)} | {"a table: 0.4500"} == labels.keys()
    figure.canvas.draw()
    # Of the text alone: an annotation counts its arrow in.
    boxes = sorted((box.y0, box.y1) for box in (Text.get_window_extent(text) for text in labels.values()))
    assert all(lower <= upper + 1 for (_, lower), (upper, _) in itertools.pairwise(boxes))


def test_curve_of_a_run_without_a_validation_is_none():
    assert curves.curve_of(EXPERIMENT, run_of([0.5], []), "", lambda record: 0.0) is None
