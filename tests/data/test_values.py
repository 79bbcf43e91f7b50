import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.data import Dynamic, Levels, Real, Scaled, Threshold

RAW = np.arange(256, dtype=np.uint8).reshape(2, 128)


def test_levels_are_the_symbols_themselves():
    x = Levels(256)(jax.random.key(0), RAW)
    assert x.dtype == jnp.int32
    np.testing.assert_array_equal(x, RAW)


def test_a_threshold_is_exclusive():
    x = Threshold(127)(jax.random.key(0), RAW)
    assert x.dtype == jnp.int32
    np.testing.assert_array_equal(np.asarray(x).ravel(), [0] * 128 + [1] * 128)


def test_dynamic_binarization_has_the_raw_values_as_its_means():
    keys = jax.random.split(jax.random.key(1), 4000)
    draws = jax.vmap(lambda key: Dynamic()(key, RAW))(keys)
    assert draws.dtype == jnp.int32
    p = RAW / 255
    error = np.abs(np.asarray(draws).mean(0) - p)
    assert (error <= 5 * np.sqrt(p * (1 - p) / 4000) + 1e-9).all()


def test_dynamic_binarization_depends_on_the_key_and_only_on_it():
    grey = np.full((64, 64), 128, np.uint8)
    first, again, other = (Dynamic()(jax.random.key(seed), grey) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert 0.4 < float((first != other).mean()) < 0.6


def test_real_values_are_kept_in_float32():
    x = Real()(jax.random.key(0), np.array([[0.5, -3.25]]))
    assert x.dtype == jnp.float32
    np.testing.assert_array_equal(x, [[0.5, -3.25]])


def test_scaled_values_fill_the_unit_interval():
    x = Scaled()(jax.random.key(0), RAW)
    assert x.dtype == jnp.float32
    np.testing.assert_allclose(x, RAW / 255, rtol=1e-6)
    np.testing.assert_array_equal(Scaled(4)(jax.random.key(0), np.array([0.0, 1.0, 4.0])), [0, 0.25, 1])
    assert Scaled(4).support == "numbers from 0 to 4"


def test_values_work_under_jit_and_name_their_vocabulary():
    for values, vocab, title in (
        (Levels(17), 17, "17 levels"),
        (Threshold(7), 2, "threshold at 7"),
        (Dynamic(), 2, "dynamic binarization"),
        (Real(), None, "real values"),
        (Scaled(), None, "scaled to [0, 1]"),
    ):
        assert (values.vocab, values.title) == (vocab, title)
        assert hash(values) == hash(type(values)(**vars(values)))
        np.testing.assert_array_equal(jax.jit(values)(jax.random.key(3), RAW), values(jax.random.key(3), RAW))


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
def test_every_value_outside_the_support_is_seen(values, x, outside):
    np.testing.assert_array_equal(values.outside(np.array(x)), np.array(outside, bool))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8, np.int64, np.uint64])
def test_the_support_can_be_checked_for_every_dtype(dtype):
    for values in (Levels(100_000), Dynamic(100_000), Threshold(1), Real(), Scaled(100_000)):
        np.testing.assert_array_equal(values.outside(np.array([0, 1], dtype)), [False, False])


def test_impossible_values_are_refused():
    with pytest.raises(ValueError, match=r"Levels\(0\) needs at least one symbol"):
        Levels(0)
    with pytest.raises(ValueError, match=r"highest=0\) must be positive"):
        Dynamic(0)
    with pytest.raises(ValueError, match=r"Scaled\(highest=-1\) must be positive"):
        Scaled(-1)
