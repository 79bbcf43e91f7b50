"""Locally masked convolution (Jain, Abbeel, Pathak 2020, section 3), for all pixels and for one, in any order.

    y_p = b + sum over the taps d with rank(p + d) <= rank(p) of W_d h_{p + d}         rank: when a pixel is generated

`strict` leaves out the pixel itself: the first layer. Where a masked convolution masks its weights, the same at every pixel, this
one masks what they are applied to, at every pixel anew. The order may be traced, and so differ from call to call.

For one pixel no mask is needed. A canvas holds h where it has been computed and zeros elsewhere: the zeros are the mask. All is
computed in the type of h.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Integer

from arjax.cache import read_canvas
from arjax.layers.dense import dense
from arjax.orders import inverse


def local_mask(
    order: Integer[Array, " T"], height: int, width: int, kernel: int, *, strict: bool
) -> Bool[Array, "{height} {width} taps"]:
    """What every pixel may see of the kernel * kernel taps around it, row by row: never what is outside the picture.

    order [T = height * width]: the pixel generated t-th. kernel: odd.
    """
    rank = inverse(order).reshape(height, width)
    around = jnp.stack(_shifts(rank[None], kernel, outside=height * width), axis=-1)[0]
    return around < rank[..., None] if strict else around <= rank[..., None]


@jax.checkpoint
def local_conv(
    h: Float[Array, "B H W C"], w: Float[Array, "kernel kernel C G"], b: Float[Array, " G"], mask: Bool[Array, "H W taps"]
) -> Float[Array, "B H W G"]:
    """y at every pixel: one product, of the masked windows of all pixels. They are made again for the gradient and not kept,
    since they take kernel^2 times the memory of h (the paper's appendix does so, too)."""
    windows = [jnp.where(mask[None, ..., tap, None], h, 0) for tap, h in enumerate(_shifts(h, len(w), outside=0))]
    return dense(jnp.concatenate(windows, axis=-1), w.reshape(-1, w.shape[-1]), b)


def local_conv_step(
    canvas: Float[Array, "B h w C"], w: Float[Array, "kernel kernel C G"], b: Float[Array, " G"], i, j
) -> Float[Array, "B G"]:
    """y at the pixel (i, j), from a canvas that knows what has been generated, and nothing else."""
    window = read_canvas(canvas, len(w), len(w), i, j)
    return dense(jax.lax.collapse(window, 1), w.reshape(-1, w.shape[-1]), b)


def _shifts(h, kernel, *, outside):
    """[B, H, W, ...] as every tap sees it, row by row."""
    (height, width), margin = h.shape[1:3], kernel // 2
    margins = ((0, 0), (margin, margin), (margin, margin), *[(0, 0)] * (h.ndim - 3))
    padded = jnp.pad(h, margins, constant_values=outside)
    return [padded[:, r : r + height, s : s + width] for r in range(kernel) for s in range(kernel)]
