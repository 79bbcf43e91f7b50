import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from arjax.heads import Bernoulli, Categorical

HEADS = (Bernoulli(), Categorical(1), Categorical(7))


def closed_form(head, theta, x):
    """log p(x | theta) in float64."""
    theta = np.asarray(theta, np.float64)
    if isinstance(head, Bernoulli):
        return np.where(x == 1, scipy.special.log_expit(theta[..., 0]), scipy.special.log_expit(-theta[..., 0]))
    return np.take_along_axis(scipy.special.log_softmax(theta, axis=-1), x[..., None], axis=-1)[..., 0]


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_log_prob_is_the_closed_form(head):
    rng = np.random.default_rng(0)
    theta = (10 * rng.normal(size=(5, 4, head.param_size))).astype(np.float32)
    x = rng.integers(0, head.vocab, (5, 4)).astype(np.int32)
    value = jax.jit(head.log_prob)(theta, x)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, closed_form(head, theta, x), rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("head", HEADS, ids=str)
@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_log_prob_and_its_gradient_are_finite_at_extreme_logits(head, scale):
    x = jnp.arange(head.vocab, dtype=jnp.int32)
    theta = np.where(np.arange(head.param_size) % 2 == 0, scale, -scale).astype(np.float32)
    theta = np.broadcast_to(theta, (head.vocab, head.param_size))
    value, gradient = jax.jit(jax.value_and_grad(lambda theta: head.log_prob(theta, x).sum()))(theta)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(value, closed_form(head, theta, np.asarray(x)).sum(), rtol=1e-6)


@pytest.mark.parametrize("head", HEADS[2:], ids=str)
def test_log_prob_has_the_gradient_one_hot_minus_softmax(head):
    theta, x = np.random.default_rng(0).normal(size=head.vocab).astype(np.float32), jnp.array(1)
    gradient = jax.jit(jax.grad(lambda theta: head.log_prob(theta, x)))(theta)
    np.testing.assert_allclose(gradient, np.eye(head.vocab)[1] - scipy.special.softmax(np.asarray(theta)), atol=1e-6)


@pytest.mark.parametrize("head", [Bernoulli(), Categorical(7)], ids=str)
def test_sample_follows_the_law(head):
    count, theta = 20_000, np.random.default_rng(0).normal(size=head.param_size).astype(np.float32)
    x = np.asarray(jax.jit(head.sample)(jax.random.key(1), np.broadcast_to(theta, (count, head.param_size))))
    symbols = np.arange(head.vocab)
    expected = np.exp(closed_form(head, np.broadcast_to(theta, (head.vocab, head.param_size)), symbols))
    assert scipy.stats.chisquare(np.bincount(x, minlength=head.vocab), count * expected / expected.sum()).pvalue > 1e-4


def test_categorical_without_symbols_is_refused():
    with pytest.raises(ValueError, match="vocab=0 leaves nothing to choose from; choose at least one symbol"):
        Categorical(0)
