"""What a tokenizer is: data to a shorter or simpler sequence of integers, and back.

A tokenizer is a frozen dataclass, as a net is; what it learned from data (merges, colours, a codebook) is not in it but goes in
and comes out as `learned`, a flat dict of arrays, as a net's parameters do. So it is plain data that a run directory keeps, and
the tokenizer of an image can be one part of a jitted program.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

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
        """The shape of the tokens of one example of this shape. InputError if it cannot encode such examples."""
        ...

    def fit(self, data) -> Learned:
        """What it learns from the training split of a data set, NumPy arrays; {} if nothing."""
        ...

    def check(self, learned: Learned) -> None:
        """ValueError, naming what is wrong, unless `learned` is what such a tokenizer learns."""
        ...

    def encode(self, learned: Learned, x):
        """Examples, as the data set's `values` make them, [B, *shape] -> tokens, int32 [B, *token_shape]."""
        ...

    def decode(self, learned: Learned, tokens):
        """Tokens [B, *token_shape] -> examples [B, *shape]."""
        ...

    def over(self, data, learned: Learned):
        """The data set whose examples are the tokens of those of `data`: a Dataset."""
        ...


class Fitted(NamedTuple):
    """A tokenizer and what it learned."""

    tokenizer: Any
    learned: Learned

    def encode(self, x):
        """Examples [B, *shape] -> tokens [B, *token_shape]."""
        return self.tokenizer.encode(self.learned, x)

    def decode(self, tokens):
        """Tokens [B, *token_shape] -> examples [B, *shape]."""
        return self.tokenizer.decode(self.learned, tokens)
