"""Ordinal: one of V symbols in their order, p(x = v) = softmax(theta)_v: the law of Categorical, sampled by the inverse CDF.

Sampling is by one uniform u: the smallest symbol v with P(X <= v) >= u (Devroye 1986, section III.2), where the Gumbel-max trick
needs V of them. The symbol is monotone in u, so that a small change of the probabilities seldom changes a sample: what
fixed-point sampling wants. Probabilities are met to 2^-23, the grid of a float32 uniform. Symbols without order among them gain
nothing by it: their numbering would leak into the noise.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from arjax.heads.categorical import Categorical


@dataclasses.dataclass(frozen=True)
class Ordinal:
    """theta [..., V] are unnormalised log-probabilities, one for each of the `vocab` symbols."""

    vocab: int
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

    def quantile(self, theta, u):
        """[..., V], [...] in (0, 1] -> [...] int32: the smallest symbol v with P(X <= v) >= u."""
        return (_cumulative(theta) < u[..., None]).sum(axis=-1, dtype=jnp.int32)

    def cdf(self, theta, x):
        """[..., V], [...] int -> [...] float32: P(X <= x)."""
        inside = jnp.clip(x, 0, self.vocab - 1)[..., None]
        return jnp.where(x < 0, 0, jnp.take_along_axis(_cumulative(theta), inside, axis=-1)[..., 0])

    def mean(self, theta):
        """[..., V] -> [...] float32."""
        return jax.nn.softmax(theta.astype(jnp.float32)) @ jnp.arange(self.vocab, dtype=jnp.float32)


def uniform(key, shape):
    """Float32 in (0, 1], not [0, 1): at u = 0 the smallest symbol would be the first one, even if it is impossible."""
    return 1 - jax.random.uniform(key, shape)


def _cumulative(theta):
    """[..., V]: P(X <= v), rising, and 1 at the last symbol. XLA's cumulative sum is a tree and may fall by a rounding error, or
    rise where nothing was added; here it stands still where the probability is zero."""
    probs = jax.nn.softmax(theta.astype(jnp.float32))
    total = jnp.where(probs > 0, jnp.cumsum(probs, axis=-1), 0)
    total = jax.lax.cummax(total, axis=total.ndim - 1)
    return total / total[..., -1:]
