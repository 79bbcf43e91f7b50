"""PixelCNN: a stack of masked convolutions (van den Oord, Kalchbrenner, Kavukcuoglu 2016, section 3.5 and table 1).

    h = conv_A(x),   h <- h + conv_1x1(relu(conv_B(relu(conv_1x1(relu(h))))))  for every block,
    theta = conv_1x1(relu(... conv_1x1(relu(h))))

The residual stream is twice as wide as what is inside a block. Pixels are generated row by row; the three values of a pixel of
site_shape (H, W, 3) one after the other, each from a third of every layer's channels. Symbols enter as numbers from -1 to 1, or
embedded; nothing is normalised. A label shifts the middle of every block.

The blind spot: a pixel sees what is above it only through pixels that are at most as far to the right as they are above, so that
what lies to the right of its receptive field's slanted edge is lost to it (van den Oord et al. 2016b, figure 1). What is computed
is still a likelihood, of a poorer model; `GatedPixelCNN` has no blind spot.

One body serves all pixels and one. It is written in terms of `conv(i, h)`, which is the i-th masked convolution of whole maps,
or what it gives at the one place that is generated next, from canvases that remember what it read there.
"""

import itertools
from typing import ClassVar

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from arjax.layers.checks import check_channels, check_embedding, check_fields, check_raster
from arjax.layers.dense import DtypeName
from arjax.layers.inputs import embedding_table, label_bias, label_table, pixel_features, pixel_maps, pixel_width, start
from arjax.layers.masked_conv import (
    causal_mask,
    channel_groups,
    masked_conv,
    masked_conv_canvas,
    masked_conv_step,
    masked_normal,
    own_group,
    place,
    write_group,
)
from arjax.layers.position import coordinate_bias, coordinate_table
from arjax.layers.residual import dropout, split_key
from arjax.protocol import Spec


@flax.struct.dataclass
class Cache:
    """`canvases`: for every convolution what it has read so far, [B, h, w, C] with a margin. What stays the same: `bias`
    [B or 1, blocks, D], the label's shift of every block."""

    canvases: tuple[jax.Array, ...]
    bias: jax.Array


class PixelCNN(nn.Module):
    """Masked convolutions in residual blocks, for images [H, W] or [H, W, channels], row by row.

    In float32 whatever `dtype`: the parameters, the residual stream and the last layer, which gives theta.
    """

    width: int = 32
    """Channels inside a block, half as many as between blocks."""
    blocks: int = 7
    """Residual blocks."""
    head: tuple[int, ...] = (32,)
    """Widths of the 1x1 convolutions before the last."""
    kernel: int = 7
    """Height and width of the first convolution, odd."""
    block_kernel: int = 3
    """Height and width of every block's convolution, odd."""
    embedding: int | None = None
    """Length of a learned vector for each symbol; by default a number from -1 to 1."""
    coordinates: bool = False
    """Also give the first layer the row and column of a pixel."""
    dropout: float = 0.0
    """Dropout rate inside the blocks."""
    dtype: DtypeName = "float32"
    """What is computed and cached in; parameters, the residual stream and theta stay float32."""
    spec: Spec | None = None

    decays: ClassVar[tuple[str, ...]] = ("w",)
    gives_theta = property(lambda self: (f"w{3 * self.blocks + len(self.head) + 1}",))

    def __post_init__(self):
        check_fields(self, "width", "head", "embedding", kernels=("kernel", "block_kernel"), layers=("blocks",))
        super().__post_init__()

    def check_model(self, model):
        check_raster(model)
        model.cond.require("PixelCNN", "classes")
        check_embedding(model)
        check_channels(model)

    def setup(self):
        spec = self.spec
        groups, inner, stream = channel_groups(spec.sites), self.width, 2 * self.width
        block = [(1, stream, inner), (self.block_kernel, inner, inner), (1, inner, stream)]
        head = (stream, *self.head, groups * spec.param_size)
        shapes = [(self.kernel, groups * pixel_width(spec, self.embedding), stream), *block * self.blocks]
        shapes += [(1, *pair) for pair in itertools.pairwise(head)]
        self.masks = [causal_mask(*shape, groups, strict=i == 0) for i, shape in enumerate(shapes)]
        self.w = [self.param(f"w{i}", masked_normal(), mask) for i, mask in enumerate(self.masks)]
        self.b = [self.param(f"b{i}", nn.initializers.zeros, (mask.shape[-1],)) for i, mask in enumerate(self.masks)]
        self.table = embedding_table(self)
        self.label_b = label_table(self, self.blocks, inner)
        self.w_place = coordinate_table(self, nn.initializers.normal(0.5), 2, stream)

    def __call__(self, x, order, cond=None, *, key=None):
        """x [B, T, *E], the pixels row by row -> theta [B, T, P]."""
        height, width = self.spec.sites[:2]
        maps = pixel_maps(pixel_features(x, self.spec, self.dtype, self.table), self.spec)

        def conv(i, h):
            return masked_conv(h.astype(self._type(i)), self.w[i] * self.masks[i], self.b[i])

        bias = label_bias(self.label_b, cond, self.spec, self.dtype)[:, None, None]
        h = conv(0, maps) + coordinate_bias(self, jnp.arange(height * width).reshape(1, height, width))
        theta = self._body(h, conv, bias, split_key(key, self.blocks))
        return theta.reshape(len(x), self.spec.num_sites, self.spec.param_size)

    def init_cache(self, batch, order, cond=None):
        sites = self.spec.sites[:2]
        canvases = (masked_conv_canvas(w, batch, *sites, self._type(i)) for i, w in enumerate(self.w))  # pyright: ignore[reportCallIssue]
        return Cache(tuple(canvases), label_bias(self.label_b, cond, self.spec, self.dtype))

    def step(self, cache, x, t, order, cond=None):
        """cache, x [B, *E] (symbol t-1), t [] -> (cache, theta [B, P])."""
        groups, width = channel_groups(self.spec.sites), self.spec.sites[1]
        at, before = (place(site, width, groups) for site in (t, jnp.maximum(t - 1, 0)))
        canvases = list(cache.canvases)

        def conv(i, h, written=at):
            canvases[i] = write_group(canvases[i], h.astype(self._type(i)), written, self.w[i].shape[1])
            return masked_conv_step(canvases[i], self.w[i], self.b[i], at, groups)

        h = conv(0, start(pixel_features(x, self.spec, self.dtype, self.table), t), before)
        if self.coordinates:
            h = h + own_group(coordinate_bias(self, (t // groups)[None]), at, groups)
        theta = self._body(h, conv, own_group(cache.bias, at, groups), split_key(None, self.blocks))
        return cache.replace(canvases=tuple(canvases)), theta

    def _body(self, h, conv, bias, keys):
        """From the first convolution's h to theta, of all pixels or of one. bias [..., blocks, D]."""
        h = h.astype(jnp.float32)
        for block in range(self.blocks):
            first = 1 + 3 * block
            inside = conv(first + 1, jax.nn.relu(conv(first, jax.nn.relu(h)))) + bias[..., block, :]
            h += conv(first + 2, dropout(jax.nn.relu(inside), self.dropout, keys[block]))
        for i in range(1 + 3 * self.blocks, len(self.w)):
            h = conv(i, jax.nn.relu(h))
        return h

    def _type(self, i):
        """What the i-th convolution computes in."""
        return jnp.dtype(jnp.float32 if i == len(self.w) - 1 else self.dtype)
