"""Logistic distributions over V ordered symbols (Salimans, Karpathy, Chen, Kingma 2017, section 2.1).

Symbol v lies at 2 v / (V - 1) - 1 in [-1, 1], and has the probability of the real values that are nearest to it; the first
and the last symbol have everything below and above:

    P(X <= v) = sigmoid((e_{v+1} - mu) / s),   e_i = (2 i - V) / (V - 1) the edge between symbols i - 1 and i

    log p(v) = log sigmoid(b) + log sigmoid(-a) + log(1 - exp(a - b))      between the edges a < b, in units of s

The last line is the difference of two sigmoids, factored. Its b - a is not a difference but the known width of a bin, so that
nothing cancels: not in the tails, not where a bin is far narrower than the scale, not where mu is so large that neighbouring
edges round to one number. An edge is computed alike for the symbols on both sides, so that the probabilities telescope to one.
"""

import jax
import jax.numpy as jnp
import numpy as np

from arjax.arguments import check_table
from arjax.errors import InputError
from arjax.heads.mixture import Components, mix, standardize
from arjax.heads.noise import Uniform
from arjax.sharding import varying


def check_bins(vocab: int) -> None:
    """InputError if there is no edge between symbols."""
    if vocab < 2:
        raise InputError(f"vocab={vocab} leaves no edge between symbols; choose at least two symbols")


def to_unit(x, vocab: int):
    """Symbols 0..V-1 -> float32 in [-1, 1]."""
    return (2 * x - (vocab - 1)).astype(jnp.float32) / (vocab - 1)


def log_bins(components: Components, x, vocab: int):
    """[..., M], x [...] int in 0..V-1 -> [..., M]: log-probability of x under every component, nats."""
    lowest, highest = (x == 0)[..., None], (x == vocab - 1)[..., None]
    below, above = _edge(components, x, vocab), _edge(components, x + 1, vocab)
    width = jnp.asarray(np.diff(_edges(vocab)))[x][..., None] * jnp.exp(-components.log_scale)
    left = jnp.where(lowest, 0, jax.nn.log_sigmoid(-below))
    right = jnp.where(highest, 0, jax.nn.log_sigmoid(above))
    return left + right + jnp.where(lowest | highest, 0, jnp.log(-jnp.expm1(-width)))


def cdf(components: Components, x, vocab: int):
    """[..., M], x [...] int -> [...]: P(X <= x) of the mixture."""
    inside = mix(components.log_weight, jax.nn.sigmoid(_edge(components, x + 1, vocab)))
    return jnp.where(x < 0, 0, jnp.where(x >= vocab - 1, 1, jnp.minimum(inside, 1)))


def quantile(components: Components, u: Uniform, vocab: int):
    """[..., M], u [...] -> [...] int32: the smallest symbol v with P(X <= v) >= u, by halving."""
    # Of large u the complement is compared, with P(X > v): both sides are then precise.
    side = jnp.where(u.u <= u.rest, 1.0, -1.0)[..., None]
    small = jnp.minimum(u.u, u.rest)[..., None]

    def halve(_, bounds):
        low, high = bounds
        middle = (low + high) // 2
        # sum_m w_m (P_m - u), not sum_m w_m P_m - u: weights that sum to just less than one must not reach a further symbol.
        beyond = jax.nn.sigmoid(side * _edge(components, middle + 1, vocab)) - small
        excess = mix(components.log_weight, side * beyond)
        reached = (middle == high) | (excess >= 0)
        return jnp.where(reached, low, middle + 1), jnp.where(reached, middle, high)

    bounds = jnp.zeros(u.u.shape, jnp.int32), jnp.full(u.u.shape, vocab - 1, jnp.int32)
    return jax.lax.fori_loop(0, (vocab - 1).bit_length(), halve, varying(bounds, components, u))[0]


def mean(components: Components, vocab: int):
    """[..., M] -> [...] float32: the mean symbol, in 0..V-1, sum_{v >= 1} P(X >= v)."""

    def add(v, total):
        at = jnp.full(total.shape, v)
        return total + mix(components.log_weight, jax.nn.sigmoid(-_edge(components, at, vocab)))

    return jax.lax.fori_loop(1, vocab, add, varying(jnp.zeros(components.mean.shape[:-1], jnp.float32), components))


def _edges(vocab) -> np.ndarray:
    """[V + 1] float32: the edges e_i; the first and the last are never looked at."""
    check_table("edges", vocab + 1)
    return ((2 * np.arange(vocab + 1) - vocab) / (vocab - 1)).astype(np.float32)


def _edge(components, i, vocab):
    """[..., M]: the edge below symbol i, in units of each component's scale from its mean."""
    # Looked up, not computed: a compiler would fuse the product with the subtraction on one side of an edge and not on the other.
    return standardize(components, jnp.asarray(_edges(vocab))[i])
