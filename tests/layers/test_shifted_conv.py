"""Shifted convolutions against loops: a whole map, a row, a pixel, and the transposed one."""

import jax.numpy as jnp
import numpy as np
import pytest
from loops import conv_by_loops, transpose_by_loops

from arjax.cache import init_ring
from arjax.layers.shifted_conv import ShiftedConv, ShiftedTranspose

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def drawn(rows, columns, stride, width=6, outputs=5):
    """h [2, 4, W, 3], a convolution with weights, and y by loops."""
    rng = np.random.default_rng(0)
    h, w, b = (rng.normal(size=s).astype(np.float32) for s in ((2, 4, width, 3), (rows, columns, 3, outputs), outputs))
    conv = ShiftedConv(3, outputs, (rows, columns), stride).bind({"params": {"w": w, "b": b}})
    return h, conv, conv_by_loops(h, w, b, stride)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("rows", "columns"), [(1, 3), (2, 3), (2, 2)])
def test_shifted_conv_is_what_the_loops_compute(rows, columns, stride):
    h, conv, expected = drawn(rows, columns, stride)
    np.testing.assert_allclose(conv(jnp.asarray(h)), expected, **CLOSE)


@pytest.mark.parametrize("columns", [2, 3])
def test_shifted_transpose_is_what_the_loops_compute(columns):
    h, w, b = (np.random.default_rng(0).normal(size=s).astype(np.float32) for s in ((2, 3, 4, 3), (2, columns, 3, 3), 3))
    conv = ShiftedTranspose(3, columns).bind({"params": {"w": w, "b": b}})
    np.testing.assert_allclose(conv(jnp.asarray(h)), transpose_by_loops(h, w, b), **CLOSE)


@pytest.mark.parametrize("stride", [1, 2])
def test_shifted_conv_row_needs_only_the_one_above_it(stride):
    h, conv, expected = drawn(2, 3, stride)
    for i in range(0, 4, stride):
        above = jnp.asarray(h[:, i - 1] if i else np.zeros_like(h[:, 0]))
        kept, y = conv.row(above, jnp.asarray(h[:, i]))
        np.testing.assert_array_equal(kept, h[:, i])
        np.testing.assert_allclose(y, expected[:, i // stride], **CLOSE)


@pytest.mark.parametrize(("width", "stride"), [(2, 1), (6, 2)])
def test_shifted_conv_step_needs_only_what_the_ring_holds(width, stride):
    h, conv, expected = drawn(2, 2, stride, width)
    ring = init_ring(width + 2, 2, 3)
    for site, (i, j) in enumerate(np.ndindex(4, width)):
        ring, y = conv.step(ring, jnp.asarray(h[:, i, j]), jnp.int32(site), width)
        if i % stride == j % stride == 0:
            np.testing.assert_allclose(y, expected[:, i // stride, j // stride], **CLOSE)
