"""The loop behind `generate` and `stream`, in chunks: how far the cache has got, and the sites up to another.

All lengths are traced numbers, so that one program serves prompts of all lengths and any number of tokens.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from arjax.sampling.site import step
from arjax.sharding import constrain_batch


def start(model, params, prompts, lengths, order, cond):
    """(cache, t): what all of `prompts`, NumPy int32 [B, T] of `lengths` [B], have in common has entered, and t is the next site.

    A net with `prefill` takes it in one pass. It is given the prompts padded to one of at most eight lengths, each of which is
    compiled once. Another net starts at t = 0, and sees its prompt in steps.
    """
    if not hasattr(model.net, "prefill"):
        return _empty(model, params, len(prompts), order, cond), np.int32(0)
    known, unit = lengths.min(), -(-model.num_sites // 8)
    padded = min(-(-known // unit) * unit, model.num_sites)
    return _filled(model, params, prompts[:, :padded], known, order, cond), known


@functools.partial(jax.jit, static_argnames=("model", "batch"))
def _empty(model, params, batch, order, cond):
    return constrain_batch(model.apply(params, batch, order, cond, method="init_cache"), batch)


@functools.partial(jax.jit, static_argnames="model")
def _filled(model, params, x, n, order, cond):
    cache = _empty(model, params, len(x), order, cond)
    return model.apply(params, cache, x, n, order, cond, method="prefill")


@functools.partial(jax.jit, static_argnames=("model", "transforms"), donate_argnames="cache")
def advance(model, params, key, cache, x, t, end, until, lengths, stop, order, cond, transforms):
    """(cache, x, t, end) at site `until`, or once every row has ended. The cache given is used up: its memory serves the new one.

    x: int32 [B, T], of which row b is known up to t or to lengths[b], and zero from there on. Row b ends before site end[b] (all
    [B]), or behind the symbol `stop`, if it draws it after its prompt; -1 stops nowhere.
    """

    def unfinished(carry):
        _, _, t, end = carry
        return (t < until) & jnp.any(t < end)

    def body(carry):
        cache, x, t, end = carry
        before = x[:, jnp.maximum(t - 1, 0)]
        # What stands behind a row's end is zero, and so forced as well.
        drawn = (lengths <= t) & (t < end)
        cache, new = step(model, params, key, cache, before, t, order, cond, x[:, t], ~drawn, transforms)
        return cache, x.at[:, t].set(new), t + 1, jnp.where(drawn & (new == stop), t + 1, end)

    return jax.lax.while_loop(unfinished, body, (cache, x, t, end))
