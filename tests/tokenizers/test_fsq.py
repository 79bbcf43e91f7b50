import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.tokenizers import FSQ

GRIDS = pytest.mark.parametrize("levels", [(8, 8, 8), (5, 3), (2, 4, 7), (3,)], ids=str)


def inverse_of_the_bound(q, levels):
    """Points of the grid in [-1, 1] -> numbers that the bound takes (nearly) there; those at its ends it only comes close to."""
    levels = np.array(levels)
    reach, offset = (levels - 1) * (1 - 1e-3) / 2, (1 - levels % 2) / 2
    height = (q * (levels // 2) + offset) / reach
    return np.arctanh(np.clip(height, -0.99, 0.99)) - np.tan(offset / reach)


@GRIDS
def test_every_token_is_another_point_of_the_grid(levels):
    fsq = FSQ(levels)
    points = np.asarray(fsq.lookup({}, {}, jnp.arange(fsq.size)))
    digits = itertools.product(*(range(count) for count in reversed(levels)))
    expected = [[digit / (count // 2) - 1 for digit, count in zip(reversed(d), levels, strict=True)] for d in digits]
    np.testing.assert_allclose(points, expected, atol=1e-6)
    assert len({tuple(point) for point in points.round(4).tolist()}) == fsq.size == np.prod(levels)


@GRIDS
def test_what_is_bounded_to_a_point_of_the_grid_gets_its_token(levels):
    fsq = FSQ(levels)
    tokens = jnp.arange(fsq.size)
    h = inverse_of_the_bound(np.asarray(fsq.lookup({}, {}, tokens)), levels).astype(np.float32)
    found = fsq.nearest({}, {}, jnp.asarray(h))
    assert found.dtype == jnp.int32
    np.testing.assert_array_equal(found, tokens)


@GRIDS
def test_a_quantized_vector_is_that_of_its_token(levels):
    fsq = FSQ(levels)
    h = 3 * jax.random.normal(jax.random.key(0), (4, 5, len(levels)))
    q, tokens, loss = fsq.quantize({}, {}, h)
    np.testing.assert_array_equal(tokens, fsq.nearest({}, {}, h))
    np.testing.assert_allclose(q, fsq.lookup({}, {}, tokens), atol=1e-5)
    assert tokens.shape == (4, 5)
    assert loss == 0


def test_extreme_vectors_get_the_corners():
    fsq = FSQ((8, 5))
    h = jnp.array([[-1e9, -1e9], [1e9, -1e9], [-1e9, 1e9], [1e9, 1e9], [0, 0]])
    np.testing.assert_array_equal(fsq.nearest({}, {}, h), [0, 7, 32, 39, 4 + 2 * 8])


def test_the_gradient_passes_straight_through_the_rounding_but_not_the_bound():
    fsq, h = FSQ((8, 5)), jnp.array([[0.3, -0.7], [1.2, 0.1]])
    gradient = jax.grad(lambda h: fsq.quantize({}, {}, h)[0].sum())(h)
    reach = np.array([7, 4]) * 0.999 / 2
    shift = np.tan(np.array([0.5, 0]) / reach)
    expected = reach / np.array([4, 2]) / np.cosh(np.asarray(h, np.float64) + shift) ** 2
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_a_grid_has_nothing_to_learn():
    fsq = FSQ()
    assert fsq.init(jax.random.key(0)) == ({}, {})
    assert fsq.update({}, {}, jnp.zeros((2, 3)), jnp.zeros(2, jnp.int32), jax.random.key(1)) == {}
    assert (fsq.size, fsq.width) == (512, 3)


def test_impossible_levels_are_refused():
    with pytest.raises(ValueError, match=r"levels=\(\) must be at least one"):
        FSQ(())
    with pytest.raises(ValueError, match=r"levels=\(8, 1\) must be at least one, each of at least 2"):
        FSQ((8, 1))
    with pytest.raises(ValueError, match="more than an int32 counts"):
        FSQ((256,) * 4)
