"""A linear net, right in any order, and a head, whose parts tests replace by broken ones."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp

from arjax.heads import Bernoulli

T, COIN = 5, Bernoulli()


@dataclasses.dataclass(frozen=True)
class Altered:
    """Bernoulli with one method replaced."""

    log_prob: Callable = COIN.log_prob
    sample: Callable = COIN.sample
    event_shape: ClassVar[tuple[int, ...]] = ()
    vocab: ClassVar[int] = 2
    param_size: ClassVar[int] = 1


def earlier(order):
    """[t, s]: may theta_t see x_s?"""
    return jnp.tri(T, k=-1)


def parallel(net, x, order, seen=earlier):
    """theta_t = c + sum_{s < t} w[site of t, site of s] x_s, all sites at once."""
    weights = net.w[order][:, order] * seen(order)[..., None]
    return jnp.einsum("bs,tsp->btp", x.astype(jnp.float32), weights) + net.c[order][None]


def nothing_yet(batch):
    return jnp.zeros((batch, T))


def one_site(net, cache, x, t, order):
    """The same for one site; the cache [B, T] holds x in generation order, zero where unknown."""
    x = jnp.where(t == 0, 0.0, x.astype(jnp.float32))
    cache = cache.at[:, jnp.maximum(t - 1, 0)].set(x)
    return cache, jnp.einsum("bs,sp->bp", cache, net.w[order[t]][order]) + net.c[order[t]][None]


class Linear(nn.Module):
    """A correct net, in any order, unless one of its parts is replaced."""

    call: Callable = parallel
    first: Callable = nothing_yet
    one: Callable = one_site
    label: Any = None
    any_order: bool = False
    decays: ClassVar[tuple[str, ...]] = ("w",)
    spec: Any = None

    def setup(self):
        sites, params = self.spec.num_sites, self.spec.param_size
        self.w = self.param("w", nn.initializers.normal(1.0), (sites, sites, params))
        self.c = self.param("c", nn.initializers.zeros, (sites, params))

    def __call__(self, x, order, cond=None, *, key=None):
        return self.call(self, x, order)

    def init_cache(self, batch, order, cond=None):
        return self.first(batch)

    def step(self, cache, x, t, order, cond=None):
        return self.one(self, cache, x, t, order)
