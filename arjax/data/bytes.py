"""Any file as a sequence of bytes, cut by place into training, validation and test parts (see stream.py)."""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from arjax.data.splits import Splits
from arjax.data.stream import Parts, check_windows, cut, read_file, title, windows
from arjax.data.values import Levels


@dataclasses.dataclass(frozen=True)
class Bytes:
    """The file `path`, which may be relative to the data root, in windows of `length` bytes: 256 symbols, whatever it holds.

    valid, test: the fractions of the file at its end that are held out, in this order; with test=0 the validation part serves as
    the test as well. Text is shown and read as UTF-8.
    """

    path: str
    length: int = 128
    valid: float = 0.05
    test: float = 0.05
    root: str | None = dataclasses.field(default=None, compare=False)

    values: ClassVar[Any] = Levels(256)
    unit: ClassVar[str] = "byte"
    stream: ClassVar[bool] = True

    def __post_init__(self):
        check_windows(self.length, self.valid, self.test)

    @property
    def name(self) -> str:
        return Path(self.path).name

    @property
    def title(self) -> str:
        return title(self.name, "bytes", self.length, self.valid, self.test)

    @property
    def bytes_per_symbol(self) -> np.ndarray:
        return np.ones(256, int)

    def load(self) -> Splits:
        where, parts = self._parts()
        return windows(parts, self.length, where, "bytes")

    def texts(self) -> Parts:
        """The parts as they lie in the file, uint8."""
        return self._parts()[1]

    def _parts(self) -> tuple[str, Parts]:
        where, content = read_file(self.path, self.root)
        return where, cut(np.frombuffer(content, np.uint8), self.valid, self.test)

    def show(self, x) -> list[str]:
        """Symbols [B, length] -> B strings; what is no UTF-8 becomes U+FFFD."""
        return show_utf8(x)

    def read(self, text: str) -> np.ndarray:
        """A string -> its bytes [length] in UTF-8. What a command line could not decode are the bytes that were typed."""
        return read_utf8(text)

    def pack(self, content: bytes) -> tuple[np.ndarray, bytes]:
        """Any bytes -> (symbols [n], nothing else)."""
        return np.frombuffer(content, np.uint8), b""

    def unpack(self, symbols: np.ndarray, rest: bytes) -> bytes:
        """What was packed."""
        return symbols.astype(np.uint8).tobytes()


def show_utf8(x) -> list[str]:
    """Bytes [B, length] -> B strings; what is no UTF-8 becomes U+FFFD."""
    return [row.astype(np.uint8).tobytes().decode(errors="replace") for row in np.asarray(x)]


def read_utf8(text: str) -> np.ndarray:
    """A string -> its bytes, uint8 [length], in UTF-8; surrogates, which stand for what Python could not decode, are the bytes
    that were there."""
    return np.frombuffer(text.encode(errors="surrogateescape"), np.uint8)
