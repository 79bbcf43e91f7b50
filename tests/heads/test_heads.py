import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from arjax.heads import Bernoulli, Categorical

HEADS = (Bernoulli(), Categorical(1), Categorical(2), Categorical(7))


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
    value = head.log_prob(jnp.asarray(theta), jnp.asarray(x))
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, closed_form(head, theta, x), rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_probabilities_sum_to_one(head):
    theta = 3 * jax.random.normal(jax.random.key(0), (6, 1, head.param_size))
    symbols = jnp.arange(head.vocab)[None]
    theta = jnp.broadcast_to(theta, (6, head.vocab, head.param_size))
    total = jnp.exp(head.log_prob(theta, jnp.broadcast_to(symbols, (6, head.vocab)))).sum(axis=1)
    np.testing.assert_allclose(total, 1, rtol=1e-6)


@pytest.mark.parametrize("head", HEADS, ids=str)
@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_values_and_gradients_are_finite_at_extreme_logits(head, scale):
    x = jnp.arange(head.vocab, dtype=jnp.int32)
    theta = jnp.broadcast_to(jnp.where(jnp.arange(head.param_size) % 2 == 0, scale, -scale), (head.vocab, head.param_size))
    value, gradient = jax.value_and_grad(lambda theta: head.log_prob(theta, x).sum())(theta)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(value, closed_form(head, theta, np.asarray(x)).sum(), rtol=1e-6)


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_outside_the_support_the_probability_is_zero(head):
    x = jnp.array([-1, head.vocab, head.vocab + 300], jnp.int32)
    assert (head.log_prob(jnp.zeros((3, head.param_size)), x) == -jnp.inf).all()


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_theta_in_bfloat16_gives_float32(head):
    theta = jax.random.normal(jax.random.key(0), (8, head.param_size), jnp.bfloat16)
    x = jnp.zeros(8, jnp.int32)
    value = head.log_prob(theta, x)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, closed_form(head, theta.astype(jnp.float32), np.asarray(x)), rtol=1e-6, atol=1e-6)
    assert head.sample(jax.random.key(1), theta).dtype == jnp.int32


@pytest.mark.parametrize("head", HEADS[2:], ids=str)
def test_the_gradient_is_the_one_hot_minus_the_softmax(head):
    theta, x = jax.random.normal(jax.random.key(0), (head.vocab,)), jnp.array(1)
    gradient = jax.grad(lambda theta: head.log_prob(theta, x))(theta)
    np.testing.assert_allclose(gradient, np.eye(head.vocab)[1] - scipy.special.softmax(np.asarray(theta)), atol=1e-6)


@pytest.mark.parametrize("head", [Bernoulli(), Categorical(2), Categorical(7)], ids=str)
def test_samples_follow_the_law(head):
    count, theta = 20_000, jax.random.normal(jax.random.key(0), (head.param_size,))
    x = np.asarray(jax.jit(head.sample)(jax.random.key(1), jnp.broadcast_to(theta, (count, head.param_size))))
    symbols = np.arange(head.vocab)
    expected = np.exp(closed_form(head, np.broadcast_to(theta, (head.vocab, head.param_size)), symbols))
    assert scipy.stats.chisquare(np.bincount(x, minlength=head.vocab), count * expected / expected.sum()).pvalue > 1e-4


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_a_sample_depends_on_key_and_theta_alone(head):
    theta = jax.random.normal(jax.random.key(0), (64, head.param_size))
    first, again, other = (head.sample(jax.random.key(seed), theta) for seed in (1, 1, 2))
    assert first.shape == (64,)
    assert first.dtype == jnp.int32
    np.testing.assert_array_equal(first, again)
    assert head.vocab == 1 or (first != other).any()


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_the_noise_of_one_site_does_not_see_the_theta_of_another(head):
    theta = jax.random.normal(jax.random.key(0), (64, head.param_size))
    changed = theta.at[:32].add(3.0)
    np.testing.assert_array_equal(head.sample(jax.random.key(1), theta)[32:], head.sample(jax.random.key(1), changed)[32:])


def test_a_categorical_without_symbols_is_refused():
    with pytest.raises(ValueError, match="vocab=0 leaves nothing to choose from; choose at least one symbol"):
        Categorical(0)


def test_heads_hash_and_compare():
    assert Bernoulli() == Bernoulli() != Categorical(2)
    assert hash(Categorical(3)) == hash(Categorical(3))
    assert Categorical(3) != Categorical(4)
