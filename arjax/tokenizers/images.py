"""A data set of images as a data set of their tokens."""

import dataclasses
from typing import Any, ClassVar

import jax
import numpy as np

from arjax.data.splits import Split, Splits
from arjax.data.values import Levels
from arjax.pictures import to_images
from arjax.tokenizers.tokenizer import Learned, Tokenizer

# Images encoded or decoded at once: the memory it takes has a bound, however many there are.
_CHUNK = 500


@dataclasses.dataclass(frozen=True, eq=False)
class TokenizedImages:
    """A Dataset: the tokens of the images of `data`, with their labels."""

    data: Any
    tokenizer: Tokenizer
    learned: Learned

    unit: ClassVar[str] = "token"

    @property
    def root(self):
        return self.data.root

    @property
    def values(self) -> Levels:
        return Levels(self.tokenizer.vocab)

    @property
    def title(self) -> str:
        return f"{self.data.title}, {self.tokenizer.title}"

    def load(self) -> Splits:
        """The splits of `data`, encoded. ValueError for features and counted sites, which belong to pixels, not tokens."""
        splits = self.data.load()
        extra = [name for name, part in splits.train._asdict().items() if part is not None and name not in ("x", "label")]
        if extra:
            raise ValueError(
                f"{self.data.title} has {' and '.join(extra)} beside its images, which tokens cannot keep; leave it out"
            )
        self.tokenizer.token_shape(self.examples(splits.train.x[:1]).shape[1:])
        dtype = np.min_scalar_type(self.tokenizer.vocab - 1)
        return Splits(*(Split(self.encode(split.x).astype(dtype), split.label) for split in splits))

    def examples(self, x) -> np.ndarray:
        """Raw values [B, ...] as the tokenizer is given them."""
        return np.asarray(self.data.values(jax.random.key(0), x))

    def encode(self, x) -> np.ndarray:
        """Raw images [B, ...] -> tokens, int32 [B, *token_shape]."""
        return _in_chunks(lambda part: self.tokenizer.encode(self.learned, self.examples(part)), x)

    def decode(self, tokens) -> np.ndarray:
        """Tokens [B, *token_shape] -> images as the data's values make them."""
        return _in_chunks(lambda part: self.tokenizer.decode(self.learned, part), tokens)

    def see(self, tokens) -> np.ndarray:
        """Tokens [B, *token_shape] -> images in [0, 1]."""
        return _in_unit_range(self.decode(np.asarray(tokens)), self.data.values.vocab)

    def distortion(self) -> float:
        """The mean squared error of the test split's images in [0, 1], encoded and decoded; or of what is there instead of
        images."""
        x = self.data.load().test.x
        total = 0.0
        for start in range(0, len(x), _CHUNK):
            images = self.examples(x[start : start + _CHUNK])
            decoded = self.tokenizer.decode(self.learned, self.tokenizer.encode(self.learned, images))
            total += float(np.square(images - np.asarray(decoded), dtype=np.float64).sum())
        vocab = self.data.values.vocab
        highest = 1 if vocab is None else max(vocab - 1, 1)
        return total / (len(x) * images[0].size * highest**2)


def _in_unit_range(images, vocab):
    """Symbols 0..vocab-1, or real values that are in [0, 1] already, as float32 in [0, 1]."""
    return np.clip(images, 0, 1) if vocab is None else to_images(images, vocab)


def _in_chunks(function, x) -> np.ndarray:
    parts = [np.asarray(function(x[start : start + _CHUNK])) for start in range(0, len(x), _CHUNK)]
    return np.concatenate(parts)
