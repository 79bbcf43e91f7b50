"""The tokens of a text as a data set: its three parts encoded, and cut into windows of so many tokens."""

import dataclasses
import functools
from typing import Any, ClassVar

import numpy as np

from arjax.data.characters import read_utf8, show_utf8, without_mark
from arjax.data.contents import pack_symbols, unpack_symbols
from arjax.data.dataset import DataCapabilities
from arjax.data.exhibit import Exhibit, completed_texts
from arjax.data.medium import MediumCapabilities, bytes_of, no_original, until
from arjax.data.splits import Splits, each
from arjax.data.text import cut_windows, title_of
from arjax.data.values import Levels
from arjax.tokenizers.tokenizer import Fitted, Learned, Tokenizer


@dataclasses.dataclass(frozen=True)
class TextTokens:
    """The Medium of tokens of text, shown and read as UTF-8.

    fitted: a tokenizer of bytes, and what it learned.
    end: the token that ends a text, if there is one. A shown text ends before it.
    """

    fitted: Fitted
    end: int | None = None

    noun: ClassVar[str] = "texts"
    unit: ClassVar[str] = "token"
    stream: ClassVar[bool] = True
    flags: ClassVar[frozenset[str]] = frozenset({"mask"})
    at_once: ClassVar[tuple[int, int]] = (3, 3)
    lossless = property(lambda self: self.fitted.tokenizer.lossless)
    original = no_original

    def exhibit(self, x, title="", captions=()):
        return Exhibit(texts=tuple(map(self._text, np.asarray(x))))

    def completed(self, x, hidden, drawn, inside, *, title="", captions=(), blank="_"):
        return Exhibit(texts=completed_texts(self._text, x, hidden, drawn, inside, blank))

    def encode(self, text):
        return self.fitted.encode(read_utf8(without_mark(text)))

    def spelling(self):
        spelled = self.fitted.tokenizer.spelling(self.fitted.learned)
        return tuple(None if token == self.end else content for token, content in enumerate(spelled))

    def original_bytes(self, x):
        sizes = self.fitted.tokenizer.bytes_per_symbol(self.fitted.learned)
        return bytes_of(sizes if self.end is None else np.where(np.arange(len(sizes)) == self.end, 0, sizes), x)

    def pack(self, name, content, model):
        return pack_symbols(self.fitted.encode(np.frombuffer(content, np.uint8)), model)

    def unpack(self, name, packed, model):
        return self.fitted.decode(unpack_symbols(packed)).tobytes()

    def tokenizer_json(self):
        return self.fitted.tokenizer.tokenizer_json(self.fitted.learned)

    def _text(self, tokens) -> str:
        return show_utf8(self.fitted.decode(until(tokens, self.end))[None])[0]


@dataclasses.dataclass(frozen=True, eq=False)
class TokenizedText:
    """The Dataset of the text `data`, a TextDataset, in windows of data.length tokens.

    tokenizer: one of bytes. Compared and hashed by identity, because what a tokenizer learned is arrays.
    """

    data: Any
    tokenizer: Tokenizer
    learned: Learned

    root = property(lambda self: self.data.root)
    classes = property(lambda self: DataCapabilities.of(self.data).classes)
    values = property(lambda self: Levels(self.tokenizer.vocab))
    title = property(lambda self: title_of(self.data, self.tokenizer.title))

    @property
    def medium(self) -> TextTokens:
        end = self.tokenizer.end(self.learned) if MediumCapabilities.of(self.data.medium).ends else None
        return TextTokens(Fitted(self.tokenizer, self.learned), end)

    def load(self) -> Splits:
        if DataCapabilities.of(self.data).tokens:
            return self.data.load()
        tokens = each(functools.partial(self.tokenizer.encode, self.learned), self.data.texts())
        return cut_windows(self.data, tokens, self.medium.end, "tokens")
