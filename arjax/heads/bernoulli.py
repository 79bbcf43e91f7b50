"""Bernoulli: one binary symbol, p(x = 1) = sigmoid(theta_0)."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp


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
        """[..., 1] -> [...] int32: 1 where a uniform falls below p(x = 1)."""
        logit = theta[..., 0].astype(jnp.float32)
        return (jax.random.uniform(key, logit.shape) < jax.nn.sigmoid(logit)).astype(jnp.int32)
