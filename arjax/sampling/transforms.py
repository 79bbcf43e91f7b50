"""theta -> theta, where theta is one logit a symbol: what is sampled is then no longer the model's law.

The values of Temperature, TopP and MinP are leaves of a pytree, as are arrays and floats of a transform of a user's own: they are
traced, so that another value compiles nothing again, and may come out of a caller's own computation. All else is static.
"""

import dataclasses
import math
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from arjax.description import check_types
from arjax.errors import InputError

EPSILON, TINY, HUGE = (float(getattr(np.finfo(np.float32), name)) for name in ("eps", "tiny", "max"))


@flax.struct.dataclass
class Transforms:
    """Transforms in turn, as one argument of a jitted sampler: what is traced of their leaves, and what is static."""

    traced: tuple
    static: Any = flax.struct.field(pytree_node=False)

    @classmethod
    def of(cls, transforms) -> "Transforms":
        """Reads callables theta -> theta."""
        leaves, structure = jax.tree.flatten(tuple(transforms))
        traced = tuple(leaf if isinstance(leaf, jax.Array | np.ndarray | np.generic | float) else None for leaf in leaves)
        static = tuple(leaf if value is None else None for leaf, value in zip(leaves, traced, strict=True))
        return cls(traced, (structure, static))

    def __call__(self, theta):
        """Applies them."""
        structure, static = self.static
        leaves = [leaf if value is None else value for leaf, value in zip(static, self.traced, strict=True)]
        for transform in jax.tree.unflatten(structure, leaves):
            theta = transform(theta)
        return theta


def _holds(value, rule) -> bool:
    """Is the value one number, and where it is there to be checked, does it keep the rule?"""
    number = isinstance(value, int | float | np.generic | np.ndarray | jax.Array) and np.shape(value) == ()
    return number and (isinstance(value, Tracer) or bool(rule(value)))


def _float32(value):
    """A number of Python's as float32, never rounded to zero; anything else as it is."""
    if not isinstance(value, int | float):
        return value
    return np.float32(value if value <= 0 else min(max(value, TINY), HUGE))


@dataclasses.dataclass(frozen=True)
class Temperature:
    """p(v) proportional to p(v)^(1 / value). Its limit, Temperature(0), is greedy: the most probable symbol for certain, and of
    several the first. A traced value below 1.2e-38 may be zero to the device."""

    value: Any

    def __post_init__(self):
        if not _holds(self.value, lambda value: 0 <= value < math.inf):
            raise InputError(
                f"Temperature({self.value}) must be finite and not below 0; choose 1 to change nothing, less to sharpen, 0 to be "
                "greedy"
            )

    def __call__(self, theta: Float[Array, "*B V"]) -> Float[Array, "*B V"]:
        value, symbols = _float32(self.value), jax.lax.broadcasted_iota(jnp.int32, theta.shape, theta.ndim - 1)
        # Counted from the greatest, whose quotient is 0 however small the value; and what is impossible remains so.
        below = theta - jnp.max(theta, axis=-1, keepdims=True)
        softened = jnp.where(jnp.isneginf(theta), -jnp.inf, below / jnp.where(value == 0, 1, value)).astype(theta.dtype)
        greedy = jnp.where(symbols == jnp.argmax(theta, axis=-1, keepdims=True), theta, -jnp.inf)
        return jnp.where(value == 0, greedy, softened)


@dataclasses.dataclass(frozen=True)
class TopK:
    """Keep the k most probable symbols, and those as probable as the k-th (Fan et al. 2018)."""

    k: int

    def __post_init__(self):
        check_types(self)
        if self.k < 1:
            raise InputError(f"TopK({self.k}) leaves no symbol; choose at least 1")

    def __call__(self, theta: Float[Array, "*B V"]) -> Float[Array, "*B V"]:
        least = jax.lax.top_k(theta, min(self.k, theta.shape[-1]))[0][..., -1:]
        return jnp.where(theta >= least, theta, -jnp.inf)


@dataclasses.dataclass(frozen=True)
class TopP:
    """Keep the smallest set of most probable symbols whose probabilities sum to at least p, up to rounding, and those as probable
    as the last of them (Holtzman et al. 2020)."""

    p: Any

    def __post_init__(self):
        if not _holds(self.p, lambda p: 0 < p <= 1):
            raise InputError(f"TopP({self.p}) is not in (0, 1]; choose 1 to keep every symbol")

    def __call__(self, theta: Float[Array, "*B V"]) -> Float[Array, "*B V"]:
        p, falling = _float32(self.p), jnp.sort(theta, axis=-1, descending=True)
        probs = jax.nn.softmax(falling.astype(jnp.float32))
        # A symbol is kept if those before it do not reach p yet; the first always is. Each probability is off by a few units in
        # its last place (of the logit, exp and the division), and so is their sum, a tree of few levels: 16 units cover it, and
        # are 2e-6, far less than a difference that anyone means. At p = 1 nothing may be cut off, however little it is.
        before = jnp.cumsum(probs, axis=-1) - probs
        kept = (before < p * (1 - 16 * EPSILON)) | (p == 1)
        least = jnp.min(jnp.where(kept, falling, jnp.inf), axis=-1, keepdims=True)
        return jnp.where(theta >= least, theta, -jnp.inf)


@dataclasses.dataclass(frozen=True)
class MinP:
    """Keep the symbols that are at least p times as probable as the most probable one (Nguyen et al. 2024)."""

    p: Any

    def __post_init__(self):
        if not _holds(self.p, lambda p: 0 <= p <= 1):
            raise InputError(f"MinP({self.p}) is not in [0, 1]; choose 0 to keep every symbol")

    def __call__(self, theta: Float[Array, "*B V"]) -> Float[Array, "*B V"]:
        logits = theta.astype(jnp.float32)
        greatest, log_p = jnp.max(logits, axis=-1, keepdims=True), jnp.log(_float32(self.p))
        # Up to the rounding of the three logarithms; of p = 0 it is -infinity, which is below nothing.
        slack = 4 * EPSILON * (jnp.abs(greatest) + jnp.abs(logits) + 1)
        return jnp.where(logits - greatest + slack >= log_p, theta, -jnp.inf)


def _trace(kind, name):
    """Makes the field of this name the leaf of a pytree. What JAX puts there, be it a gradient, is not checked."""

    def unflatten(_, leaves):
        transform = object.__new__(kind)
        object.__setattr__(transform, name, leaves[0])
        return transform

    jax.tree_util.register_pytree_node(kind, lambda transform: ((_float32(getattr(transform, name)),), None), unflatten)


_trace(Temperature, "value")
_trace(TopP, "p")
_trace(MinP, "p")
