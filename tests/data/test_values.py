"""What raw values become, and which are accepted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.data import Dynamic, Levels, Real, Scaled, Threshold

RAW = np.arange(256, dtype=np.uint8).reshape(2, 128)
KEY = jax.random.key(0)


@pytest.mark.parametrize(
    ("values", "vocab", "title", "expected"),
    [
        (Levels(256), 256, "256 levels", RAW),
        (Threshold(127), 2, "threshold at 127", np.repeat([[0], [1]], 128, axis=1)),  # exclusive
        (Real(), None, "real values", RAW),
        (Scaled(), None, "scaled to [0, 1]", (RAW / 255).astype(np.float32)),
        (Scaled(510), None, "scaled to [0, 1]", (RAW / 510).astype(np.float32)),
    ],
)
def test_values_are_what_their_title_says_under_jit_too(values, vocab, title, expected):
    assert (values.vocab, values.title, values.random) == (vocab, title, False)
    assert hash(values) == hash(type(values)(**vars(values)))
    for x in (values(KEY, RAW), jax.jit(values)(KEY, RAW)):
        assert x.dtype == (jnp.float32 if vocab is None else jnp.int32)
        np.testing.assert_allclose(x, expected, rtol=1e-6)


def test_dynamic_has_the_raw_values_as_its_means():
    draws = jax.vmap(lambda key: Dynamic()(key, RAW))(jax.random.split(jax.random.key(1), 4000))
    assert draws.dtype == jnp.int32
    p = RAW / 255
    error = np.abs(np.asarray(draws).mean(0) - p)
    assert (error <= 5 * np.sqrt(p * (1 - p) / 4000) + 1e-9).all()


def test_dynamic_depends_on_the_key_and_only_on_it():
    grey = np.full((64, 64), 128, np.uint8)
    first, again, other = (Dynamic()(jax.random.key(seed), grey) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert 0.4 < float((first != other).mean()) < 0.6
    assert (Dynamic.vocab, Dynamic.title, Dynamic.random) == (2, "dynamic binarization", True)


@pytest.mark.parametrize(
    ("values", "x", "outside"),
    [
        (Levels(3), [0, 2, 3, -1], [0, 0, 1, 1]),
        (Levels(3), [0.0, 2.0, 0.5, np.nan, np.inf], [0, 0, 1, 1, 1]),
        (Levels(2), [False, True], [0, 0]),
        (Dynamic(1), [0.0, 0.5, 1.0, 1.5, -0.5, np.nan], [0, 0, 0, 1, 1, 1]),
        (Dynamic(), [0, 255, 256], [0, 0, 1]),
        (Scaled(1), [0.0, 0.5, 1.0, 1.5, -0.5, np.nan], [0, 0, 0, 1, 1, 1]),
        (Scaled(), [0, 255, 256], [0, 0, 1]),
        (Threshold(0.5), [-1e9, 1e9, np.nan, -np.inf], [0, 0, 1, 1]),
        (Real(), [1e38, 1e39, np.nan, -np.inf], [0, 1, 1, 1]),
        (Real(), [2**31 - 1, 2**31], [0, 1]),
    ],
)
def test_outside_sees_every_value_outside_the_support(values, x, outside):
    np.testing.assert_array_equal(values.outside(np.array(x)), np.array(outside, bool))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8, np.int64, np.uint64])
def test_outside_takes_every_dtype(dtype):
    for values in (Levels(100_000), Dynamic(100_000), Threshold(1), Real(), Scaled(100_000)):
        np.testing.assert_array_equal(values.outside(np.array([0, 1], dtype)), [False, False])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Levels(0), r"Levels\(0\) needs at least one symbol"),
        (lambda: Dynamic(0), r"highest=0\) must be positive"),
        (lambda: Scaled(-1), r"Scaled\(highest=-1\) must be positive"),
    ],
)
def test_values_refuse_impossible_fields(make, says):
    with pytest.raises(ValueError, match=says):
        make()
