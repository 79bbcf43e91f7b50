"""Files of tokens that were made elsewhere, such as nanoGPT's train.bin and val.bin: a sequence of numbers of one size.

They are mapped into memory and never loaded whole: each batch reads its own tokens.
"""

import dataclasses
import json
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from arjax import files
from arjax.data.contents import pack_array
from arjax.data.dataset import Examined
from arjax.data.documents import ENDINGS
from arjax.data.exhibit import Exhibit, completed_texts
from arjax.data.medium import no_original, refuse_text, unpack_symbols_alone
from arjax.data.parts import named_part
from arjax.data.sources import locate
from arjax.data.splits import Parts, Splits, check_fractions, cut
from arjax.data.text import check_length, title_of, windows
from arjax.data.values import Levels
from arjax.data.windows import model_of_windows
from arjax.description import check_types
from arjax.errors import InputError

# Tokens whose largest is found at once.
_BLOCK = 2**24
_MOST_TOKENS = 2**20


@dataclasses.dataclass(frozen=True)
class TokenFile:
    """Tokens in a folder with train.bin, val.bin and, optionally, test.bin; or in one file, whose end is held out. With a
    tokenizer.json beside them, such as GPT-2's, they are shown as text, and without one as numbers.
    """

    path: str | None = None
    """The folder, or one file."""
    dtype: Literal["uint8", "uint16", "uint32", "int32", "int64"] = "uint16"
    """The type of a stored token, lowest byte first."""
    length: int = 256
    """Tokens in a window."""
    vocab: int | None = None
    """The size of the vocabulary; by default that of the tokenizer, else one more than the largest token."""
    tokenizer: str | None = None
    """The tokenizer.json of the tokens; by default the one beside them, if there is one."""
    valid: float = 0.05
    """Fraction of a single file to validate with."""
    test: float = 0.05
    """Fraction of a single file, its end, to test with; with 0 the test is on the validation split."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder that the path is relative to, if not $ARJAX_DATA or ~/.cache/arjax."""

    # They are tokens already: the tokenizer only shows them.
    tokens: ClassVar[bool] = True

    def __post_init__(self):
        check_types(self)
        check_fractions(self.valid, self.test)
        check_length(self.length)

    name = property(lambda self: Path(self.path or "tokens").name or self.path)
    title = property(lambda self: self.name if self.open else title_of(self, f"{self.vocab} tokens"))
    division = property(lambda self: f"splits as named, or of one file valid {self.valid:.4g}, test {self.test:.4g} of its end")
    medium = property(lambda self: Tokens())
    values = property(lambda self: Levels(self.vocab))
    open = property(lambda self: self.vocab is None)
    model = model_of_windows
    subwords = property(lambda self: None if self.tokenizer is None else self.vocab)

    def examined(self) -> Examined:
        place = locate(self.path, self.root, "file of tokens, or folder of some,")
        beside = (place if place.is_dir() else place.parent) / "tokenizer.json"
        tokenizer = self.tokenizer or (str(beside) if beside.is_file() else None)
        notes = ()
        if tokenizer is not None:
            vocab = self.vocab or tokens_of(files.read_file(locate(tokenizer, self.root)), tokenizer)
        else:
            notes = (f"{place} has no tokenizer.json beside it: its tokens are shown as numbers",)
            vocab = self.vocab or 1 + max(int(part.max()) for part in self._blocks())
            if not 1 <= vocab <= _MOST_TOKENS:
                raise InputError(f"{place} has the token {vocab - 1}, which no tokenizer has; choose another --data.dtype")
        return Examined(dataclasses.replace(self, vocab=vocab, tokenizer=tokenizer), notes)

    def load(self) -> Splits:
        return windows(self._parts(), self.length, self.name, "tokens")

    def _parts(self) -> Parts:
        place = locate(self.path, self.root, "file of tokens, or folder of some,")
        if not place.is_dir():
            return cut(self._mapped(place), self.valid, self.test)
        named = {named_part(file.stem): file for file in sorted(place.glob("*.bin"))}
        if not {"train", "valid"} <= named.keys():
            held = ", ".join(file.name for file in sorted(place.iterdir())[:8]) or "nothing"
            raise InputError(f"{place} has no train.bin and val.bin (it has {held}); give a folder of these, or one file")
        train, valid = self._mapped(named["train"]), self._mapped(named["valid"])
        return Parts(train, valid, self._mapped(named["test"]) if "test" in named else valid)

    def _blocks(self):
        return (part[i : i + _BLOCK] for part in self._parts() for i in range(0, len(part), _BLOCK))

    def _mapped(self, file: Path) -> np.ndarray:
        if file.suffix.lower() in ENDINGS:
            raise InputError(f"{file} is text, no tokens; give a file .bin of these, or train my_text")
        dtype, size = np.dtype(self.dtype).newbyteorder("<"), files.check_file(file).stat().st_size
        if not size or size % dtype.itemsize:
            raise InputError(f"{file} has {size} bytes, which are no {self.dtype} tokens; choose another --data.dtype")
        return np.asarray(np.memmap(file, dtype, "r"))


def tokens_of(content: bytes, where: str) -> int:
    """Counts the tokens of a tokenizer.json. InputError where it is none.

    where: names it in the message.
    """
    try:
        described = json.loads(content)
        return len({*described["model"]["vocab"], *(token["content"] for token in described.get("added_tokens") or ())})
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        why = type(error).__name__
        raise InputError(f"{where} is no tokenizer.json ({why}); give that of a byte-level BPE, as GPT-2's") from error


@dataclasses.dataclass(frozen=True)
class Tokens:
    """The Medium of tokens without a tokenizer, shown as numbers."""

    noun: ClassVar[str] = "tokens"
    unit: ClassVar[str] = "token"
    stream: ClassVar[bool] = True
    lossless: ClassVar[bool] = True
    flags: ClassVar[frozenset[str]] = frozenset({"mask"})
    at_once: ClassVar[tuple[int, int]] = (3, 3)

    def exhibit(self, x, title="", captions=()):
        return Exhibit(texts=tuple(map(_numbers, np.asarray(x))))

    def completed(self, x, hidden, drawn, inside, *, title="", captions=(), blank="_"):
        return Exhibit(texts=completed_texts(_numbers, x, hidden, drawn, inside, f"{blank} "))

    encode = refuse_text
    original = original_bytes = no_original
    pack = staticmethod(pack_array)
    unpack = unpack_symbols_alone


def _numbers(row) -> str:
    return " ".join(map(str, row)) + " "
