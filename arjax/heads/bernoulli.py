"""Bernoulli: one binary symbol, p(x = 1) = sigmoid(theta_0)."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from arjax.heads.noise import uniform


@dataclasses.dataclass(frozen=True)
class Bernoulli:
    """theta [..., 1] is the logit log p(x = 1) - log p(x = 0)."""

    event_shape: ClassVar[tuple[int, ...]] = ()
    vocab: ClassVar[int] = 2
    param_size: ClassVar[int] = 1

    def log_prob(self, theta, x):
        """[..., 1], [...] int -> [...] float32, nats; -inf where x is neither 0 nor 1."""
        logit = theta[..., 0].astype(jnp.float32)
        return jnp.where((x == 0) | (x == 1), -jax.nn.softplus(jnp.where(x == 1, -logit, logit)), -jnp.inf)

    def sample(self, key, theta):
        """[..., 1] -> [...] int32: the rarer of the two where a uniform, counted from its end, falls below its probability."""
        logit = theta[..., 0].astype(jnp.float32)
        u, rest = uniform(key, logit.shape)
        rare = jnp.where(logit > 0, u, rest) < jax.nn.sigmoid(-jnp.abs(logit))
        return (rare ^ (logit > 0)).astype(jnp.int32)
