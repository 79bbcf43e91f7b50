"""LMConv: a PixelCNN in any order, by locally masked convolutions (Jain, Abbeel, Pathak 2020).

    h = conv_strict(x, 1),   theta = conv_1x1(elu(h)) after all blocks
    u = normalised(conv(celu(h))) [+ conv_1x1(celu(h of the mirrored block))]                    celu(h) = elu([h, -h])
    h <- h + a * sigmoid(b),   [a, b] = conv(dropout(celu(u))) + shift of the label              for every block

PixelCNN++'s gated blocks in one stream: the second half of the blocks is told what came out of those it mirrors in the first. At
every pixel its features are normalised to mean 0 and variance 1 over the channels (PONO, Li et al. 2019), which mixes no pixels.
A channel of ones beside the symbols tells the first layer which of its neighbours have been generated.

Deviations: no convolution is dilated; what a block's second convolution gives is not normalised, and starts out ten times
smaller, so that a deep net starts as a shallow one; what is normalised has a learned scale and shift.

The masks are made of the order that a call is given: one network serves all orders, those it was trained in the better. A pixel
sees what was generated before it only along paths of pixels that were generated in turn, each within reach of the next, so that
orders along curves suit it and random ones hide much. Blind spots like PixelCNN's are real; where, depends on the order.

One body serves all pixels and one. It is written in terms of `conv(i, h)`, which is the i-th convolution of whole maps, or what
it gives at the one place that is generated next, from canvases that remember what it read there.
"""

import math
from typing import ClassVar

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from arjax.cache import init_canvas, write_canvas
from arjax.errors import InputError
from arjax.layers.checks import check_embedding, check_fields
from arjax.layers.dense import DtypeName, along, product
from arjax.layers.inputs import embedding_table, label_bias, label_table, pixel_features, pixel_maps, pixel_width, start
from arjax.layers.local_mask import local_conv, local_conv_step, local_mask
from arjax.layers.position import coordinate_bias, coordinate_table
from arjax.layers.residual import concat_elu, dropout, split_key
from arjax.orders import inverse
from arjax.protocol import Spec


@flax.struct.dataclass
class Cache:
    """`canvases`: for every convolution what it has read so far, [B, h, w, C] with a margin. What stays the same: `bias`
    [B or 1, blocks, 2 D], the label's shift of every block's gate."""

    canvases: tuple[jax.Array, ...]
    bias: jax.Array


class LMConv(nn.Module):
    """Locally masked convolutions in gated residual blocks, for images [H, W], in any order.

    In float32 whatever `dtype`: the parameters, the residual stream, what is normalised and theta.
    """

    width: int = 32
    """Channels between the blocks."""
    blocks: int = 6
    """Residual blocks."""
    kernel: int = 5
    """Height and width of the first convolution, odd."""
    block_kernel: int = 3
    """Height and width of the two convolutions of every block, odd."""
    embedding: int | None = None
    """Length of a learned vector for each symbol; by default a number from -1 to 1."""
    coordinates: bool = False
    """Also give the first layer the row and column of a pixel."""
    dropout: float = 0.0
    """Dropout rate inside the blocks."""
    dtype: DtypeName = "float32"
    """What is computed and cached in; parameters, the residual stream and theta stay float32."""
    spec: Spec | None = None

    any_order: ClassVar[bool] = True
    decays: ClassVar[tuple[str, ...]] = ("w", "w_skip", "w_out")
    gives_theta: ClassVar[tuple[str, ...]] = ("w_out",)

    def __post_init__(self):
        check_fields(self, "width", "embedding", kernels=("kernel", "block_kernel"), layers=("blocks",))
        if self.width < 2:
            raise InputError(f"width={self.width} leaves nothing once normalised; choose at least 2 channels")
        super().__post_init__()

    def check_model(self, model):
        shape = model.site_shape
        if len(shape) != 2:
            three = "choose a head for whole pixels, as CoupledDiscretizedMixtureOfLogistics is, or PixelCNN"
            remedy = three if len(shape) == 3 else "reshape the data, or choose another net"
            raise InputError(f"LMConv needs pictures, (H, W), not site_shape={shape}; {remedy}")
        model.cond.require("LMConv", "classes")
        check_embedding(model)

    def setup(self):
        spec, stream, inner = self.spec, self.width, self.block_kernel
        shapes = [(self.kernel, pixel_width(spec, self.embedding) + 1, stream)]
        shapes += [(inner, 2 * stream, stream), (inner, 2 * stream, 2 * stream)] * self.blocks
        self.w = [
            self.param(f"w{i}", _normal, (kernel, kernel, inputs, outputs), 0.1 if i and i % 2 == 0 else 1.0)
            for i, (kernel, inputs, outputs) in enumerate(shapes)
        ]
        # The pixel generated first sees nothing but these: zeros could not be normalised.
        self.b = [
            self.param(f"b{i}", nn.initializers.zeros if i else nn.initializers.normal(0.5), (outputs,))
            for i, (_, _, outputs) in enumerate(shapes)
        ]
        self.scale = self.param("scale", nn.initializers.ones, (self.blocks, stream))
        self.shift = self.param("shift", nn.initializers.zeros, (self.blocks, stream))
        self.w_skip = [self.param(f"w_skip{i}", _normal, (2 * stream, stream)) for i in range(self.blocks // 2)]
        self.w_out = self.param("w_out", _normal, (stream, spec.param_size), 0.1)
        self.b_out = self.param("b_out", nn.initializers.zeros, (spec.param_size,))
        self.table = embedding_table(self)
        self.label_b = label_table(self, self.blocks, 2 * stream)
        self.w_place = coordinate_table(self, nn.initializers.normal(0.5), 2, stream)

    def __call__(self, x, order, cond=None, *, key=None):
        """x [B, T, *E], order [T] -> theta [B, T, P]."""
        sites = self.spec.sites
        order = jnp.asarray(order)
        strict = local_mask(order, *sites, self.kernel, strict=True)  # pyright: ignore[reportCallIssue]
        mask = local_mask(order, *sites, self.block_kernel, strict=False)  # pyright: ignore[reportCallIssue]

        def conv(i, h):
            return local_conv(h.astype(self.dtype), self.w[i], self.b[i], mask if i else strict)

        h = conv(0, pixel_maps(self._enter(x)[:, inverse(order)], self.spec))
        h = h + coordinate_bias(self, jnp.arange(self.spec.num_sites).reshape(1, *sites))
        bias = label_bias(self.label_b, cond, self.spec, self.dtype)[:, None, None]
        theta = self._body(h, conv, bias, split_key(key, self.blocks))
        return theta.reshape(len(x), self.spec.num_sites, self.spec.param_size)[:, order]

    def init_cache(self, batch, order, cond=None):
        dtype = jnp.dtype(self.dtype)
        canvases = (init_canvas(batch, *self.spec.sites, w.shape[2], len(w), dtype) for w in self.w)  # pyright: ignore[reportCallIssue]
        return Cache(tuple(canvases), label_bias(self.label_b, cond, self.spec, self.dtype))

    def step(self, cache, x, t, order, cond=None):
        """cache, x [B, *E] (symbol t-1), t [] -> (cache, theta [B, P])."""
        order = jnp.asarray(order)
        at, before = (jnp.divmod(order[site], self.spec.sites[1]) for site in (t, jnp.maximum(t - 1, 0)))
        canvases = list(cache.canvases)

        def conv(i, h):
            canvases[i] = write_canvas(canvases[i], h.astype(self.dtype), len(self.w[i]), *(at if i else before))
            return local_conv_step(canvases[i], self.w[i], self.b[i], *at)

        h = conv(0, start(self._enter(x), t)) + coordinate_bias(self, order[t][None])
        theta = self._body(h, conv, cache.bias, split_key(None, self.blocks))
        return cache.replace(canvases=tuple(canvases)), theta

    def _body(self, h, conv, bias, keys):
        """From the first convolution's h to theta, of all pixels or of one. bias [..., blocks, 2 D]."""
        h, mirrored = h.astype(jnp.float32), []
        for block in range(self.blocks):
            inside = _normalise(conv(2 * block + 1, concat_elu(h)).astype(jnp.float32))
            inside = inside * along(self.scale[block], h) + along(self.shift[block], h)
            if block >= (self.blocks + 1) // 2:
                inside += product(concat_elu(mirrored.pop()), self.w_skip[self.blocks - 1 - block], self.dtype)
            gate = conv(2 * block + 2, dropout(concat_elu(inside), self.dropout, keys[block])) + bias[..., block, :]
            value, opening = jnp.split(gate, 2, axis=-1)
            h += value * jax.nn.sigmoid(opening)
            if block < self.blocks // 2:
                mirrored.append(h)
        return product(jax.nn.elu(h), self.w_out, self.dtype) + along(self.b_out, h)

    def _enter(self, x):
        """[..., *E] -> [..., features + 1]"""
        return pixel_features(x, self.spec, self.dtype, self.table, ones=True)


def _normalise(h):
    """[..., D] -> [..., D] of mean 0 and variance 1 at every place."""
    h = h - h.mean(axis=-1, keepdims=True)
    return h * jax.lax.rsqrt((h * h).mean(axis=-1, keepdims=True) + 1e-5)


def _normal(key, shape, scale=1.0):
    """Weights for sums over all axes but the last. About half of a window is masked, which the variance allows for."""
    inputs = math.prod(shape[:-1]) / (2 if len(shape) == 4 else 1)
    return scale * jax.random.normal(key, shape) * inputs**-0.5
