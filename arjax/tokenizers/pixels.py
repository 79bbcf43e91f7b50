"""Pixels by themselves: fewer bits for each value, or one.

    Bits(b)       token = floor(x 2^b / V)          back: the middle of the values that have it
    Binary(l)     token = 1 where x > l, else 0     back: 0 or V - 1

x is a symbol 0..V-1, as `Levels(V)` makes them; nothing is learned. Bits with 2^b = V loses nothing. A binarization drawn at
random (`Dynamic`) is no tokenizer: it is other tokens each time, see arjax.data.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from arjax.description import check_types
from arjax.errors import InputError
from arjax.tokenizers.images import over_images
from arjax.tokenizers.tokenizer import check_learned, check_range


def _token_shape(self, shape):
    return shape


def _fit(self, data):
    check_levels(data, self.levels)
    return {}


def _check(self, learned):
    check_learned("tokenizer that learns nothing", learned, {})


@dataclasses.dataclass(frozen=True)
class Bits:
    """The upper `bits` of values 0..levels-1, both powers of two."""

    bits: int
    """Upper bits that are kept."""
    levels: int = 256
    """Levels of a raw value, a power of two."""

    def __post_init__(self):
        check_types(self)
        if self.bits < 1 or self.levels & (self.levels - 1) or 2**self.bits > self.levels:
            raise InputError(
                f"Bits({self.bits}, levels={self.levels}) are no bits of levels that are a power of two; choose such levels, and "
                "from 1 bit to all they have"
            )

    @property
    def vocab(self) -> int:
        return 2**self.bits

    @property
    def lossless(self) -> bool:
        return self.vocab == self.levels

    @property
    def title(self) -> str:
        return f"the upper {self.bits} bits"

    def encode(self, learned, x) -> jax.Array:
        check_range("pixel", x, self.levels)
        return jnp.asarray(x, jnp.int32) // (self.levels // self.vocab)

    def decode(self, learned, tokens) -> jax.Array:
        check_range("token", tokens, self.vocab)
        width = self.levels // self.vocab
        return jnp.asarray(tokens, jnp.int32) * width + width // 2

    token_shape, fit, check, over = _token_shape, _fit, _check, over_images


@dataclasses.dataclass(frozen=True)
class Binary:
    """1 where a value of 0..levels-1 exceeds `level`."""

    level: int = 127
    """Values above this become 1, others 0."""
    levels: int = 256
    """Levels of a raw value."""

    vocab: ClassVar[int] = 2
    lossless: ClassVar[bool] = False

    def __post_init__(self):
        check_types(self)
        if not 0 <= self.level < self.levels - 1:
            raise InputError(f"Binary(level={self.level}) leaves nothing above it; choose 0..{self.levels - 2}")

    @property
    def title(self) -> str:
        return f"one bit, above {self.level} or not"

    def encode(self, learned, x) -> jax.Array:
        check_range("pixel", x, self.levels)
        return (jnp.asarray(x) > self.level).astype(jnp.int32)

    def decode(self, learned, tokens) -> jax.Array:
        check_range("token", tokens, 2)
        return jnp.asarray(tokens, jnp.int32) * (self.levels - 1)

    token_shape, fit, check, over = _token_shape, _fit, _check, over_images


def check_levels(data, levels: int) -> None:
    """Raises InputError unless the values of `data` are symbols 0..levels-1."""
    if data.values.vocab != levels:
        raise InputError(f"{data.title} does not have {levels} values a pixel; give it values=Levels({levels})")
