"""PixelCNN++: shifted convolutions at several resolutions (Salimans, Karpathy, Chen, Kingma 2017).

Two streams of maps. At pixel (i, j), u knows the rows above i, and ul those and what is left of j in row i:

    u = conv(x moved down),   ul = conv(x moved down) + W x moved right
    block:  c = conv(f(h)) + W f(skip) + W' f(u),   a, g = conv(f(c)) + V y,   h <- h + a sigmoid(g),   f(h) = elu([h, -h])

with down-shifted 2x3 convolutions in u, and down-right-shifted 2x2 ones in ul, whose blocks are also told what u's are (W' f(u)).
`resnets` blocks at each of `levels` resolutions on the way down, halved in between by convolutions of stride 2; on the way up
as many, and one more at each but the lowest, doubled in between by transposed convolutions, where each block also reads, as
`skip`, what the way down had at its place, last first. theta = W elu(ul). y is the label.

Values enter as numbers from -1 to 1, beside a channel of ones that tells the picture from the zeros around it.

Differs from the paper: no weight normalisation, so no initialisation from data (weights start at 1 / sqrt(fan-in), those of a
block's second convolution at a tenth of it); no biases in what is added to a convolution that has one; and ul's first layer has
one weight, not two, for the pixel above and to the left. Of RGB pixels, only those whose channels are coupled in the head.

Every module computes whole maps (`__call__`) and, one site at a time, less: u runs a row at a time (`row`) and ul a pixel at a
time (`step`), each remembering as much of what a convolution read as it will read again. What is at a coarser level is computed
at the first of the pixels that share it, when all that it may depend on is known, and each part of it once.
"""

import functools
import math
from typing import ClassVar, NamedTuple

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from arjax.cache import init_ring, write_ring, write_slice
from arjax.errors import InputError
from arjax.layers.checks import check_fields, check_raster
from arjax.layers.dense import DtypeName, along, product
from arjax.layers.gated_resnet import GatedResnet
from arjax.layers.inputs import label_bias, label_table, pixel_features, pixel_maps, pixel_width, shift, start
from arjax.layers.position import coordinate_bias, coordinate_table
from arjax.layers.residual import split_key
from arjax.layers.shifted_conv import ShiftedConv, ShiftedTranspose
from arjax.protocol import Spec


class Memory(NamedTuple):
    """What a level of a stream remembers of a map that is W wide, and of the coarser ones.

    Of u: `blocks`, the row [B, W, 2 D] that each block's convolutions read last; `told` [B, W, D], what each tells ul; `halved`
    [B, W, D], the row that was halved last. Of ul: `blocks` and `halved` are rings [W + 2, B, ...]. `doubled` [B, 2, W, D]: what
    the coarser level gave to two rows.
    """

    blocks: tuple[tuple[jax.Array, jax.Array], ...]
    told: tuple[jax.Array, ...]
    halved: jax.Array | None = None
    doubled: jax.Array | None = None
    coarser: "Memory | None" = None


class Level(nn.Module):
    """A stream at one resolution, and at `levels` - 1 coarser ones. bias [..., blocks, 2 D] is the label's; its own blocks come
    first, on the way down and then up. The other fields as of a block and of the net."""

    levels: int
    resnets: int
    width: int
    columns: int
    tells: bool
    dropout: float
    dtype: DtypeName
    remat: bool

    def setup(self):
        self.num = 2 * self.resnets + (self.levels > 1)
        block = functools.partial(GatedResnet, self.width, self.columns, tells=self.tells, dropout=self.dropout, dtype=self.dtype)
        self.blocks = [block(skips=k >= self.resnets) for k in range(self.num)]
        if self.levels > 1:
            self.halve = ShiftedConv(self.width, self.width, (2, self.columns), stride=2, dtype=self.dtype)
            self.coarser = self.clone(levels=self.levels - 1, parent=None, name=None)
            self.double = ShiftedTranspose(self.width, self.columns, self.dtype)

    def __call__(self, h, bias, keys, told=None):
        """h [B, H, W, D], a key or None for every block -> (h, what its blocks tell and what those of the coarser levels do)."""
        tells, deeper, (here, there) = [], None, told or ([None] * self.num, None)
        run = nn.remat(GatedResnet.__call__) if self.remat else GatedResnet.__call__

        def block(k, h, skip=None):
            h, tell = run(self.blocks[k], h, bias[..., k, :], skip, here[k], keys[k])
            tells.append(tell)
            return h

        def coarser(h):
            nonlocal deeper
            h, deeper = self.coarser(self.halve(h), bias[..., self.num :, :], keys[self.num :], there)
            return self.double(h)

        return self._down_and_up(h, block, coarser), (tells, deeper)

    def init_memory(self, batch: int, width: int) -> Memory:
        """Returns the memory of a stream before its first row or pixel."""

        def read(channels):
            return zeros(width, channels) if self.tells else init_ring(width + 2, batch, channels, dtype)

        def zeros(*shape):
            return jnp.zeros((batch, *shape), dtype)

        dtype = jnp.dtype(self.dtype)
        blocks = tuple((read(2 * self.width), read(2 * self.width)) for _ in self.blocks)
        told = tuple(zeros(width, self.width) for _ in self.blocks if self.tells)
        if self.levels == 1:
            return Memory(blocks, told)
        coarser = self.coarser.init_memory(batch, width // 2)
        return Memory(blocks, told, read(self.width), zeros(2, width, self.width), coarser)

    def row(self, memory, i, h, bias):
        """memory, the i-th row h [B, W, D] -> (memory, h)."""
        blocks, told, deeper = list(memory.blocks), list(memory.told), memory

        def block(k, h, skip=None):
            blocks[k], h, told[k] = self.blocks[k].row(blocks[k], h, bias[..., k, :], skip)
            return h

        def coarser(h):
            def run(self, coarser, _):
                coarser, low = self.coarser.row(coarser, i // 2, self.halve.row(memory.halved, h)[1], bias[..., self.num :, :])
                return coarser, self.double(low[:, None])

            nonlocal deeper
            h = h.astype(self.dtype)
            deeper = self._every(i % 2 == 0, run, memory)._replace(halved=h)
            return _row(deeper.doubled, i % 2)

        h = self._down_and_up(h, block, coarser)
        return deeper._replace(blocks=tuple(blocks), told=tuple(told)), h

    def step(self, memory, u, i, j, h, bias):
        """memory, u's memory, pixel (i, j)'s h [B, D] of a map of this width -> (memory, h)."""
        blocks, deeper, width = list(memory.blocks), memory, u.told[0].shape[1]
        site = i * width + j

        def block(k, h, skip=None):
            blocks[k], h = self.blocks[k].step(blocks[k], h, bias[..., k, :], skip, _row(u.told[k], j), site, width)
            return h

        def coarser(h):
            halved = write_ring(memory.halved, h.astype(self.dtype), site)

            def run(self, coarser, doubled):
                low = self.halve.read(halved, site, width)
                coarser, low = self.coarser.step(coarser, u.coarser, i // 2, j // 2, low, bias[..., self.num :, :])
                four = self.double(low[:, None, None])
                return coarser, write_slice(doubled, four, 0, 0, j, 0)

            nonlocal deeper
            deeper = self._every((i % 2 == 0) & (j % 2 == 0), run, memory)._replace(halved=halved)
            return _row(_row(deeper.doubled, i % 2), j)

        h = self._down_and_up(h, block, coarser)
        return deeper._replace(blocks=tuple(blocks)), h

    def _down_and_up(self, h, block, coarser):
        """h after block(k, h, skip) for every k, and coarser(h) in their middle: what maps, rows and pixels have in common."""
        h = h.astype(jnp.float32)
        passed = [h]
        for k in range(self.resnets):
            h = block(k, h)
            passed.append(h)
        if self.levels > 1:
            h = coarser(h).astype(jnp.float32)
        else:
            passed.pop()
        for k, skip in enumerate(reversed(passed), self.resnets):
            h = block(k, h, skip)
        return h

    def _every(self, due, run, memory):
        """The memory after run(self, coarser, doubled), where it is due."""
        coarser, doubled = nn.cond(due, run, lambda _, *kept: kept, self, memory.coarser, memory.doubled)
        return memory._replace(coarser=coarser, doubled=doubled)


@flax.struct.dataclass
class Cache:
    """`drawn` [B, W, F]: the row that is being drawn; `read` [B, W, F]: the one that u's first convolution read last; `above`
    [B, W, D]: what ul is told by the rows above; the memories of u and ul. What stays the same: `u_bias` and `ul_bias`
    [B or 1, blocks, 2 D], the label's shift of every block. At the paper's settings 3.9 MB for each 32x32 picture."""

    drawn: jax.Array
    read: jax.Array
    above: jax.Array
    u: Memory
    ul: Memory
    u_bias: jax.Array
    ul_bias: jax.Array


class PixelCNNPP(nn.Module):
    """Two streams of shifted convolutions, for images [H, W] or [H, W, 1], row by row; the three channels of an RGB pixel are
    one symbol, coupled in the head.

    In float32 whatever `dtype`: the parameters, the streams h and theta.
    """

    width: int = 160
    """Channels of each of the two streams."""
    resnets: int = 5
    """Residual blocks at each level, on the way down and again on the way up."""
    levels: int = 3
    """Resolutions, each half as high and wide as the one before."""
    coordinates: bool = False
    """Also give the first layers the row and column of a pixel."""
    dropout: float = 0.5
    """Dropout rate inside the blocks."""
    dtype: DtypeName = "float32"
    """What is computed and cached in; parameters, the residual stream and theta stay float32."""
    remat: bool = False
    """Compute the layers again for the gradient in place of keeping them: less memory, more time."""
    spec: Spec | None = None

    decays: ClassVar[tuple[str, ...]] = ("w", "w_skip", "w_tell", "w_left", "w_theta")
    gives_theta: ClassVar[tuple[str, ...]] = ("w_theta",)

    def __post_init__(self):
        check_fields(self, "width", layers=("resnets", "levels"))
        super().__post_init__()

    def check_model(self, model):
        shape = model.site_shape
        if shape[2:] not in ((), (1,)):
            raise InputError(
                f"PixelCNNPP generates a pixel at once, but site_shape={shape} has {math.prod(shape[2:])} sites a pixel; choose "
                f"site_shape={shape[:2]} and a CoupledDiscretizedMixtureOfLogistics head, or a PixelCNN"
            )
        check_raster(model)
        factor = 2 ** (self.levels - 1)
        if any(size % factor for size in shape[:2]):
            raise InputError(
                f"site_shape={shape} cannot be halved {self.levels - 1} times, for levels={self.levels}; choose a height and a "
                f"width that are multiples of {factor}, or fewer levels"
            )
        model.cond.require("PixelCNNPP", "classes")

    def setup(self):
        features, width, normal = pixel_width(self.spec, None) + 1, self.width, nn.initializers.normal
        self.first = ShiftedConv(features, width, (2, 3), dtype=self.dtype)
        self.above = ShiftedConv(features, width, (1, 3), dtype=self.dtype)
        self.w_left = self.param("w_left", normal(features**-0.5), (features, width))
        stream = functools.partial(Level, self.levels, self.resnets, width)
        self.u, self.ul = (
            stream(columns, tells=columns == 3, dropout=self.dropout, dtype=self.dtype, remat=self.remat) for columns in (3, 2)
        )
        self.w_theta = self.param("w_theta", normal(width**-0.5), (width, self.spec.param_size))
        self.b_theta = self.param("b_theta", nn.initializers.zeros, (self.spec.param_size,))
        self.w_place = coordinate_table(self, normal(0.5), 2, 2 * width)
        self.label_b = label_table(self, 2, self._num_blocks, 2 * width)

    def __call__(self, x, order, cond=None, *, key=None):
        """x [B, T, *E], the pixels row by row -> theta [B, T, P]."""
        height, width = self.spec.sites[:2]
        maps = pixel_maps(self._enter(x), self.spec)
        left = shift(maps.reshape(len(x) * height, *maps.shape[2:])).reshape(maps.shape)
        u_keys, ul_keys = (split_key(key, self._num_blocks) for key in split_key(key, 2))
        u_bias, ul_bias = (bias[:, None, None] for bias in self._bias(cond))
        rows = shift(maps)
        h, above = self._placed(self.first(rows), self.above(rows), jnp.arange(height * width).reshape(height, width))
        _, told = self.u(h, u_bias, u_keys)
        h, _ = self.ul(above + self._left(left), ul_bias, ul_keys, told)
        return self._theta(h).reshape(len(x), self.spec.num_sites, self.spec.param_size)

    def init_cache(self, batch, order, cond=None):
        width = self.spec.sites[1]
        drawn = jnp.zeros((batch, width, len(self.w_left)), self.dtype)
        above = jnp.zeros((batch, width, self.width), jnp.float32)
        return Cache(drawn, drawn, above, *(stream.init_memory(batch, width) for stream in (self.u, self.ul)), *self._bias(cond))  # pyright: ignore[reportArgumentType]

    def step(self, cache, x, t, order, cond=None):
        """cache, x [B, *E] (symbol t-1), t [] -> (cache, theta [B, P])."""
        width = self.spec.sites[1]
        i, j = jnp.divmod(t, width)
        before = start(self._enter(x), t)
        drawn = write_slice(cache.drawn, before[:, None], 0, (t - 1) % width, 0)

        def next_row(self, memory, read, _):
            read, h = self.first.row(read, drawn)
            h, above = self._placed(h, self.above(drawn[:, None])[:, 0], t + jnp.arange(width))
            memory, _ = self.u.row(memory, i, h, cache.u_bias[:, None])
            return memory, read, above

        u, read, above = nn.cond(j == 0, next_row, lambda _, *kept: kept, self, cache.u, cache.read, cache.above)
        h = _row(above, j) + self._left(jnp.where(j == 0, 0, before))
        ul, h = self.ul.step(cache.ul, u, i, j, h, cache.ul_bias)
        return cache.replace(drawn=drawn, read=read, above=above, u=u, ul=ul), self._theta(h)

    @property
    def _num_blocks(self) -> int:
        """The number of blocks of a stream."""
        return self.levels * (2 * self.resnets + 1) - 1

    def _placed(self, first, above, pixels):
        """What u reads and what ul is told of the rows above, with where the pixels [H, W] or [W] are."""
        parts = first.astype(jnp.float32), above.astype(jnp.float32)
        if not self.coordinates:
            return parts
        places = jnp.split(coordinate_bias(self, pixels), 2, axis=-1)
        return tuple(part + place[None] for part, place in zip(parts, places, strict=True))

    def _enter(self, x):
        """[..., *E] -> [..., features], with the one"""
        return pixel_features(x, self.spec, self.dtype, ones=True)

    def _left(self, h):
        """[..., features] of the pixels to the left -> [..., D]"""
        return h.astype(self.dtype) @ self.w_left.astype(self.dtype)

    def _bias(self, cond):
        """[B or 1, blocks, 2 D], of u and of ul."""
        return tuple(jnp.moveaxis(label_bias(self.label_b, cond, self.spec, self.dtype), 1, 0))

    def _theta(self, h):
        """[..., D] -> [..., P]"""
        return product(jax.nn.elu(h), self.w_theta, self.dtype) + along(self.b_theta, h)


def _row(h, i):
    """[B, N, ...] -> [B, ...]: the i-th of N."""
    return jax.lax.dynamic_index_in_dim(h, i, axis=1, keepdims=False)
