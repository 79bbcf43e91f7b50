"""Shifted convolution (Salimans, Karpathy, Chen, Kingma 2017, sections 2.3 and 2.4), for whole maps, for a row and for a pixel.

    y_ij = b + sum over a in {-1, 0} and e of W_ae h[s i + a, s j + e]

Down-shifted, W [2, 3, C, G]: e in {-1, 0, 1}; down-right-shifted, W [2, 2, C, G]: e in {-1, 0}; W [1, ...] has a = 0 alone. s is
the stride, 1 or 2; h is zero outside of its map. Nothing is masked: that a pixel is not told of itself or of later ones is up
to what it reads, moved down or right by one before the first of these layers.

The transposed convolution gives every h_ij to the four pixels that share its place in a map twice as high and wide,

    y[2i + a, 2j + e] = b + W_ae h_ij        a in {0, 1}, and e in {0, 1} for W [2, 2, C, G], in {-1, 0, 1} for W [2, 3, C, G],

so that no pixel is told more than the first of the four may know.

One row needs the row above it, which is kept; one pixel, of a map that is computed row by row, what lies 1, W and W + 1 pixels
back, which is kept in a ring. All is computed in the type of h.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from arjax.cache import init_ring, read_ring


def shifted_conv(
    h: Float[Array, "B H W C"], w: Float[Array, "rows kernel C G"], b: Float[Array, " G"], stride: int = 1
) -> Float[Array, "B H//{stride} W//{stride} G"]:
    """y of a whole map."""
    return _conv(h, w, b, stride, w.shape[0] - 1)


def shifted_conv_row(
    above: Float[Array, "B W C"],
    h: Float[Array, "B W C"],
    w: Float[Array, "rows kernel C G"],
    b: Float[Array, " G"],
    stride: int = 1,
) -> Float[Array, "B W//{stride} G"]:
    """y of one row, from the row of h that is as far down, and the one above it."""
    return _conv(jnp.stack([above, h], axis=1)[:, -w.shape[0] :], w, b, stride, 0)[:, 0]


def shifted_conv_ring(width: int, batch: int, channels: int, dtype=jnp.float32) -> Float[Array, "slots B C"]:
    """What `shifted_conv_step` has to remember of a map of this width."""
    return init_ring(width + 2, batch, channels, dtype)


def shifted_conv_step(
    ring: Float[Array, "slots B C"], w: Float[Array, "2 2 C G"], b: Float[Array, " G"], site: Int[Array, ""], width: int
) -> Float[Array, "B G"]:
    """y of the pixel that is the site-th of its map row by row, from a ring into which h was written up to there. With a stride,
    of the pixel that lies there."""
    at_edge = site % width == 0
    taps = [read_ring(ring, site, lag) for lag in (width + 1, width, 1, 0)]
    window = jnp.concatenate([jnp.where(at_edge, 0, h) if tap % 2 == 0 else h for tap, h in enumerate(taps)], axis=1)
    return window @ w.reshape(-1, w.shape[-1]).astype(ring.dtype) + b.astype(ring.dtype)[None]


def shifted_transpose(
    h: Float[Array, "B H W C"], w: Float[Array, "2 kernel C G"], b: Float[Array, " G"]
) -> Float[Array, "B 2*H 2*W G"]:
    """y of the transposed convolution, of a whole map; of a row as a map of one row; for W [2, 2, C, G], of a pixel too."""
    batch, height, width, _ = h.shape
    parts = jnp.einsum("bhwc,aecg->bhaweg", h, w.astype(h.dtype))
    if w.shape[1] == 3:
        before, same, after = (parts[..., e, :] for e in range(3))
        after += jnp.pad(before[:, :, :, 1:], ((0, 0), (0, 0), (0, 0), (0, 1), (0, 0)))
        parts = jnp.stack([same, after], axis=-2)
    return parts.reshape(batch, 2 * height, 2 * width, -1) + b.astype(h.dtype)[None, None, None]


def _conv(h, w, b, stride, top):
    kernel = w.shape[1]
    padding = ((top, 0), (1, kernel - 2))
    w, b, strides = w.astype(h.dtype), b.astype(h.dtype), (stride, stride)
    y = jax.lax.conv_general_dilated(h, w, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return y + b[None, None, None]
