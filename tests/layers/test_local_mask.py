"""Locally masked convolution against loops over every pixel and tap, and against the masked convolution of its raster order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.cache import init_canvas, write_canvas
from arjax.layers.local_mask import local_conv, local_conv_step, local_mask
from arjax.layers.masked_conv import causal_mask, masked_conv
from arjax.orders import Random, Raster, Spiral, inverse

CASES = [(Random(0), 5, True), (Spiral(), 3, False), (Spiral(), 1, False)]
SHAPE = (3, 4)


def neighbours(i, j, kernel):
    """(tap, row, column) of every tap around a pixel that lies in the picture."""
    reach = kernel // 2
    for tap, (r, s) in enumerate(np.ndindex(kernel, kernel)):
        row, column = i + r - reach, j + s - reach
        if 0 <= row < SHAPE[0] and 0 <= column < SHAPE[1]:
            yield tap, row, column


@pytest.mark.parametrize(("order", "kernel", "strict"), CASES, ids=str)
def test_local_mask_shows_the_neighbours_that_are_generated_before(order, kernel, strict):
    order = order.permutation(SHAPE)
    rank = inverse(order).reshape(SHAPE)
    expected = np.zeros((*SHAPE, kernel**2), bool)
    for i, j in np.ndindex(SHAPE):
        for tap, row, column in neighbours(i, j, kernel):
            expected[i, j, tap] = rank[row, column] < rank[i, j] or ((row, column) == (i, j) and not strict)
    np.testing.assert_array_equal(local_mask(jnp.asarray(order), *SHAPE, kernel, strict=strict), expected)


@pytest.mark.parametrize(("order", "kernel", "strict"), CASES, ids=str)
def test_local_conv_and_its_step_compute_what_the_loops_do(order, kernel, strict):
    rng, order = np.random.default_rng(0), order.permutation(SHAPE)
    rank = inverse(order).reshape(SHAPE)
    h, w, b = rng.normal(size=(2, *SHAPE, 3)), rng.normal(size=(kernel, kernel, 3, 5)), rng.normal(size=5)
    expected = np.zeros((2, *SHAPE, 5)) + b
    for i, j in np.ndindex(SHAPE):
        for tap, row, column in neighbours(i, j, kernel):
            if rank[row, column] < rank[i, j] or ((row, column) == (i, j) and not strict):
                expected[:, i, j] += h[:, row, column] @ w.reshape(-1, 3, 5)[tap]

    h, w, b = (jnp.asarray(array, jnp.float32) for array in (h, w, b))
    mask = local_mask(jnp.asarray(order), *SHAPE, kernel, strict=strict)
    np.testing.assert_allclose(local_conv(h, w, b, mask), expected, atol=1e-5)

    canvas, write, step = init_canvas(2, *SHAPE, 3, kernel), jax.jit(write_canvas, static_argnums=2), jax.jit(local_conv_step)
    for i, j in (divmod(int(site), SHAPE[1]) for site in order):
        # A strict one computes before it is told the pixel, another one after.
        if not strict:
            canvas = write(canvas, h[:, i, j], kernel, i, j)
        np.testing.assert_allclose(step(canvas, w, b, i, j), expected[:, i, j], atol=1e-5)
        if strict:
            canvas = write(canvas, h[:, i, j], kernel, i, j)


@pytest.mark.parametrize("strict", [True, False])
def test_local_conv_row_by_row_is_a_masked_convolution(strict):
    rng, kernel = np.random.default_rng(1), 5
    h, w, b = (jnp.asarray(rng.normal(size=size), jnp.float32) for size in ((2, *SHAPE, 3), (kernel, kernel, 3, 4), (4,)))
    mask = local_mask(jnp.asarray(Raster().permutation(SHAPE)), *SHAPE, kernel, strict=strict)
    above = w[: kernel // 2 + 1] * causal_mask(kernel, 3, 4, 1, strict=strict)
    np.testing.assert_allclose(local_conv(h, w, b, mask), masked_conv(h, above, b), atol=1e-5)


def test_local_conv_has_the_gradient_of_the_loops():
    # y is linear in h, so that its gradient is the transpose: <g, conv(h)> = <conv'(g), h>, checked against finite changes of h.
    rng, kernel = np.random.default_rng(2), 3
    h, w, g = (jnp.asarray(rng.normal(size=size), jnp.float32) for size in ((1, *SHAPE, 2), (3, 3, 2, 2), (1, *SHAPE, 2)))
    mask = local_mask(jnp.asarray(Random(2).permutation(SHAPE)), *SHAPE, kernel, strict=False)

    @jax.jit
    def inner(h, w):
        return (g * local_conv(h, w, jnp.zeros(2), mask)).sum()

    by_h, by_w = jax.jit(jax.grad(inner, argnums=(0, 1)))(h, w)
    basis = jnp.eye(h.size).reshape(h.size, *h.shape)
    np.testing.assert_allclose(by_h.reshape(-1), [inner(one, w) for one in basis], atol=1e-4)
    basis = jnp.eye(w.size).reshape(w.size, *w.shape)
    np.testing.assert_allclose(by_w.reshape(-1), [inner(h, one) for one in basis], atol=1e-4)
