"""The head of one cell of a table, held against closed forms in float64 and against its own samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from faults import fault
from scipy.special import expit, log_softmax

from arjax.heads import MISSING, Cell, Law

CELL = Cell(components=2, levels=5)
FREE = np.random.default_rng(0).normal(size=CELL.param_size - len(Law().constants)).astype(np.float32)
REAL = Law("real", location=100.0, scale=20.0, resolution=0.5, missing=True)
ORDERED, CATEGORICAL = Law("ordered", 4), Law("categorical", 3, missing=True)


def theta(law, shape=()):
    return jnp.broadcast_to(jnp.asarray(np.append(FREE, np.float32(law.constants))), (*shape, CELL.param_size))


POINTS = 2048  # in all programs
score, draw, near = jax.jit(CELL.log_prob), jax.jit(CELL.sample), jax.jit(CELL.nearest)


def padded(x):
    return np.resize(np.asarray(x, np.float32), POINTS)


def log_prob(law, x):
    return np.asarray(score(theta(law, (POINTS,)), padded(x)), np.float64)[: np.size(x)]


def mixture_cdf(z):
    weights = np.exp(log_softmax(FREE[1:3].astype(np.float64)))
    means, scales = FREE[3:5] + np.array([-0.5, 0.5]), np.exp(FREE[5:7].astype(np.float64) - 1.5)
    return (weights * expit((np.asarray(z)[..., None] - means) / scales)).sum(axis=-1)


def test_log_prob_of_a_real_value_is_the_mean_density_over_its_resolution():
    x = np.linspace(-200, 500, 301)
    low, high = ((x + side * 0.25 - 100) / 20 for side in (-1, 1))
    there = expit(-np.float64(FREE[0]))
    np.testing.assert_allclose(
        np.exp(log_prob(REAL, x)), there * (mixture_cdf(high) - mixture_cdf(low)) / 0.5, rtol=1e-4, atol=1e-14
    )


def test_log_prob_of_a_real_value_integrates_to_one_with_what_misses():
    x = np.linspace(-1900, 2100, 2001)
    total = np.exp(log_prob(REAL, x)).sum() * 2 + np.exp(log_prob(REAL, MISSING))
    np.testing.assert_allclose(total, 1, rtol=1e-5)


def test_log_prob_of_a_real_value_never_exceeds_that_of_its_resolution():
    narrow = np.array(theta(Law("real", resolution=1e-3), (POINTS,)))
    narrow[:, 3:5], narrow[:, 5:7] = (0.5, -0.5), -1e4
    np.testing.assert_allclose(score(narrow, padded(0))[0], np.log(1e3), rtol=1e-5)


def test_log_prob_of_an_ordered_value_is_the_mixture_s_between_edges():
    cdf = mixture_cdf((2 * np.arange(1, 4) - 4) / 3)
    np.testing.assert_allclose(np.exp(log_prob(ORDERED, np.arange(4))), np.diff([0, *cdf, 1]), rtol=1e-5)


def test_log_prob_of_a_category_is_a_softmax_over_its_own_number():
    expected = log_softmax(FREE[1:4].astype(np.float64)) + np.log(expit(-np.float64(FREE[0])))
    np.testing.assert_allclose(log_prob(CATEGORICAL, np.arange(3)), expected, rtol=1e-5)
    np.testing.assert_allclose(log_prob(CATEGORICAL, MISSING), np.log(expit(np.float64(FREE[0]))), rtol=1e-5)


@pytest.mark.parametrize(
    ("law", "outside"), [(ORDERED, (-1, 4, 0.5, MISSING)), (CATEGORICAL, (-1, 3, 4, 1.5)), (Law(), (MISSING,))]
)
def test_log_prob_outside_of_the_support_is_minus_infinity(law, outside):
    assert (log_prob(law, outside) == -np.inf).all()


@pytest.mark.parametrize("law", [REAL, ORDERED, CATEGORICAL], ids=lambda law: law.kind)
def test_samples_follow_log_prob(law):
    x = np.concatenate([draw(key, theta(law, (POINTS,))) for key in jax.random.split(jax.random.key(1), 10)])
    gone = (x == MISSING).mean()
    assert abs(gone - (np.exp(log_prob(law, MISSING))[()] if law.missing else 0)) < 0.01
    if law.kind == "real":
        for quantile in (20, 90, 100, 110, 300):
            expected = mixture_cdf((quantile - 100) / 20) * (1 - np.exp(log_prob(law, MISSING)))
            assert abs((x[x != MISSING] <= quantile).sum() / len(x) - expected) < 0.012
    else:
        shares = [(x == level).mean() for level in range(law.levels)]
        np.testing.assert_allclose(shares, np.exp(log_prob(law, np.arange(law.levels))), atol=0.012)


@pytest.mark.parametrize("law", [REAL, Law(), ORDERED, CATEGORICAL], ids=str)
def test_nearest_is_of_the_support_and_leaves_its_values(law):
    first = near(theta(law, (POINTS,)), padded([-7.0, 0.4, 2.0, 9.0, MISSING]))
    assert np.isfinite(log_prob(law, first)).all()
    np.testing.assert_array_equal(near(theta(law, (POINTS,)), first), first)


def test_law_refuses_what_no_column_is():
    assert "real with 3 levels is no column" in fault(Law, "real", 3)
    assert "ordered with 0 levels is no column" in fault(Law, "ordered")
    assert "scale=0.0 is no size" in fault(lambda: Law(scale=0.0))
    assert "location=1e+35 is no size" in fault(lambda: Law(location=1e35))
    assert "levels=5000 is not in 1..4096" in fault(Cell, 2, 5000)
