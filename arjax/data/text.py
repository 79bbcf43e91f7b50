"""Text as one stream of symbols, characters or bytes, cut by place into training, validation and test parts, and these into
windows.

Training sees every window of `length` symbols that the training part holds; held-out parts are cut into windows that follow each
other, so that every symbol is scored once (less than a window at the end of a part is left out). A window's first symbols are
scored without what stood before them: -log p is exact for a model that takes windows as independent, and an upper bound on what
the same model needs given the whole context, as far as context helps it. Longer windows make it tighter.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from arjax.data.characters import decode, encode, pack_text, read_utf8, show_utf8, unpack_text, utf8, utf8_lengths
from arjax.data.media import Text
from arjax.data.sources import Source, read, read_file
from arjax.data.splits import Dataset, Split, Splits, check_fractions, cut_points
from arjax.data.values import Levels
from arjax.errors import InputError


class Parts(NamedTuple):
    """The parts of one stream, each a sequence: 1-D arrays, or strings. `test` is `valid`, the same object, where no test part is
    held out."""

    train: Any
    valid: Any
    test: Any


class TextDataset(Dataset, Protocol):
    """Text that is one stream, and so can be given to a tokenizer of text: a data set whose medium is `Text`."""

    name: str
    length: int
    """Of a window, in symbols; of tokens, so many of these."""
    valid: float
    test: float
    """The fractions held out, which a title says."""

    def texts(self) -> Parts:
        """Returns the three parts, cut where those of the splits are, as UTF-8, uint8 [bytes]."""
        ...


def cut(codes, valid: float, test: float) -> Parts:
    """A sequence of N symbols -> its three parts, views of it where it is an array."""
    first, second = cut_points(len(codes), valid, test)
    held_out = codes[first:second]
    return Parts(codes[:first], held_out, codes[second:] if test else held_out)


def each(function: Callable, parts: Parts) -> Parts:
    """What the function makes of each part; once, and shared, where the test part is the validation part."""
    train, valid = function(parts.train), function(parts.valid)
    return Parts(train, valid, valid if parts.test is parts.valid else function(parts.test))


def windows(parts: Parts, length: int, where: str, symbols: str) -> Splits:
    """Arrays [N] -> train [windows, length], a view that copies nothing; valid and test [windows, length], views too.

    InputError if a part is shorter than one window; `where` names the file and `symbols` what it consists of in the message.
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


def check_windows(length: int, valid: float, test: float) -> None:
    """InputError unless windows of this length and these fractions can be."""
    if length < 1:
        raise InputError(f"length={length} must be at least one symbol; choose a positive number")
    check_fractions(valid, test)


def title(name: str, symbols: str, length: int, valid: float, test: float) -> str:
    """Data set, symbols and split in one line."""
    last = f"test the last {test:.4g}" if test else "test = valid"
    held_out = f"then valid {valid:.4g}, {last}" if test else f"valid the last {valid:.4g}, {last}"
    return f"{name}, {symbols}, windows of {length}; train the first {1 - valid - test:.4g} of it, {held_out}"


@dataclasses.dataclass(frozen=True)
class Characters:
    """The text file `path`, which may be relative to the data root, in windows of `length` characters.

    alphabet: the symbols, a string without repetitions; `alphabet(path)` reads it off the training part. It is a part of the
    experiment, so that samples of a run can be shown where its data are not. valid, test: the fractions of the text at its end
    that are held out, in this order; with test=0 the validation part serves as the test as well.
    """

    path: str
    alphabet: str
    length: int = 128
    valid: float = 0.05
    test: float = 0.05
    root: str | None = dataclasses.field(default=None, compare=False)

    unit: ClassVar[str] = "char"
    stream: ClassVar[bool] = True

    def __post_init__(self):
        if not self.alphabet or len(set(self.alphabet)) < len(self.alphabet):
            raise InputError(f"alphabet={self.alphabet!r} must name at least one character, each once; see arjax.data.alphabet")
        if any("\ud800" <= character <= "\udfff" for character in self.alphabet):
            raise InputError(
                f"alphabet={self.alphabet!r} names half of a character, a surrogate, which no text has; leave it out"
            )
        check_windows(self.length, self.valid, self.test)

    @property
    def values(self) -> Any:
        return Levels(len(self.alphabet))

    @property
    def medium(self) -> Text:
        return Text(self.alphabet)

    @property
    def name(self) -> str:
        return Path(self.path).name

    @property
    def title(self) -> str:
        return title(self.name, f"{len(self.alphabet)} characters", self.length, self.valid, self.test)

    @property
    def bytes_per_symbol(self) -> np.ndarray:
        return utf8_lengths(self.alphabet)

    def load(self) -> Splits:
        where, text = _read_text(self.path, self.root)
        return windows(cut(encode(text, self.alphabet, where), self.valid, self.test), self.length, where, "characters")

    def texts(self) -> Parts:
        """The same parts as UTF-8, uint8, whether or not the alphabet has their characters."""
        _, text = _read_text(self.path, self.root)
        return each(utf8, cut(text, self.valid, self.test))

    def show(self, x) -> list[str]:
        """Symbols [B, length] -> B strings."""
        return decode(x, self.alphabet)

    def read(self, text: str) -> np.ndarray:
        """A string -> its symbols [length]. InputError naming the characters that the alphabet lacks."""
        return encode(text, self.alphabet, "the text")

    def pack(self, content: bytes) -> tuple[np.ndarray, bytes]:
        """Any bytes -> (symbols [n], what these cannot say), see `pack_text`."""
        return pack_text(content, self.alphabet)

    def unpack(self, symbols: np.ndarray, rest: bytes) -> bytes:
        """What was packed. InputError if it cannot have been."""
        return unpack_text(symbols, rest, self.alphabet)


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
    unit: ClassVar[str] = "char"
    stream: ClassVar[bool] = True

    def __post_init__(self):
        check_windows(self.length, self.valid, self.test)

    @property
    def title(self) -> str:
        return title(self.name, f"{len(self.alphabet)} characters", self.length, self.valid, self.test)

    @property
    def bytes_per_symbol(self) -> np.ndarray:
        return utf8_lengths(self.alphabet)

    def load(self) -> Splits:
        codes = encode(read(TINY_SHAKESPEARE, self.root).decode(), self.alphabet, self.name)
        return windows(cut(codes, self.valid, self.test), self.length, self.name, "characters")

    def texts(self) -> Parts:
        """The same parts as UTF-8, uint8."""
        return each(utf8, cut(read(TINY_SHAKESPEARE, self.root).decode(), self.valid, self.test))

    def show(self, x) -> list[str]:
        """Symbols [B, length] -> B strings."""
        return decode(x, self.alphabet)

    def read(self, text: str) -> np.ndarray:
        """A string -> its symbols [length]. InputError naming the characters that the alphabet lacks."""
        return encode(text, self.alphabet, "the text")

    def pack(self, content: bytes) -> tuple[np.ndarray, bytes]:
        """Any bytes -> (symbols [n], what these cannot say), see `pack_text`."""
        return pack_text(content, self.alphabet)

    def unpack(self, symbols: np.ndarray, rest: bytes) -> bytes:
        """What was packed. InputError if it cannot have been."""
        return unpack_text(symbols, rest, self.alphabet)


TINY_SHAKESPEARE = Source(
    "tinyshakespeare.txt",
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    "https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
)


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
    medium: ClassVar[Any] = Text()
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
    medium: ClassVar[Any] = Text()
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


def alphabet(path: str, valid: float = 0.05, test: float = 0.05, root: str | None = None) -> str:
    """The characters of the training part of the text file `path`, sorted. Arguments and errors as in `Characters`."""
    _, text = _read_text(path, root)
    return "".join(sorted(set(text[: cut_points(len(text), valid, test)[0]])))


def _read_text(path, root) -> tuple[str, str]:
    """(the file's name for messages, its text). Line ends stay as they are."""
    file, content = read_file(path, root)
    try:
        return file, content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}; convert it") from error
