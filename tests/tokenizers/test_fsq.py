import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.errors import InputError
from arjax.tokenizers import FSQ


def inverse_of_the_bound(q, levels):
    """Points of the grid in [-1, 1] -> numbers that the bound takes (nearly) there; those at its ends it only comes close to."""
    levels = np.array(levels)
    reach, offset = (levels - 1) * (1 - 1e-3) / 2, (1 - levels % 2) / 2
    height = (q * (levels // 2) + offset) / reach
    return (np.arctanh(np.clip(height, -0.99, 0.99)) - np.tan(offset / reach)).astype(np.float32)


@pytest.mark.parametrize("levels", [(8, 8, 8), (2, 4, 7), (3,)], ids=str)
def test_lookup_makes_every_token_another_point_of_the_grid_and_nearest_finds_it(levels):
    fsq = FSQ(levels)
    tokens = np.arange(fsq.size)
    points = np.asarray(jax.jit(lambda tokens: fsq.lookup({}, {}, tokens))(tokens))
    digits = itertools.product(*(range(count) for count in reversed(levels)))
    expected = [[digit / (count // 2) - 1 for digit, count in zip(reversed(d), levels, strict=True)] for d in digits]
    np.testing.assert_allclose(points, expected, atol=1e-6)
    assert len({tuple(point) for point in points.round(4).tolist()}) == fsq.size == np.prod(levels)
    q, found, loss = jax.jit(lambda h: fsq.quantize({}, {}, h))(inverse_of_the_bound(points, levels))
    assert found.dtype == jnp.int32
    np.testing.assert_array_equal(found, tokens)
    np.testing.assert_allclose(q, points, atol=1e-5)
    assert loss == 0


def test_quantize_gives_extreme_vectors_the_corners_and_keeps_every_axis_in_front():
    fsq = FSQ((8, 5))
    h = np.float32([[-1e9, -1e9], [1e9, -1e9], [-1e9, 1e9], [1e9, 1e9], [0, 0], [0, 0]]).reshape(3, 2, 2)
    q, tokens, _ = fsq.quantize({}, {}, h)
    np.testing.assert_array_equal(tokens.ravel(), [0, 7, 32, 39, 4 + 2 * 8, 4 + 2 * 8])
    np.testing.assert_allclose(q, fsq.lookup({}, {}, tokens), atol=1e-5)


def test_quantize_passes_the_gradient_straight_through_the_rounding_but_not_the_bound():
    fsq, h = FSQ((8, 5)), np.float32([[0.3, -0.7], [1.2, 0.1]])
    gradient = jax.jit(jax.grad(lambda h: fsq.quantize({}, {}, h)[0].sum()))(h)
    reach = np.array([7, 4]) * 0.999 / 2
    shift = np.tan(np.array([0.5, 0]) / reach)
    expected = reach / np.array([4, 2]) / np.cosh(h.astype(np.float64) + shift) ** 2
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ((), r"levels=\(\) must be at least one"),
        ((8, 1), r"levels=\(8, 1\) must be at least one, each of at least 2"),
        ((256,) * 4, "more than an int32 counts"),
    ],
)
def test_fsq_refuses_impossible_levels(levels, message):
    with pytest.raises(InputError, match=message):
        FSQ(levels)
