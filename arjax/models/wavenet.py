"""WaveNet: dilated causal convolutions with gates (van den Oord et al. 2016), sampled with ring buffers (Le Paine et al. 2016).

    h^0_t = sum_j W^0_j e(x_{t-1-j}) + C r_t + b^0
    f, g  = sum_j W^l_j h^{l-1}_{t - j d_l} + V^l y + U^l u_t + b^l,   d_l = 1, 2, 4, ... in each stack
    z^l_t = tanh(f) sigmoid(g),   h^l_t = h^{l-1}_t + R^l z^l_t + r^l
    theta = A relu(B relu(sum_l S^l z^l_t + s) + b) + c

where j = 0..kernel-1, r_t are the coordinates of the site generated t-th, y is the label (global condition, section 2.5) and
u_t its local features, upsampled by a learned transposed convolution. Before the start every vector is zero. Biases everywhere,
which the paper leaves open; the last layer's R would lead nowhere and is left out; a symbol's learned vector is as wide as the
residual channels, and the first convolution has the same kernel as the others; dropout, which the paper has not, is on z.

The trick is Le Paine's: a layer's past is in a ring, of which a step reads kernel - 1 vectors and replaces one, so that its cost
does not depend on how far the net sees, and (kernel - 1) d_l + 1 vectors are stored. What is left to save are small products: all
taps of a layer are one, and so are the skip connections of all layers, S = (S^1 ... S^L) applied to every z side by side.
"""

import functools
import itertools
import math
from typing import ClassVar

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from arjax.errors import InputError
from arjax.layers.causal_conv import causal_conv, causal_conv_ring, causal_conv_step
from arjax.layers.checks import MAX_KERNEL, check_fields
from arjax.layers.dense import DtypeName, along, dense, product
from arjax.layers.inputs import enter, label_bias, label_table, shift, start, upsample
from arjax.layers.position import coordinate_bias, coordinate_table
from arjax.layers.residual import dropout, recomputed, split_key
from arjax.protocol import Spec


@flax.struct.dataclass
class Cache:
    """`first` [kernel, B, D] and `rings[l]` [(kernel - 1) d_l + 1, B, D]: what the first convolution and layer l's were last
    given. What stays the same: `biases[l]` [B or 1, 2D] of layer l given the label, and `local` [T, B, D], the upsampled
    features in generation order (None without)."""

    first: jax.Array
    rings: tuple[jax.Array, ...]
    biases: tuple[jax.Array, ...]
    local: jax.Array | None


class WaveNet(nn.Module):
    """Stacks of dilated causal convolutions over learned vectors of the symbols; a bit or a real value enters as itself.

    Labels and local features enter the gates of every layer. In float32 whatever `dtype`: the parameters, the residual stream h
    and theta.
    """

    stacks: int = 3
    """Times that the layers are repeated."""
    layers: int = 10
    """Convolutions in a stack, with dilations 1, 2, ..., 2^(layers - 1)."""
    kernel: int = 2
    """Taps of every convolution."""
    width: int = 64
    """Residual channels."""
    skip: int = 128
    """Skip channels, which all layers add to."""
    readout: int = 128
    """Width between the skip channels and theta."""
    coordinates: bool = False
    """Also give the first layer the site to be generated. The net then takes any order, and without it only the model's own."""
    dropout: float = 0.0
    """Dropout rate of the gated activations."""
    dtype: DtypeName = "float32"
    """What is computed and cached in; parameters, the residual stream and theta stay float32."""
    remat: bool = False
    """Compute the layers again for the gradient in place of keeping them: less memory, more time."""
    spec: Spec | None = None

    def __post_init__(self):
        check_fields(self, "width", "skip", "readout", layers=("stacks", "layers"))
        if self.kernel < 2:
            raise InputError(f"kernel={self.kernel} looks at one symbol only; choose at least 2 taps")
        if self.kernel > MAX_KERNEL:
            raise InputError(f"kernel={self.kernel} has more than {MAX_KERNEL} taps; choose fewer, and more layers")
        super().__post_init__()

    @property
    def any_order(self) -> bool:
        """Whether it is told where it is."""
        return self.coordinates

    @property
    def receptive_field(self) -> int:
        """R, the number of preceding symbols that theta_t may depend on: x_{t-R}, ..., x_{t-1}.

        R = 1 + (kernel - 1) (1 + stacks (2^layers - 1)): the shift by one and, for the first convolution and each of the others,
        kernel - 1 times its dilation.
        """
        return 1 + (self.kernel - 1) * (1 + sum(self._dilations))

    @property
    def _dilations(self) -> tuple[int, ...]:
        """d_l of every layer."""
        return tuple(2**layer for layer in range(self.layers)) * self.stacks

    @property
    def decays(self) -> tuple[str, ...]:
        """The kernels and matrices, but the first where it reads one-hot vectors."""
        return "w", "w_first", "r", "v", "w_up", "w_local", *(("w_in",) if self.spec.vocab in (None, 2) else ())

    gives_theta: ClassVar[tuple[str, ...]] = ("v2",)

    def check_model(self, model):
        model.cond.require("WaveNet", "classes", "local")

    def setup(self):
        spec, width, depth = self.spec, self.width, self.stacks * self.layers
        zeros, normal, matrix = nn.initializers.zeros, nn.initializers.normal, nn.initializers.lecun_normal()
        conv = nn.initializers.lecun_normal(in_axis=(0, 1), out_axis=2)
        values, symbols = math.prod(spec.event), 1 if spec.vocab in (None, 2) else spec.vocab
        self.w_in = self.param("w_in", normal(values**-0.5), (values, symbols, width))
        self.w_first = self.param("w_first", conv, (self.kernel, width, width))
        self.b_first = self.param("b_first", zeros, (width,))
        self.w = [self.param(f"w{i}", conv, (self.kernel, width, 2 * width)) for i in range(depth)]
        self.b = [self.param(f"b{i}", zeros, (2 * width,)) for i in range(depth)]
        self.r = [self.param(f"r{i}", matrix, (width, width)) for i in range(depth - 1)]
        self.r_b = [self.param(f"r_b{i}", zeros, (width,)) for i in range(depth - 1)]
        widths = (depth * width, self.skip, self.readout, spec.param_size)
        self.v = [self.param(f"v{i}", matrix, shape) for i, shape in enumerate(itertools.pairwise(widths))]
        self.c = [self.param(f"c{i}", zeros, (out,)) for i, out in enumerate(widths[1:])]
        axes = len(spec.sites)
        self.w_place = coordinate_table(self, normal(axes**-0.5), axes, width)
        self.label_b = [label_table(self, 2 * width, name=f"label_b{i}") for i in range(depth)]
        if spec.cond.local:
            upsampling = nn.initializers.lecun_normal(in_axis=1, out_axis=2, batch_axis=0)
            self.w_up = self.param("w_up", upsampling, (spec.cond.hop, spec.cond.local, width))
            self.w_local = [self.param(f"w_local{i}", matrix, (width, 2 * width)) for i in range(depth)]

    def __call__(self, x, order, cond=None, *, key=None):
        """x [B, T, *E], order [T] -> theta [B, T, P]."""
        keys = split_key(key, len(self._dilations))
        local = self._local(cond, order)
        h = causal_conv(shift(self._enter(x)), self.w_first, 1) + self.b_first[None, None]
        h += coordinate_bias(self, order[None])
        gated = []
        for layer, key in enumerate(keys):
            run = recomputed(functools.partial(self._run, layer), self.remat)
            h, z = run(h, self._bias(layer, cond)[:, None], local, key)
            gated.append(z)
        return self._read_out(gated)

    def init_cache(self, batch, order, cond=None):
        return Cache(
            first=causal_conv_ring(self.kernel, 1, batch, self.width, jnp.dtype(self.dtype)),
            rings=tuple(causal_conv_ring(self.kernel, d, batch, self.width, jnp.dtype(self.dtype)) for d in self._dilations),
            biases=tuple(self._bias(layer, cond) for layer in range(len(self._dilations))),
            local=jnp.moveaxis(self._local(cond, order), 1, 0) if self.spec.cond.local else None,  # pyright: ignore[reportArgumentType]
        )

    def step(self, cache, x, t, order, cond=None):
        """cache, x [B, *E] (symbol t-1), t [] -> (cache, theta [B, P])."""
        local = None if cache.local is None else cache.local[t]
        first, h = causal_conv_step(cache.first, start(self._enter(x), t), t, self.w_first, 1)
        h = h + self.b_first[None] + coordinate_bias(self, order[t][None])
        rings, gated = [], []
        for layer, dilation in enumerate(self._dilations):
            ring, a = causal_conv_step(cache.rings[layer], h.astype(self.dtype), t, self.w[layer], dilation)
            rings.append(ring)
            gated.append(self._gate(layer, a + cache.biases[layer], local))
            h = self._add(layer, h, gated[-1])
        return cache.replace(first=first, rings=tuple(rings)), self._read_out(gated)

    def _run(self, layer, h, bias, local, key):
        """All sites' h [B, T, D] before a layer -> (h after it, z [B, T, D])."""
        a = causal_conv(h.astype(self.dtype), self.w[layer], self._dilations[layer]) + bias
        z = dropout(self._gate(layer, a, local), self.dropout, key)
        return self._add(layer, h, z), z

    def _enter(self, x):
        """[..., *E] -> [..., D]"""
        return enter(x, self.w_in, self.spec.event).astype(self.dtype)  # pyright: ignore[reportAttributeAccessIssue]

    def _local(self, cond, order):
        """[B, T, D]: the upsampled features in generation order, None without."""
        return upsample(cond.local.astype(self.dtype), self.w_up, order) if self.spec.cond.local else None

    def _gate(self, layer, a, local):
        """[..., 2D], and [..., D] or None -> z [..., D]"""
        f, g = jnp.split(a if local is None else a + local @ self.w_local[layer].astype(a.dtype), 2, axis=-1)
        return jnp.tanh(f) * jax.nn.sigmoid(g)

    def _add(self, layer, h, z):
        """h [..., D] float32, z [..., D] -> h after the layer; after the last nobody looks."""
        if layer == len(self.r):
            return h
        return h + dense(z, self.r[layer], self.r_b[layer])

    def _read_out(self, gated):
        """Every layer's z [..., D] -> theta [..., P]"""
        h = jnp.concatenate(gated, axis=-1)
        for i, (v, c) in enumerate(zip(self.v[:-1], self.c, strict=False)):
            h = dense(jax.nn.relu(h) if i else h, v, c)
        return product(jax.nn.relu(h), self.v[-1], self.dtype) + along(self.c[-1], h)

    def _bias(self, layer, cond):
        """[B or 1, 2D]"""
        return (self.b[layer][None] + label_bias(self.label_b[layer], cond, self.spec)).astype(self.dtype)
