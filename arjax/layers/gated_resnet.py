"""The gated residual block of PixelCNN++ (Salimans, Karpathy, Chen, Kingma 2017, section 2.3), for whole maps, a row and a pixel.

    c = conv(f(h)) + W f(skip) + told,   a, g = conv(f(c)) + bias,   h <- h + a sigmoid(g),   tell = W' f(h)       f = concat_elu

`skip` is what a block on the way down had at this block's place, `told` what the block of the other stream tells this one.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from arjax.layers.dense import DtypeName
from arjax.layers.residual import concat_elu, dropout
from arjax.layers.shifted_conv import ShiftedConv


class GatedResnet(nn.Module):
    """A gated residual block. columns: of its kernels. skips: is it told what the way down had? tells: does it tell the other
    stream's block?"""

    width: int
    columns: int
    skips: bool
    tells: bool
    dropout: float
    dtype: DtypeName

    def setup(self):
        wide, kernel, matrix = 2 * self.width, (2, self.columns), nn.initializers.normal((2 * self.width) ** -0.5)
        self.conv_in = ShiftedConv(wide, self.width, kernel, dtype=self.dtype)
        self.conv_out = ShiftedConv(wide, wide, kernel, scale=0.1, dtype=self.dtype)
        if self.skips:
            self.w_skip = self.param("w_skip", matrix, (wide, self.width))
        if self.tells:
            self.w_tell = self.param("w_tell", matrix, (wide, self.width))

    def __call__(self, h, bias, skip=None, told=None, key=None):
        """h [B, H, W, D], bias [..., 2 D], skip and told [B, H, W, D] -> (h, what it tells [B, H, W, D] or None)."""
        inside = self._join(self.conv_in(concat_elu(h)), skip, told)
        return self._gate(h, self.conv_out(dropout(inside, self.dropout, key)), bias)

    def row(self, rows, h, bias, skip=None):
        """The rows that its convolutions read last, h [B, W, D] -> (rows, h, what it tells)."""
        first, inside = self.conv_in.row(rows[0], concat_elu(h))
        second, both = self.conv_out.row(rows[1], self._join(inside, skip, None))
        return (first, second), *self._gate(h, both, bias)

    def step(self, rings, h, bias, skip, told, site, width):
        """The rings of its convolutions, h [B, D] of the site-th pixel of a map of this width -> (rings, h)."""
        first, inside = self.conv_in.step(rings[0], concat_elu(h), site, width)
        second, both = self.conv_out.step(rings[1], self._join(inside, skip, told), site, width)
        return (first, second), self._gate(h, both, bias)[0]

    def _join(self, inside, skip, told):
        """What the second convolution reads."""
        if skip is not None:
            inside += self._product(skip, self.w_skip)
        return concat_elu(inside if told is None else inside + told)

    def _gate(self, h, both, bias):
        """(h after the block, what it tells)."""
        a, gate = jnp.split(both + bias, 2, axis=-1)
        h += a * jax.nn.sigmoid(gate)
        return h, self._product(h, self.w_tell) if self.tells else None

    def _product(self, h, w):
        return concat_elu(h).astype(self.dtype) @ w.astype(self.dtype)
