"""Shifted convolution (Salimans, Karpathy, Chen, Kingma 2017, sections 2.3 and 2.4), for whole maps, for a row and for a pixel.

    y_ij = b + sum over a in {-1, 0} and e of W_ae h[s i + a, s j + e]

Down-shifted, W [2, 3, C, G]: e in {-1, 0, 1}; down-right-shifted, W [2, 2, C, G]: e in {-1, 0}; W [1, ...] has a = 0 alone. s is
the stride, 1 or 2; h is zero outside of its map. Nothing is masked: that a pixel is not told of itself or of later ones is up
to what it reads, moved down or right by one before the first of these layers.

The transposed convolution gives every h_ij to the four pixels that share its place in a map twice as high and wide,

    y[2i + a, 2j + e] = b + W_ae h_ij        a in {0, 1}, and e in {0, 1} for W [2, 2, C, G], in {-1, 0, 1} for W [2, 3, C, G],

so that no pixel is told more than the first of the four may know.

One row needs the row above it, which is kept; one pixel, of a map that is computed row by row, what lies 1, W and W + 1 pixels
back, which is kept in a ring. All is computed in `dtype`.
"""

import math

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from arjax.cache import read_ring, write_ring
from arjax.layers.dense import DtypeName, conv, dense


class ShiftedConv(nn.Module):
    """y, from inputs C to outputs G. kernel: the rows and columns of W. scale: of the first weights; 1 keeps the size of h."""

    inputs: int
    outputs: int
    kernel: tuple[int, int]
    stride: int = 1
    scale: float = 1.0
    dtype: DtypeName = "float32"

    def setup(self):
        shape = (*self.kernel, self.inputs, self.outputs)
        self.w = self.param("w", nn.initializers.normal(self.scale * math.prod(shape[:-1]) ** -0.5), shape)
        self.b = self.param("b", nn.initializers.zeros, shape[-1:])

    def __call__(self, h: Float[Array, "B H W C"]) -> Float[Array, "B H//{self.stride} W//{self.stride} G"]:
        """Returns y of a whole map."""
        return self._conv(h.astype(self.dtype), self.kernel[0] - 1)

    def row(
        self, above: Float[Array, "B W C"], h: Float[Array, "B W C"]
    ) -> tuple[Float[Array, "B W C"], Float[Array, "B W//{self.stride} G"]]:
        """Returns (what the next row has above it, y of one row), from the row of h that is as far down and the one above it."""
        h = h.astype(self.dtype)
        return h, self._conv(jnp.stack([above, h], axis=1)[:, -self.kernel[0] :], 0)[:, 0]

    def step(
        self, ring: Float[Array, "slots B C"], h: Float[Array, "B C"], site: Int[Array, ""], width: int
    ) -> tuple[Float[Array, "slots B C"], Float[Array, "B G"]]:
        """Returns (the ring that has h, y of the pixel there), for the site-th pixel, row by row, of a map of this width."""
        ring = write_ring(ring, h.astype(self.dtype), site)
        return ring, self.read(ring, site, width)

    def read(self, ring: Float[Array, "slots B C"], site: Int[Array, ""], width: int) -> Float[Array, "B G"]:
        """Returns y of the pixel that was written last, from a ring of width + 2 slots. The kernel is 2x2."""
        at_edge = site % width == 0
        taps = [read_ring(ring, site, lag) for lag in (width + 1, width, 1, 0)]
        window = jnp.concatenate([jnp.where(at_edge, 0, h) if tap % 2 == 0 else h for tap, h in enumerate(taps)], axis=1)
        return dense(window, self.w.reshape(-1, self.outputs), self.b)

    def _conv(self, h, top):
        return conv(h, self.w, self.b, ((top, 0), (1, self.kernel[1] - 2)), self.stride)


class ShiftedTranspose(nn.Module):
    """y of the transposed convolution, of `features` to as many. columns: 2, or 3 for maps and rows."""

    features: int
    columns: int
    dtype: DtypeName = "float32"

    def setup(self):
        shape = (2, self.columns, self.features, self.features)
        self.w = self.param("w", nn.initializers.normal(self.features**-0.5), shape)
        self.b = self.param("b", nn.initializers.zeros, shape[-1:])

    def __call__(self, h: Float[Array, "B H W C"]) -> Float[Array, "B 2*H 2*W C"]:
        """Returns y of a whole map; of a row as a map of one row; for two columns, of a pixel too."""
        batch, height, width, _ = h.shape
        parts = jnp.einsum("bhwc,aecg->bhaweg", h.astype(self.dtype), self.w.astype(self.dtype))
        if self.columns == 3:
            before, same, after = (parts[..., e, :] for e in range(3))
            after += jnp.pad(before[:, :, :, 1:], ((0, 0), (0, 0), (0, 0), (0, 1), (0, 0)))
            parts = jnp.stack([same, after], axis=-2)
        return parts.reshape(batch, 2 * height, 2 * width, parts.shape[-1]) + self.b.astype(self.dtype)[None, None, None]
