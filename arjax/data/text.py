"""Text as sequences of characters: any UTF-8 file, cut by place into training, validation and test parts (see stream.py).

A symbol is the place of a character in an alphabet.
"""

import dataclasses
import zlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from arjax.data.sources import Source, read
from arjax.data.splits import Splits, cut_points
from arjax.data.stream import Parts, check_windows, cut, each, read_file, title, windows
from arjax.data.values import Levels
from arjax.errors import InputError


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


def alphabet(path: str, valid: float = 0.05, test: float = 0.05, root: str | None = None) -> str:
    """The characters of the training part of the text file `path`, sorted. Arguments and errors as in `Characters`."""
    _, text = _read_text(path, root)
    return "".join(sorted(set(text[: cut_points(len(text), valid, test)[0]])))


def encode(text: str, alphabet: str, where: str) -> np.ndarray:
    """The place of each character in `alphabet`, [len(text)] of the smallest unsigned integers that hold it. InputError naming
    the characters that the alphabet lacks."""
    # What a command line could not decode comes as surrogates, which no alphabet has: they are named like other characters.
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    known = np.frombuffer(alphabet.encode("utf-32-le"), np.uint32)
    table = np.full(max(points.max(initial=0), known.max()) + 1, -1, np.int32)
    table[known] = np.arange(len(known))
    codes = table[points]
    if (codes < 0).any():
        first = int(np.argmax(codes < 0))
        lacking = sorted({chr(point) for point in np.unique(points[codes < 0])})
        named = ", ".join(map(repr, lacking[:8])) + (f" and {len(lacking) - 8} more" if len(lacking) > 8 else "")
        raise InputError(
            f"{where} has {named}, first at character {first}, which the alphabet of {len(alphabet)} lacks; "
            "add what is lacking to the alphabet, or replace it in the text"
        )
    return codes.astype(np.min_scalar_type(len(known) - 1))


def decode(x, alphabet: str) -> list[str]:
    """Symbols [B, length] -> B strings."""
    return ["".join(alphabet[i] for i in row) for row in np.asarray(x)]


def pack_text(content: bytes, alphabet: str) -> tuple[np.ndarray, bytes]:
    """Any bytes, read as UTF-8 -> (symbols [n], what the alphabet lacks: characters, and bytes that are no UTF-8, with their
    places). In the symbols a space stands for these, or where there is none the first symbol."""
    text = content.decode("utf-8", "surrogateescape")
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    known = np.frombuffer(alphabet.encode("utf-32-le"), "<u4")
    order = np.argsort(known)
    place = order[np.minimum(np.searchsorted(known, points, sorter=order), len(known) - 1)]
    places = np.flatnonzero(known[place] != points)
    place[places] = max(alphabet.find(" "), 0)
    gaps = np.diff(places, prepend=0).astype("<u4")
    return place, zlib.compress(gaps.tobytes() + points[places].tobytes(), 9) if len(places) else b""


def unpack_text(symbols: np.ndarray, rest: bytes, alphabet: str) -> bytes:
    """What `pack_text` was given. InputError if it cannot have been given anything."""
    points = np.frombuffer(alphabet.encode("utf-32-le"), "<u4")[symbols]
    if rest:
        try:
            found = np.frombuffer(zlib.decompressobj().decompress(rest, 8 * len(points)), "<u4")
            gaps, replaced = np.split(found, 2)
            points[np.cumsum(gaps, dtype=np.int64)] = replaced
        except (zlib.error, ValueError, IndexError) as error:
            raise InputError("what the alphabet lacks of the text cannot be read; restore the file") from error
    try:
        return points.tobytes().decode("utf-32-le", "surrogatepass").encode("utf-8", "surrogateescape")
    except UnicodeError as error:
        raise InputError("the text has characters that are none; restore the file") from error


def utf8(text: str) -> np.ndarray:
    """A string as its bytes, uint8 [N]."""
    return np.frombuffer(text.encode(), np.uint8)


def utf8_lengths(alphabet: str) -> np.ndarray:
    """How many bytes each character of an alphabet takes in UTF-8, [len(alphabet)]."""
    return np.array([len(character.encode()) for character in alphabet])


def _read_text(path, root) -> tuple[str, str]:
    """(the file's name for messages, its text). Line ends stay as they are."""
    file, content = read_file(path, root)
    try:
        return file, content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}; convert it") from error
