"""Text as rows of symbols, characters or bytes, in three splits that are cut into windows.

A stream is split by place. Training sees every window of `length` symbols in the training split; held-out splits are cut into
consecutive windows, so that every symbol is scored once (less than a window at the end of a split is left out).

Documents end with a symbol of their own, and no window runs from one document into the next. A window begins where a document
begins or where the window before it ends. The last window of a longer document is moved back to end where the document ends, and
counts only symbols that were not counted yet. A shorter document is padded, and padding never counts. So every symbol of every
split is counted once. If the training split is a single document, training sees every window of it, as of a stream.

A window's first symbols are scored without the text before them: -log p is exact for a model that takes windows as independent,
and an upper bound on -log p given the whole context, as far as context helps the model. Longer windows make it tighter.
"""

import dataclasses
from typing import Any, ClassVar, Protocol

import numpy as np

from arjax.data.characters import decoded, encode, read_utf8
from arjax.data.dataset import Dataset
from arjax.data.media import Text
from arjax.data.sources import Source, read
from arjax.data.splits import Parts, Split, Splits, cut, each
from arjax.data.values import Levels
from arjax.data.windows import tile
from arjax.errors import InputError

# An epoch's order takes 8 bytes for each window. In a longer split, windows begin some symbols apart.
_MOST_WINDOWS = 2**23


class TextDataset(Dataset, Protocol):
    """Text that can be given to a tokenizer of text: a data set whose medium is a `Text`."""

    name: str
    length: int
    """Of a window, in symbols; of tokens, so many of these."""
    across: bool
    """Is the text one stream? Else windows keep to documents."""
    division: str
    """In words, how the parts were told apart."""

    def texts(self) -> Parts:
        """Returns the three parts, divided as those of the splits are, as UTF-8, uint8 [bytes]; of a medium that `ends`, uint16,
        where 256 ends each document."""
        ...


def cut_windows(data: TextDataset, parts: Parts, end: int | None, symbols: str) -> Splits:
    """Cuts the splits of a data set, rows [N] of symbols, into windows [windows, length]. InputError if a split is too short.

    end: the symbol that ends a document.
    symbols: names the symbols in messages.
    """
    if data.across or end is None:
        return windows(parts, data.length, data.name, symbols)
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        if not len(part):
            raise InputError(
                f"{data.name}: its {name} split is empty; give more text, or hold out more or less by "
                "--data.valid and --data.test"
            )
    train, held_out = _of_documents(parts.train, data.length, end, True), _of_documents(parts.valid, data.length, end)
    return Splits(train, held_out, held_out if parts.test is parts.valid else _of_documents(parts.test, data.length, end))


def _of_documents(part, length, end, train=False) -> Split:
    documents = np.split(part, np.flatnonzero(part[:-1] == end) + 1)
    if train and len(documents) == 1 and len(part) >= length:
        x = _every_window(part, length)
        return Split(x, counted=np.broadcast_to(np.True_, x.shape))
    tiled = tile(documents, length, 0)
    return Split(tiled.x, counted=tiled.counted)


def windows(parts: Parts, length: int, where: str, symbols: str) -> Splits:
    """Cuts streams [N] into windows [windows, length], all of them views. InputError if a split is shorter than one window.

    where: names the file in messages.
    symbols: names its symbols in messages.
    """
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        if len(part) < length:
            raise InputError(
                f"{where}: its {name} split has {len(part)} {symbols}, less than one window of length={length}; choose a shorter "
                "length or a longer file"
            )
    held_out = (Split(part[: len(part) // length * length].reshape(-1, length)) for part in (parts.valid, parts.test))
    return Splits(Split(_every_window(parts.train, length)), *held_out)


def _every_window(part, length) -> np.ndarray:
    # Divisors of the length, so that no symbol is in more windows than another.
    steps = [step for step in range(1, length + 1) if length % step == 0]
    every = next((step for step in steps if len(part) // step <= _MOST_WINDOWS), length)
    return np.lib.stride_tricks.sliding_window_view(part, length)[::every]


def check_length(length: int) -> None:
    """Raises InputError unless windows hold a symbol."""
    if length < 1:
        raise InputError(f"length={length} must be at least one symbol; choose a positive number")


def title_of(data: TextDataset, symbols: str) -> str:
    """Returns data set, symbols and split in one line."""
    return f"{data.name}, {symbols}, windows of {data.length}; {data.division}"


@dataclasses.dataclass(frozen=True)
class TinyShakespeare:
    """A million characters of Shakespeare's plays (Karpathy 2015): the first 90 % for training, the last 10 % for validation.

    Published results split this text in two only. So the test split is the validation split, on which the reported step was also
    chosen.
    """

    length: int = 128
    """Characters in a window."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder of the file, if not $ARJAX_DATA or ~/.cache/arjax."""

    across: ClassVar[bool] = True
    alphabet: ClassVar[str] = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    name: ClassVar[str] = "tinyshakespeare"
    division: ClassVar[str] = "train the first 0.9 of it, valid the last 0.1, test = valid"
    values: ClassVar[Any] = Levels(65)
    medium: ClassVar[Any] = Text(alphabet)
    title = property(lambda self: title_of(self, "65 characters"))

    def __post_init__(self):
        check_length(self.length)

    def load(self) -> Splits:
        codes = each(lambda text: encode(text, self.alphabet, self.name), self._parts())
        return windows(codes, self.length, self.name, "characters")

    def texts(self) -> Parts:
        return each(read_utf8, self._parts())

    def _parts(self) -> Parts:
        return cut(decoded(read(TINY_SHAKESPEARE, self.root), self.name), valid=0.1, test=0)


@dataclasses.dataclass(frozen=True)
class WikipediaSample:
    """A sample of the English Wikipedia in windows of `length` bytes: 6,089,746 of them, 206 pages of MediaWiki XML.

    It is the kind of text that enwik8 is, out of a later dump and a sixteenth of its size. It is NOT enwik8: bits per byte on it
    are not comparable with those published for enwik8 or text8. The first 90 % are for training, the next 5 % for validation, the
    last 5 % for testing, the proportions that are customary for enwik8. Shown and read as UTF-8.
    """

    length: int = 128
    """Bytes in a window."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder of the file, if not $ARJAX_DATA or ~/.cache/arjax."""

    across: ClassVar[bool] = True
    name: ClassVar[str] = "English Wikipedia sample (not enwik8)"
    division: ClassVar[str] = "train the first 0.9 of it, then valid 0.05, test the last 0.05"
    values: ClassVar[Any] = Levels(256)
    medium: ClassVar[Any] = Text()
    title = property(lambda self: title_of(self, "bytes"))

    def __post_init__(self):
        check_length(self.length)

    def load(self) -> Splits:
        return windows(self.texts(), self.length, self.name, "bytes")

    def texts(self) -> Parts:
        return cut(np.frombuffer(read(ENWIKI_SAMPLE, self.root), np.uint8), valid=0.05, test=0.05)


TINY_SHAKESPEARE = Source(
    "tinyshakespeare.txt",
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    "https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
)

ENWIKI_SAMPLE = Source(
    "enwiki_sample.xml.bz2",
    "34c1c63050c87cc8477b9ae36b1cb0edf372612c92938b742e579a7109c20fa4",
    "https://raw.githubusercontent.com/piskvorky/gensim/37f90ec121eb7cd401448a947e80953e0c53ccdc/gensim/test/test_data/"
    "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2",
)
