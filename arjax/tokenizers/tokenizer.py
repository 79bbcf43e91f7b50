"""What a tokenizer is: data to a shorter or simpler sequence of integers, and back.

A tokenizer is a frozen dataclass, as a net is; what it learned from data (merges, colours, a codebook) goes in and comes out as
`learned`, a flat dict of arrays, as a net's parameters do. So it is plain data that a run directory keeps, and the tokenizer of
an image can be one part of a jitted program.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import jax
import numpy as np

from arjax.errors import InputError

# What a tokenizer learned: arrays by name.
Learned = Mapping[str, Any]


class Tokenizer(Protocol):
    """A frozen dataclass. InputError in `encode` and `decode` where what they are given cannot be, as far as that can be seen
    outside of jit."""

    vocab: int
    """The number of tokens; a token is 0..vocab-1."""
    lossless: bool
    """Is decode(encode(x)) == x for every x? A likelihood of the tokens is then one of the data."""

    @property
    def title(self) -> str:
        """Its name in results: "palette of 512 colours"."""
        ...

    def token_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape of the tokens of one example of this shape. InputError if it cannot encode such examples."""
        ...

    def fit(self, data) -> Learned:
        """Learns from the training split of a data set: NumPy arrays; {} if there is nothing to learn."""
        ...

    def check(self, learned: Learned) -> None:
        """Raises InputError, naming what is wrong, unless `learned` is what such a tokenizer learns; see `check_learned`."""
        ...

    def encode(self, learned: Learned, x):
        """Turns examples, as the data set's `values` make them, [B, *shape], into tokens, int32 [B, *token_shape]."""
        ...

    def decode(self, learned: Learned, tokens):
        """Turns tokens [B, *token_shape] into examples [B, *shape]."""
        ...

    def over(self, data, learned: Learned):
        """Returns the data set whose examples are the tokens of those of `data`: a Dataset."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """A tokenizer and what it learned. Compared and hashed by identity, because what a tokenizer learned is arrays."""

    tokenizer: Any
    learned: Learned

    def encode(self, x):
        """Turns examples [B, *shape] into tokens [B, *token_shape]."""
        return self.tokenizer.encode(self.learned, x)

    def decode(self, tokens):
        """Turns tokens [B, *token_shape] into examples [B, *shape]."""
        return self.tokenizer.decode(self.learned, tokens)


def check_learned(title: str, learned: Learned, expected: Mapping[str, Any]) -> None:
    """Raises InputError unless `learned` are finite arrays of the names, shapes and dtypes of `expected`.

    title: of the tokenizer. expected: anything with a shape and a dtype by name, as jax.ShapeDtypeStruct.
    """
    for name in sorted(expected.keys() ^ learned.keys()):
        found = "has" if name in learned else "lacks"
        raise InputError(f"what was learned {found} {name!r}, unlike a {title}; give what such a tokenizer learned")
    for name, like in expected.items():
        array = np.asarray(learned[name])
        if (array.shape, array.dtype) != (like.shape, like.dtype):
            raise InputError(
                f"learned {name!r} is {array.dtype} {array.shape}, not {like.dtype} {like.shape} as in a {title}; "
                "give what such a tokenizer learned"
            )
        if not np.isfinite(array).all():
            raise InputError(f"learned {name!r} has values that are not finite; train the tokenizer again")


def check_range(kind: str, x, count: int) -> None:
    """Raises InputError if there is anything outside 0..count-1, as far as that can be seen: not inside of jit."""
    if isinstance(x, jax.core.Tracer) or not np.size(x):
        return
    x = np.asarray(x)
    low, high = x.min(), x.max()
    if low < 0 or high >= count:
        raise InputError(f"{kind} {low if low < 0 else high} is not in 0..{count - 1}; give {kind}s of this tokenizer")
