"""Ordinal: one of V symbols in their order, p(x = v) = softmax(theta)_v: the law of Categorical, sampled by the inverse CDF.

Sampling is by one uniform u: the smallest symbol v with P(X <= v) >= u (Devroye 1986, section III.2), where the Gumbel-max trick
needs V of them. The symbol is monotone in u, so that a small change of the probabilities seldom changes a sample: what
fixed-point sampling wants. Symbols without order among them gain nothing by it: their numbering would leak into the noise.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from arjax.heads.categorical import Categorical
from arjax.heads.noise import Uniform, uniform


@dataclasses.dataclass(frozen=True)
class Ordinal:
    """theta [..., V] are unnormalised log-probabilities, one for each of the `vocab` symbols."""

    vocab: int
    """The number of symbols."""
    event_shape: ClassVar[tuple[int, ...]] = ()
    logits: ClassVar[bool] = True

    def __post_init__(self):
        Categorical(self.vocab)

    @property
    def param_size(self) -> int:
        return self.vocab

    def log_prob(self, theta, x):
        """[..., V], [...] int -> [...] float32, nats; -inf where x is not in 0..V-1."""
        return Categorical(self.vocab).log_prob(theta, x)

    def sample(self, key, theta):
        """[..., V] -> [...] int32; a symbol whose probability is zero in float32 is never drawn."""
        return self.quantile(theta, uniform(key, theta.shape[:-1]))

    def quantile(self, theta, u: Uniform):
        """[..., V], [...] -> [...] int32: the smallest symbol v with P(X <= v) >= u."""
        # Of u above 1/2 the complement is looked up, from the other end: what is small is precise.
        flip, probs = (u.u > 0.5)[..., None], jax.nn.softmax(theta.astype(jnp.float32))
        total, small = _cumulative(jnp.where(flip, jnp.flip(probs, -1), probs)), jnp.minimum(u.u, u.rest)[..., None]
        passed = jnp.where(flip, total <= small, total < small).sum(axis=-1, dtype=jnp.int32)
        return jnp.where(flip[..., 0], self.vocab - 1 - passed, passed)

    def cdf(self, theta, x):
        """[..., V], [...] int -> [...] float32: P(X <= x)."""
        inside = jnp.clip(x, 0, self.vocab - 1)[..., None]
        total = _cumulative(jax.nn.softmax(theta.astype(jnp.float32)))
        return jnp.where(x < 0, 0, jnp.take_along_axis(total, inside, axis=-1)[..., 0])

    def mean(self, theta):
        """[..., V] -> [...] float32."""
        return jax.nn.softmax(theta.astype(jnp.float32)) @ jnp.arange(self.vocab, dtype=jnp.float32)


def _cumulative(probs):
    """[..., V]: P(X <= v), rising, and 1 at the last symbol. XLA's cumulative sum is a tree and may fall by a rounding error, or
    rise where nothing was added; here it stands still where the probability is zero."""
    total = jnp.where(probs > 0, jnp.cumsum(probs, axis=-1), 0)
    total = jax.lax.cummax(total, axis=total.ndim - 1)
    return total / total[..., -1:]
