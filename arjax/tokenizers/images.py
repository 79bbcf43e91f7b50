"""A data set of images as a data set of their tokens."""

import dataclasses
from typing import Any, ClassVar

import jax
import numpy as np

from arjax.data.contents import pack_array
from arjax.data.dataset import DataCapabilities
from arjax.data.media import Images
from arjax.data.medium import no_original, refuse_text, unpack_symbols_alone
from arjax.data.splits import Split, Splits
from arjax.data.values import Levels
from arjax.errors import InputError
from arjax.tokenizers.tokenizer import Fitted, Learned, Tokenizer

# Examples encoded or decoded at once: enough to keep a machine busy, and few enough for its memory.
PART = 500


@dataclasses.dataclass(frozen=True)
class ImageTokens:
    """The Medium of tokens that stand for images, and are shown as these.

    like: the medium of the images. scaled: are they real values in [0, 1]? They are shown as 256 levels then.
    """

    like: Any
    fitted: Fitted
    scaled: bool

    unit: ClassVar[str] = "token"
    noun = property(lambda self: self.like.noun)
    stream = property(lambda self: self.like.stream)
    lossless = property(lambda self: self.fitted.tokenizer.lossless)
    flags = property(lambda self: self.like.flags & {"mask", "image", "png"})
    at_once = property(lambda self: self.like.at_once)

    def exhibit(self, x, title="", captions=()):
        return self._shown_by.exhibit(self._levels(x), title, captions)

    def completed(self, x, hidden, drawn, inside, *, title="", captions=(), blank="_"):
        x, every = self._levels(x), self._levels(drawn.reshape(-1, *x.shape[1:]))
        drawn = every.reshape(*drawn.shape[:2], *every.shape[1:])
        return self._shown_by.completed(x, hidden, drawn, inside, title=title, captions=captions, blank=blank)

    encode, original_bytes, unpack = refuse_text, no_original, unpack_symbols_alone
    pack = staticmethod(pack_array)

    def original(self, x):
        return in_parts(self.fitted.decode, np.asarray(x))

    @property
    def _shown_by(self):
        return Images(256) if self.scaled else self.like

    def _levels(self, x) -> np.ndarray:
        original = self.original(x)
        return np.round(255 * np.clip(original, 0, 1)).astype(int) if self.scaled else original


@dataclasses.dataclass(frozen=True, eq=False)
class TokenizedImages:
    """The Dataset of the tokens of the images of `data`, with their labels. Compared by identity: what was learned is arrays."""

    data: Any
    tokenizer: Tokenizer
    learned: Learned

    root = property(lambda self: self.data.root)
    classes = property(lambda self: DataCapabilities.of(self.data).classes)
    values = property(lambda self: Levels(self.tokenizer.vocab))

    @property
    def medium(self) -> ImageTokens:
        return ImageTokens(self.data.medium, Fitted(self.tokenizer, self.learned), self.data.values.vocab is None)

    @property
    def title(self) -> str:
        return f"{self.data.title}, {self.tokenizer.title}"

    def load(self) -> Splits:
        """Returns the splits of `data`, encoded. InputError for features and counted sites: they belong to pixels, not tokens."""
        splits = self.data.load()
        extra = [name for name, part in splits.train._asdict().items() if part is not None and name not in ("x", "label")]
        if extra:
            raise InputError(
                f"{self.data.title} has {' and '.join(extra)} beside its images, which tokens cannot keep; leave it out"
            )
        self.tokenizer.token_shape(self._examples(splits.train.x[:1]).shape[1:])
        dtype = np.min_scalar_type(self.tokenizer.vocab - 1)

        def encoded(split):
            return Split(in_parts(self._encode, split.x).astype(dtype), split.label)

        valid = encoded(splits.valid)
        # Where they are one, it is encoded once.
        one = np.may_share_memory(splits.valid.x, splits.test.x)
        return Splits(encoded(splits.train), valid, valid if one else encoded(splits.test))

    def distortion(self) -> float:
        """Returns the mean squared error of the test split's images in [0, 1], encoded and decoded; or of what is there instead
        of images."""
        vocab = self.data.values.vocab
        highest = 1 if vocab is None else max(vocab - 1, 1)

        def errors(part):
            decoded = self.tokenizer.decode(self.learned, self._encode(part))
            return np.square(self._examples(part) - np.asarray(decoded), dtype=np.float64)

        return float(in_parts(errors, self.data.load().test.x).mean()) / highest**2

    def _examples(self, x) -> np.ndarray:
        """Raw values [B, ...] as the tokenizer is given them."""
        return np.asarray(self.data.values(jax.random.key(0), x))

    def _encode(self, x) -> np.ndarray:
        return np.asarray(self.tokenizer.encode(self.learned, self._examples(x)))


def over_images(self, data, learned: Learned) -> TokenizedImages:
    """Stands for Tokenizer.over of a tokenizer of images."""
    return TokenizedImages(data, self, learned)


def in_parts(function, x):
    """Returns function(x), of a NumPy array computed for PART examples at a time; the last part is filled up with its last
    example, so that one program does them all."""
    if not isinstance(x, np.ndarray):
        return function(x)
    parts = []
    for start in range(0, max(len(x), 1), PART):
        part = x[start : start + PART]
        missing = PART - len(part) if len(x) > PART else 0
        filled = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
        parts.append(np.asarray(function(filled))[: len(part)])
    return np.concatenate(parts)
