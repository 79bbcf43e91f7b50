"""Text as sequences of characters: any UTF-8 file, cut by place into training, validation and test parts.

A symbol is the place of a character in an alphabet. Training sees every window of `length` characters that the training part
holds; held-out parts are cut into windows that follow each other, so that every character is scored once (less than a window at
the end of a part is left out). A window's first characters are scored without what stood before them: -log p is exact for a
model that takes windows as independent, and an upper bound on what the same model needs given the whole context, as far as
context helps it. Longer windows make it tighter.
"""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from arjax.data.sources import Source, data_root, one_line, read
from arjax.data.splits import Split, Splits, check_fractions, cut_points
from arjax.data.values import Levels


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
            raise ValueError(f"alphabet={self.alphabet!r} must name at least one character, each once; see arjax.data.alphabet")
        _check_windows(self.length, self.valid, self.test)

    @property
    def values(self) -> Any:
        return Levels(len(self.alphabet))

    @property
    def title(self) -> str:
        return _title(Path(self.path).name, self.alphabet, self.length, self.valid, self.test)

    def load(self) -> Splits:
        where, text = _read_text(self.path, self.root)
        return windows(encode(text, self.alphabet, where), self.length, self.valid, self.test, where)

    def show(self, x) -> list[str]:
        """Symbols [B, length] -> B strings."""
        return decode(x, self.alphabet)


@dataclasses.dataclass(frozen=True)
class TinyShakespeare:
    """A million characters of Shakespeare's plays (Karpathy 2015): the first 90 % for training, the last 10 % for validation.

    The text has been cut in these two parts only wherever results on it were published, so the test split is the validation part
    again, and what is reported on it was also chosen on it.
    """

    length: int = 128
    root: str | None = dataclasses.field(default=None, compare=False)

    alphabet: ClassVar[str] = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    values: ClassVar[Any] = Levels(65)
    unit: ClassVar[str] = "char"
    stream: ClassVar[bool] = True

    def __post_init__(self):
        _check_windows(self.length, 0.1, 0.0)

    @property
    def title(self) -> str:
        return _title("tinyshakespeare", self.alphabet, self.length, 0.1, 0.0)

    def load(self) -> Splits:
        text = read(TINY_SHAKESPEARE, self.root).decode()
        return windows(encode(text, self.alphabet, "tinyshakespeare"), self.length, 0.1, 0.0, "tinyshakespeare")

    def show(self, x) -> list[str]:
        """Symbols [B, length] -> B strings."""
        return decode(x, self.alphabet)


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
    """The place of each character in `alphabet`, [len(text)] of the smallest unsigned integers that hold it. ValueError naming
    the characters that the alphabet lacks."""
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    known = np.frombuffer(alphabet.encode("utf-32-le"), np.uint32)
    table = np.full(max(points.max(initial=0), known.max()) + 1, -1, np.int32)
    table[known] = np.arange(len(known))
    codes = table[points]
    if (codes < 0).any():
        first = int(np.argmax(codes < 0))
        lacking = sorted({chr(point) for point in np.unique(points[codes < 0])})
        named = ", ".join(map(repr, lacking[:8])) + (f" and {len(lacking) - 8} more" if len(lacking) > 8 else "")
        raise ValueError(
            f"{where} has {named}, first at character {first}, which the alphabet of {len(alphabet)} lacks; "
            "add what is lacking to the alphabet, or replace it in the text"
        )
    return codes.astype(np.min_scalar_type(len(known) - 1))


def decode(x, alphabet: str) -> list[str]:
    """Symbols [B, length] -> B strings."""
    return ["".join(alphabet[i] for i in row) for row in np.asarray(x)]


def windows(codes: np.ndarray, length: int, valid: float, test: float, where: str) -> Splits:
    """[N] -> train [windows, length], a view of `codes` that copies nothing; valid and test [windows, length].

    ValueError if a part is shorter than one window.
    """
    first, second = cut_points(len(codes), valid, test)
    parts = {"training": codes[:first], "validation": codes[first:second], "test": codes[second:] if test else codes[first:]}
    for name, part in parts.items():
        if len(part) < length:
            raise ValueError(
                f"{where}: its {name} part has {len(part)} characters, less than one window of length={length}; choose a shorter "
                "length or a longer text"
            )
    held_out = (Split(part[: len(part) // length * length].reshape(-1, length)) for part in (parts["validation"], parts["test"]))
    # What comes out of `encode` needs no check of its values, which would visit every character once for each window it is in.
    return Splits(Split(np.lib.stride_tricks.sliding_window_view(parts["training"], length)), *held_out)


def _check_windows(length, valid, test):
    if length < 1:
        raise ValueError(f"length={length} must be at least one character; choose a positive number")
    check_fractions(valid, test)


def _title(name, alphabet, length, valid, test):
    last = f"test the last {test:.4g}" if test else "test = valid"
    held_out = f"then valid {valid:.4g}, {last}" if test else f"valid the last {valid:.4g}, {last}"
    return (
        f"{name}, {len(alphabet)} characters, windows of {length}; train the first {1 - valid - test:.4g} of the text, {held_out}"
    )


def _read_text(path, root) -> tuple[str, str]:
    """(the file's name for messages, its text). Line ends stay as they are."""
    file = Path(path).expanduser()
    if not file.exists():
        file = data_root(root) / file  # an absolute path stays as it is
    if not file.exists():
        raise ValueError(f"there is no file {path}, neither as given nor in {data_root(root)}; check the path")
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}; convert it") from error
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({one_line(error)}); give a text file") from error
    if not text:
        raise ValueError(f"{file} is empty; give a text with at least one window of characters in each part")
    return str(file), text
