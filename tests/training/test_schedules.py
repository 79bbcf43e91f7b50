import re

import numpy as np
import optax
import pytest

from arjax.training import Adam, Constant, Cosine, Linear, WarmupStableDecay
from arjax.training.optimizers import rates

# Of 110 updates, the first 10 of them a warm-up, update t of those behind it, as a fraction of the peak.
AFTER = {
    Constant(warmup=10): lambda t: 1.0,
    Linear(warmup=10, final=0.1): lambda t: 1 - 0.9 * t / 100,
    Cosine(warmup=10, final=0.1): lambda t: 0.1 + 0.9 * (1 + np.cos(np.pi * t / 100)) / 2,
    WarmupStableDecay(warmup=10, decay=0.2, final=0.1): lambda t: 1.0 if t < 78 else 1 - 0.9 * (t - 78) / 22,
}


@pytest.mark.parametrize("schedule", AFTER, ids=lambda schedule: type(schedule).__name__)
def test_build_rises_in_a_line_and_goes_on_as_its_class_says(schedule):
    rate = schedule.build(2.0, 110)
    expected = [2.0 * t / 10 if t < 10 else 2.0 * AFTER[schedule](t - 10) for t in range(111)]
    np.testing.assert_allclose(rate(np.arange(111)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("schedule", [Constant(), Linear(), Cosine(), WarmupStableDecay()])
def test_build_begins_without_a_warm_up_with_the_full_learning_rate(schedule):
    assert schedule.build(0.5, 10)(0) == 0.5


def test_build_of_cosine_is_the_schedule_of_optax():
    ours, theirs = Cosine(10, 0.25).build(2.0, 110), optax.warmup_cosine_decay_schedule(0.0, 2.0, 10, 110, 0.5)
    np.testing.assert_array_equal(ours(np.arange(120)), theirs(np.arange(120)))


@pytest.mark.parametrize(("schedule", "stable"), list(zip(AFTER, (110, 0, 0, 88), strict=True)), ids=lambda part: str(part)[:8])
def test_stable_counts_the_updates_that_are_the_same_in_a_longer_run(schedule, stable):
    at = np.arange(110)
    same = schedule.build(2.0, 110)(at) == schedule.build(2.0, 220)(at)
    assert schedule.stable(110) == stable
    assert np.all(same[:stable])
    assert np.all(same) == (stable == 110)


def test_rates_are_those_of_the_update_that_makes_a_step():
    rate = rates(Adam(2.0, Constant(warmup=4)), 10)
    np.testing.assert_array_equal([rate(step) for step in (1, 2, 3, 5, 10)], [0.0, 0.5, 1.0, 2.0, 2.0])


def test_rates_are_none_of_an_optimizer_without_a_schedule():
    class Plain:
        def build(self, steps):
            return optax.sgd(0.1)

    assert rates(Plain(), 10) is None


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: Cosine(final=2.0), "final=2.0"),
        (lambda: Linear(warmup=-1), "warmup=-1 must not be negative"),
        (lambda: Constant(warmup=1.5), "warmup=1.5 of Constant is of the type float; give int"),
        (lambda: Constant(warmup=10).build(1.0, 10), "warmup=10 must be less than steps=10"),
        (lambda: WarmupStableDecay(decay=0.0), "decay=0.0"),
        (lambda: WarmupStableDecay(warmup=9).build(1.0, 10), "warmup=9 ends after step 8 of 10, where decay=0.2 begins"),
    ],
)
def test_schedules_name_a_wrong_setting_with_its_value(make, part):
    with pytest.raises(ValueError, match=re.escape(part)) as error:
        make()
    assert "\n" not in str(error.value)
