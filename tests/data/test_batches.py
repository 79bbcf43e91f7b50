"""Batches: for training a pure function of (seed, step), for evaluation every example once."""

import itertools
import time

import numpy as np
import pytest

from arjax.data import Split, evaluation_batches, training_batches
from arjax.data.batches import gather

SPLIT = Split(np.arange(10 * 6, dtype=np.uint8).reshape(10, 2, 3), np.arange(10, dtype=np.uint8))


def test_training_batches_are_a_pure_function_of_seed_and_step():
    first, again = training_batches(SPLIT, 4, seed=7), training_batches(SPLIT, 4, seed=7)
    forwards = [first[step] for step in range(30)]
    for step in (29, 0, 13, 13, 5):  # any step, in any order, from a fresh start
        np.testing.assert_array_equal(again[step]["x"], forwards[step]["x"])
        np.testing.assert_array_equal(again[step]["x"], SPLIT.x[again[step]["label"]])


def test_training_batches_take_the_permutations_of_seed_and_epoch():
    batches = training_batches(SPLIT, 10, seed=7)
    for epoch in range(3):
        np.testing.assert_array_equal(batches[epoch]["label"], np.random.default_rng((7, epoch)).permutation(10))


@pytest.mark.parametrize("batch_size", [1, 7, 10])
def test_training_batches_visit_every_example_once_an_epoch_whatever_their_size(batch_size):
    batches = training_batches(SPLIT, batch_size, seed=1)
    row = np.concatenate([batches[step]["label"] for step in range(50)])
    for epoch in range(len(row) // 10):
        np.testing.assert_array_equal(np.sort(row[10 * epoch : 10 * epoch + 10]), np.arange(10))


def test_training_batches_have_an_order_of_their_own_for_every_epoch_and_seed():
    split = Split(np.zeros((1000, 1)), np.arange(1000))
    orders = [training_batches(split, 1000, seed)[epoch]["label"] for seed in range(4) for epoch in range(4)]
    for a, b in itertools.combinations(orders, 2):
        assert (a == b).mean() < 0.02


def test_training_batches_of_several_processes_are_together_that_of_one():
    whole = training_batches(SPLIT, 6, seed=3)
    shares = ([0, 1], [2, 5], [3, 4])
    parts = [training_batches(SPLIT, 6, seed=3, rows=np.array(rows)) for rows in shares]
    for step in range(10):
        for rows, part in zip(shares, parts, strict=True):
            np.testing.assert_array_equal(part[step]["x"], whole[step]["x"][rows])


def test_batches_hold_what_examples_come_with_in_the_type_that_nets_take():
    features = np.arange(10.0)[:, None, None] * np.ones((1, 2, 3))
    split = SPLIT._replace(local=features, memory=2 * features, counted=np.ones((10, 2, 3), bool))
    for batch in (training_batches(split, 4, seed=0)[1], next(iter(evaluation_batches(split, 4)))):
        assert batch["x"].dtype == np.uint8
        assert batch["label"].dtype == np.int32
        assert batch["local"].dtype == batch["memory"].dtype == np.float32
        assert batch["counted"].dtype == bool
        np.testing.assert_array_equal(batch["local"][:, 0, 0], batch["label"])
        np.testing.assert_array_equal(batch["memory"][:, 0, 0], 2 * batch["label"])
    assert set(training_batches(Split(SPLIT.x), 4, seed=0)[0]) == {"x"}
    assert set(next(iter(evaluation_batches(Split(SPLIT.x), 4)))) == {"x", "weight"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"batch_size": 11, "seed": 0}, r"batch_size=11 is not in 1\.\.10"),
        ({"batch_size": 4, "seed": 0, "rows": np.array([3, 4])}, r"rows=\[3 4\] are none of a batch of 4; give places in 0\.\.3"),
        ({"batch_size": 4, "seed": 0, "rows": slice(4, 8)}, "are none of a batch of 4"),
        ({"batch_size": 4, "seed": -1}, "seed=-1 is not in"),
    ],
)
def test_training_batches_refuse_what_is_impossible(arguments, says):
    with pytest.raises(ValueError, match=says):
        training_batches(SPLIT, **arguments)


def test_batches_refuse_a_negative_step_and_an_empty_batch():
    with pytest.raises(ValueError, match="step=-1 is negative"):
        training_batches(SPLIT, 4, seed=0)[-1]
    with pytest.raises(ValueError, match="batch_size=0 must be at least 1"):
        evaluation_batches(SPLIT, 0)


def test_training_batches_of_mnists_size_cost_well_under_a_millisecond():
    batches = training_batches(Split(np.zeros((50000, 28, 28), np.uint8), np.zeros(50000, np.uint8)), 100, seed=0)
    times = []
    for step in range(600):  # more than an epoch, so that drawing an order is seen; the median forgives a busy machine
        start = time.perf_counter()
        batches[step]
        times.append(time.perf_counter() - start)
    assert np.median(times) < 0.5e-3


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_evaluation_batches_see_every_example_once_in_order(batch_size):
    batches = list(evaluation_batches(SPLIT, batch_size))
    assert all(batch["x"].shape == (batch_size, 2, 3) and batch["weight"].dtype == np.float32 for batch in batches)
    x, label, weight = (np.concatenate([batch[name] for batch in batches]) for name in ("x", "label", "weight"))
    np.testing.assert_array_equal(weight, [1] * 10 + [0] * (len(weight) - 10))
    np.testing.assert_array_equal(label[:10], np.arange(10))
    np.testing.assert_array_equal(x[:10], SPLIT.x)
    np.testing.assert_array_equal(x[10:], np.broadcast_to(SPLIT.x[-1], x[10:].shape))


def test_gather_gives_the_byte_order_of_the_machine():
    split = Split(np.arange(6, dtype=">i4").reshape(3, 2), np.arange(3, dtype=">i8"), local=np.ones((3, 2, 1), ">f8"))
    batch = gather(split, np.array([2, 0]))
    np.testing.assert_array_equal(batch["x"], [[4, 5], [0, 1]])
    assert all(part.dtype.isnative for part in batch.values())
