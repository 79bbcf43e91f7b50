"""What a file holds as symbols of a model, and the same file again, to its last bit.

any file             for models of characters, bytes or tokens of them
.npy                 symbols [N, *site_shape, *E] or of one example, as numpy.save writes them: with dtype and order in memory
.png .bmp .pgm ...   see image_files.py
a file of no bytes   itself, whatever its name
"""

import io
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from arjax.data.archive import parse_array
from arjax.errors import InputError

IMAGES = {".png": "PNG", ".bmp": "BMP", ".pgm": "PPM", ".ppm": "PPM", ".tif": "TIFF"}


class Packed(NamedTuple):
    """A file as examples of a model.

    x: [n, *site_shape, *E].
    lengths: n numbers, how many sites of each are the file's.
    note: plain values that say what else it takes to write the file again.
    """

    x: np.ndarray
    lengths: list[int]
    note: dict[str, Any]


def pack_symbols(symbols: np.ndarray, model) -> Packed:
    """Cuts symbols [n] into examples of a model of sequences, the last of them filled up with zeros."""
    examples = -(-len(symbols) // model.num_sites)
    x = np.zeros(examples * model.num_sites, np.int32)
    x[: len(symbols)] = symbols
    lengths = [min(model.num_sites, len(symbols) - i * model.num_sites) for i in range(examples)]
    return Packed(x.reshape(examples, *model.site_shape), lengths, {})


def unpack_symbols(packed: Packed) -> np.ndarray:
    """Returns the symbols [n] again."""
    rows = [row[:length] for row, length in zip(packed.x, packed.lengths, strict=True)]
    return np.concatenate(rows) if rows else np.zeros(0, np.int32)


def pack_array(name: str, content: bytes, model, images: bool = False) -> Packed:
    """Packs the bytes of an .npy of symbols, or of an empty file. InputError where they are none of a model.

    images: are files of images taken too, and so named among those that could be given?
    """
    shape = (*model.site_shape, *model.head.event_shape)
    if not content:
        return Packed(np.zeros((0, *shape), np.int32), [], {})
    if Path(name).suffix != ".npy":
        kinds = " ".join([".npy", *(IMAGES if images else ())])
        raise InputError(f"{name}: files of the model's symbols end in one of {kinds}; save it as such")
    x = parse_array(content, name, as_stored=True)
    if x.shape != shape and x.shape[1:] != shape:
        raise InputError(
            f"{name} has shape {x.shape}, but the model's examples are {shape}; give [N, {', '.join(map(str, shape))}]"
        )
    if x.dtype.kind not in "biu":
        raise InputError(f"{name} holds {x.dtype}, but symbols are integers 0..{model.head.vocab - 1}; convert it")
    one = x.shape == shape
    note = {"dtype": x.dtype.str, "one": one}
    if x.flags.f_contiguous and not x.flags.c_contiguous:
        note["columns"] = True
    x = x[None] if one else x
    refuse_outside(name, x, (x < 0) | (x >= model.head.vocab), f"symbols 0..{model.head.vocab - 1}")
    return Packed(x.astype(np.int32), [model.num_sites] * len(x), note)


def unpack_array(packed: Packed) -> bytes:
    """Returns the file again. InputError or KeyError where it was none."""
    x, _, note = packed
    if not note and not len(x):
        return b""
    if not re.fullmatch("[<>|][biu][1248]", note["dtype"]):
        raise InputError(f"{note['dtype']!r} is no dtype of symbols")
    file, x = io.BytesIO(), (x[0] if note["one"] else x).astype(note["dtype"])
    np.save(file, np.asfortranarray(x) if "columns" in note else x)
    return file.getvalue()


def refuse_outside(name: str, x: np.ndarray, outside: np.ndarray, support: str) -> None:
    """Raises InputError if any value of the file is outside what the model has symbols for."""
    if outside.any():
        place = [int(i) for i in np.unravel_index(np.argmax(outside), outside.shape)]
        raise InputError(f"{name} has the value {int(x[tuple(place)])} at {place}, but the model has {support} only; convert it")
