"""Masked convolution (van den Oord, Kalchbrenner, Kavukcuoglu 2016, section 3.4), for all pixels and for one.

    y_ij = b + sum over the taps above, left of and at (i, j) of W h

Pixels are generated row by row, and within a pixel its channel groups one after the other: R, G, B. Of its own pixel, group g is
told the groups below g (mask A, `strict`: the first layer), or those up to g (mask B). The rows of a kernel below the pixel are
no part of W [kernel // 2 + 1, kernel, C, G], where `groups` split C and G into equal contiguous parts.

For one pixel no mask is needed. A canvas holds h where it has been computed and zeros elsewhere: the zeros are the mask. All is
computed in the type of h.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from arjax.arguments import check_table
from arjax.cache import init_canvas, read_canvas, write_canvas
from arjax.layers.dense import conv, dense


class Place(NamedTuple):
    """Where a picture is generated: row, column and channel group, each int32 []."""

    row: Int[Array, ""]
    column: Int[Array, ""]
    group: Int[Array, ""]


def place(t, width: int, groups: int) -> Place:
    """The place of site t in a picture that is generated row by row, channel groups innermost."""
    pixel, group = (t, jnp.zeros((), jnp.int32)) if groups == 1 else jnp.divmod(t, groups)
    return Place(*jnp.divmod(pixel, width), group)


def channel_groups(sites: tuple[int, ...]) -> int:
    """Returns the number of sites in a pixel of data of this shape."""
    return (*sites, 1)[2]


@functools.lru_cache(maxsize=16)  # a stack has as many masks of one shape as layers
def causal_mask(kernel: int, inputs: int, outputs: int, groups: int, *, strict: bool) -> Float[np.ndarray, "rows kernel C G"]:
    """1 where a weight may be other than 0. The groups divide the channels, and the kernel is odd."""
    rows, centre = kernel // 2 + 1, kernel // 2
    check_table("a convolution's mask", rows, kernel, inputs, outputs)
    mask = np.ones((rows, kernel, inputs, outputs), np.float32)
    mask[-1, centre + 1 :] = 0
    of_input = np.arange(inputs)[:, None] // (inputs // groups)
    of_output = np.arange(outputs)[None] // (outputs // groups)
    mask[-1, centre] = of_input < of_output if strict else of_input <= of_output
    mask.flags.writeable = False
    return mask


def masked_normal(variance: float = 1.0):
    """An initialiser that is given a mask: normal weights, scaled so that what the mask lets through of inputs of this variance
    has variance one."""

    def init(key, mask):
        seen = mask.sum(axis=tuple(range(mask.ndim - 1)), keepdims=True).clip(min=1)
        return jax.random.normal(key, mask.shape) * (seen * variance) ** -0.5

    return init


def masked_conv(h: Float[Array, "B H W C"], w: Float[Array, "rows kernel C G"], b: Float[Array, " G"]) -> Float[Array, "B H W G"]:
    """y at every pixel, for weights that are zero where the mask is."""
    rows, kernel = w.shape[:2]
    return conv(h, w, b, ((rows - 1, 0), (kernel // 2, kernel // 2)))


def masked_conv_canvas(
    w: Float[Array, "rows kernel C G"], batch: int, height: int, width: int, dtype=jnp.float32
) -> Float[Array, "B h w C"]:
    """What `masked_conv_step` has to remember of h, before any of it is known. A kernel of 1 only looks at its own pixel."""
    kernel, channels = w.shape[1:3]
    height, width = (height, width) if kernel > 1 else (1, 1)
    return init_canvas(batch, height, width, channels, kernel, dtype)


def write_group(canvas: Float[Array, "B h w C"], h: Float[Array, "B D"], at: Place, kernel: int) -> Float[Array, "B h w C"]:
    """The canvas that knows what one channel group's h is."""
    if kernel > 1:
        return write_canvas(canvas, h, kernel, at.row, at.column, at.group * h.shape[1])
    # The groups of the pixel before are forgotten.
    canvas = jnp.where(at.group == 0, jnp.zeros_like(canvas), canvas)
    return write_canvas(canvas, h, kernel, 0, 0, at.group * h.shape[1])


def masked_conv_step(
    canvas: Float[Array, "B h w C"], w: Float[Array, "rows kernel C G"], b: Float[Array, " G"], at: Place, groups: int
) -> Float[Array, "B D"]:
    """y of one channel group of one pixel, D = G / groups, from a canvas that knows all that is before it."""
    rows, kernel = w.shape[:2]
    row, column = (at.row, at.column) if kernel > 1 else (0, 0)
    window = read_canvas(canvas, rows, kernel, row, column)
    w, b = (own_group(part, at, groups) for part in (w.reshape(-1, w.shape[-1]), b))
    return dense(jax.lax.collapse(window, 1), w, b)


def own_group(h: Float[Array, "*B G"], at: Place, groups: int) -> Float[Array, "*B D"]:
    """What of h belongs to the channel group of a place, D = G / groups."""
    share = h.shape[-1] // groups
    return jax.lax.dynamic_slice_in_dim(h, at.group * share, share, axis=-1)
