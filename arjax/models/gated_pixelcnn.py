"""Gated PixelCNN: two stacks of masked convolutions, without a blind spot (van den Oord et al. 2016b, section 2).

    v_0 = conv(the rows above) + places         v_k = conv(gate(v_k-1 + label))          all rows above, full width
    g_k = gate(conv(h_k-1) + link(v_k) + label)                                          the same row, left of the pixel
    h_k = h_k-1 + conv_1x1(g_k)                 theta = conv_1x1(relu(... conv_1x1(relu(sum over k of conv_1x1(g_k)))))
    gate([a, b]) = tanh(a) sigmoid(b)                                                    (equations 2 and 4)

The vertical stack v knows every row above a pixel and nothing of its own; since it never has to hide a part of a row from
itself, its receptive field is a rectangle. The horizontal stack h adds the row so far. Layer 0 reads the symbols and has no
residual connection (h_0 = conv_1x1(g_0)); as in common implementations, every layer speaks to the head through a skip connection
of its own. The label shifts both gates of every layer. The three values of a pixel of site_shape (H, W, 3) are generated one
after the other, each from a third of the horizontal stack's channels; the vertical one needs no such parts.

One body of each stack serves all pixels and less. The vertical stack's is written in terms of `conv(k, v)`, over all rows or,
once a row is complete, over the next one; the horizontal stack's in terms of `conv(i, h)`, over whole maps or at the one place
that is generated next. What is above speaks to all gates of a row before its first pixel is drawn.
"""

import functools
import itertools
from typing import ClassVar

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from arjax.cache import write_slice
from arjax.errors import InputError
from arjax.layers.causal_conv import causal_conv
from arjax.layers.checks import check_channels, check_embedding, check_fields, check_raster
from arjax.layers.dense import DtypeName, conv, dense, matmul
from arjax.layers.inputs import embedding_table, label_bias, label_table, pixel_features, pixel_maps, pixel_width, shift, start
from arjax.layers.masked_conv import causal_mask, channel_groups, masked_normal, own_group, place
from arjax.layers.position import coordinate_bias, coordinate_table
from arjax.layers.residual import dropout, recomputed, split_key
from arjax.protocol import Spec

GATED_VARIANCE = 0.1156  # E[tanh(a)^2] E[sigmoid(b)^2] for standard normal a, b


@flax.struct.dataclass
class Cache:
    """`row`: the symbols of the row at hand, [B, margin + W, features], zeros where they are not known. `above`: for every layer
    the rows that the next vertical convolution reads besides its own, [B, rows - 1, W, C]. `told`: what the gates of the row at
    hand are told by the rows above and by the label, [W, layers, B, 2 D]. `windows`: for every horizontal convolution but the
    first the pixel at hand and those left of it, [B, taps, C]. What stays the same: `bias` [B or 1, layers, stacks, 2 D], the
    label's shift of every gate."""

    row: jax.Array
    above: tuple[jax.Array, ...]
    told: jax.Array
    windows: tuple[jax.Array, ...]
    bias: jax.Array


class GatedPixelCNN(nn.Module):
    """Gated masked convolutions in two stacks, for images [H, W] or [H, W, channels], row by row.

    In float32 whatever `dtype`: the parameters, the residual stream, the sum of the skip connections and the last layer.
    """

    width: int = 32
    """Channels of each of the two stacks."""
    layers: int = 7
    """Gated layers after the first."""
    head: tuple[int, ...] = (32,)
    """Widths of the 1x1 convolutions before the last."""
    kernel: int = 7
    """Height and width of the first convolution, odd and at least 3."""
    block_kernel: int = 3
    """Height and width of the other convolutions, odd."""
    embedding: int | None = None
    """Length of a learned vector for each symbol; by default a number from -1 to 1."""
    coordinates: bool = False
    """Also give the first layer the row and column of a pixel."""
    dropout: float = 0.0
    """Dropout rate behind every gate."""
    dtype: DtypeName = "float32"
    """What is computed and cached in; parameters, the residual stream and theta stay float32."""
    remat: bool = False
    """Compute the layers again for the gradient in place of keeping them: less memory, more time."""
    spec: Spec | None = None

    decays: ClassVar[tuple[str, ...]] = ("v", "link", "w")
    gives_theta = property(lambda self: (f"w{2 * self.layers + len(self.head) + 2}",))

    def __post_init__(self):
        check_fields(self, "width", "head", "embedding", kernels=("kernel", "block_kernel"), layers=("layers",))
        if self.kernel < 3:
            raise InputError(f"kernel={self.kernel} sees its own pixel only, which is not known yet; choose an odd number from 3")
        super().__post_init__()

    def check_model(self, model):
        check_raster(model)
        model.cond.require("GatedPixelCNN", "classes")
        check_embedding(model)
        check_channels(model)

    def setup(self):
        self._set_vertical()
        self._set_horizontal()
        self.table = embedding_table(self)
        self.label_b = label_table(self, self.layers + 1, 2, 2 * self.width)
        self.w_place = coordinate_table(self, nn.initializers.normal(0.5), 2, 2 * self.width)

    def _set_vertical(self):
        """Convolutions v [rows, kernel, C, 2 D], which need no mask, and links to the other stack [2 D, 2 D]."""
        wide, small = 2 * self.width, self.block_kernel
        shapes = [(self.kernel // 2, self.kernel, self._groups * self._features, wide)]
        shapes += [(small // 2 + 1, small, self.width, wide)] * self.layers
        self.v = [
            self.param(f"v{k}", masked_normal(GATED_VARIANCE if k else 1.0), jnp.ones(shape)) for k, shape in enumerate(shapes)
        ]
        self.v_b = [self.param(f"v_b{k}", nn.initializers.zeros, (wide,)) for k in range(len(shapes))]
        self.link = [self.param(f"link{k}", masked_normal(), jnp.ones((wide, wide))) for k in range(len(shapes))]

    def _set_horizontal(self):
        """Convolutions w [taps, C, G]: two for every layer (the second gives the residual and the skip connection), then the
        head's. The last layer has no residual, as nothing follows it."""
        groups, width, wide = self._groups, self.width, 2 * self.width
        shapes = [(self.kernel, groups * self._features, wide), (1, width, wide)]
        shapes += [(self.block_kernel, width, wide), (1, width, wide)] * self.layers
        shapes[-1] = (1, width, width)
        shapes += [(1, *pair) for pair in itertools.pairwise((width, *self.head, groups * self.spec.param_size))]
        masks = [causal_mask(*shape, groups, strict=i == 0) for i, shape in enumerate(shapes)]
        self.masks = [mask[-1, : mask.shape[1] // 2 + 1] for mask in masks]
        self.w = [self.param(f"w{i}", masked_normal(), mask) for i, mask in enumerate(self.masks)]
        self.b = [self.param(f"b{i}", nn.initializers.zeros, (mask.shape[-1],)) for i, mask in enumerate(self.masks)]

    def __call__(self, x, order, cond=None, *, key=None):
        """x [B, T, *E], the pixels row by row -> theta [B, T, P]."""
        height, width = self.spec.sites[:2]
        maps = pixel_maps(self._enter(x), self.spec)
        pixels = jnp.arange(height * width).reshape(1, height, width)
        keys = split_key(key, 2 * (self.layers + 1))

        def conv_rows(k, v):
            return self._conv_rows(k, v, len(self.v[k]) - 1)

        def conv_left(i, h):
            rows = h.astype(self._type(i)).reshape(-1, width, h.shape[-1])
            y = causal_conv(rows, self.w[i] * self.masks[i], 1) + self.b[i][None, None].astype(rows.dtype)
            return y.reshape(*h.shape[:-1], len(self.b[i]))

        told = self._vertical(shift(maps), conv_rows, self._bias(cond), pixels, keys[::2], self.remat)
        theta = self._horizontal(maps, conv_left, told, keys[1::2], self.remat)
        return theta.reshape(len(x), self.spec.num_sites, self.spec.param_size)  # pyright: ignore[reportAttributeAccessIssue]

    def init_cache(self, batch, order, cond=None):
        width, layers = self.spec.sites[1], self.layers + 1

        def zeros(*shape, dtype=self.dtype):
            return jnp.zeros(shape, dtype)

        return Cache(
            row=zeros(batch, self.kernel // 2 + width, self._groups * self._features),
            above=tuple(zeros(batch, len(v) - 1, width, v.shape[2]) for v in self.v),
            told=zeros(width, layers, batch, 2 * self.width),
            windows=tuple(zeros(batch, *w.shape[:2], dtype=self._type(i)) for i, w in enumerate(self.w) if i),  # pyright: ignore[reportArgumentType]
            bias=self._bias(cond),
        )

    def step(self, cache, x, t, order, cond=None):
        """cache, x [B, *E] (symbol t-1), t [] -> (cache, theta [B, P])."""
        groups, width = self._groups, self.spec.sites[1]
        at, before = (place(site, width, groups) for site in (t, jnp.maximum(t - 1, 0)))
        x, margin = start(self._enter(x), t)[:, None], self.kernel // 2
        row = write_slice(cache.row, x, 0, before.column + margin, before.group * self._features)
        row, above, told = jax.lax.cond(
            t % (width * groups) == 0,
            lambda row, above, told: self._next_row(row, above, at.row, cache.bias),
            lambda *same: same,
            *(row, cache.above, cache.told),
        )
        windows = [None, *cache.windows]

        def conv(i, h):
            if i == 0:
                window = jax.lax.dynamic_slice_in_dim(row, at.column, margin + 1, axis=1)
            else:
                window = windows[i] = _push(windows[i], h.astype(self._type(i)), at)
            w, b = (own_group(part, at, groups) for part in (self.w[i].reshape(-1, self.w[i].shape[-1]), self.b[i]))
            return dense(jax.lax.collapse(window, 1), w, b)

        own = own_group(jax.lax.dynamic_index_in_dim(told, at.column, keepdims=False), at, groups)
        theta = self._horizontal(None, conv, own, split_key(None, self.layers + 1))
        return cache.replace(row=row, above=above, told=told, windows=tuple(windows[1:])), theta

    def _next_row(self, row, above, i, bias):
        """The complete row above and what is known of those before it -> row, above and told of row i."""
        width, seen = self.spec.sites[1], []

        def conv_rows(k, v):
            v = jnp.concatenate([above[k], v], axis=1)
            seen.append(v[:, 1:])
            return self._conv_rows(k, v)

        pixels = i * width + jnp.arange(width)[None, None]
        told = self._vertical(row[:, None, -width:], conv_rows, bias, pixels, split_key(None, self.layers + 1))
        return jnp.zeros_like(row), tuple(seen), jnp.stack(told)[:, :, 0].transpose(2, 0, 1, 3)

    def _conv_rows(self, k, v, above=0):
        """[B, rows - 1 + n, W, C] -> [B, n, W, G]: the k-th vertical convolution, of `above` rows of zeros besides."""
        margin = self.v[k].shape[1] // 2
        return conv(v, self.v[k], self.v_b[k], ((above, 0), (margin, margin)))

    def _vertical(self, rows, conv, bias, pixels, keys, remat=False):
        """From the symbols of the row above, [B, rows, W, features], to what every horizontal gate is told, [B, rows, W, 2 D] a
        layer. bias [B or 1, layers, stacks, 2 D]."""
        bias = bias[:, None, None]

        def layer(k, v, key):
            v = conv(k, dropout(self._gate(v + bias[..., k - 1, 0, :], self.width), self.dropout, key))
            return v, tell(k, v)

        def tell(k, v):
            return matmul(v, self.link[k]) + bias[..., k, 1, :]

        v = conv(0, rows) + coordinate_bias(self, pixels, self.dtype)
        told = [tell(0, v)]
        for k in range(1, self.layers + 1):
            v, new = recomputed(functools.partial(layer, k), remat)(v, keys[k])
            told.append(new)
        return told

    def _horizontal(self, x, conv, told, keys, remat=False):
        """From the symbols, of all pixels or (known to `conv` already) of one, to theta. told: [..., 2 D] a layer."""
        share, h, skip = self.width // self._groups, 0, 0

        def layer(k, h, told, key):
            return conv(2 * k + 1, dropout(self._gate(conv(2 * k, h) + told, share), self.dropout, key))

        for k in range(self.layers + 1):
            out = recomputed(functools.partial(layer, k), remat)(h if k else x, told[k], keys[k]).astype(jnp.float32)
            if k < self.layers:
                residual, out = _halves(out, share)
                h += residual
            skip += out
        for i in range(2 * (self.layers + 1), len(self.w)):
            skip = conv(i, jax.nn.relu(skip))
        return skip

    @staticmethod
    def _gate(h, share):
        value, gate = _halves(h, share)
        return jnp.tanh(value) * jax.nn.sigmoid(gate)

    def _type(self, i):
        """What the i-th horizontal convolution computes in."""
        return jnp.dtype(jnp.float32 if i == len(self.w) - 1 else self.dtype)

    @property
    def _groups(self) -> int:
        """The number of sites in a pixel."""
        return channel_groups(self.spec.sites)

    @property
    def _features(self) -> int:
        """The width of one symbol as the network sees it."""
        return pixel_width(self.spec, self.embedding)

    def _enter(self, x):
        """[..., *E] -> [..., features]"""
        return pixel_features(x, self.spec, self.dtype, self.table)

    def _bias(self, cond):
        """[B or 1, blocks, stacks, 2 D]"""
        return label_bias(self.label_b, cond, self.spec, self.dtype)


def _push(window, h, at):
    """The window [B, taps, C] whose last pixel is the one at hand, of which it knows h [B, D] of the group at hand and those
    before. Left of a row there are zeros."""
    kept = jnp.where(at.column == 0, 0, window[:, 1:])
    moved = jnp.concatenate([kept, jnp.zeros_like(window[:, :1])], axis=1)
    window = jnp.where(at.group == 0, moved, window)
    return write_slice(window, h[:, None], 0, window.shape[1] - 1, at.group * h.shape[1])


def _halves(h, share):
    """[..., n 2 share] -> two of [..., n share]: the two halves of what belongs to each of n channel groups, or to one."""
    parts = h.reshape(*h.shape[:-1], h.shape[-1] // (2 * share), 2, share)
    return tuple(parts[..., i, :].reshape(*h.shape[:-1], h.shape[-1] // 2) for i in (0, 1))
