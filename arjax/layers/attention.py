"""Attention: every site asks, and what it is shown answers (Vaswani et al. 2017, sections 3.2.1 and 3.2.2).

    y_t = sum over s of softmax_s(q_t . k_s / sqrt(K)) v_s          over the s that mask[t, s] shows, N heads side by side

The softmax is in float32. Fewer heads for keys and values than for queries share them in groups (Ainslie et al. 2023). A mask
shows every site something: the start at least.

One site at a time, keys and values lie in a fixed-size cache, of which a step reads the segments that hold what is known. How
many these are is chosen at run time, since a shape cannot grow with t.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from arjax.cache import KeyValue, init_key_value, write_key_value
from arjax.layers.attention_mask import Sight
from arjax.layers.dense import dense
from arjax.layers.position import turn
from arjax.sharding import BATCH, TENSOR, constrain

SEGMENTS, SHORTEST = 4, 32  # a cache has so many segments, unless they were shorter than this
MANY = 64  # single-row products at once
BLOCKS, SMALLEST = 7, 64  # at most so many blocks of sites; the smallest size of a block
WIDEST = 128  # the widest heads that cuDNN takes on every GPU


def attend(
    q: Float[Array, "B T N K"], k: Float[Array, "B S M K"], v: Float[Array, "B S M K"], mask: Bool[Array, "#B #T S"]
) -> Float[Array, "B T N K"]:
    """y at every site. N is a multiple of M; mask [B or 1, T or 1, S] shows every site something."""
    q, k, v = _heads_first(q, k, v)
    return _answers(q, k, v, mask[:, None]).swapaxes(1, 2)


def attend_before(
    q: Float[Array, "B T N K"], k: Float[Array, "B T M K"], v: Float[Array, "B T M K"], seen: Bool[np.ndarray, "T T"]
) -> Float[Array, "B T N K"]:
    """Returns y at every site. A site sees what the table `seen` shows it, and nothing after itself.

    A block of sites leaves out what none of its sites sees, almost half under a causal mask: on a CPU a gradient over 784 sites
    takes 0.4 of the time. Where cuDNN has a kernel, it does the same, without derivatives in forward mode.
    """
    blocks = functools.partial(_attend_in_blocks, seen=seen)
    if not (_is_causal(seen) and _cudnn_takes(q)):
        return blocks(q, k, v)
    cudnn = functools.partial(jax.nn.dot_product_attention, is_causal=True, implementation="cudnn")
    return jax.lax.platform_dependent(q, k, v, cuda=cudnn, default=blocks)


def _attend_in_blocks(q, k, v, seen):
    (q, k, v), size = _heads_first(q, k, v), max(SMALLEST, -(-len(seen) // BLOCKS))
    blocks = [_attend_block(q, k, v, seen, first, first + size) for first in range(0, len(seen), size)]
    return jnp.concatenate(blocks, axis=2).swapaxes(1, 2)


def _attend_block(q, k, v, seen, first, last):
    """y [B, N, last - first, K] at some of the sites."""
    rows = seen[first:last]
    some = np.flatnonzero(rows[:, 1:].any(axis=0)) + 1
    # The start, which all sites see, and the range from the first to the last other site that some site of the block sees.
    low, high = (some[0], some[-1] + 1) if some.size else (1, 1)
    k, v = (jnp.concatenate([part[:, :, :1], part[:, :, low:high]], axis=2) if low > 1 else part[:, :, :high] for part in (k, v))
    shown = np.concatenate([rows[:, :1], rows[:, low:high]], axis=1)
    return _answers(q[:, :, first:last], k, v, _tri(*shown.shape) if _is_causal(shown) else shown)


def _answers(q, k, v, mask):
    """q [B, N, T, K], k, v [B, N, S, K], mask [B or 1, 1, T or 1, S] or [T, S] -> y [B, N, T, K]."""
    scores = jnp.einsum("bntk,bnsk->bnts", q * q.shape[-1] ** -0.5, k, preferred_element_type=jnp.float32)
    scores = jnp.where(mask, scores, -jnp.inf)
    odds = jnp.exp(scores - jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True)))
    sums = jnp.einsum("bnts,bnsk->bntk", odds.astype(v.dtype), v, preferred_element_type=jnp.float32)
    return (sums / odds.sum(axis=-1, keepdims=True)).astype(v.dtype)


def _heads_first(q, k, v):
    """q [B, N, T, K], k and v [B, N, S, K], repeated for a group, so that the batched products are of plain matrices."""
    shared = q.shape[2] // k.shape[2]
    k, v = (part if shared == 1 else jnp.repeat(part, shared, axis=2) for part in (k, v))
    return tuple(part.swapaxes(1, 2) for part in (q, k, v))


def _tri(sites, attended):
    """The causal mask of `_is_causal`, computed where it is used and not kept."""
    t, s = (jax.lax.broadcasted_iota(jnp.int32, (sites, attended), axis) for axis in range(2))
    return s <= t + (attended - sites)


def _is_causal(shown) -> bool:
    """Whether each site sees itself and all sites before it; the sites are the last of those attended to."""
    sites, attended = shown.shape
    return np.array_equal(shown, np.tri(sites, attended, attended - sites, dtype=bool))


def _cudnn_takes(q) -> bool:
    """Whether cuDNN is there and has a kernel for such heads. JAX reads cuDNN's version when it traces."""
    return q.dtype == jnp.bfloat16 and q.size > 0 and q.shape[-1] % 8 == 0 and q.shape[-1] <= WIDEST and has_ampere()


def has_ampere() -> bool:
    """Returns whether there is a CUDA device of Ampere or later, which cuDNN's kernel needs."""
    try:
        return all(float(device.compute_capability) >= 8 for device in jax.local_devices(backend="cuda"))
    except RuntimeError:
        return False


def weights(q: Float[Array, "B T N K"], k: Float[Array, "B S M K"], mask: Bool[Array, "#B #T S"]) -> Float[Array, "B N T S"]:
    """How much of each v_s is in y_t: float32, positive where the mask shows s, 0 elsewhere; summed over s, 1."""
    k = jnp.repeat(k, q.shape[2] // k.shape[2], axis=2)
    scores = jnp.einsum("btnk,bsnk->bnts", q, k, preferred_element_type=jnp.float32) * q.shape[-1] ** -0.5
    return jax.nn.softmax(jnp.where(mask[:, None], scores, -jnp.inf), axis=-1)


def attend_prefix(q: Float[Array, "B N K"], cache: KeyValue, t, seen: Bool[Array, " S"]) -> Float[Array, "B N K"]:
    """y at site t, which `seen` shows what it may attend to, nothing beyond S = t."""
    batch, heads, width = q.shape
    groups = cache.keys[0].shape[1]
    q = q.reshape(batch, groups, heads // groups, width)
    ends = np.cumsum([part.shape[2] for part in cache.keys])

    def over(count):
        """Attention over the first `count` segments."""

        def attention(q, keys, values):
            scores = [jnp.einsum("bmgk,bmsk->bmgs", q, k, preferred_element_type=jnp.float32) for k in keys[:count]]
            scores = jnp.concatenate(scores, axis=-1) * width**-0.5
            probs = jax.nn.softmax(jnp.where(seen[None, None, None, : ends[count - 1]], scores, -jnp.inf), axis=-1)
            parts = jnp.split(probs, ends[: count - 1], axis=-1)
            means = sum(_mean(part, v) for part, v in zip(parts, values[:count], strict=True))
            return jnp.asarray(means, values[0].dtype)

        return attention

    branches = [over(count) for count in range(1, len(ends) + 1)]
    which = jnp.searchsorted(jnp.asarray(ends), t, side="right")
    return jax.lax.switch(which, branches, q, cache.keys, cache.values).reshape(batch, heads, width)


def _mean(probs, v):
    """probs [B, M, G, S], v [B, M, S, K] -> [B, M, G, K] float32."""
    batch, heads, queries, _ = probs.shape
    if queries > 1 or batch * heads < MANY:
        return jnp.einsum("bmgs,bmsk->bmgk", probs.astype(v.dtype), v, preferred_element_type=jnp.float32)
    # On CPU, matrix products of a single row take longer than a loop that reads each value once, shared by the cores.
    return (probs.swapaxes(2, 3) * v).sum(axis=2, keepdims=True)


class SelfAttention(nn.Module):
    """Sites attend to each other. `heads` for queries, `kv_heads` for keys and values; `scale`: of the weights that lead back
    into the residual stream, when they are made; `dtype`: what is computed and cached in; `sight`: what sites see of each other,
    None where a mask is given."""

    width: int
    heads: int
    kv_heads: int
    scale: float
    dtype: Any
    sight: Sight | None = None

    def setup(self):
        head = self.width // self.heads
        normal, zeros = nn.initializers.normal(0.02), nn.initializers.zeros
        inner = (self.heads + 2 * self.kv_heads) * head
        self.w_in = self.param("w_in", normal, (self.width, inner))
        self.b_in = self.param("b_in", zeros, (inner,))
        self.w_out = self.param("w_out", nn.initializers.normal(self.scale), (self.width, self.width))
        self.b_out = self.param("b_out", zeros, (self.width,))

    def __call__(self, h, turns=None, mask=None):
        """h [B, T, D], turns (queries' angles, keys' angles), each [B or 1, T, K / 2], mask bool [B or 1, T or 1, T] in the place
        of the sight -> (y [B, T, D], keys, values [B, T, M, K])."""
        q, k, v = self._project(h, turns)
        y = attend_before(q, k, v, self.sight.table(h.shape[1])) if mask is None else attend(q, k, v, mask)
        return dense(y.reshape(h.shape), self.w_out, self.b_out), k, v

    def weights(self, h, turns=None):
        """Arguments as of `__call__` -> how much each site attends to each, [B, N, T, S] float32."""
        q, k, _ = self._project(h, turns)
        return weights(q, k, jnp.asarray(self.sight.table(h.shape[1]))[None])

    def init_cache(self, batch: int, sites: int) -> KeyValue:
        segment = max(-(-sites // SEGMENTS), SHORTEST)
        return init_key_value(batch, self.kv_heads, sites, self.width // self.heads, segment, self.dtype)

    def step(self, cache: KeyValue, h, t, seen, turns=None):
        """h [B, D] at site t, seen bool [S], turns [B or 1, K / 2] each -> (cache, y [B, D])."""
        q, k, v = self._project(h, turns)
        cache = write_key_value(cache, k, v, t)
        return cache, dense(attend_prefix(q, cache, t, seen).reshape(h.shape), self.w_out, self.b_out)

    def _project(self, h, turns):
        """[..., D] -> queries [..., N, K], keys and values [..., M, K], turned."""
        q, k, v = self._apart(h) if self.kv_heads == self.heads else self._cut(h)
        if turns is not None:
            q, k = (turn(part, by) for part, by in zip((q, k), turns, strict=True))
        return tuple(constrain(part, BATCH, *(None,) * (part.ndim - 3), TENSOR) for part in (q, k, v))

    def _apart(self, h):
        """Queries, keys and values where there are as many of each. Over `tensor` the columns of w_in are in other hands than the
        heads that they make. The weights are handed over, which are the same for every site, and not what they make of each."""
        shape = (3, self.heads, self.width // self.heads)
        w = constrain(self.w_in.astype(h.dtype)).reshape(self.width, *shape)
        b = constrain(self.b_in.astype(h.dtype)).reshape((1,) * (h.ndim - 1) + shape)
        y = jnp.einsum("...d,dcnk->...cnk", h, constrain(w, None, None, TENSOR)) + b
        y = constrain(y, BATCH, *(None,) * (y.ndim - 3), TENSOR)
        return (y[..., part, :, :] for part in range(3))

    def _cut(self, h):
        """Queries, keys and values where there are fewer of the latter."""
        shape = (*h.shape[:-1], self.heads + 2 * self.kv_heads, self.width // self.heads)
        return jnp.split(dense(h, self.w_in, self.b_in).reshape(shape), (self.heads, self.heads + self.kv_heads), axis=-2)


class CrossAttention(nn.Module):
    """Sites attend to a memory [B, S, D], the same whatever the site. Fields as in `SelfAttention`."""

    width: int
    heads: int
    kv_heads: int
    scale: float
    dtype: Any

    def setup(self):
        head, normal, zeros = self.width // self.heads, nn.initializers.normal(0.02), nn.initializers.zeros
        self.w_query = self.param("w_query", normal, (self.width, self.width))
        self.b_query = self.param("b_query", zeros, (self.width,))
        self.w_memory = self.param("w_memory", normal, (self.width, 2 * self.kv_heads * head))
        self.b_memory = self.param("b_memory", zeros, (2 * self.kv_heads * head,))
        self.w_out = self.param("w_out", nn.initializers.normal(self.scale), (self.width, self.width))
        self.b_out = self.param("b_out", zeros, (self.width,))

    def remember(self, memory):
        """[B, S, D] -> keys and values [B, S, M, K]: all that sites will need of it."""
        shape = (*memory.shape[:-1], 2 * self.kv_heads, self.width // self.heads)
        return tuple(jnp.split(dense(memory, self.w_memory, self.b_memory).reshape(shape), 2, axis=-2))

    def __call__(self, h, remembered, mask):
        """h [B, T, D], mask bool [B or 1, 1, S] -> [B, T, D]."""
        q = dense(h, self.w_query, self.b_query).reshape(*h.shape[:-1], self.heads, self.width // self.heads)
        return dense(attend(q, *remembered, mask).reshape(h.shape), self.w_out, self.b_out)  # pyright: ignore[reportCallIssue]
