"""What a raw value of the data becomes: the named binarizations, symbols, or real numbers.

A result means nothing without this name, so every one has a `title`. Called as `values(key, x)` it is pure JAX and runs
inside the jitted training step; the raw data stay as small as they lie in the file.
"""

import dataclasses
from typing import ClassVar, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from arjax.description import check_types
from arjax.errors import InputError


class Values(Protocol):
    """A frozen dataclass that turns raw values into what a model sees."""

    vocab: int | None
    """The number of symbols, or None for real values."""
    random: bool
    """Does what a raw value becomes depend on the key?"""

    @property
    def title(self) -> str:
        """The name that results are reported with."""
        ...

    @property
    def support(self) -> str:
        """In words, the raw values that are accepted."""
        ...

    def outside(self, x: np.ndarray) -> np.ndarray:
        """Returns True where a raw value is not accepted; NaN never is. Same shape as x, bool."""
        ...

    def __call__(self, key, x) -> jax.Array:
        """Raw values [...] -> int32 symbols or float32 [...]."""
        ...


def _within(x, low, high):
    # Bounds in float64, so that comparing float16 data with them does not overflow; NaN is never within.
    if x.dtype.kind == "f":
        low, high = np.float64(low), np.float64(high)
    return (x >= low) & (x <= high)


def _unrepresentable(x):
    # On the device numbers are 32 bits wide: what is larger would wrap around or become infinite there.
    limit = np.finfo(np.float32).max if x.dtype.kind == "f" else np.iinfo(np.int32).max
    return ~_within(x, -limit, limit)


def _check_highest(values) -> None:
    check_types(values)
    if not values.highest > 0:
        raise InputError(f"{values} must be positive; give the raw value that becomes 1")


def _up_to_highest(values) -> str:
    return f"numbers from 0 to {values.highest:g}"


def _outside_highest(values, x):
    return ~_within(x, 0, values.highest)


@dataclasses.dataclass(frozen=True)
class Levels:
    """Symbols 0..count-1, as they are."""

    count: int
    """The number of symbols."""

    random: ClassVar[bool] = False

    def __post_init__(self):
        check_types(self)
        if self.count < 1:
            raise InputError(f"Levels({self.count}) needs at least one symbol; give the number of symbols")

    vocab = property(lambda self: self.count)

    @property
    def title(self) -> str:
        return f"{self.count} levels"

    @property
    def support(self) -> str:
        return f"whole numbers 0..{self.count - 1}"

    def outside(self, x):
        outside = ~_within(x, 0, self.count - 1)
        # Of whole numbers this is all, and half of the time it takes.
        return outside | (np.floor(x) != x) if x.dtype.kind == "f" else outside

    def __call__(self, key, x):
        return jnp.asarray(x).astype(jnp.int32)


@dataclasses.dataclass(frozen=True)
class Threshold:
    """1 where x > level, else 0."""

    level: float
    """Raw values above this become 1, others 0."""

    vocab: ClassVar[int] = 2
    random: ClassVar[bool] = False
    support: ClassVar[str] = "finite numbers"

    @property
    def title(self) -> str:
        return f"threshold at {self.level:g}"

    outside = staticmethod(_unrepresentable)

    def __call__(self, key, x):
        return (jnp.asarray(x) > self.level).astype(jnp.int32)


@dataclasses.dataclass(frozen=True)
class Dynamic:
    """1 with probability x / highest, drawn anew for every key (as in Burda et al. 2016)."""

    highest: float = 255
    """The raw value that becomes 1 for certain."""

    vocab: ClassVar[int] = 2
    title: ClassVar[str] = "dynamic binarization"
    random: ClassVar[bool] = True

    __post_init__ = _check_highest
    support = property(_up_to_highest)
    outside = _outside_highest

    def __call__(self, key, x):
        return jax.random.bernoulli(key, jnp.asarray(x).astype(jnp.float32) / self.highest).astype(jnp.int32)


@dataclasses.dataclass(frozen=True)
class Real:
    """Real values, as they are, in float32."""

    vocab: ClassVar[None] = None
    random: ClassVar[bool] = False
    title: ClassVar[str] = "real values"
    support: ClassVar[str] = "finite numbers"

    outside = staticmethod(_unrepresentable)

    def __call__(self, key, x):
        return jnp.asarray(x).astype(jnp.float32)


@dataclasses.dataclass(frozen=True)
class Scaled:
    """x / highest, real values in [0, 1], in float32."""

    highest: float = 255
    """The raw value that becomes 1."""

    vocab: ClassVar[None] = None
    random: ClassVar[bool] = False
    title: ClassVar[str] = "scaled to [0, 1]"

    __post_init__ = _check_highest
    support = property(_up_to_highest)
    outside = _outside_highest

    def __call__(self, key, x):
        return jnp.asarray(x).astype(jnp.float32) / self.highest
