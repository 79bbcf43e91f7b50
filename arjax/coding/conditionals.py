"""The probabilities of every value that the next symbol may have, a site at a time: what an entropy coder asks for.

Encoder and decoder run the same programs at the same batch size. Probabilities of a parallel pass, or of a scan over symbols that
are known, are the same numbers up to their last bits, and a decoder that is off by one bit reads nonsense from there on.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from arjax.errors import InputError


def walk(model, params, order, cond, counts: np.ndarray, code: Callable) -> None:
    """Go through the sites of a batch in generation order.

    At site t, and for each value c of its symbol, `code(t, c, rows, probabilities)` is given the rows that have more than t sites
    (`counts` [B] says how many) and the probabilities [rows, V] of that value given all before. It returns the values [rows].
    """
    cache, x = _start(model, params, len(counts), order, cond)
    values = math.prod(model.head.event_shape) if model.head.vocab > 1 else 0  # a symbol that is the only one is known
    for t in range(counts.max(initial=0)):
        rows = np.flatnonzero(counts > t)
        cache, theta, probabilities = _advance(model, params, cache, x, np.int32(t), order, cond)
        x = np.zeros(x.shape, np.int32)
        for c in range(values):
            if c:
                probabilities = _conditional(model, theta, x, c)
            x.reshape(len(x), -1)[rows, c] = code(t, c, rows, _checked(probabilities, t)[rows])


@functools.partial(jax.jit, static_argnames=("model", "batch"))
def _start(model, params, batch, order, cond):
    cache = model.apply(params, batch, order, cond, method="init_cache")
    return cache, jnp.zeros((batch, *model.head.event_shape), model.dtype)


@functools.partial(jax.jit, static_argnames="model", donate_argnames="cache")
def _advance(model, params, cache, x, t, order, cond):
    """From the symbols [B, *E] of site t - 1: (cache, theta [B, P] of site t, the probabilities [B, V] of its first value)."""
    cache, theta = model.apply(params, cache, x, t, order, cond, method="step")
    return cache, theta, _conditional(model, theta, jnp.zeros_like(x), 0)


@functools.partial(jax.jit, static_argnames=("model", "c"))
def _conditional(model, theta, x, c):
    """[B, V]: the probabilities of value c of a symbol, given those of x [B, *E] before it."""

    def log_prob(v):
        if not model.head.event_shape:
            return model.head.log_prob(theta, jnp.full_like(x, v))
        return model.head.log_conditionals(theta, x.at[..., c].set(v))[..., c]

    return jnp.exp(jax.vmap(log_prob, out_axes=-1)(jnp.arange(model.head.vocab, dtype=jnp.int32)))


def _checked(probabilities, t) -> np.ndarray:
    probabilities = np.asarray(probabilities)
    if not np.isfinite(probabilities).all():
        raise InputError(f"the model's probabilities at its site {t} are not all numbers; train it again")
    return probabilities
