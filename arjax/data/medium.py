"""What a medium is: what the examples of a data set are to a person and to a file.

A data set has one field or property `medium`, an instance of one in media.py or of a class of your own that answers the same
questions. Code that shows, reads or writes examples calls the medium and does not branch. `x` are examples as the data set's
`values` make them: symbols or real values [B, *site_shape, *E].
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from arjax.data.contents import Packed, unpack_array
from arjax.data.exhibit import Exhibit
from arjax.data.splits import blocks
from arjax.errors import InputError
from arjax.protocol import declared_by


class Medium(Protocol):
    """A frozen dataclass: what two data sets have in common if both consist of the same kind of symbols."""

    noun: str
    """What examples are called: "images", "texts"."""
    unit: str
    """What one value is called in results: "dim", "char", "byte", "sample", "token"."""
    stream: bool
    """Are examples windows of a stream, in which a site's number means nothing?"""
    lossless: bool
    """Does an example give back the original that it was made of? False for tokens of which only something similar comes back."""
    flags: frozenset[str]
    """Those of `python -m arjax complete` that apply: "mask", "hide", "table", "image", "text", "truth", "audio" and so on."""
    at_once: tuple[int, int]
    """How many examples are completed where nothing is said of it, and how often each."""

    def exhibit(self, x, title: str = "", captions: Sequence[str] = ()) -> Exhibit:
        """Shows examples.

        title: the heading above all examples, if there is room.
        captions: a heading for each example, such as the name of its class, if there is room; or none.
        """
        ...

    def completed(self, x, hidden, drawn, inside, *, title: str = "", captions: Sequence[str] = (), blank: str = "_") -> Exhibit:
        """Shows each example beside its visible sites and its completions.

        x: examples [N, *site_shape, *E].
        hidden: bool [*site_shape], the same sites of all of them.
        drawn: K completions of each [N, K, *site_shape, *E].
        inside: bool [N, *site_shape]; False at sites outside an example, such as those after the end of a recording.
        title, captions: as of `exhibit`.
        blank: what stands for a hidden symbol in text.
        """
        ...

    def encode(self, text: str) -> np.ndarray:
        """Returns the symbols [length] of a string. InputError where it has none."""
        ...

    def original(self, x) -> np.ndarray | None:
        """Returns the examples [B, *shape] that x, tokens, stand for. None where x are no tokens, or their originals arrays of
        several shapes."""
        ...

    def original_bytes(self, x) -> np.ndarray | None:
        """Counts the bytes of the original that each example stands for [N]. None where that has no answer."""
        ...

    def pack(self, name: str, content: bytes, model) -> Packed:
        """Returns the bytes of the file `name` as examples of `model`. InputError where the model has no symbols for them."""
        ...

    def unpack(self, name: str, packed: Packed, model) -> bytes:
        """Returns the same file again, byte for byte, or of an image one that shows the same: see `image_files.check_same`.
        InputError, or another error of values, if `packed` is of no file."""
        ...


@dataclasses.dataclass(frozen=True)
class MediumCapabilities:
    """What a medium may declare by an attribute or a method of the same name. One that does not mention it has the default."""

    ends: bool = False
    """Is there a symbol that ends a text?"""
    spelling: Callable | None = None
    """spelling() -> what each symbol stands for in UTF-8, None for one that ends a text. None: symbols are no text."""
    tokenizer_json: Callable | None = None
    """tokenizer_json() -> the tokenizer.json with which Hugging Face's libraries make these symbols of a text."""

    @classmethod
    def of(cls, medium) -> "MediumCapabilities":
        """Reads what `medium` declares."""
        return declared_by(cls, medium)


# Answers that several media give.


def refuse_text(self, text: str) -> np.ndarray:
    """Stands for Medium.encode where a string has no symbols: raises InputError."""
    raise InputError(f"the run models {self.noun}, which no text can begin; leave out --prompt and other flags of texts")


def no_original(self, x) -> None:
    """Stands for Medium.original and original_bytes of what is no token and no text: returns None."""


def unpack_symbols_alone(self, name: str, packed: Packed, model) -> bytes:
    """Stands for Medium.unpack where a file is an array of symbols."""
    return unpack_array(packed)


def until(row: np.ndarray, end: int | None) -> np.ndarray:
    """Returns the symbols [n] before the first that is `end`; all of them where there is none."""
    ends = np.flatnonzero(row == end) if end is not None else ()
    return row[: ends[0]] if len(ends) else row


def bytes_of(sizes: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Sums sizes[x], integers [vocab] of symbols [N, length], over the sites of each example [N]."""
    return np.concatenate([np.zeros(0, int), *(sizes[x[block]].sum(axis=1) for block in blocks(x))])
