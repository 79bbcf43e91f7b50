"""theta -> theta, where theta is one logit a symbol: what is sampled is then no longer the model's law."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from arjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Temperature:
    """p(v) proportional to p(v)^(1 / value). Its limit, Temperature(0), is greedy: the most probable symbol for certain, and of
    several the first."""

    value: float | int

    def __post_init__(self):
        if not self.value >= 0:
            raise InputError(
                f"Temperature({self.value}) must not be below 0; choose 1 to change nothing, less to sharpen, 0 to be greedy"
            )

    def __call__(self, theta: Float[Array, "*B V"]) -> Float[Array, "*B V"]:
        if self.value == 0:
            greatest = jnp.argmax(theta, axis=-1, keepdims=True)
            return jnp.where(jax.lax.broadcasted_iota(greatest.dtype, theta.shape, theta.ndim - 1) == greatest, theta, -jnp.inf)
        return theta / self.value


@dataclasses.dataclass(frozen=True)
class TopK:
    """Keep the k most probable symbols, and those as probable as the k-th (Fan et al. 2018)."""

    k: int

    def __post_init__(self):
        if self.k < 1:
            raise InputError(f"TopK({self.k}) leaves no symbol; choose at least 1")

    def __call__(self, theta: Float[Array, "*B V"]) -> Float[Array, "*B V"]:
        least = jax.lax.top_k(theta, min(self.k, theta.shape[-1]))[0][..., -1:]
        return jnp.where(theta >= least, theta, -jnp.inf)


@dataclasses.dataclass(frozen=True)
class TopP:
    """Keep the smallest set of most probable symbols whose probabilities sum to at least p (Holtzman et al. 2020)."""

    p: float | int

    def __post_init__(self):
        if not 0 < self.p <= 1:
            raise InputError(f"TopP({self.p}) is not in (0, 1]; choose 1 to keep every symbol")

    def __call__(self, theta: Float[Array, "*B V"]) -> Float[Array, "*B V"]:
        if self.p == 1:
            return theta  # rounded, the sum below may reach 1 before the last symbol
        falling = jnp.sort(theta, axis=-1, descending=True)
        probs = jax.nn.softmax(falling.astype(jnp.float32))
        # A symbol is kept if those before it do not reach p yet; the first always is.
        before = jnp.cumsum(probs, axis=-1) - probs
        least = jnp.min(jnp.where(before < self.p, falling, jnp.inf), axis=-1, keepdims=True)
        return jnp.where(theta >= least, theta, -jnp.inf)


@dataclasses.dataclass(frozen=True)
class MinP:
    """Keep the symbols that are at least p times as probable as the most probable one (Nguyen et al. 2024)."""

    p: float | int

    def __post_init__(self):
        if not 0 <= self.p <= 1:
            raise InputError(f"MinP({self.p}) is not in [0, 1]; choose 0 to keep every symbol")

    def __call__(self, theta: Float[Array, "*B V"]) -> Float[Array, "*B V"]:
        if self.p == 0:
            return theta
        logits = theta.astype(jnp.float32)
        least = jnp.max(logits, axis=-1, keepdims=True) + math.log(self.p)
        return jnp.where(logits >= least, theta, -jnp.inf)
