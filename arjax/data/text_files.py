"""A user's own text: a file, a folder or a glob, in documents, as characters, bytes or byte-pair tokens."""

import dataclasses
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from arjax.data.characters import encode, read_utf8
from arjax.data.dataset import Examined
from arjax.data.documents import END, HeldOut, parts_of, read_documents
from arjax.data.media import Text
from arjax.data.sources import read_file
from arjax.data.splits import Parts, Splits, check_fractions, each, fractions
from arjax.data.text import check_length, cut_windows, title_of
from arjax.data.token_file import tokens_of
from arjax.data.values import Levels
from arjax.data.windows import model_of_windows
from arjax.description import check_types
from arjax.errors import InputError, brief

_LENGTH = 128
_TOKENS = 1024


@dataclasses.dataclass(frozen=True)
class TextFiles:
    """Text of a user's own. Each file is a document (.txt, .md, any other that is named), or each of its rows (.jsonl, .arrow,
    .parquet). Files of text and .jsonl may be compressed (.gz). An end symbol follows each document.

    The files decide the fields that are None: see `examined`.
    """

    path: str | None = None
    """A file, a folder, or a glob such as 'books/**/*.txt'."""
    symbols: Literal["characters", "bytes", "bpe"] = "characters"
    """The vocabulary: characters, bytes, or byte-pair tokens that are learned from the training split."""
    vocab: int | None = None
    """The number of byte-pair tokens; by default that of the tokenizer, else one for each 200 bytes of text, at least 300 and at
    most 1024."""
    tokenizer: str | None = None
    """A tokenizer.json, such as GPT-2's, that makes the byte-pair tokens; by default they are learned."""
    length: int | None = None
    """Symbols in a window; by default 128, or the length of the longest document if that is shorter."""
    across: bool = False
    """Let windows run from one document into the next, with the end symbol between them."""
    ends: bool = True
    """End each document with a symbol; without it all documents are one stream, as in published results on texts."""
    field: str = "text"
    """Name of the text in the rows of .jsonl, .arrow and .parquet files."""
    valid: float = 0.05
    """Fraction to validate with."""
    test: float = 0.05
    """Fraction to test with; with 0 the test is on the validation split."""
    seed: int = 0
    """Seed that draws the documents to hold out."""
    held_out: HeldOut | None = None
    """How to hold out: by files or folders *named* train, valid and test; whole *documents*, drawn by the seed; or, by *place*,
    the end of each document. The default is the first of these that applies."""
    alphabet: str | None = None
    """The characters, each once, in the order of their symbols."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder that the path is relative to, if not $ARJAX_DATA or ~/.cache/arjax."""

    def __post_init__(self):
        check_types(self)
        check_fractions(self.valid, self.test, self.seed)
        check_length(1 if self.length is None else self.length)
        if (self.vocab, self.tokenizer) != (None, None) and self.symbols != "bpe":
            raise InputError(f"vocab and tokenizer are of byte-pair tokens, not of {self.symbols}; set --data.symbols bpe")
        if self.alphabet is not None:
            if self.symbols != "characters":
                raise InputError(f"an alphabet is of characters, not of {self.symbols}; leave it out")
            if not self.alphabet or len(set(self.alphabet)) < len(self.alphabet) or END in self.alphabet:
                raise InputError(f"alphabet={brief(self.alphabet)} must name at least one character, each once; leave it out")
            if any("\ud800" <= character <= "\udfff" for character in self.alphabet):
                raise InputError(f"alphabet={brief(self.alphabet)} names half of a character, which no text has; leave it out")

    shared: ClassVar[tuple[str, ...]] = ("alphabet", "vocab", "length")
    name = property(lambda self: Path(self.path or "text").name or self.path)
    medium = property(lambda self: Text(self.alphabet, ends=self.ends))
    values = property(lambda self: Levels(self.medium.vocab))
    subwords = property(lambda self: self.vocab)
    model = model_of_windows

    @property
    def title(self) -> str:
        return self.name if self.open else title_of(self, _NAMES[self.symbols].format(len(self.alphabet or "")))

    @property
    def open(self) -> bool:
        decided = {"characters": self.alphabet, "bpe": self.vocab, "bytes": 256}[self.symbols]
        return None in (decided, self.length, self.held_out)

    @property
    def division(self) -> str:
        if self.held_out == "named":
            return "splits as named"
        how = {"documents": f"documents held out by seed {self.seed}", "place": "the end of each document held out"}
        return f"{how.get(self.held_out or '', 'held out')}: {fractions(self)}"

    def examined(self) -> Examined:
        """Fills in the alphabet of all splits, so that a character that training lacks is unlikely and not impossible; the
        length; the number of tokens; and how documents are held out."""
        documents = read_documents(self.path, self.root, self.field, self.symbols == "bytes")
        parts, held_out = parts_of(documents, self.held_out, self.valid, self.test, self.seed)
        notes, filled = list(documents.notes), {"held_out": held_out}
        texts = documents.texts
        if held_out == "place" and len(texts) > 1 and self.held_out is None:
            notes.append(f"{len(texts)} documents are too few to hold out whole ones: the end of each is held out")
        if self.symbols == "bpe" and self.vocab is None:
            learned = min(max(sum(map(len, texts)) // 200, 300), _TOKENS)
            filled["vocab"] = tokens_of(*reversed(read_file(self.tokenizer, self.root))) if self.tokenizer else learned
        if self.length is None:
            longest = 1 + max(len(text.encode()) if self.symbols == "bpe" else len(text) for text in texts)
            filled["length"] = min(_LENGTH, longest)
            if longest < _LENGTH:
                notes.append(f"windows are {longest} symbols long, as the longest of {len(texts)} documents with its end")
        if self.symbols == "characters" and self.alphabet is None:
            trained, others = (set().union(*map(set, some)) for some in (parts.train, [*parts.valid, *parts.test]))
            filled["alphabet"] = "".join(sorted(trained | others))
            if unseen := sorted(others - trained):
                named = ", ".join(map(repr, unseen[:8])) + (", ..." if len(unseen) > 8 else "")
                notes.append(f"{len(unseen)} of {len(trained | others)} characters are in held-out splits alone: {named}")
        return Examined(dataclasses.replace(self, **filled), tuple(notes))

    def load(self) -> Splits:
        if self.open:
            return self.examined().data.load()
        if self.symbols != "characters":
            return cut_windows(self, self.texts(), 256 if self.ends else None, "bytes")
        alphabet, end = (self.alphabet + END, END) if self.ends else (self.alphabet, "")
        codes = each(lambda texts: encode(end.join((*texts, "")), alphabet, self.name), self._parts())
        return cut_windows(self, codes, len(self.alphabet) if self.ends else None, "characters")

    def texts(self) -> Parts:
        return each(_bytes if self.ends else _stream, self._parts())

    def _parts(self) -> Parts:
        documents = read_documents(self.path, self.root, self.field, self.symbols == "bytes")
        return parts_of(documents, self.held_out, self.valid, self.test, self.seed)[0]


_NAMES = {"characters": "{} characters", "bytes": "bytes", "bpe": "bytes"}


def _stream(texts) -> np.ndarray:
    """uint8: the bytes of documents."""
    return np.frombuffer(b"".join(text if isinstance(text, bytes) else text.encode() for text in texts), np.uint8)


def _bytes(texts) -> np.ndarray:
    """uint16: the same, with 256 behind each."""
    rows = [np.frombuffer(text, np.uint8) if isinstance(text, bytes) else read_utf8(text) for text in texts]
    ends = np.cumsum([len(row) + 1 for row in rows])
    joined = np.full(ends[-1] if rows else 0, 256, np.uint16)
    for row, end in zip(rows, ends, strict=True):
        joined[end - 1 - len(row) : end - 1] = row
    return joined
