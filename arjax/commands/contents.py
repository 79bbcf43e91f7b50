"""What a file holds as symbols of a model, and the same file again.

text, for models of characters, bytes or tokens of them    any file, byte for byte
.npy                                                       symbols [N, *site_shape, *E] or of one example, with their dtype
.png .bmp .pgm .ppm .tif                                   an image, pixel for pixel, whose gray levels the model has symbols for
a file of no bytes                                         itself, whatever its name
"""

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import numpy as np
from PIL import Image

from arjax.coding.codec import Decompressed
from arjax.commands.image_file import read_array
from arjax.errors import InputError, one_line

IMAGES = {".png": "PNG", ".bmp": "BMP", ".pgm": "PPM", ".ppm": "PPM", ".tif": "TIFF"}
# How many values a pixel of each kind of image has; 0 for one that needs no axis.
_MODES = {"1": 0, "L": 0, "RGB": 3}


class Content(NamedTuple):
    """x: the examples [n, *site_shape, *E]; lengths [n]: how many sites of each are the file's; note: what else it takes to write
    the file, a dict of plain values."""

    x: np.ndarray
    lengths: list[int]
    note: dict[str, Any]


def read_content(path: Path, model, data) -> Content:
    """InputError if there is no such file, or it holds no symbols of the model."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({one_line(error)}); give a file") from error
    if hasattr(data, "pack"):
        return _read_text(path, content, model, data)
    if not content:
        return Content(np.zeros((0, *model.site_shape, *model.head.event_shape), np.int32), [], {})
    if path.suffix == ".npy":
        return _read_array(path, model)
    if path.suffix in IMAGES and not hasattr(data, "visible"):
        return _read_image(path, model)
    kinds = ".npy" if hasattr(data, "visible") else f".npy {' '.join(IMAGES)}"
    raise InputError(f"{path}: files of the model's symbols end in one of {kinds}; save it as such")


def file_of(name: str, content: Content, model, data) -> bytes:
    """The file again. InputError if its note is none of `read_content`."""
    x, lengths, note = content
    try:
        if hasattr(data, "pack"):
            symbols = np.concatenate([row[:length] for row, length in zip(x, lengths, strict=True)] or [x.ravel()])
            return data.unpack(symbols, note["rest"])
        if not note and not len(x):
            return b""
        file, suffix = io.BytesIO(), Path(name).suffix
        if suffix == ".npy" and (dtype := np.dtype(note["dtype"])).kind in "biu":
            np.save(file, (x[0] if note["one"] else x).astype(dtype))
        elif note["mode"] in _MODES and len(x) == 1:
            _image_of(x[0], note["mode"], model).save(file, IMAGES[suffix])
        else:
            raise InputError("no kind of file that is read here")
        return file.getvalue()
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise InputError(f"the stream does not say how to write {name} again ({one_line(error)}); restore the stream") from error


def note_of(names: list[str], contents: list[Content]) -> bytes:
    """What a stream of the contents of these files says of them."""
    return msgpack.packb([[name, len(content.x), content.note] for name, content in zip(names, contents, strict=True)])


def contents_of(model, found: Decompressed) -> Iterator[tuple[str, Content]]:
    """(name, content) of each file. InputError unless the note is one of `note_of`, and no name leaves its folder."""
    lengths = list(found.lengths) or [model.num_sites] * len(found.x)
    try:
        notes = msgpack.unpackb(found.note)
        ends = np.cumsum([count for _, count, _ in notes])
        if list(ends[-1:]) != [len(found.x)] or any(count < 0 for _, count, _ in notes):
            raise InputError("counts")
        for (name, count, note), end in zip(notes, ends, strict=True):
            if Path(name).name != name or not name.isprintable() or not isinstance(note, dict):
                raise InputError("name")
            yield name, Content(found.x[end - count : end], lengths[end - count : end], note)
    except (ValueError, TypeError, AttributeError, msgpack.UnpackException) as error:
        raise InputError("the stream does not say which files it holds; it was not written by arjax compress") from error


def _read_text(path, content, model, data) -> Content:
    symbols, rest = data.pack(content)
    examples = -(-len(symbols) // model.num_sites)
    x = np.zeros(examples * model.num_sites, np.int32)
    x[: len(symbols)] = symbols
    lengths = [min(model.num_sites, len(symbols) - i * model.num_sites) for i in range(examples)]
    return Content(x.reshape(examples, *model.site_shape), lengths, {"rest": rest})


def _read_array(path, model) -> Content:
    shape = (*model.site_shape, *model.head.event_shape)
    x = read_array(path, "FILES")
    if x.shape != shape and x.shape[1:] != shape:
        raise InputError(
            f"{path} has shape {x.shape}, but the model's examples are {shape}; give [N, {', '.join(map(str, shape))}]"
        )
    if x.dtype.kind not in "biu":
        raise InputError(f"{path} holds {x.dtype}, but symbols are integers 0..{model.head.vocab - 1}; convert it")
    one = x.shape == shape
    note = {"dtype": x.dtype.str, "one": one}
    x = x[None] if one else x
    _refuse_outside(path, x, (x < 0) | (x >= model.head.vocab), f"symbols 0..{model.head.vocab - 1}")
    return Content(x, [model.num_sites] * len(x), note)


def _read_image(path, model) -> Content:
    try:
        # Pillow warns of pictures that would take much memory, all of which are of another size.
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            mode, size = image.mode, image.size
            if mode in _MODES and (size[1], size[0]) == model.site_shape[:2]:
                pixels = np.asarray(image.convert("L") if mode == "1" else image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is no image ({one_line(error)}); give one") from error
    shape = (*model.site_shape, *model.head.event_shape)
    if mode not in _MODES or (size[1], size[0], _MODES[mode] or 1) != (*shape[:2], *(shape[2:] or (1,))):
        raise InputError(f"{path} is {mode} of {size[1]}x{size[0]} pixels, but the model's images are {shape}; convert it")
    levels = _levels(path, model)
    symbols = np.minimum(np.searchsorted(levels, pixels), len(levels) - 1)
    shown = ", ".join(map(str, levels)) if len(levels) < 9 else f"{levels[0]}, {levels[1]}, ... {levels[-1]}"
    _refuse_outside(path, pixels, levels[symbols] != pixels, f"{len(levels)} levels {shown}")
    return Content(symbols.reshape(1, *shape), [model.num_sites], {"mode": mode})


def _image_of(x, mode, model) -> Image.Image:
    pixels = _levels("the stream", model).astype(np.uint8)[x]
    pixels = pixels.reshape(*pixels.shape[:2], 3) if mode == "RGB" else pixels.reshape(pixels.shape[:2])
    return Image.fromarray(pixels).convert(mode, dither=Image.Dither.NONE)


def _levels(path, model) -> np.ndarray:
    """[V]: the gray level that each symbol is drawn as."""
    if model.head.vocab > 256:
        raise InputError(f"{path}: the {model.head.vocab} symbols of the model are more than an image's levels; give .npy")
    return np.round(np.arange(model.head.vocab) * 255 / max(model.head.vocab - 1, 1)).astype(int)


def _refuse_outside(path, x, outside, support) -> None:
    if outside.any():
        place = [int(i) for i in np.unravel_index(np.argmax(outside), outside.shape)]
        raise InputError(f"{path} has the value {int(x[tuple(place)])} at {place}, but the model has {support} only; convert it")
