"""Nets of tests: one that sees all of its history, the smallest that `prefill` can be tried on, and one that copies it."""

import collections
from collections.abc import Callable
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

TRACES = collections.Counter()
"""How often each method of a History was traced."""


def through(history, x, n):
    """history [B, T, V] with the symbols x [B, L] that are there once `step` was called for t = 0 .. n-1: those before n - 1."""
    symbols, length = jax.nn.one_hot(x, history.shape[-1]), x.shape[1]
    there = jnp.arange(length) < n - 1
    return history.at[:, :length].set(jnp.where(there[None, :, None], symbols, 0.0))


class History(nn.Module):
    """theta_t = c[site of t] + sum_{s < t} w[site of t, site of s, x_s]. The cache is every symbol so far, one-hot, in generation
    order. `fill` is what prefill does; `pick` is where several orders may go wrong."""

    fill: Callable = through
    spec: Any = None
    any_order: bool = False
    pick: Callable = lambda orders: orders
    order_per_example: ClassVar[bool] = True

    def setup(self):
        sites, vocab, params = self.spec.num_sites, self.spec.vocab, self.spec.param_size
        self.w = self.param("w", nn.initializers.normal(1.0), (sites, sites, vocab, params))
        self.c = self.param("c", nn.initializers.normal(1.0), (sites, params))

    def __call__(self, x, order, cond=None, *, key=None):
        TRACES["call"] += 1
        order = jnp.broadcast_to(order if order.ndim == 1 else self.pick(order), x.shape)
        weights = self.w[order[:, :, None], order[:, None, :]]  # [B, T, S, V, P]
        seen = jnp.where(jnp.tri(self.spec.num_sites, k=-1)[None, :, :, None, None] > 0, weights, 0.0)
        return jnp.einsum("bsv,btsvp->btp", jax.nn.one_hot(x, self.spec.vocab), seen) + self.c[order]

    def init_cache(self, batch, order, cond=None):
        return jnp.zeros((batch, self.spec.num_sites, self.spec.vocab))

    def step(self, cache, x, t, order, cond=None):
        TRACES["step"] += 1
        symbol = jnp.where(t == 0, 0.0, jax.nn.one_hot(x, self.spec.vocab))
        cache = cache.at[:, jnp.maximum(t - 1, 0)].set(symbol)
        order = jnp.broadcast_to(order, cache.shape[:2])
        return cache, jnp.einsum("bsv,bsvp->bp", cache, self.w[order[:, t][:, None], order]) + self.c[order[:, t]]

    def prefill(self, cache, x, n, order, cond=None):
        TRACES["prefill"] += 1
        return self.fill(cache, x, n)


class Copies(nn.Module):
    """Says of every site, nearly surely, the symbol `back` sites before it, or one where there is none; every `period`-th site is
    a fair coin. In its own order only."""

    back: int = 1
    period: int | None = None
    spec: Any = None

    @nn.compact
    def __call__(self, x, order, cond=None, *, key=None):
        sites = x.shape[1]
        scale = self.param("scale", nn.initializers.constant(100.0), ())
        before = jnp.concatenate([jnp.ones_like(x[:, : self.back]), x[:, : sites - self.back]], axis=1)
        free = jnp.zeros(sites, bool) if self.period is None else jnp.arange(sites) % self.period == 0
        return jnp.where(free, 0.0, 1.0)[None, :, None] * (scale * (2.0 * before - 1))[..., None]

    def init_cache(self, batch, order, cond=None):
        return jnp.ones((batch, self.back), jnp.int32)

    def step(self, cache, x, t, order, cond=None):
        cache = jnp.where(t == 0, cache, jnp.concatenate([cache[:, 1:], x[:, None]], axis=1))
        free = self.period is not None and t % self.period == 0
        return cache, jnp.where(free, 0.0, 100.0 * (2.0 * cache[:, :1] - 1))
