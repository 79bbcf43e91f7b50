"""Transformer: causal attention over the symbols generated so far, in one order or in any (Vaswani et al. 2017; Radford et al.
2019; Chen et al. 2020, Image GPT).

    h_t = e(x_{t-1}) [+ own(order[t-1])] + next(order[t]) + label        h_0 = start + next(order[0]) + label
    h <- block(h), site t attending to 0..t, for every block;   theta_t = norm(h_t) V

`next` says which site is to be generated, `own` which one the symbol was at: with both (double position coding, as in XLNet's two
streams but in one: Yang et al. 2019), every pair of sites in every order is told apart, and one network is trained, scored and
sampled in any order, one order for each example. Rotary positions turn queries by `next` and keys by `own`, or in a fixed order
both by `next`.

A memory [B, S, F] passes an encoder of its own, whose sites all see each other, and every block attends to what comes out.

The trick is the cache: keys and values of what is known, written in place, and read as far as they reach. A prompt fills it in
one parallel pass (`prefill`).
"""

import functools
import math
from typing import Any, ClassVar, Literal

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from arjax.cache import KeyValue, write_key_values
from arjax.errors import InputError
from arjax.layers.attention_mask import Causal, Sight, attended
from arjax.layers.checks import MAX_LAYERS, check_fields
from arjax.layers.dense import DtypeName, product
from arjax.layers.inputs import enter
from arjax.layers.position import EmbeddingName, PositionEmbedding, angles, grid
from arjax.layers.residual import dropout, recomputed, split_key
from arjax.layers.transformer_block import ActivationName, Block, NormName, norm
from arjax.protocol import Spec
from arjax.sharding import BATCH, TENSOR, constrain, varying

PositionName = Literal[EmbeddingName, "rotary"]


@flax.struct.dataclass
class Cache:
    """`layers`: of every block, the keys and values of what is known. What stays the same: `label` [B or 1, D], and where there
    is a memory, `remembered`, of every block its keys and values of it, and `memory_mask` [B or 1, 1, S], what of it is there."""

    layers: tuple[KeyValue, ...]
    label: jax.Array
    remembered: tuple
    memory_mask: jax.Array | None


class Transformer(nn.Module):
    """Pre-norm blocks of causal attention and a perceptron.

    In float32 whatever `dtype`: the parameters, the residual stream, softmax and theta.
    """

    width: int = 128
    """Width of the residual stream."""
    layers: int = 4
    """Blocks."""
    heads: int = 4
    """Attention heads of each block."""
    kv_heads: int | None = None
    """Heads of keys and values, shared by groups of queries; by default as many as for queries."""
    mlp: int | None = None
    """Width of the perceptron inside a block; by default 4 times the width."""
    activation: ActivationName = "gelu"
    """Nonlinearity of the perceptron."""
    norm: NormName = "layer"
    """Normalisation: layer norm, or rms."""
    positions: PositionName = "learned"
    """How sites are told apart."""
    any_order: bool = False
    """Learn any order of generation, one for each example, by positions of both the last and the next site."""
    mask: Any = Causal()
    """What a site attends to of what is before it."""
    tied: bool = False
    """Compute theta by the table that symbols enter by."""
    bos: int | None = None
    """The symbol that stands for the start, -1 for the last; by default a vector is learned."""
    encoder_layers: int = 2
    """Blocks of the memory's encoder, where data have a memory."""
    dropout: float = 0.0
    """Dropout rate of what enters and of what every block adds."""
    dtype: DtypeName = "float32"
    """What is computed and cached in; parameters, the residual stream and theta stay float32."""
    remat: bool = False
    """Compute the layers again for the gradient in place of keeping them: less memory, more time."""
    scan: bool = False
    """Run the blocks as one loop over their stacked weights: a pass holds the products of one block at any depth."""
    spec: Spec | None = None

    order_per_example: ClassVar[bool] = True
    # What of a parameter lies along the mesh axis `tensor`: of every block the columns that make heads and hidden units, and the
    # rows that bring them together again.
    tensor_axes: ClassVar[dict[str, int]] = {
        "attention.w_in": 1,
        "attention.b_in": 0,
        "attention.w_out": 0,
        "cross_attention.w_query": 1,
        "cross_attention.b_query": 0,
        "cross_attention.w_memory": 1,
        "cross_attention.b_memory": 0,
        "cross_attention.w_out": 0,
        "w_up": 1,
        "b_up": 0,
        "w_down": 0,
    }

    @property
    def decays(self) -> tuple[str, ...]:
        """The matrices, the table among them where it multiplies: real values, or for theta what is `tied`."""
        table = ("params.table",) if self.tied or self.spec.vocab is None else ()
        return "w_in", "w_out", "w_query", "w_memory", "w_up", "w_down", "v", *table

    @property
    def gives_theta(self) -> tuple[str, ...]:
        """The last matrix; the table, where it is that."""
        return ("params.table",) if self.tied else ("v",)

    def __post_init__(self):
        check_fields(self, "width", "heads", "kv_heads", "mlp", layers=("layers",))
        if self.width % self.heads:
            raise InputError(f"width={self.width} is not divisible by heads={self.heads}; choose a multiple")
        if self.heads % (self.kv_heads or self.heads):
            raise InputError(f"heads={self.heads} is not divisible by kv_heads={self.kv_heads}; choose a divisor")
        if self.encoder_layers < 0:
            raise InputError(f"encoder_layers={self.encoder_layers} is negative; choose 0 or more")
        if self.encoder_layers > MAX_LAYERS:
            raise InputError(f"encoder_layers={self.encoder_layers} is more than {MAX_LAYERS}; choose fewer")
        super().__post_init__()

    def check_model(self, model):
        head, name = model.head, "Transformer"
        model.cond.require(name, "classes", "memory")
        if self.tied and (head.event_shape or head.param_size != head.vocab):
            raise InputError(f"tied needs one logit for each symbol, which {head} has not; use a Categorical head, or tied=False")
        if self.bos is not None and (head.vocab is None or head.event_shape or not -1 <= self.bos < head.vocab):
            raise InputError(f"bos={self.bos} is no symbol of {head}; choose one of its symbols, -1 for the last, or None")
        if self.positions == "rotary":
            angles(grid(model.site_shape)[:1], self.width // self.heads)
        attended(self.mask, model.num_sites)

    def setup(self):
        spec, normal = self.spec, nn.initializers.normal(0.02)
        values = math.prod(spec.event)
        self.table = self.param("table", normal, (values, spec.vocab or 1, self.width))
        if self.bos is None:
            self.start = self.param("start", normal, (self.width,))
        if self.positions != "rotary":
            self.next = PositionEmbedding(self.positions, spec.sites, self.width)
            if self.any_order:
                self.own = PositionEmbedding(self.positions, spec.sites, self.width)
        if spec.cond.classes:
            self.label_table = self.param("label_table", normal, (spec.cond.classes, self.width))
        self.blocks = [
            self._block(self.layers, spec.cond.memory is not None, Sight(self.mask, spec.num_sites)) for _ in range(self.layers)
        ]
        self.last_norm = norm(self.norm)
        if not self.tied:
            self.v = self.param("v", normal, (self.width, spec.param_size))
        if spec.cond.memory:
            length, features = spec.cond.memory
            self.w_memory = self.param("w_memory", nn.initializers.lecun_normal(), (features, self.width))
            self.memory_place = self.param("memory_place", normal, (length, self.width))
            self.encoder = [self._block(self.encoder_layers, cross=False, sight=None) for _ in range(self.encoder_layers)]
            self.encoder_norm = norm(self.norm)

    def __call__(self, x, order, cond=None, *, key=None):
        """x [B, T, *E], order [T] or [B, T] -> theta [B, T, P]."""
        return self.to_theta(self.before_theta(x, order, cond, key=key))

    def before_theta(self, x, order, cond=None, *, key=None):
        """x [B, T, *E], order [T] or [B, T] -> h [B, T, D], from which theta is made."""
        enter_key, encoder_key, key = split_key(key, 3)
        remembered, memory_mask = self._remember(cond, encoder_key)
        h = dropout(self._tokens(x, order, self._label(cond)), self.dropout, enter_key)
        return self.last_norm(self._body(h, order, remembered, memory_mask, key)[0])

    def to_theta(self, h):
        """h [..., D], normalised -> theta [..., P] float32."""
        theta = product(h, self.table[0].T if self.tied else self.v, self.dtype)
        return constrain(theta, BATCH, *(None,) * (theta.ndim - 2), TENSOR)

    def init_cache(self, batch, order, cond=None):
        remembered, memory_mask = self._remember(cond, None)
        layers = tuple(block.init_cache(batch, self.spec.num_sites) for block in self.blocks)
        return Cache(layers, self._label(cond), remembered, memory_mask)

    def prefill(self, cache, x, n, order, cond=None):
        """cache, x [B, L, *E] -> the cache after n symbols: that of the first L, of which those from n on are never read, since a
        step writes its own before it reads."""
        order = order[..., : x.shape[1]]
        _, known = self._body(self._tokens(x, order, cache.label), order, cache.remembered, cache.memory_mask, None)
        layers = (write_key_values(layer, k, v) for layer, (k, v) in zip(cache.layers, known, strict=True))
        return cache.replace(layers=tuple(layers))

    def step(self, cache, x, t, order, cond=None):
        """cache, x [B, *E] (symbol t-1), t [] -> (cache, theta [B, P])."""
        at, before = (jnp.atleast_1d(order[..., i]) for i in (t, jnp.maximum(t - 1, 0)))
        h = jnp.where(t == 0, self._start()[None], self._symbol(x, before)) + self._next(at) + cache.label
        turns = None
        if self.positions == "rotary":
            query = self._angles(at)
            turns = (query, jnp.where(t == 0, 0, self._angles(before)) if self.any_order else query)
        seen, layers = jnp.asarray(attended(self.mask, self.spec.num_sites))[t], []
        for block, layer, remembered in zip(self.blocks, cache.layers, cache.remembered, strict=True):
            layer, h = block.step(layer, h, t, seen, turns, remembered, cache.memory_mask)
            layers.append(layer)
        return cache.replace(layers=tuple(layers)), self.to_theta(self.last_norm(h))

    def attention(self, x, order, cond=None):
        """x [B, T, *E], order [T] or [B, T] -> of every block [B, N, T, S] float32: how much the query for site t draws from what
        it sees, S = 0 being the start, and s > 0 the symbol generated before site s. Each sums to 1 over S."""
        remembered, memory_mask = self._remember(cond, None)
        h, turns, weights = self._tokens(x, order, self._label(cond)), self._turns(order), []
        for block, memory in zip(self.blocks, remembered, strict=True):
            weights.append(block.weights(h, turns))
            h, _, _ = block(h, turns, memory, memory_mask)
        return tuple(weights)

    def _block(self, layers, cross, sight):
        # The more blocks there are, the less each adds to the residual stream (Radford et al. 2019, section 2.3).
        scale = 0.02 / math.sqrt(2 * layers)
        attention = (self.width, self.heads, self.kv_heads or self.heads)
        inside = (self.mlp or 4 * self.width, self.activation, self.norm, cross, self.dropout)
        return Block(*attention, *inside, scale, jnp.dtype(self.dtype), sight)

    def _tokens(self, x, order, label):
        """x [B, L, *E], order [L] or [B, L] -> [B, L, D]: what site t knows of itself and of the symbol before it."""
        order = jnp.atleast_2d(order)
        content = self._symbol(x, order)
        start = jnp.broadcast_to(self._start()[None, None], (len(x), 1, self.width))
        return constrain(jnp.concatenate([start, content[:, :-1]], axis=1) + self._next(order) + label[:, None], BATCH)  # pyright: ignore[reportIndexIssue]

    def _body(self, h, order, remembered, memory_mask, key):
        """h [B, L, D] -> (h, of every block keys and values [B, L, M, K])."""
        turns = self._turns(order)
        if self.scan and not self.is_initializing():
            return self._scanned(h, turns, remembered, memory_mask, key)
        keys, known = split_key(key, self.layers), []
        for block, key, memory in zip(self.blocks, keys, remembered, strict=True):
            h, k, v = self._run(block, h, turns, memory, memory_mask, key)
            known.append((k, v))
        return h, known

    def _scanned(self, h, turns, remembered, memory_mask, key):
        """`_body` as one loop. Each block has its own parameters, which are stacked here; their gradients are split again."""
        stack = functools.partial(jax.tree.map, lambda *leaves: jnp.stack(leaves))
        params, memories = stack(*(block.variables["params"] for block in self.blocks)), stack(*remembered)
        keys, block = None if key is None else split_key(key, self.layers), self.blocks[0].clone(parent=None, name=None)

        def run(h, each):
            params, memory, key = each
            h, k, v = block.apply({"params": params}, h, turns, memory, memory_mask, key)  # pyright: ignore[reportAssignmentType]
            return h, (k, v)

        h = varying(h, h, params, memories, keys)
        h, (keys, values) = jax.lax.scan(recomputed(run, self.remat), h, (params, memories, keys))
        return h, tuple(zip(keys, values, strict=True))

    def _run(self, block, *args):
        """What a block gives for all sites; with `remat`, it is run again for the gradient."""
        return nn.remat(Block.__call__)(block, *args) if self.remat else block(*args)

    def _turns(self, order):
        """order [L] or [B, L] -> how far queries and keys are turned, or None."""
        if self.positions != "rotary":
            return None
        query = self._angles(jnp.atleast_2d(order))
        own = jnp.concatenate([jnp.zeros_like(query[:, :1]), query[:, :-1]], axis=1)
        return query, own if self.any_order else query

    def _remember(self, cond, key):
        """What the blocks will need of the memory (a None each where there is none), and what of it is there, [B or 1, 1, S]."""
        if not self.spec.cond.memory:
            return (None,) * self.layers, None
        h = cond.memory @ self.w_memory + self.memory_place[None]
        mask = jnp.ones((1, h.shape[1]), bool) if cond.memory_mask is None else cond.memory_mask
        for block, block_key in zip(self.encoder, split_key(key, self.encoder_layers), strict=True):
            h, _, _ = self._run(block, h, None, None, None, block_key, mask[:, None])
        memory = self.encoder_norm(h)
        return tuple(block.remember(memory) for block in self.blocks), mask[:, None]

    def _symbol(self, x, sites):
        """Symbols x [..., *E] that were at sites [...] -> [..., D]."""
        h = enter(x, self.table, self.spec.event)
        return h + self.own(sites) if self.any_order and self.positions != "rotary" else h

    def _next(self, sites):
        """What says which sites [...] are to be generated: [..., D], or for rotary positions, which the heads are told, zeros."""
        return jnp.zeros((1,) * sites.ndim + (self.width,)) if self.positions == "rotary" else self.next(sites)

    def _start(self):
        """[D]: what stands in for the symbol before the first."""
        return self.start if self.bos is None else self.table[0, self.bos]

    def _label(self, cond):
        """[B or 1, D]"""
        return self.label_table[cond.label] if self.spec.cond.classes else jnp.zeros((1, self.width), jnp.float32)

    def _angles(self, sites):
        """[...] -> [..., K / 2]: how far queries for sites, and keys of symbols there, are turned."""
        return jnp.asarray(angles(grid(self.spec.sites), self.width // self.heads))[sites]
