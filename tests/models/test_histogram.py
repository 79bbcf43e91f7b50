"""The histogram: counting against bincount and loops, the inverse CDF, and what gradient descent makes of the same data."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats
from fitting import fitting
from nets import check_steps

import arjax
from arjax import Model, testing
from arjax.data import Bimodal, Levels, Real
from arjax.data.splits import Split, Splits
from arjax.heads import Categorical, DiscretizedMixtureOfLogistics, MixtureOfGaussians, Ordinal
from arjax.heads.noise import Uniform
from arjax.models import Histogram
from arjax.models.histogram import fit
from arjax.orders import AnyOrder
from arjax.runs.report import show, to_density
from arjax.training import Experiment
from arjax.training.state import init_state, train_step

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def trained(model, values, x, steps, rate):
    """The parameters after `steps` full-batch updates by train_step."""
    experiment = fitting(model, values, optax.adam(optax.cosine_decay_schedule(rate, steps)))
    batch, state = {"x": jnp.asarray(x)}, init_state(experiment, KEY)
    step = functools.partial(train_step, experiment)
    return jax.jit(lambda state: jax.lax.fori_loop(0, steps, lambda _, s: step(s, batch, KEY)[0], state))(state).params


# Counting


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_fit_is_numpys_bincount_with_weights(smoothing):
    x, weights = RNG.integers(0, 6, (50, 2, 3)), RNG.random(50)
    probs = np.exp(fit(x, 6, weights=weights, smoothing=smoothing)["theta"])
    for site, column in enumerate(x.reshape(50, 6).T):
        counts = np.bincount(column, weights, minlength=6) + smoothing
        np.testing.assert_allclose(probs[site], counts / counts.sum(), rtol=1e-5)


def test_log_prob_is_looked_up():
    x = RNG.integers(0, 5, (40, 3)).astype(np.int32)
    model = Model(Histogram(), Ordinal(5), (3,), AnyOrder())
    log_prob = arjax.log_prob(model, fit(x, 5, smoothing=1.0), x[:4], order=np.array([2, 0, 1]))
    expected = [sum(math.log(((x[:, t] == row[t]).sum() + 1) / 45) for t in range(3)) for row in x[:4]]
    np.testing.assert_allclose(log_prob, expected, rtol=1e-6)


def test_fit_takes_a_weight_of_two_as_an_example_given_twice():
    x = RNG.integers(0, 4, (9, 2))
    twice = fit(np.concatenate([x, x[:3]]), 4)
    np.testing.assert_array_equal(fit(x, 4, weights=[2] * 3 + [1] * 6)["theta"], twice["theta"])


@pytest.mark.parametrize("head", [Ordinal(300), Categorical(300)], ids=str)
def test_fit_gives_a_symbol_never_seen_probability_zero_and_finite_parameters(head):
    model, params = Model(Histogram(), head, (1,)), fit(np.array([[7], [7], [9]]), 300)
    assert np.isfinite(params["theta"]).all()
    x = np.arange(300)[:, None]
    probs = np.asarray(jnp.exp(arjax.log_prob(model, params, x)))
    np.testing.assert_allclose(probs[[7, 9]], [2 / 3, 1 / 3], rtol=1e-6)
    np.testing.assert_array_equal(np.delete(probs, [7, 9]), 0)
    assert set(np.unique(arjax.sample(model, params, KEY, 3000))) == {7, 9}
    gradient = jax.grad(lambda params: arjax.log_prob(model, params, x[:1]).sum())(params)["theta"]
    np.testing.assert_allclose(gradient[0, 0], 1, rtol=1e-6)


def test_histogram_makes_sites_independent_and_a_counted_law_with_an_empty_bin_sums_to_one():
    model = Model(Histogram(), Ordinal(3), (2, 2), AnyOrder())
    x = RNG.integers(0, 2, (9, 2, 2))
    params, space = fit(x, 3), testing.enumerate_space(model)
    check_steps(model, params, space.reshape(-1, 4), jnp.arange(4)[::-1])
    expected = [np.prod([(x.reshape(9, 4)[:, t] == row[t]).mean() for t in range(4)]) for row in space.reshape(-1, 4)]
    np.testing.assert_allclose(np.exp(arjax.log_prob(model, params, space)), expected, rtol=1e-5)
    assert math.isnan(testing.work_ratio(model, params, KEY, 2))
    with pytest.raises(testing.LawBroken, match="depends on no earlier symbol at all"):
        testing.check_causality(model, params, KEY)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros((3, 2))}, r"x is float64 of shape \(3, 2\); give whole numbers"),
        ({"x": np.zeros(3, int)}, r"x is int64 of shape \(3,\); give whole numbers \[N, \*site_shape\]"),
        ({"x": np.zeros((0, 2), int)}, "at least one"),
        ({"x": np.array([[4]])}, r"x has symbols 4\.\.4, but vocab=4 means 0\.\.3; correct one of them"),
        ({"x": np.array([[-1]])}, r"x has symbols -1\.\.-1"),
        ({"x": np.array([[1]]), "smoothing": -1.0}, r"smoothing=-1\.0 must be finite and not negative"),
        ({"x": np.array([[1]]), "weights": [1, 2]}, "must be 1 finite numbers"),
        ({"x": np.array([[1]]), "weights": [-1]}, "finite numbers >= 0"),
        ({"x": np.array([[1]]), "weights": [0]}, "not all zero"),
        ({"x": np.array([[1]]), "weights": [math.nan]}, "finite"),
    ],
)
def test_fit_refuses_what_no_histogram_counts(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit(**{"vocab": 4} | arguments)


# The inverse CDF


def smallest_symbol(probs, u):
    total = 0.0
    for v, p in enumerate(probs):
        total += p
        if total >= u:
            return v
    raise ValueError("the probabilities sum to less than u")


def test_quantile_is_the_loops_smallest_symbol():
    probs = np.array([0, 1, 0, 3, 4, 0, 0, 8]) / 16
    theta = fit(np.repeat(np.arange(8), (probs * 16).astype(int))[:, None], 8)["theta"]
    u = np.arange(1, 257, dtype=np.float32) / 256
    u = u[(u * 16) % 1 != 0]
    x = Ordinal(8).quantile(jnp.broadcast_to(theta, (len(u), 8)), Uniform(u, 1 - u))
    np.testing.assert_array_equal(x, [smallest_symbol(probs, at) for at in u])


@pytest.mark.parametrize("vocab", [2, 16, 256])
def test_quantile_at_an_exact_boundary_is_the_symbol_below_it(vocab):
    # Equal logits of a power of two of symbols: softmax, its sums and the boundaries are exact in float32.
    boundaries = np.arange(1, vocab + 1, dtype=np.float32) / vocab
    theta = jnp.zeros((vocab, vocab))
    for u in (np.nextafter(boundaries, np.float32(0)), boundaries, np.minimum(np.nextafter(boundaries, np.float32(2)), 1)):
        expected = [smallest_symbol([1 / vocab] * vocab, at) for at in u]
        np.testing.assert_array_equal(Ordinal(vocab).quantile(theta, Uniform(u, 1 - u)), expected)


@pytest.mark.parametrize("vocab", [2, 100, 1000])
def test_quantile_never_reaches_impossible_symbols_and_the_cdf_rises_to_one(vocab):
    logits = RNG.normal(size=(50, vocab)) * 5
    impossible = RNG.random((50, vocab)) < 0.5
    impossible[:, 1] = False
    theta = jnp.asarray(np.where(impossible, -np.inf, logits), jnp.float32)
    head = Ordinal(vocab)
    for rest in (1 - 2.0**-23, 0.5, 2.0**-24, 2.0**-65):
        u = Uniform(*np.full((2, 50), [[1 - rest], [rest]], np.float32))
        assert not impossible[np.arange(50), np.asarray(head.quantile(theta, u))].any()
    cdf = np.stack([head.cdf(theta, jnp.full(50, v)) for v in (-1, *range(0, vocab, max(1, vocab // 20)), vocab - 1, vocab)])
    assert (np.diff(cdf, axis=0) >= 0).all()
    np.testing.assert_array_equal(cdf[0], 0)
    np.testing.assert_array_equal(cdf[-2:], 1)


def test_ordinal_has_the_law_of_categorical_and_a_mean():
    theta = jnp.asarray(RNG.normal(size=(7,)), jnp.float32)
    probs = np.exp(np.asarray(theta, np.float64)) / np.exp(np.asarray(theta, np.float64)).sum()
    rows = jnp.broadcast_to(theta, (20_000, 7))
    np.testing.assert_array_equal(
        Ordinal(7).log_prob(rows[:9], jnp.arange(-1, 8)), Categorical(7).log_prob(rows[:9], jnp.arange(-1, 8))
    )
    np.testing.assert_allclose(Ordinal(7).mean(theta), probs @ np.arange(7), rtol=1e-6)
    np.testing.assert_allclose(Ordinal(7).cdf(rows[:7], jnp.arange(7)), np.cumsum(probs), rtol=1e-6)
    for head in (Ordinal(7), Categorical(7)):
        x = np.bincount(head.sample(KEY, rows), minlength=7)
        assert scipy.stats.chisquare(x, 20_000 * probs / probs.sum()).pvalue > 1e-4
    with pytest.raises(ValueError, match="vocab=0 leaves nothing to choose from"):
        Ordinal(0)


# Gradient descent on the same data


def test_fit_and_the_optimum_of_gradient_descent_sample_the_same_law():
    x = RNG.choice(6, size=(200, 1), p=[0.05, 0.3, 0.1, 0.25, 0.1, 0.2]).astype(np.uint8)
    model = Model(Histogram(), Ordinal(6), (1,))
    counted, learned = fit(x, 6), trained(model, Levels(6), x, 600, 0.1)
    probs = np.bincount(x[:, 0], minlength=6) / 200
    np.testing.assert_allclose(jax.nn.softmax(learned["theta"][0]), probs, atol=1e-4)
    for params, key in ((counted, jax.random.key(1)), (learned, jax.random.key(2))):
        samples = np.bincount(np.asarray(arjax.sample(model, params, key, 20_000))[:, 0], minlength=6)
        assert scipy.stats.chisquare(samples, 20_000 * probs).pvalue > 1e-4


def test_histogram_of_few_examples_does_not_generalise_and_a_mixture_does():
    data = Bimodal(train=100)
    splits = data.load()
    histogram = Model(Histogram(), Ordinal(100), (1,))
    mixture = dataclasses.replace(histogram, head=DiscretizedMixtureOfLogistics(100, 3))
    learned = trained(mixture, data.values, splits.train.x, 500, 0.1)

    def nats(model, params, split):
        return -float(arjax.log_prob(model, params, split.x).mean())

    counts = fit(splits.train.x, 100)
    assert nats(histogram, counts, splits.train) < nats(mixture, learned, splits.train)
    law = -np.log(data.probs()[splits.test.x[:, 0]]).mean()
    held_out = {a: nats(histogram, fit(splits.train.x, 100, smoothing=a), splits.test) for a in (0.0, 0.01, 0.1, 1.0)}
    assert law < nats(mixture, learned, splits.test) < law + 0.1
    assert min(held_out.values()) > law + 0.2
    assert held_out[0.0] > law + 3


def test_histogram_of_gaussians_fits_real_values():
    x = np.concatenate([RNG.normal(-2, 0.3, (400, 1)), RNG.normal(1, 0.5, (600, 1))]).astype(np.float32)
    model = Model(Histogram(), MixtureOfGaussians(2), (1,))
    weight, mean, log_std = np.split(np.asarray(trained(model, Real(), x, 500, 0.05)["theta"][0]), 3)
    np.testing.assert_allclose(np.sort(mean + np.array([-0.5, 0.5])), [-2, 1], atol=0.1)
    np.testing.assert_allclose(np.exp(log_std), [0.3, 0.5], atol=0.05)
    np.testing.assert_allclose(np.exp(weight[0] - weight[1]), 400 / 600, rtol=0.05)


# The toy data and its picture


def test_bimodal_follows_its_law_and_its_test_split_does_not_see_the_training_size():
    data, other = Bimodal(train=5000), Bimodal(train=10)
    probs, splits = data.probs(), data.load()
    assert probs.sum() == pytest.approx(1, abs=1e-12)
    z = scipy.stats.norm.cdf
    assert probs[30] == pytest.approx(0.4 * (z(5.5 / 4) - z(4.5 / 4)) + 0.6 * (z(-34.5 / 12) - z(-35.5 / 12)))
    assert [split.x.shape for split in splits] == [(5000, 1), (1000, 1), (10000, 1)]
    for split in splits:
        assert scipy.stats.kstest(split.x[:, 0], lambda x: np.cumsum(probs)[np.asarray(x, int)]).statistic < 0.05
    np.testing.assert_array_equal(splits.test.x, other.load().test.x)
    np.testing.assert_array_equal(splits.train.x[:10], other.load().train.x)
    assert (splits.test.x != Bimodal(seed=1).load().test.x).any()


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"train": 0}, "train=0 leaves nothing to learn from"), ({"seed": -1}, "seed=-1 must not be negative")],
)
def test_bimodal_refuses_what_is_impossible(fields, message):
    with pytest.raises(ValueError, match=message):
        Bimodal(**fields)


def test_to_density_tabulates_one_site_and_no_more():
    symbols, params = Model(Histogram(), Ordinal(3), (1, 1)), {"theta": jnp.log(jnp.array([[0.2, 0.3, 0.5]]))}
    points, density = to_density(symbols, params, np.zeros((2, 1, 1), int))
    np.testing.assert_array_equal(points, [0, 1, 2])
    np.testing.assert_allclose(density, [0.2, 0.3, 0.5], rtol=1e-6)
    real = Model(Histogram(), MixtureOfGaussians(1), (1,))
    points, density = to_density(real, {"theta": jnp.zeros((1, 3))}, np.array([[-5.0], [5.0]]))
    np.testing.assert_allclose(points[[0, -1]], [-6, 6])
    np.testing.assert_allclose(density, scipy.stats.norm.pdf(points), rtol=1e-4)
    assert to_density(Model(Histogram(), Ordinal(3), (2,)), params, np.zeros((2, 2), int)) is None


def test_show_draws_the_density_of_one_site():
    for sites in (1, 2):
        model = Model(Histogram(), Ordinal(100), (sites,))
        experiment = Experiment(data=Bimodal(), model=model, steps=2, eval_every=1, samples=2)
        splits = Splits(*[Split(np.full((9, sites), 7))] * 3)
        shown = show(experiment.task, experiment, {"theta": jnp.zeros((sites, 100))}, (), splits, KEY, 1)
        assert ("density" in shown) == (sites == 1)
        assert len(shown["samples"].texts) == 2
