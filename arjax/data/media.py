"""What data are to a person and to a file: images, text, sound, or the rows of a table. See medium.py."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from arjax import pictures
from arjax.data.characters import (
    decode,
    encode,
    pack_text,
    read_utf8,
    show_utf8,
    symbols_json,
    unpack_text,
    utf8_lengths,
    with_line_feeds,
    without_mark,
)
from arjax.data.contents import pack_array, pack_symbols, unpack_array, unpack_symbols
from arjax.data.exhibit import Exhibit, completed_texts
from arjax.data.image_files import pack_image, unpack_image
from arjax.data.medium import bytes_of, no_original, refuse_text, unpack_symbols_alone, until
from arjax.data.table_columns import TableColumn
from arjax.data.table_files import csv_row
from arjax.errors import InputError, brief
from arjax.grids import Block, grid_of_blocks, grid_of_classes, image_grid


@dataclasses.dataclass(frozen=True)
class Images:
    """Pictures [H, W], [H, W, 1] or [H, W, 3]. Arrays of another shape are shown as rows of a table.

    vocab: the number of gray levels, from black to white; None for real values, of which the least is black, the largest white.
    """

    vocab: int | None

    noun: ClassVar[str] = "images"
    unit: ClassVar[str] = "dim"
    stream: ClassVar[bool] = False
    lossless: ClassVar[bool] = True
    flags: ClassVar[frozenset[str]] = frozenset({"mask", "image", "png"})
    at_once: ClassVar[tuple[int, int]] = (10, 8)

    def exhibit(self, x, title="", captions=()):
        images = pictures.to_images(x, self.vocab)
        if images is None:
            return Table().exhibit(x)
        return Exhibit(grid_of_classes(images, captions) if captions else image_grid(images))

    def completed(self, x, hidden, drawn, inside, *, title="", captions=(), blank="_"):
        together = pictures.to_images(np.concatenate([x[:, None], drawn], axis=1).reshape(-1, *x.shape[1:]), self.vocab)
        if together is None:
            return Table().completed(x, hidden, drawn, inside, blank=blank)
        images = together.reshape(len(x), -1, *together.shape[1:])
        pixels = hidden.reshape(*hidden.shape[:2], -1)[..., 0]
        return Exhibit(completed_images(images[:, 0], pixels, images[:, 1:], captions))

    encode = refuse_text
    original = original_bytes = no_original

    def pack(self, name, content, model):
        return pack_image(name, content, model) or pack_array(name, content, model, images=True)

    def unpack(self, name, packed, model):
        return unpack_image(name, packed, model) if "mode" in packed.note else unpack_array(packed)


@dataclasses.dataclass(frozen=True)
class Text:
    """Characters of an alphabet, or bytes if there is none, shown and read as UTF-8.

    alphabet: its characters, in the order of their symbols.
    stream: are examples windows of one long text?
    ends: is the last symbol one that ends a text? A shown text ends before it.
    """

    alphabet: str | None = None
    stream: bool = True
    ends: bool = False

    noun: ClassVar[str] = "texts"
    lossless: ClassVar[bool] = True
    flags: ClassVar[frozenset[str]] = frozenset({"mask", "text", "truth"})
    at_once: ClassVar[tuple[int, int]] = (3, 3)

    unit = property(lambda self: "byte" if self.alphabet is None else "char")

    @property
    def vocab(self) -> int:
        """The number of symbols."""
        return (256 if self.alphabet is None else len(self.alphabet)) + self.ends

    def exhibit(self, x, title="", captions=()):
        return Exhibit(texts=tuple(map(self._text, np.asarray(x))))

    def completed(self, x, hidden, drawn, inside, *, title="", captions=(), blank="_"):
        return Exhibit(texts=completed_texts(self._text, x, hidden, drawn, inside, blank))

    def encode(self, text):
        text = without_mark(text)
        if self.alphabet is None:
            return read_utf8(text)
        # As the text was read that the alphabet is of.
        return encode(text if "\r" in self.alphabet else with_line_feeds(text), self.alphabet, "the text")

    def spelling(self):
        spelled = (bytes([byte]) for byte in range(256)) if self.alphabet is None else map(str.encode, self.alphabet)
        return (*spelled, *[None] * self.ends)

    original = no_original

    def original_bytes(self, x):
        sizes = np.ones(256, int) if self.alphabet is None else utf8_lengths(self.alphabet)
        return bytes_of(np.append(sizes, 0), x)

    def tokenizer_json(self):
        return symbols_json(self.alphabet, self.ends)

    def pack(self, name, content, model):
        symbols, rest = (np.frombuffer(content, np.uint8), b"") if self.alphabet is None else pack_text(content, self.alphabet)
        return pack_symbols(symbols, model)._replace(note={"rest": rest})

    def unpack(self, name, packed, model):
        symbols, rest = unpack_symbols(packed), packed.note["rest"]
        if self.ends and (symbols == self.vocab - 1).any():
            raise InputError("the text continues after its end symbol; restore the file")
        return symbols.astype(np.uint8).tobytes() if self.alphabet is None else unpack_text(symbols, rest, self.alphabet)

    def _text(self, row) -> str:
        row = until(row, self.vocab - 1 if self.ends else None)[None]
        return (show_utf8(row) if self.alphabet is None else decode(row, self.alphabet))[0]


@dataclasses.dataclass(frozen=True)
class Sound:
    """Waveforms.

    values: how a sample becomes a symbol; its `waveform` makes symbols [B, T] waveforms in [-1, 1].
    sample_rate: samples a second.
    """

    values: Any
    sample_rate: int

    noun: ClassVar[str] = "recordings"
    unit: ClassVar[str] = "sample"
    stream: ClassVar[bool] = True
    lossless: ClassVar[bool] = True
    flags: ClassVar[frozenset[str]] = frozenset({"audio", "seconds", "png"})
    at_once: ClassVar[tuple[int, int]] = (2, 3)

    def exhibit(self, x, title="", captions=()):
        waveforms = np.asarray(self.values.waveform(x))
        picture = pictures.sound_picture(waveforms, self.sample_rate, title, captions=captions)
        return Exhibit(picture, waveforms=tuple(waveforms), sample_rate=self.sample_rate)

    def completed(self, x, hidden, drawn, inside, *, title="", captions=(), blank="_"):
        shown, files, said = [], {}, []
        for i, (true, completions, there) in enumerate(zip(x, drawn, inside, strict=True)):
            true, completions = (np.asarray(self.values.waveform(part)) for part in (true, completions))
            # What is behind a recording's end is silence in the picture, and in no file.
            shown += [np.where(there, true, 0), *completions]
            said += [": ".join(["data", *captions[i : i + 1]]), *["sample"] * len(completions)]
            files |= {f"{i}_true": true[there]} | {f"{i}_{k}": waveform for k, waveform in enumerate(completions)}
        mark = int(np.argmax(hidden)) / self.sample_rate
        picture = pictures.sound_picture(np.stack(shown), self.sample_rate, title, mark, said)
        return Exhibit(picture, waveforms=tuple(files.values()), sample_rate=self.sample_rate, names=tuple(files))

    encode = refuse_text
    original = original_bytes = no_original
    pack = staticmethod(pack_array)
    unpack = unpack_symbols_alone


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows with commas between their cells. A single column of numbers is shown as a density.

    columns: their names and how their values are written, for CSV; () for rows of numbers.
    """

    columns: tuple[TableColumn, ...] = ()

    noun: ClassVar[str] = "rows"
    unit: ClassVar[str] = "dim"
    stream: ClassVar[bool] = False
    lossless: ClassVar[bool] = True
    at_once: ClassVar[tuple[int, int]] = (3, 3)

    flags = property(lambda self: frozenset({"mask", "hide", "table"} if self.columns else {"mask"}))

    def exhibit(self, x, title="", captions=()):
        return self._exhibit(map(csv_row, self._cells(x)))

    def completed(self, x, hidden, drawn, inside, *, title="", captions=(), blank="_"):
        rows = []
        for row, completions in zip(x, drawn, strict=True):
            (cells,) = self._cells(row[None])
            event = row.size // hidden.size
            rows += [np.where(np.repeat(hidden.ravel(), event), blank, cells), *self._cells(completions)]
        return self._exhibit(map(csv_row, rows))

    def places(self, names: tuple[str, ...]) -> np.ndarray:
        """Returns bool [T], True for the columns of these names. InputError for an unknown name."""
        known = [column.name for column in self.columns]
        if (other := next((name for name in names if name not in known), None)) is not None:
            raise InputError(f"the run has no column {brief(other)}; its columns are {', '.join(known)}")
        return np.array([name in names for name in known])

    def _exhibit(self, rows) -> Exhibit:
        header = csv_row(column.name for column in self.columns)
        return Exhibit(texts=tuple(rows), rule="\n", header=header, suffix=".csv" if self.columns else ".txt")

    def _cells(self, x) -> np.ndarray:
        """[B, ...] -> [B, columns] strings."""
        rows = np.asarray(x).reshape(len(x), -1)
        if not self.columns:
            return np.array([list(map(_cell, row)) for row in rows], object).reshape(rows.shape)
        each = [column.decode(values) for column, values in zip(self.columns, rows.T, strict=True)]
        return np.array(each, object).reshape(len(self.columns), -1).T

    encode = refuse_text
    original = original_bytes = no_original
    pack = staticmethod(pack_array)
    unpack = unpack_symbols_alone


def _cell(value) -> str:
    return f"{value:.6g}" if isinstance(value, np.floating) else str(value)


def completed_images(images: np.ndarray, hidden: np.ndarray, drawn: np.ndarray, captions: Sequence[str] = ()) -> np.ndarray:
    """Draws uint8 [h, w, 3]: a row for each image [N, H, W, ...] in [0, 1]: itself, what is not hidden [h, w] of it, its
    completions [N, K, H, W, ...]. Where the images are larger than `hidden`, each of its cells stands for a patch of pixels."""
    patch = np.ones([size // cells for size, cells in zip(images.shape[1:3], hidden.shape, strict=True)], bool)
    visible = np.array(images)
    visible[:, np.kron(hidden, patch)] = 0.5
    samples = Block("samples", drawn.reshape(-1, *images.shape[1:]), drawn.shape[1])
    return grid_of_blocks([Block("data", images, 1), Block("kept", visible, 1), samples], captions)
