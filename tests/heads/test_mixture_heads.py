"""The mixture heads, against SciPy's distributions in float64, enumeration and numerical integration."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats

from arjax.heads import (
    Bernoulli,
    Categorical,
    CoupledDiscretizedMixtureOfLogistics,
    DiscretizedMixtureOfLogistics,
    MixtureOfGaussians,
    MixtureOfLogistics,
    Ordinal,
)
from arjax.heads.noise import Uniform

KEY = jax.random.key(0)
SYMBOLS = np.arange(256)[:, None]
REAL = (MixtureOfGaussians(3), MixtureOfLogistics(1))
BINS = (DiscretizedMixtureOfLogistics(7, 3), DiscretizedMixtureOfLogistics(256, 1))
COUPLED = (CoupledDiscretizedMixtureOfLogistics(4, 2),)
ALL = REAL + BINS + COUPLED


def parts_of(theta, components):
    """Weights, means and scales [..., M] in float64, as the heads document them."""
    logits, mean, log_scale = np.split(np.asarray(theta, np.float64), 3, axis=-1)
    places = (2 * np.arange(components) + 1) / components - 1
    return scipy.special.softmax(logits, axis=-1), mean + places, np.exp(np.clip(log_scale, -30, 30))


def family(head):
    return scipy.stats.norm if isinstance(head, MixtureOfGaussians) else scipy.stats.logistic


def bin_probs(mean, scale, vocab):
    """[V]: a logistic's probabilities of the symbols, float64, by the paper's definition."""
    symbols = np.arange(vocab)
    upper = np.where(symbols == vocab - 1, np.inf, (2 * symbols - (vocab - 1) + 1) / (vocab - 1))
    lower = np.where(symbols == 0, -np.inf, (2 * symbols - (vocab - 1) - 1) / (vocab - 1))
    return scipy.stats.logistic.cdf(upper, mean, scale) - scipy.stats.logistic.cdf(lower, mean, scale)


def mixture_probs(head, theta):
    weight, mean, scale = parts_of(theta, head.components)
    return sum(w * bin_probs(m, s, head.vocab) for w, m, s in zip(weight, mean, scale, strict=True))


def pixel_probs(head, theta):
    """[V, V, V] by loops over the equation of PixelCNN++."""
    theta = np.asarray(theta, np.float64).reshape(10, head.components)
    weight, unit = scipy.special.softmax(theta[0]), np.linspace(-1, 1, head.vocab)
    probs = np.zeros((head.vocab,) * 3)
    for m in range(head.components):
        mean = theta[1:4, m] + (2 * m + 1) / head.components - 1
        scale, (alpha, beta, gamma) = np.exp(theta[4:7, m]), np.tanh(theta[7:10, m])
        for r, red in enumerate(bin_probs(mean[0], scale[0], head.vocab)):
            for g, green in enumerate(bin_probs(mean[1] + alpha * unit[r], scale[1], head.vocab)):
                blue = bin_probs(mean[2] + beta * unit[r] + gamma * unit[g], scale[2], head.vocab)
                probs[r, g] += weight[m] * red * green * blue
    return probs


def random_theta(head, shape=(), spread=1.0, seed=0):
    return (spread * np.random.default_rng(seed).normal(size=(*shape, head.param_size))).astype(np.float32)


def repeat(theta, count):
    return np.broadcast_to(theta, (count, len(theta)))


def jitted(name):
    """A method of a head as one program for each head and shape."""
    return jax.jit(lambda head, *args: getattr(head, name)(*args), static_argnums=0)


log_prob_of, cdf_of, mean_of, quantile_of, sample_of = map(jitted, ("log_prob", "cdf", "mean", "quantile", "sample"))


def pixels(head):
    return jnp.array(list(itertools.product(range(head.vocab), repeat=3)), jnp.int32)


# Real values


@pytest.mark.parametrize("head", REAL, ids=str)
def test_log_prob_cdf_and_mean_are_scipys(head):
    theta = random_theta(head, (6, 5), spread=0.7)
    x = (2 * np.random.default_rng(1).normal(size=(6, 5))).astype(np.float32)
    weight, mean, scale = parts_of(theta, head.components)
    at = np.asarray(x, np.float64)[..., None]
    log_prob = log_prob_of(head, theta, x)
    assert log_prob.dtype == jnp.float32
    np.testing.assert_allclose(log_prob, np.log((weight * family(head).pdf(at, mean, scale)).sum(-1)), rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(cdf_of(head, theta, x), (weight * family(head).cdf(at, mean, scale)).sum(-1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mean_of(head, theta), (weight * mean).sum(-1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("head", REAL, ids=str)
def test_log_prob_integrates_to_one_and_to_the_cdf(head):
    theta = random_theta(head, spread=0.5)
    x = np.linspace(-60, 60, 60_001)
    density = np.exp(np.asarray(log_prob_of(head, repeat(theta, len(x)), jnp.asarray(x, jnp.float32)), np.float64))
    assert scipy.integrate.simpson(density, x=x) == pytest.approx(1, abs=1e-5)
    until = x <= 0.5
    cdf = cdf_of(head, theta, jnp.float32(0.5))
    assert scipy.integrate.simpson(density[until], x=x[until]) == pytest.approx(float(cdf), abs=1e-4)


@pytest.mark.parametrize("head", REAL, ids=str)
def test_sample_of_real_values_follows_the_cdf(head):
    theta = random_theta(head)
    x = sample_of(head, jax.random.key(1), repeat(theta, 20_000))
    weight, mean, scale = parts_of(theta, head.components)
    law = scipy.stats.kstest(np.asarray(x), lambda x: (weight * family(head).cdf(x[:, None], mean, scale)).sum(-1))
    assert law.pvalue > 1e-4


# Ordered symbols


@pytest.mark.parametrize("head", BINS, ids=str)
def test_log_prob_of_symbols_is_that_of_their_bins(head):
    symbols = jnp.arange(head.vocab)
    for seed in range(3):
        theta = random_theta(head, seed=seed)
        expected = mixture_probs(head, theta)
        np.testing.assert_allclose(jnp.exp(log_prob_of(head, repeat(theta, head.vocab), symbols)), expected, rtol=1e-5)
        np.testing.assert_allclose(cdf_of(head, repeat(theta, head.vocab), symbols), np.cumsum(expected), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(mean_of(head, theta), expected @ np.arange(head.vocab), rtol=1e-5)


def test_log_prob_far_in_the_tail_is_exact():
    head = DiscretizedMixtureOfLogistics(256, 1)
    theta = jnp.array([0.0, -2.0, -4.0])  # z is hundreds at the right: the difference of the sigmoids is 0 in any precision
    z = (np.arange(1, 255) - 127.5 + np.array([[-0.5], [0.5]])) / 127.5 * np.exp(4.0) + 2 * np.exp(4.0)
    expected = scipy.special.log_expit(z[1]) + scipy.special.log_expit(-z[0]) + np.log(-np.expm1(z[0] - z[1]))
    np.testing.assert_allclose(log_prob_of(head, repeat(theta, 254), jnp.arange(1, 255)), expected, rtol=1e-6)
    assert expected[-1] < -150


@pytest.mark.parametrize("components", [1, 10])
def test_log_prob_of_256_symbols_sums_to_one_within_1e_6_whatever_theta(components):
    head, count, rng = DiscretizedMixtureOfLogistics(256, components), 300, np.random.default_rng(components)
    log_prob = jax.jit(lambda theta: jax.vmap(head.log_prob, (None, 0), 1)(theta, jnp.broadcast_to(SYMBOLS, (256, count))))
    shape = (count, components)
    edges = (2 * rng.integers(1, 256, shape) - 256) / 255 - ((2 * np.arange(components) + 1) / components - 1)
    means = (rng.uniform(-2, 2, shape), 10 * rng.normal(size=shape), rng.choice([-1e4, 0, 1e4], shape), edges)
    log_scales = (rng.uniform(-8, 2, shape), rng.uniform(-30, 30, shape), rng.choice([-1e4, -30, 0, 9, 30, 1e4], shape))
    for mean, log_scale in itertools.product(means, log_scales):
        logits = rng.normal(size=shape) * rng.choice([0, 1, 10, 1e4], (count, 1))
        logs = log_prob(jnp.asarray(np.concatenate([logits, mean, log_scale], axis=1), jnp.float32))
        total = np.exp(np.asarray(logs, np.float64)).sum(axis=1)
        assert np.abs(total - 1).max() <= 1e-6


@pytest.mark.parametrize("head", BINS, ids=str)
def test_quantile_is_the_smallest_symbol_whose_cdf_reaches_u(head):
    theta = random_theta(head)
    cdf = np.asarray(cdf_of(head, repeat(theta, head.vocab), jnp.arange(head.vocab)))
    below, above = np.nextafter(cdf, 0, dtype=np.float32), np.nextafter(cdf, 1, dtype=np.float32)
    u = np.unique(np.concatenate([np.linspace(1e-6, 1, 3001, dtype=np.float32), np.minimum(above, 1), below]))
    u = u[(np.abs(u[:, None] - cdf) > 3e-7).all(axis=1) | (u == 1)]
    x = np.asarray(quantile_of(head, repeat(theta, len(u)), Uniform(u, 1 - u)))
    np.testing.assert_array_equal(x[:-1], [next(v for v in range(head.vocab) if cdf[v] >= at) for at in u[:-1]])
    assert (np.diff(x) >= 0).all()


@pytest.mark.parametrize("vocab", [2, 255])
def test_quantile_of_certain_mixtures_is_their_symbol_for_every_uniform(vocab):
    head = DiscretizedMixtureOfLogistics(vocab, 3)
    u = jnp.array([2.0**-23, 0.5, 1 - 2.0**-24, 1.0])
    logits = jnp.array([0.3, -0.7, 1.1])
    for mean, symbol in ((-1e4, 0), (1e4, vocab - 1)):
        theta = jnp.concatenate([logits, jnp.full(3, mean), jnp.full(3, -5.0)])
        np.testing.assert_array_equal(quantile_of(head, repeat(theta, 4), Uniform(u, 1 - u)), symbol)


@pytest.mark.parametrize("head", BINS, ids=str)
def test_sample_of_symbols_follows_the_law(head):
    theta, count = random_theta(head), 20_000
    x = np.asarray(sample_of(head, jax.random.key(1), repeat(theta, count)))
    expected = count * mixture_probs(head, theta)
    rare = expected < 5
    counts = np.bincount(x, minlength=head.vocab)
    observed, expected = (np.append(each[~rare], each[rare].sum()) for each in (counts, expected))
    keep = expected > 0
    assert scipy.stats.chisquare(observed[keep], expected[keep]).pvalue > 1e-4


# Coupled channels


@pytest.mark.parametrize("head", COUPLED, ids=str)
def test_log_prob_of_pixels_is_the_papers_equation(head):
    theta = random_theta(head, spread=0.8)
    x, expected = pixels(head), pixel_probs(head, theta)
    theta = repeat(theta, len(x))
    np.testing.assert_allclose(jnp.exp(log_prob_of(head, theta, x)), expected.reshape(-1), rtol=2e-5)
    red, cdf = expected.sum((1, 2)), np.asarray(cdf_of(head, theta, x))
    np.testing.assert_allclose(cdf[:, 0].reshape(expected.shape)[:, 0, 0], np.cumsum(red), rtol=1e-5)
    green = expected.sum(2) / red[:, None]
    np.testing.assert_allclose(cdf[:, 1].reshape(expected.shape)[..., 0], np.cumsum(green, 1), rtol=1e-5)
    blue = expected / expected.sum(2, keepdims=True)
    np.testing.assert_allclose(cdf[:, 2].reshape(expected.shape), np.cumsum(blue, 2), rtol=1e-5)
    symbols, mean = np.arange(head.vocab), mean_of(head, theta, x).reshape(*expected.shape, 3)
    np.testing.assert_allclose(mean[0, 0, 0, 0], red @ symbols, rtol=1e-5)
    np.testing.assert_allclose(mean[:, 0, 0, 1], green @ symbols, rtol=1e-5)
    np.testing.assert_allclose(mean[..., 0, 2], blue @ symbols, rtol=1e-5)


def test_mean_of_a_channel_depends_on_those_before_it_and_no_other():
    head = CoupledDiscretizedMixtureOfLogistics(8, 2)
    x = jnp.array([2, 3, 4])
    mean = mean_of(head, repeat(random_theta(head), 4), jnp.stack([x, *(x[None] + 3 * jnp.eye(3, dtype=jnp.int32))]))
    np.testing.assert_array_equal((mean[1:] != mean[:1]).T, np.tri(3, k=-1, dtype=bool))


def test_sample_of_pixels_follows_the_law():
    head, count = CoupledDiscretizedMixtureOfLogistics(4, 2), 60_000
    theta = random_theta(head, spread=0.8)
    x = np.asarray(sample_of(head, jax.random.key(1), repeat(theta, count)))
    counts = np.bincount(x @ np.array([16, 4, 1]), minlength=64)
    expected = count * pixel_probs(head, theta).reshape(-1)
    assert expected.min() > 5
    assert scipy.stats.chisquare(counts, expected * count / expected.sum()).pvalue > 1e-4


def test_mean_of_channels_depends_on_each_other_within_one_component():
    head = CoupledDiscretizedMixtureOfLogistics(5, 1)
    for coefficient, earlier in ((7, 0), (8, 0), (9, 1)):
        channel = 1 if coefficient == 7 else 2
        theta = jnp.zeros(10).at[4:7].set(-2.0).at[coefficient].set(2.0)
        low, high = jnp.zeros(3, jnp.int32), jnp.zeros(3, jnp.int32).at[earlier].set(4)
        moved = np.asarray(mean_of(head, theta, high) - mean_of(head, theta, low))
        assert moved[channel] > 1
        np.testing.assert_allclose(np.delete(moved, channel), 0, atol=1e-6)


def test_log_prob_of_256_blues_sums_to_one_where_red_and_green_are_certain():
    head, count = CoupledDiscretizedMixtureOfLogistics(256, 5), 200
    theta = (
        jnp.asarray(random_theta(head, (count,))).reshape(count, 10, 5).at[:, 1:3].set(1e4).at[:, 6].add(-3.0).reshape(count, 50)
    )
    x = jnp.broadcast_to(jnp.full((256, 3), 255).at[:, 2].set(jnp.arange(256))[:, None], (256, count, 3))
    logs = jax.jit(jax.vmap(head.log_prob, (None, 0)))(theta, x)
    assert np.abs(np.exp(np.asarray(logs, np.float64)).sum(axis=0) - 1).max() <= 1e-6


# All of them


def extremes(head):
    """Thetas at the limits: each group of parameters far out in turn."""
    rng = np.random.default_rng(0)
    groups = 10 if isinstance(head, CoupledDiscretizedMixtureOfLogistics) else 3
    for value in (-1e4, -30.0, 30.0, 1e4):
        for group in range(groups):
            theta = rng.normal(size=(groups, head.components))
            theta[group] = value
            yield jnp.asarray(theta.reshape(-1), jnp.float32)
    for _ in range(20):
        yield jnp.asarray(rng.choice([-1e4, -30, 0, 30, 1e4], head.param_size), jnp.float32)


@pytest.mark.parametrize("head", [*ALL, CoupledDiscretizedMixtureOfLogistics(256, 2)], ids=str)
def test_log_prob_and_its_gradient_are_finite_at_every_limit(head):
    thetas = jnp.stack(list(extremes(head)))
    top = 1e4 if head.vocab is None else head.vocab - 1
    middle = 0.0 if head.vocab is None else head.vocab // 2
    both = jax.jit(jax.vmap(jax.value_and_grad(head.log_prob), (0, None)))
    for x in (-top if head.vocab is None else 0, middle, top):
        value, gradient = both(thetas, jnp.full(head.event_shape, x, jnp.float32 if head.vocab is None else jnp.int32))
        assert np.isfinite(value).all()
        assert np.isfinite(gradient).all()
    samples = sample_of(head, KEY, thetas)
    assert np.isfinite(samples).all()
    assert head.vocab is None or ((samples >= 0) & (samples < head.vocab)).all()


@pytest.mark.parametrize("head", [*ALL, Bernoulli(), Categorical(5), Ordinal(5)], ids=str)
def test_head_keeps_its_promises_of_support_types_keys_and_hashes(head):
    theta, symbols = random_theta(head, (64,)), head.vocab is not None
    x = jnp.ones((64, *head.event_shape), jnp.int32 if symbols else jnp.float32)
    half = jnp.asarray(theta, jnp.bfloat16)
    value, full = log_prob_of(head, half, x), log_prob_of(head, half.astype(jnp.float32), x)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, full, rtol=1e-6)
    if symbols:
        beyond = np.array([-1, head.vocab, head.vocab + 300])
        outside = x.at[:3].set(beyond.reshape(3, *(1 for _ in head.event_shape)))
        np.testing.assert_array_equal(np.isinf(log_prob_of(head, half, outside)), np.arange(64) < 3)
        gradient = jax.jit(jax.grad(lambda theta: jnp.where(jnp.arange(64) < 3, head.log_prob(theta, outside), 0).sum()))(theta)
        assert np.isfinite(gradient).all()
    first, again, other = (sample_of(head, jax.random.key(seed), theta) for seed in (1, 1, 2))
    assert (first.shape, first.dtype) == ((64, *head.event_shape), x.dtype)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    theta[:32] += 3
    np.testing.assert_array_equal(first[32:], sample_of(head, jax.random.key(1), theta)[32:])  # its own theta alone
    assert hash(head) == hash(dataclasses.replace(head))
    assert head == dataclasses.replace(head)


@pytest.mark.parametrize("head", BINS, ids=str)
def test_cdf_outside_the_support_is_zero_or_one(head):
    theta = random_theta(head, (4,))
    np.testing.assert_array_equal(cdf_of(head, theta, jnp.array([-5, -1, head.vocab - 1, head.vocab + 9])), [0, 0, 1, 1])


@pytest.mark.parametrize("head", [*REAL, BINS[0], *COUPLED], ids=str)
def test_log_prob_has_the_gradient_of_finite_differences(head):
    theta = random_theta(head, spread=0.5)
    x = jnp.full(head.event_shape, 1, jnp.float32 if head.vocab is None else jnp.int32)
    gradient = jax.jit(jax.grad(head.log_prob))(theta, x)
    step = 1e-2 * jnp.eye(head.param_size)
    ahead, behind = (jax.jit(jax.vmap(head.log_prob, (0, None)))(theta[None] + sign * step, x) for sign in (1, -1))
    np.testing.assert_allclose(gradient, (ahead - behind) / 2e-2, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("head", [REAL[0], MixtureOfLogistics(4), BINS[0], *COUPLED], ids=str)
def test_log_prob_at_theta_zero_has_different_gradients_for_the_components(head):
    x = jnp.full(head.event_shape, 1, jnp.float32 if head.vocab is None else jnp.int32)
    gradient = np.asarray(jax.jit(jax.grad(head.log_prob))(jnp.zeros(head.param_size), x)).reshape(-1, head.components)
    assert len(np.unique(gradient[0])) == head.components


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MixtureOfGaussians(0), "components=0 leaves nothing to mix; choose at least one component"),
        (lambda: MixtureOfLogistics(-1), "components=-1 leaves nothing to mix"),
        (lambda: DiscretizedMixtureOfLogistics(1, 2), "vocab=1 leaves no edge between symbols; choose at least two symbols"),
        (lambda: DiscretizedMixtureOfLogistics(4, 0), "components=0 leaves nothing to mix"),
        (lambda: CoupledDiscretizedMixtureOfLogistics(1, 2), "vocab=1 leaves no edge between symbols"),
        (lambda: CoupledDiscretizedMixtureOfLogistics(4, 0), "components=0 leaves nothing to mix"),
    ],
)
def test_check_components_and_check_bins_refuse_impossible_heads(make, message):
    with pytest.raises(ValueError, match=message):
        make()
