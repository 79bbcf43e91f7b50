"""Masked convolution against loops over every pixel, tap and channel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.layers.masked_conv import (
    causal_mask,
    channel_groups,
    masked_conv,
    masked_conv_canvas,
    masked_conv_step,
    place,
    write_group,
)

CASES = [(3, 2, 3, 1, True), (5, 3, 6, 3, True), (3, 6, 3, 3, False), (1, 6, 6, 3, False)]


def sees(tap, group_in, group_out, kernel, strict):
    """Whether an output may see this tap, (row, column) in a full kernel: it lies before, or in the pixel itself is a channel
    group before, or the same where the mask is not strict."""
    centre = (kernel // 2, kernel // 2)
    return tap < centre or (tap == centre and (group_in < group_out or (group_in == group_out and not strict)))


@pytest.mark.parametrize(("kernel", "inputs", "outputs", "groups", "strict"), CASES)
def test_causal_mask_is_the_order_of_pixels_and_channels(kernel, inputs, outputs, groups, strict):
    mask = causal_mask(kernel, inputs, outputs, groups, strict=strict)
    assert mask.shape == (kernel // 2 + 1, kernel, inputs, outputs)
    for *tap, c, g in np.ndindex(mask.shape):
        assert mask[(*tap, c, g)] == sees(tuple(tap), c * groups // inputs, g * groups // outputs, kernel, strict)


@pytest.mark.parametrize(("kernel", "inputs", "outputs", "groups", "strict"), CASES)
def test_masked_conv_and_its_step_compute_what_the_loops_do(kernel, inputs, outputs, groups, strict):
    rng, (height, width) = np.random.default_rng(0), (3, 4)
    mask = causal_mask(kernel, inputs, outputs, groups, strict=strict)
    w, b = rng.normal(size=mask.shape), rng.normal(size=outputs)
    h = rng.normal(size=(2, height, width, inputs))
    expected = np.zeros((2, height, width, outputs))
    for i, j, g in np.ndindex(height, width, outputs):
        expected[:, i, j, g] = b[g]
        for r, s, c in np.ndindex(*mask.shape[:3]):
            row, column = i + r - kernel // 2, j + s - kernel // 2
            if sees((r, s), c * groups // inputs, g * groups // outputs, kernel, strict) and row >= 0 and 0 <= column < width:
                expected[:, i, j, g] += w[r, s, c, g] * h[:, row, column, c]

    h, w, b = (jnp.asarray(array, jnp.float32) for array in (h, w, b))
    np.testing.assert_allclose(masked_conv(h, w * mask, b), expected, atol=1e-5)

    canvas, stepped = masked_conv_canvas(w, 2, height, width), np.zeros_like(expected)
    write, step = jax.jit(write_group, static_argnums=3), jax.jit(masked_conv_step, static_argnums=4)
    for t in range(height * width * groups):
        at = place(jnp.int32(t), width, groups)
        i, j, g = int(at.row), int(at.column), int(at.group)
        own = slice(g * inputs // groups, (g + 1) * inputs // groups)
        # A strict mask computes before it is told its own group, another one after.
        if not strict:
            canvas = write(canvas, h[:, i, j, own], at, kernel)
        stepped[:, i, j, g * outputs // groups : (g + 1) * outputs // groups] = step(canvas, w, b, at, groups)
        if strict:
            canvas = write(canvas, h[:, i, j, own], at, kernel)
    np.testing.assert_allclose(stepped, expected, atol=1e-5)


def test_place_counts_row_by_row_with_channels_innermost():
    places = [tuple(int(part) for part in place(jnp.int32(t), 2, 3)) for t in range(12)]
    assert places == [(i, j, c) for i in range(2) for j in range(2) for c in range(3)]


def test_channel_groups_are_the_sites_of_a_pixel():
    assert [channel_groups(sites) for sites in ((4, 5), (4, 5, 1), (4, 5, 3))] == [1, 1, 3]


def test_write_group_of_a_kernel_of_one_forgets_the_pixel_before():
    w = jnp.ones((1, 1, 3, 3))
    canvas = masked_conv_canvas(w, 1, 5, 5)
    assert canvas.shape == (1, 1, 1, 3)
    for t in range(6):
        canvas = write_group(canvas, jnp.full((1, 1), t + 1.0), place(jnp.int32(t), 5, 3), 1)
    np.testing.assert_array_equal(canvas.ravel(), [4, 5, 6])
    canvas = write_group(canvas, jnp.full((1, 1), 7.0), place(jnp.int32(6), 5, 3), 1)
    np.testing.assert_array_equal(canvas.ravel(), [7, 0, 0])
    assert jax.tree.leaves(canvas)[0].dtype == jnp.float32
