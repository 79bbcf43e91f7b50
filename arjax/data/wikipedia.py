"""A sample of the English Wikipedia as bytes: 6,089,746 of them, 206 pages of MediaWiki XML.

It is the kind of text that enwik8 is, out of a later dump and a sixteenth of its size. It is NOT enwik8: bits per byte on it are
not comparable with those published for enwik8 or text8.
"""

import dataclasses
from typing import Any, ClassVar

import numpy as np

from arjax.data.bytes import read_utf8, show_utf8
from arjax.data.sources import Source, read
from arjax.data.splits import Splits
from arjax.data.stream import Parts, check_windows, cut, title, windows
from arjax.data.values import Levels


@dataclasses.dataclass(frozen=True)
class WikipediaSample:
    """Windows of `length` bytes: the first 90 % for training, the next 5 % for validation, the last 5 % for testing, the
    proportions that are customary for enwik8. Shown and read as UTF-8."""

    length: int = 128
    root: str | None = dataclasses.field(default=None, compare=False)

    name: ClassVar[str] = "English Wikipedia sample (not enwik8)"
    valid: ClassVar[float] = 0.05
    test: ClassVar[float] = 0.05
    values: ClassVar[Any] = Levels(256)
    unit: ClassVar[str] = "byte"
    stream: ClassVar[bool] = True

    def __post_init__(self):
        check_windows(self.length, self.valid, self.test)

    @property
    def title(self) -> str:
        return title(self.name, "bytes", self.length, self.valid, self.test)

    @property
    def bytes_per_symbol(self) -> np.ndarray:
        return np.ones(256, int)

    def load(self) -> Splits:
        return windows(self.texts(), self.length, self.name, "bytes")

    def texts(self) -> Parts:
        """The parts, uint8. Cut at bytes: a part may start within a character."""
        return cut(np.frombuffer(read(ENWIKI_SAMPLE, self.root), np.uint8), self.valid, self.test)

    def show(self, x) -> list[str]:
        """Symbols [B, length] -> B strings; what is no UTF-8 becomes U+FFFD."""
        return show_utf8(x)

    def read(self, text: str) -> np.ndarray:
        """A string -> its bytes [length] in UTF-8. What a command line could not decode are the bytes that were typed."""
        return read_utf8(text)


ENWIKI_SAMPLE = Source(
    "enwiki_sample.xml.bz2",
    "34c1c63050c87cc8477b9ae36b1cb0edf372612c92938b742e579a7109c20fa4",
    "https://raw.githubusercontent.com/piskvorky/gensim/37f90ec121eb7cd401448a947e80953e0c53ccdc/gensim/test/test_data/"
    "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2",
)
