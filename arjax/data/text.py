"""Text as one stream of symbols, characters or bytes, cut by place into training, validation and test parts, and these into
windows.

Training sees every window of `length` symbols that the training part holds; held-out parts are cut into windows that follow each
other, so that every symbol is scored once (less than a window at the end of a part is left out). A window's first symbols are
scored without what stood before them: -log p is exact for a model that takes windows as independent, and an upper bound on what
the same model needs given the whole context, as far as context helps it. Longer windows make it tighter.
"""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from arjax.data.characters import decoded, encode, read_utf8
from arjax.data.dataset import Dataset
from arjax.data.media import Text
from arjax.data.sources import Source, read, read_file
from arjax.data.splits import Parts, Split, Splits, check_fractions, cut, each
from arjax.data.values import Levels
from arjax.errors import InputError


class TextDataset(Dataset, Protocol):
    """Text that is one stream, and so can be given to a tokenizer of text: a data set whose medium has the flag "text", as `Text`
    has."""

    name: str
    length: int
    """Of a window, in symbols; of tokens, so many of these."""
    valid: float
    test: float
    """The fractions held out, which a title says."""

    def texts(self) -> Parts:
        """Returns the three parts, cut where those of the splits are, as UTF-8, uint8 [bytes]."""
        ...


def windows(parts: Parts, length: int, where: str, symbols: str) -> Splits:
    """Makes of arrays [N] windows [windows, length], all of them views. InputError if a part is shorter than one window.

    where: names the file in messages.
    symbols: names what it consists of in messages.
    """
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        if len(part) < length:
            raise InputError(
                f"{where}: its {name} part has {len(part)} {symbols}, less than one window of length={length}; choose a shorter "
                "length or a longer file"
            )
    held_out = (Split(part[: len(part) // length * length].reshape(-1, length)) for part in (parts.valid, parts.test))
    # Codes need no check of their values, which would visit every symbol once for each window it is in.
    return Splits(Split(np.lib.stride_tricks.sliding_window_view(parts.train, length)), *held_out)


def title_of(data: TextDataset, symbols: str) -> str:
    """Returns data set, symbols and split in one line."""
    last = f"test the last {data.test:.4g}" if data.test else "test = valid"
    held_out = f"then valid {data.valid:.4g}, {last}" if data.test else f"valid the last {data.valid:.4g}, {last}"
    train = f"train the first {1 - data.valid - data.test:.4g} of it"
    return f"{data.name}, {symbols}, windows of {data.length}; {train}, {held_out}"


def _check(data) -> None:
    if data.length < 1:
        raise InputError(f"length={data.length} must be at least one symbol; choose a positive number")
    check_fractions(data.valid, data.test)


def _title(data) -> str:
    alphabet = data.medium.alphabet
    return title_of(data, "bytes" if alphabet is None else f"{len(alphabet)} characters")


def _read(data) -> tuple[str, bytes]:
    """A user's own file: (its name for messages, its content)."""
    return read_file(data.path, data.root)


def _load(data) -> Splits:
    (where, content), alphabet = data._read(), data.medium.alphabet
    if alphabet is None:
        codes, symbols = np.frombuffer(content, np.uint8), "bytes"
    else:
        codes, symbols = encode(decoded(content, where), alphabet, where), "characters"
    return windows(cut(codes, data.valid, data.test), data.length, where, symbols)


def _texts(data) -> Parts:
    """Returns the same parts as UTF-8, uint8, whether or not the alphabet has their characters; bytes as they lie in the file,
    where a part may start within a character."""
    where, content = data._read()
    if data.medium.alphabet is None:
        return cut(np.frombuffer(content, np.uint8), data.valid, data.test)
    return each(read_utf8, cut(decoded(content, where), data.valid, data.test))


@dataclasses.dataclass(frozen=True)
class Characters:
    """The text file `path`, which may be relative to the data root, in windows of `length` characters. A byte-order mark at its
    start is left out.

    alphabet: the symbols, a string without repetitions; `alphabet(path)` reads it off the training part. It is a part of the
    experiment, so that samples of a run can be shown where its data are not.
    valid, test: the fractions of the text at its end that are held out, in this order; with test=0 the validation part serves as
    the test as well.
    """

    path: str
    alphabet: str
    length: int = 128
    valid: float = 0.05
    test: float = 0.05
    root: str | None = dataclasses.field(default=None, compare=False)

    name = property(lambda self: Path(self.path).name)
    title = property(_title)
    load, texts, _read = _load, _texts, _read

    def __post_init__(self):
        if not self.alphabet or len(set(self.alphabet)) < len(self.alphabet):
            raise InputError(f"alphabet={self.alphabet!r} must name at least one character, each once; see arjax.data.alphabet")
        if any("\ud800" <= character <= "\udfff" for character in self.alphabet):
            raise InputError(
                f"alphabet={self.alphabet!r} names half of a character, a surrogate, which no text has; leave it out"
            )
        _check(self)

    values = property(lambda self: Levels(len(self.alphabet)))
    medium = property(lambda self: Text(self.alphabet))


@dataclasses.dataclass(frozen=True)
class Bytes:
    """The file `path`, which may be relative to the data root, in windows of `length` bytes: 256 symbols, whatever it holds,
    also a byte-order mark.

    valid, test: as in `Characters`. Text is shown and read as UTF-8.
    """

    path: str
    length: int = 128
    valid: float = 0.05
    test: float = 0.05
    root: str | None = dataclasses.field(default=None, compare=False)

    values: ClassVar[Any] = Levels(256)
    medium: ClassVar[Any] = Text()
    name = property(lambda self: Path(self.path).name)
    title = property(_title)
    load, texts, _read = _load, _texts, _read
    __post_init__ = _check


@dataclasses.dataclass(frozen=True)
class TinyShakespeare:
    """A million characters of Shakespeare's plays (Karpathy 2015): the first 90 % for training, the last 10 % for validation.

    The text has been cut in these two parts only wherever results on it were published, so the test split is the validation part
    again, and what is reported on it was also chosen on it.
    """

    length: int = 128
    root: str | None = dataclasses.field(default=None, compare=False)

    alphabet: ClassVar[str] = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    name: ClassVar[str] = "tinyshakespeare"
    valid: ClassVar[float] = 0.1
    test: ClassVar[float] = 0.0
    values: ClassVar[Any] = Levels(65)
    medium: ClassVar[Any] = Text(alphabet)
    title = property(_title)
    load, texts = _load, _texts
    __post_init__ = _check

    def _read(self) -> tuple[str, bytes]:
        return self.name, read(TINY_SHAKESPEARE, self.root)


@dataclasses.dataclass(frozen=True)
class WikipediaSample:
    """A sample of the English Wikipedia in windows of `length` bytes: 6,089,746 of them, 206 pages of MediaWiki XML.

    It is the kind of text that enwik8 is, out of a later dump and a sixteenth of its size. It is NOT enwik8: bits per byte on it
    are not comparable with those published for enwik8 or text8. The first 90 % are for training, the next 5 % for validation, the
    last 5 % for testing, the proportions that are customary for enwik8. Shown and read as UTF-8.
    """

    length: int = 128
    root: str | None = dataclasses.field(default=None, compare=False)

    name: ClassVar[str] = "English Wikipedia sample (not enwik8)"
    valid: ClassVar[float] = 0.05
    test: ClassVar[float] = 0.05
    values: ClassVar[Any] = Levels(256)
    medium: ClassVar[Any] = Text()
    title = property(_title)
    load, texts = _load, _texts
    __post_init__ = _check

    def _read(self) -> tuple[str, bytes]:
        return self.name, read(ENWIKI_SAMPLE, self.root)


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


def alphabet(path: str, valid: float = 0.05, test: float = 0.05, root: str | None = None) -> str:
    """Returns the characters of the training part of the text file `path`, sorted. Arguments and errors as in `Characters`."""
    where, content = read_file(path, root)
    text = decoded(content, where)
    return "".join(sorted(set(cut(text, valid, test).train)))
