"""A head of real values for tests: with it a net has a Jacobian."""

import dataclasses
from typing import ClassVar

import jax


@dataclasses.dataclass(frozen=True)
class Normal:
    """A real value with mean theta and variance one."""

    event_shape: ClassVar[tuple[int, ...]] = ()
    vocab: ClassVar[None] = None
    param_size: ClassVar[int] = 1

    def log_prob(self, theta, x):
        return jax.scipy.stats.norm.logpdf(x, theta[..., 0])

    def sample(self, key, theta):
        return theta[..., 0] + jax.random.normal(key, theta.shape[:-1])
