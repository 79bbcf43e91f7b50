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

One body serves all pixels, a row and a pixel, in terms of four callbacks (`Way`): u runs a row at a time and ul a pixel at a
time, each remembering as much of what a convolution read as it will read again. What is at a coarser level is computed at the
first of the pixels that share it, when all that it may depend on is known, and each part of it once.
"""

import functools
import math
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from arjax.cache import write_ring
from arjax.errors import InputError
from arjax.layers.choices import check_choices
from arjax.layers.concat_elu import concat_elu
from arjax.layers.coordinates import coordinates
from arjax.layers.dropout import dropout
from arjax.layers.dtype import DtypeName, product
from arjax.layers.pixels import pixel_features
from arjax.layers.raster import check_raster
from arjax.layers.remat import recomputed
from arjax.layers.shifted_conv import (
    shifted_conv,
    shifted_conv_ring,
    shifted_conv_row,
    shifted_conv_step,
    shifted_transpose,
)
from arjax.layers.start import shift, start
from arjax.protocol import Spec

KERNEL_WIDTH = {"u": 3, "ul": 2}


class Way(NamedTuple):
    """How a stream is computed: for a whole map, a row or a pixel, [B, ..., D].

    conv(level, name, h): a shifted convolution. coarser(level, h): h halved, through all coarser levels and doubled again.
    tell(level, name, h): u's block of this name has h, for ul; told(level, name): what that is to ul's block of this name; each
    None in the other stream. bias [..., blocks, 2 D]: the label's, of every block. keys: each block's dropout key, or None.
    remat: are blocks computed again for the gradient? Only where `conv` remembers nothing.
    """

    conv: Callable
    coarser: Callable
    tell: Callable | None
    told: Callable | None
    bias: jax.Array
    keys: tuple[jax.Array | None, ...]
    remat: bool = False


@flax.struct.dataclass
class Cache:
    """`drawn` [B, W, F]: the row that is being drawn. `rows`: at every level, by name, what u's convolutions read last and what
    it tells ul, [B, W, D], and what the coarser level gave to two rows, [B, 2, W, D]. `rings`: at every level what ul's
    convolutions read last, [W + 2, B, D], and what the coarser level gave to two rows. What stays the same: `u_bias` and
    `ul_bias` [B or 1, blocks, 2 D], the label's shift of every block. At the paper's settings 3.9 MB for each 32x32 picture."""

    drawn: jax.Array
    rows: tuple[dict[str, jax.Array], ...]
    rings: tuple[dict[str, jax.Array], ...]
    u_bias: jax.Array
    ul_bias: jax.Array


class PixelCNNPP(nn.Module):
    """Two streams of shifted convolutions, for images [H, W] or [H, W, 1], row by row; the three channels of an RGB pixel are
    one symbol, coupled in the head.

    width: the channels of each stream. resnets: the blocks at each level and on either way. levels: how many resolutions, each
    half as high and wide as the one before. coordinates: also tell the first layers where a pixel is. dropout: the rate inside
    the blocks. dtype: what is computed and cached in; the parameters, the streams h and theta are float32. remat: blocks are
    computed again for the gradient, and not kept.
    """

    width: int = 160
    resnets: int = 5
    levels: int = 3
    coordinates: bool = False
    dropout: float = 0.5
    dtype: DtypeName = "float32"
    remat: bool = False
    spec: Spec | None = None

    any_order: ClassVar[bool] = False

    def __post_init__(self):
        for name in ("width", "resnets", "levels"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} must be at least 1; choose a positive number")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout={self.dropout} is not in [0, 1); choose the rate of units to drop")
        check_choices(self)
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
        spec, features, width = self.spec, self._features, self.width
        shapes = {"u0_first": (2, 3, features, width), "u0_above": (1, 3, features, width)}
        for stream, kernel in KERNEL_WIDTH.items():
            for level, name in self._blocks:
                block = f"{stream}{level}_{name}"
                shapes[f"{block}_in"] = (2, kernel, 2 * width, width)
                shapes[f"{block}_out"] = (2, kernel, 2 * width, 2 * width)
            for level in range(self.levels - 1):
                shapes[f"{stream}{level}_halve"] = shapes[f"{stream}{level}_double"] = (2, kernel, width, width)
        self.b = {name: self.param(f"{name}_b", nn.initializers.zeros, shape[-1:]) for name, shape in shapes.items()}
        shapes |= {"left": (features, width), "theta": (width, spec.param_size)}
        for level, name in self._blocks:
            shapes[f"{level}_{name}_told"] = (2 * width, width)
            if name.startswith("after"):
                shapes |= {f"{stream}{level}_{name}_skip": (2 * width, width) for stream in KERNEL_WIDTH}
        self.w = {name: self.param(f"{name}_w", _normal(name), shape) for name, shape in shapes.items()}
        self.theta_b = self.param("theta_b", nn.initializers.zeros, (spec.param_size,))
        if self.coordinates:
            self.w_place = self.param("w_place", nn.initializers.normal(0.5), (2, 2 * width))
        if spec.cond.classes:
            shape = (spec.cond.classes, 2, len(self._blocks), 2 * width)
            self.label_b = self.param("label_b", nn.initializers.zeros, shape)

    def __call__(self, x, order, cond=None, *, key=None):
        """x [B, T, *E], the pixels row by row -> theta [B, T, P]."""
        height, width = self.spec.sites[:2]
        maps = self._enter(x).reshape(len(x), height, width, -1)
        moved_right = shift(maps.reshape(len(x) * height, width, -1)).reshape(maps.shape)
        keys = [None, None] if key is None else jax.random.split(key)
        messages = {}

        def way(stream, bias, key, **exchange):
            def coarser(level, h):
                h = shifted_conv(h.astype(self.dtype), *self._conv(stream, level, "halve"), stride=2)
                h = self._level(stream, level + 1, h, here)
                return shifted_transpose(h.astype(self.dtype), *self._conv(stream, level, "double"))

            here = Way(
                conv=lambda level, name, h: shifted_conv(h.astype(self.dtype), *self._conv(stream, level, name)),
                coarser=coarser,
                bias=bias[:, None, None],
                keys=tuple([None] * len(self._blocks) if key is None else jax.random.split(key, len(self._blocks))),
                remat=self.remat,
                **exchange,
            )
            return here

        u_bias, ul_bias = self._bias(cond)
        u = way("u", u_bias, keys[0], tell=lambda level, name, h: messages.update({(level, name): h}), told=None)
        ul = way("ul", ul_bias, keys[1], tell=None, told=lambda level, name: messages[level, name])
        h, above = self._first(u, shift(maps), jnp.arange(height * width).reshape(height, width))
        self._level("u", 0, h, u)
        h = self._level("ul", 0, above + self._product(moved_right, "left"), ul)
        return self._theta(h).reshape(len(x), self.spec.num_sites, -1)

    def init_cache(self, batch, order, cond=None):
        rows, rings, dtype = [], [], jnp.dtype(self.dtype)
        for level in range(self.levels):
            width = self.spec.sites[1] >> level
            row, ring = {}, {}
            for name in (name for at, name in self._blocks if at == level):
                for conv in (f"{name}_in", f"{name}_out"):
                    row[conv] = jnp.zeros((batch, width, 2 * self.width), dtype)
                    ring[conv] = shifted_conv_ring(width, batch, 2 * self.width, dtype)
                row[f"{name}_told"] = jnp.zeros((batch, width, self.width), dtype)
            if level + 1 < self.levels:
                row["halve"] = jnp.zeros((batch, width, self.width), dtype)
                ring["halve"] = shifted_conv_ring(width, batch, self.width, dtype)
                row["double"] = ring["double"] = jnp.zeros((batch, 2, width, self.width), dtype)
            rows.append(row)
            rings.append(ring)
        drawn = jnp.zeros((batch, self.spec.sites[1], self._features), dtype)
        above = jnp.zeros((batch, self.spec.sites[1], self.width), jnp.float32)
        rows[0] |= {"first": drawn, "above": drawn, "above_told": above}
        return Cache(drawn, tuple(rows), tuple(rings), *self._bias(cond))

    def step(self, cache, x, t, order, cond=None):
        """cache, x [B, *E] (symbol t-1), t [] -> (cache, theta [B, P])."""
        width = self.spec.sites[1]
        i, j = jnp.divmod(t, width)
        before = start(self._enter(x), t)
        drawn = jax.lax.dynamic_update_slice(cache.drawn, before[:, None], (0, (t - 1) % width, 0))

        def run(rows):
            memory = [dict(row) for row in rows]
            way = self._row_way(memory, i, cache.u_bias)
            h, memory[0]["above_told"] = self._first(way, drawn, t + jnp.arange(width))
            self._level("u", 0, h, way)
            return tuple(memory)

        rows = jax.lax.cond(j == 0, run, lambda rows: rows, cache.rows)
        memory = [dict(ring) for ring in cache.rings]
        h = _column(rows[0]["above_told"], j) + self._product(jnp.where(j == 0, 0, before), "left")
        theta = self._theta(self._level("ul", 0, h, self._pixel_way(memory, rows, i, j, cache.ul_bias)))
        return cache.replace(drawn=drawn, rows=rows, rings=tuple(memory)), theta

    def _level(self, stream, level, h, way):
        """h after all blocks of this level and of the coarser ones."""
        h = h.astype(jnp.float32)
        passed = [h]
        for k in range(self.resnets):
            h = self._block(stream, level, f"before{k}", h, way)
            passed.append(h)
        if level + 1 < self.levels:
            h = way.coarser(level, h).astype(jnp.float32)
        else:
            passed.pop()
        for k, skip in enumerate(reversed(passed)):
            h = self._block(stream, level, f"after{k}", h, way, skip)
        return h

    def _block(self, stream, level, name, h, way, skip=None):
        told = None if way.told is None else way.told(level, name)
        h, telling = recomputed(functools.partial(self._inside, stream, level, name, way), way.remat)(h, skip, told)
        if way.tell is not None:
            way.tell(level, name, telling)
        return h

    def _inside(self, stream, level, name, way, h, skip, told):
        """(h after a block, what the other stream's block is to be told of it)."""
        number = self._blocks.index((level, name))
        inside = way.conv(level, f"{name}_in", concat_elu(h))
        if skip is not None:
            inside += self._product(concat_elu(skip), f"{stream}{level}_{name}_skip")
        if told is not None:
            inside += told
        inside = dropout(concat_elu(inside), self.dropout, way.keys[number])
        a, gate = jnp.split(way.conv(level, f"{name}_out", inside) + way.bias[..., number, :], 2, axis=-1)
        h += a * jax.nn.sigmoid(gate)
        return h, None if way.tell is None else self._product(concat_elu(h), f"{level}_{name}_told")

    def _row_way(self, memory, i, bias):
        """For row i of u at one level and, where they are due, of the coarser levels. `memory`, the levels' `Cache.rows`, is
        replaced part by part."""

        def conv(level, name, h):
            h = h.astype(self.dtype)
            above, memory[level][name] = memory[level][name], h
            return shifted_conv_row(above, h, *self._conv("u", level, name))

        def coarser(level, h):
            h = h.astype(self.dtype)
            above, memory[level]["halve"] = memory[level]["halve"], h

            def run(deeper, _):
                inner = [*memory[: level + 1], *(dict(rows) for rows in deeper)]
                h_low = shifted_conv_row(above, h, *self._conv("u", level, "halve"), stride=2)
                h_low = self._level("u", level + 1, h_low, self._row_way(inner, i // 2, bias))
                return inner[level + 1 :], shifted_transpose(h_low[:, None].astype(self.dtype), *self._conv("u", level, "double"))

            memory[level + 1 :], memory[level]["double"] = jax.lax.cond(
                i % 2 == 0, run, lambda *kept: kept, memory[level + 1 :], memory[level]["double"]
            )
            return jax.lax.dynamic_index_in_dim(memory[level]["double"], i % 2, axis=1, keepdims=False)

        def tell(level, name, h):
            memory[level][f"{name}_told"] = h

        return Way(conv, coarser, tell, None, bias[:, None], (None,) * len(self._blocks))

    def _pixel_way(self, memory, rows, i, j, bias):
        """For pixel (i, j) of ul at one level and, where they are due, of the coarser levels. `memory`, the levels'
        `Cache.rings`, is replaced part by part; `rows` are u's."""

        def write(level, name, h):
            width = self.spec.sites[1] >> level
            memory[level][name] = write_ring(memory[level][name], h.astype(self.dtype), i * width + j)
            return memory[level][name], *self._conv("ul", level, name), i * width + j, width

        def conv(level, name, h):
            return shifted_conv_step(*write(level, name, h))

        def coarser(level, h):
            halved = write(level, "halve", h)

            def run(deeper, double):
                inner = [*memory[: level + 1], *(dict(rings) for rings in deeper)]
                h_low = shifted_conv_step(*halved)
                h_low = self._level("ul", level + 1, h_low, self._pixel_way(inner, rows, i // 2, j // 2, bias))
                four = shifted_transpose(h_low[:, None, None].astype(self.dtype), *self._conv("ul", level, "double"))
                return inner[level + 1 :], jax.lax.dynamic_update_slice(double, four, (0, 0, j, 0))

            memory[level + 1 :], memory[level]["double"] = jax.lax.cond(
                (i % 2 == 0) & (j % 2 == 0), run, lambda *kept: kept, memory[level + 1 :], memory[level]["double"]
            )
            return _column(jax.lax.dynamic_index_in_dim(memory[level]["double"], i % 2, axis=1, keepdims=False), j)

        def told(level, name):
            return _column(rows[level][f"{name}_told"], j)

        return Way(conv, coarser, None, told, bias, (None,) * len(self._blocks))

    def _first(self, way, above, pixels):
        """u's first h, and what is above to ul's, from the rows above and the numbers of the pixels, [H, W] or [W]."""
        parts = (way.conv(0, name, above).astype(jnp.float32) for name in ("first", "above"))
        if self.coordinates:
            places = jnp.asarray(coordinates(self.spec.sites[:2]))[pixels] @ self.w_place
            parts = (h + place[None] for h, place in zip(parts, jnp.split(places, 2, axis=-1), strict=True))
        return parts

    def _theta(self, h):
        theta = product(jax.nn.elu(h), self.w["theta"], self.dtype)
        return theta + self.theta_b.reshape((1,) * (theta.ndim - 1) + (-1,))

    def _product(self, h, name):
        """[..., C] -> [..., G]"""
        return h.astype(self.dtype) @ self.w[name].astype(self.dtype)

    def _conv(self, stream, level, name):
        """(w, b) of a convolution."""
        return self.w[f"{stream}{level}_{name}"], self.b[f"{stream}{level}_{name}"]

    @property
    def _blocks(self) -> tuple[tuple[int, str], ...]:
        """(level, name) of every block of a stream."""
        return tuple(
            (level, f"{way}{k}")
            for level in range(self.levels)
            for way, more in (("before", 0), ("after", level + 1 < self.levels))
            for k in range(self.resnets + more)
        )

    @property
    def _features(self) -> int:
        """The numbers of one pixel as the network sees it, with the one."""
        return math.prod(self.spec.event) + 1

    def _enter(self, x):
        """[..., *E] -> [..., features]"""
        features = pixel_features(x, self.spec).astype(self.dtype)
        return jnp.concatenate([features, jnp.ones_like(features[..., :1])], axis=-1)

    def _bias(self, cond):
        """[B or 1, blocks, 2 D], of u and of ul."""
        if not self.spec.cond.classes:
            return (jnp.zeros((1, len(self._blocks), 2 * self.width), self.dtype),) * 2
        return tuple(jnp.moveaxis(self.label_b[cond.label].astype(self.dtype), 1, 0))


def _column(row, j):
    """[B, W, D] -> [B, D]"""
    return jax.lax.dynamic_index_in_dim(row, j, axis=1, keepdims=False)


def _normal(name):
    """Weights that keep the scale of what they read, a tenth of it at the end of a block. Where a map is doubled, its kernel is
    spread over four pixels."""

    def init(key, shape):
        seen = shape[-2] if name.endswith("_double") else math.prod(shape[:-1])
        return jax.random.normal(key, shape) * seen**-0.5 * (0.1 if name.endswith("_out") else 1)

    return init
