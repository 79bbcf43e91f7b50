"""What a file holds as symbols of a model, and the same file again.

any file       byte for byte, for models of characters, bytes or tokens of them
.npy           symbols [N, *site_shape, *E] or of one example, with their dtype
.png .bmp .pgm .ppm .tif   an image, pixel for pixel, whose gray levels the model has symbols for
a file of no bytes         itself, whatever its name
"""

import contextlib
import io
import math
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from arjax.errors import InputError, one_line

IMAGES = {".png": "PNG", ".bmp": "BMP", ".pgm": "PPM", ".ppm": "PPM", ".tif": "TIFF"}
# How many values a pixel of each kind of image has that can be written as it was; 0 for one that needs no axis.
_MODES = {"1": 0, "L": 0, "RGB": 3}
_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")  # a channel, at most


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
    x = parse_array(content, name)
    if x.shape != shape and x.shape[1:] != shape:
        raise InputError(
            f"{name} has shape {x.shape}, but the model's examples are {shape}; give [N, {', '.join(map(str, shape))}]"
        )
    if x.dtype.kind not in "biu":
        raise InputError(f"{name} holds {x.dtype}, but symbols are integers 0..{model.head.vocab - 1}; convert it")
    one = x.shape == shape
    note = {"dtype": x.dtype.str, "one": one}
    x = x[None] if one else x
    _refuse_outside(name, x, (x < 0) | (x >= model.head.vocab), f"symbols 0..{model.head.vocab - 1}")
    return Packed(x, [model.num_sites] * len(x), note)


def unpack_array(packed: Packed) -> bytes:
    """Returns the file again. InputError or KeyError where it was none."""
    x, _, note = packed
    if not note and not len(x):
        return b""
    file, dtype = io.BytesIO(), np.dtype(note["dtype"])
    if dtype.kind not in "biu":
        raise InputError(f"{dtype} is no dtype of symbols")
    np.save(file, (x[0] if note["one"] else x).astype(dtype))
    return file.getvalue()


def pack_image(name: str, content: bytes, model) -> Packed | None:
    """Packs the bytes of an image; None where the name is that of no image. InputError where its pixels are no symbols of a
    model."""
    if Path(name).suffix not in IMAGES or not content:
        return None
    shape = (*model.site_shape, *model.head.event_shape)
    with _opened(content, name) as image:
        mode, (width, height) = image.mode, image.size
        if mode not in _MODES or (height, width, _MODES[mode] or 1) != (*shape[:2], *(shape[2:] or (1,))):
            raise InputError(f"{name} is {mode} of {height}x{width} pixels, but the model's images are {shape}; convert it")
        pixels = _pixels(image, "L" if mode == "1" else mode, name)
    levels = _levels(name, model)
    symbols = np.minimum(np.searchsorted(levels, pixels), len(levels) - 1)
    shown = ", ".join(map(str, levels)) if len(levels) < 9 else f"{levels[0]}, {levels[1]}, ... {levels[-1]}"
    _refuse_outside(name, pixels, levels[symbols] != pixels, f"{len(levels)} levels {shown}")
    return Packed(symbols.reshape(1, *shape), [model.num_sites], {"mode": mode})


def unpack_image(name: str, packed: Packed, model) -> bytes:
    """Returns the file again. InputError or KeyError where it was none."""
    from PIL import Image

    mode, file = packed.note["mode"], io.BytesIO()
    if mode not in _MODES or len(packed.x) != 1:
        raise InputError(f"{len(packed.x)} examples of mode {mode} are no image")
    pixels = _levels(name, model).astype(np.uint8)[packed.x[0]]
    pixels = pixels.reshape(*pixels.shape[:2], 3) if mode == "RGB" else pixels.reshape(pixels.shape[:2])
    Image.fromarray(pixels).convert(mode, dither=Image.Dither.NONE).save(file, IMAGES[Path(name).suffix])
    return file.getvalue()


def parse_array(content: bytes, what: str) -> np.ndarray:
    """Reads an .npy. InputError that names `what` it is where that cannot be done; nothing is executed, and a header that
    promises more than there is takes no memory."""
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(file)
        flat = np.frombuffer(content, dtype, math.prod(shape), file.tell())
        return flat.reshape(shape, order="F" if fortran else "C")
    except (ValueError, TypeError, OverflowError, SyntaxError, EOFError, OSError) as error:
        raise InputError(f"{what} cannot be read as an array ({one_line(error)}); save it by numpy.save") from error


def parse_image(content: bytes, size: tuple[int, int], what: str, colour: bool = False) -> np.ndarray:
    """Reads uint8 [H, W], grey, or in colour [H, W, 3], from a picture in any format that Pillow reads.

    InputError, with `what` it is, where it cannot be read, has another size (H, W) or more than 8 bits a channel.
    """
    with _opened(content, what) as image:
        width, height = image.size
        if (height, width) != size:
            raise InputError(f"{what} is {height} x {width} (height x width), not {size[0]} x {size[1]}; resize it")
        if image.mode not in _EIGHT_BITS:
            raise InputError(f"{what} has pixels of mode {image.mode}; save it with 8 bits a channel")
        return _pixels(image, "RGB" if colour else "L", what)


def _opened(content, what):
    """The image, of which nothing is read but what it says of its size."""
    from PIL import Image

    with _pillow(what):
        return Image.open(io.BytesIO(content))


def _pixels(image, mode, what) -> np.ndarray:
    with _pillow(what):
        return np.asarray(image.convert(mode))


@contextlib.contextmanager
def _pillow(what):
    from PIL import Image

    try:
        # Pillow warns of pictures that would take much memory, all of which are of another size.
        with warnings.catch_warnings(action="ignore"):
            yield
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(f"{what} cannot be read as a picture ({one_line(error)}); give a PNG") from error


def _levels(name, model) -> np.ndarray:
    """[V]: the gray level that each symbol is drawn as."""
    if model.head.vocab > 256:
        raise InputError(f"{name}: the {model.head.vocab} symbols of the model are more than an image's levels; give .npy")
    return np.round(np.arange(model.head.vocab) * 255 / max(model.head.vocab - 1, 1)).astype(int)


def _refuse_outside(name, x, outside, support) -> None:
    if outside.any():
        place = [int(i) for i in np.unravel_index(np.argmax(outside), outside.shape)]
        raise InputError(f"{name} has the value {int(x[tuple(place)])} at {place}, but the model has {support} only; convert it")
