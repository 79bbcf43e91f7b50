"""Nets as users write them: each from the README alone, of what arjax gives and Flax has."""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

import arjax
from arjax import testing

# What the author of a net needs first; the other parts are tested on the library's nets.
PARTS = (testing.check_shape, testing.check_causality, testing.check_step, testing.check_prefill, testing.check_decays)


class Recurrence(nn.Module):
    """u + W (g * h) with h_t = a_t h_{t-1} + (1 - a_t) v_t, each of a, v and g a function of u_t."""

    width: int

    def setup(self):
        self.norm, self.inner, self.outer = nn.LayerNorm(), nn.Dense(3 * self.width), nn.Dense(self.width)

    def parts(self, u):
        forget, value, out = jnp.split(self.inner(self.norm(u)), 3, axis=-1)
        a = nn.sigmoid(forget)
        return a, (1 - a) * value, nn.silu(out)

    def __call__(self, u):
        a, v, out = self.parts(u)
        h = jax.lax.associative_scan(lambda p, q: (p[0] * q[0], q[0] * p[1] + q[1]), (a, v), axis=1)[1]
        return u + self.outer(out * h), h

    def one(self, u, h):
        a, v, out = self.parts(u)
        h = a * h + v
        return u + self.outer(out * h), h


class StateSpace(nn.Module):
    """Layers of gated diagonal recurrences, as a small Mamba's; all sites at once by an associative scan."""

    width: int = 4
    depth: int = 2
    spec: arjax.Spec | None = None

    def setup(self):
        self.table = nn.Embed(self.spec.vocab + 1, self.width)  # the last row: no symbol yet
        self.layers = [Recurrence(self.width) for _ in range(self.depth)]
        self.head = nn.Dense(self.spec.param_size)

    def __call__(self, x, order, cond=None, *, key=None):
        return self.head(self.through(x)[0])

    def init_cache(self, batch, order, cond=None):
        return (jnp.zeros((batch, self.width)),) * self.depth

    def step(self, cache, x, t, order, cond=None):
        u, states = self.table(jnp.where(t == 0, self.spec.vocab, x)), []
        for layer, h in zip(self.layers, cache, strict=True):
            u, h = layer.one(u, h)
            states.append(h)
        return tuple(states), self.head(u)

    def prefill(self, cache, x, n, order, cond=None):
        return tuple(jnp.where(n == 0, 0.0, h[:, jnp.maximum(n - 1, 0)]) for h in self.through(x)[1])

    def through(self, x):
        """What leaves the layers [B, T, W], and each one's states."""
        start = jnp.full_like(x[:, :1], self.spec.vocab)
        u, states = self.table(jnp.concatenate([start, x[:, :-1]], axis=1)), []
        for layer in self.layers:
            u, h = layer(u)
            states.append(h)
        return u, states


class LinearAttention(nn.Module):
    """Attention whose sums over the past are its cache (Katharopoulos et al. 2020), given a label, in any order."""

    width: int = 4
    spec: arjax.Spec | None = None
    any_order: ClassVar[bool] = True

    def setup(self):
        spec = self.spec
        self.table, self.label = nn.Embed(spec.vocab + 1, self.width), nn.Embed(spec.cond.classes, self.width)
        self.last, self.here = nn.Embed(spec.num_sites, self.width), nn.Embed(spec.num_sites, self.width)
        self.attend, self.mlp, self.head = nn.Dense(3 * self.width), nn.Dense(2 * self.width), nn.Dense(spec.param_size)

    def __call__(self, x, order, cond=None, *, key=None):
        before = jnp.concatenate([jnp.full_like(x[:, :1], self.spec.vocab), x[:, :-1]], axis=1)
        places = self.last(jnp.roll(order, 1)) + self.here(order)
        u = self.table(before) + places[None] + self.label(cond.label)[:, None]
        q, k, v = self.features(u)
        return self.read(u, q, jnp.cumsum(k[..., None] * v[..., None, :], axis=1), jnp.cumsum(k, axis=1))

    def init_cache(self, batch, order, cond=None):
        return {"products": jnp.zeros((batch, self.width, self.width)), "keys": jnp.zeros((batch, self.width))}

    def step(self, cache, x, t, order, cond=None):
        places = self.last(order[t - 1]) + self.here(order[t])
        u = self.table(jnp.where(t == 0, self.spec.vocab, x)) + places[None] + self.label(cond.label)
        q, k, v = self.features(u)
        cache = {"products": cache["products"] + k[..., None] * v[..., None, :], "keys": cache["keys"] + k}
        return cache, self.read(u, q, **cache)

    def features(self, u):
        q, k, v = jnp.split(self.attend(u), 3, axis=-1)
        return nn.elu(q) + 1, nn.elu(k) + 1, v

    def read(self, u, q, products, keys):
        seen = jnp.einsum("...k,...kv->...v", q, products) / jnp.sum(q * keys, axis=-1, keepdims=True)
        return self.head(nn.gelu(self.mlp(u + seen)))
