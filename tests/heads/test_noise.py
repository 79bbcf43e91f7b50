"""Both ends of what heads draw: events of probability 2^-30, seen among draws whose first 20 bits are those of that end."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from arjax.errors import InputError
from arjax.heads import (
    Bernoulli,
    Categorical,
    CoupledDiscretizedMixtureOfLogistics,
    DiscretizedMixtureOfLogistics,
    MixtureOfGaussians,
    MixtureOfLogistics,
    Ordinal,
    noise,
)

KEY, DRAWS, RARE = jax.random.key(0), 2**18, 2.0**-30
LOG = float(np.log(RARE))
NARROW = float(np.log(0.5 / -LOG))  # of three symbols the first and the last then have probability 2^-30
GAUSSIAN = float(scipy.stats.norm.ppf(RARE))

# theta, and whether a sample is the rare one: at the lower end of the uniform, and at its upper end.
TAILS = {
    "bernoulli, rarely one": (Bernoulli(), [LOG], None, lambda x: x == 1),
    "bernoulli, rarely zero": (Bernoulli(), [-LOG], lambda x: x == 0, None),
    "ordinal": (Ordinal(3), [LOG, 0, LOG], lambda x: x == 0, lambda x: x == 2),
    "discretized": (DiscretizedMixtureOfLogistics(3, 1), [0, 0, NARROW], lambda x: x == 0, lambda x: x == 2),
    "coupled": (
        CoupledDiscretizedMixtureOfLogistics(3, 1),
        [0, 0, 0, 0, NARROW, 0, 0, 0, 0, 0],
        lambda x: x[:, 0] == 0,
        lambda x: x[:, 0] == 2,
    ),
    "logistic": (MixtureOfLogistics(1), [0, 0, 0], lambda x: x > -LOG, lambda x: x < LOG),
    "gaussian": (MixtureOfGaussians(1), [0, 0, 0], lambda x: x > -GAUSSIAN, lambda x: x < GAUSSIAN),
}


def draws(monkeypatch, head, theta, end, where=slice(None)):
    """Samples of a head whose uniforms are within 2^-20 of an end, 0 or 1; of all values drawn, or of some."""
    words = noise._words

    def near(key, shape):
        high, low = words(key, shape)
        forced = high | np.uint32(0xFFFFF000) if end == 0 else high & np.uint32(0xFFF)
        return high.at[where].set(forced[where]), low

    monkeypatch.setattr(noise, "_words", near)
    theta = np.broadcast_to(np.asarray(theta, np.float32), (DRAWS, head.param_size))
    return np.asarray(jax.jit(lambda theta: head.sample(KEY, theta))(theta))


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("name", TAILS)
def test_sample_draws_what_is_rare_as_rarely_as_it_should(monkeypatch, name, end):
    head, theta, *rare = TAILS[name]
    if rare[end] is None:
        pytest.skip("two symbols have one rare end")
    seen = rare[end](draws(monkeypatch, head, theta, end)).sum()
    expected = DRAWS * 2.0**-10
    assert abs(seen - expected) < 5 * np.sqrt(expected)


@pytest.mark.parametrize("rare", [0, 1])
def test_sample_of_a_categorical_draws_what_is_rare_as_rarely_as_it_should(monkeypatch, rare):
    theta = [LOG, 0.0] if rare == 0 else [0.0, LOG]
    # It wins only with noise from the lower end, and the noise of the other symbol is any.
    x = draws(monkeypatch, Categorical(2), theta, 0, slice(rare, None, 2))
    expected = DRAWS * 2.0**-10
    assert abs((x == rare).sum() - expected) < 5 * np.sqrt(expected)


def test_sample_of_a_bernoulli_never_draws_a_probability_of_1e_30(monkeypatch):
    for end, logit in ((1, -69.0), (0, 69.0)):
        word = np.uint32(0 if end else 2**32 - 1)
        monkeypatch.setattr(noise, "_words", lambda key, shape, word=word: (jnp.full(shape, word),) * 2)
        assert int(Bernoulli().sample(KEY, jnp.array([logit]))) == (logit > 0)


def test_uniform_is_precise_at_both_ends():
    edges = [0, 1, 2, 255, 2**12, 2**23, 2**24 - 1, 2**31 - 1, 2**31, 2**32 - 1]
    high, low = (np.array(words, np.uint32) for words in zip(*[(h, w) for h in edges for w in edges], strict=True))
    for words, values in (((high, low), noise._fraction(high, low)), ((~high, ~low), noise._fraction(~high, ~low))):
        for h, w, value in zip(*words, np.asarray(values), strict=True):
            exact = Fraction(2**33 * int(h) + 2 * int(w) + 1, 2**65)
            assert abs(Fraction(float(value)) / exact - 1) < 2.0**-22


def test_uniform_is_jaxs_to_its_23_bits():
    u, rest = noise.uniform(KEY, (1000,))
    np.testing.assert_allclose(u, 1 - np.asarray(jax.random.uniform(KEY, (1000,))), atol=2.0**-23)
    np.testing.assert_allclose(u + rest, 1, atol=2.0**-23)


@pytest.mark.parametrize("impl", ["rbg", "unsafe_rbg"])
def test_threefry_makes_one_key_of_another_implementations_also_under_vmap(impl):
    keys = jax.random.split(jax.random.key(3, impl=impl), 4)
    words = [np.asarray(jax.random.key_data(noise.threefry(key))) for key in keys]
    np.testing.assert_array_equal(jax.vmap(lambda key: jax.random.key_data(noise.threefry(key)))(keys), words)
    assert len({tuple(row) for row in words}) == 4
    single = [np.asarray(noise.uniform(key, (3,)).u) for key in keys]
    np.testing.assert_array_equal(jax.vmap(lambda key: noise.uniform(key, (3,)).u)(keys), single)


def test_threefry_leaves_its_own_keys_as_they_are_and_reads_raw_ones():
    assert noise.threefry(KEY) is KEY
    np.testing.assert_array_equal(jax.random.key_data(noise.threefry(jax.random.PRNGKey(3))), [0, 3])
    with jax.default_prng_impl("rbg"):
        raw = noise.threefry(jax.random.PRNGKey(3))
    np.testing.assert_array_equal(jax.random.key_data(raw), jax.random.key_data(noise.threefry(jax.random.key(3, impl="rbg"))))


@pytest.mark.parametrize(
    ("key", "message"),
    [(0, r"key=0 is no random key; give one, as jax\.random\.key\(0\)"), (jax.random.split(KEY, 3), r"keys of shape \(3,\)")],
)
def test_threefry_refuses_what_is_no_key(key, message):
    with pytest.raises(InputError, match=message):
        noise.threefry(key)
