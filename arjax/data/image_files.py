"""Files of images: read as a picture shows, and packed as symbols so that what they show comes back.

What comes back of a .png, .bmp, .pgm or .ppm is one picture of the same size and mode (black and white, gray or RGB) with the
same 8-bit level of every value. How the file wrote these is not kept (compression, interlacing, fewer bits than eight), nor what
it says besides without a change to what is seen (texts, dates, resolution). `check_same` refuses a file for whatever else it says
and would lose: further pages or frames, transparency, an orientation, a colour profile or gamma, levels of more than 8 bits or of
another scale than 0..255, further channels, bytes behind the picture. A .tif, which has many ways to say more, comes back byte
for byte as Pillow writes it without compression, or is refused.
"""

import contextlib
import io
import math
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from arjax.data.contents import IMAGES, Packed, refuse_outside
from arjax.errors import InputError, brief, one_line
from arjax.files import check_file

# What is decoded at all. Pillow goes by what a file holds, not by its name, and would start Ghostscript for some files.
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "TIFF", "GIF", "WEBP")
_ORIENTATION = 0x0112  # in Exif
# How many values a pixel of each kind of image has that can be written as it was; 0 for one that needs no axis.
_MODES = {"1": 0, "L": 0, "RGB": 3}
_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")  # a channel, at most


def parse_image(content: bytes, size: tuple[int, int], what: str, background: int, colour: bool = False) -> np.ndarray:
    """Reads uint8 [H, W], gray, or in colour [H, W, 3], from a picture in one of FORMATS as it shows: turned as its orientation
    says, and where it is transparent laid over a gray level.

    background: that level.

    InputError, with `what` it is, where it cannot be read, has another size (H, W), more than 8 bits a channel or further frames,
    or is transparent and shows nothing on this background.
    """
    with _opened(content, what, FORMATS) as image:
        if sorted(image.size) == sorted(size):  # it is not decoded unless it has as many pixels; how it is turned is known then
            if image.mode not in _EIGHT_BITS or _bits(content, image) > 8:
                raise InputError(f"{what} has more than 8 bits a channel, or is of mode {image.mode}; save it as RGB")
            if _is_several(image):
                raise InputError(f"{what} has several pages or frames; save one of them")
            image = _upright(content, image)
        width, height = image.size
        if (height, width) != size:
            raise InputError(f"{what} is {height} x {width} (height x width), not {size[0]} x {size[1]}; resize it")
        image, seen_through = _opaque(image, background)
        pixels = np.asarray(image.convert("RGB" if colour else "L"))
    if seen_through and (pixels == background).all():
        shade = "black" if background == 0 else "white"
        raise InputError(f"{what} is transparent, and shows nothing on {shade}; save it on a background of its own")
    return pixels


_JPEG = ("JPEG", "MPO")  # cameras put smaller ones behind the picture
# More pixels are not decoded: of a JPEG, which is decoded at a fraction of its size, and of others.
_MOST_OF_JPEG, _MOST = 2**27, 2**25


def parse_square(content: bytes, size: int, what: str) -> tuple[np.ndarray, tuple[int, int]]:
    """Reads from a picture of any size in one of FORMATS (uint8 [size, size, 3], its own width and height): turned as its
    orientation says, resized to cover the square, cropped at its centre and, where it is transparent, laid over white. Levels of
    16 bits become the nearest of 8.

    InputError, with `what` it is, where it cannot be read, has several frames, or more pixels than fit into memory.
    """
    from PIL import Image, ImageOps

    with _opened(content, what, FORMATS) as image:
        own = image.size
        if image.format in _JPEG and image.width * image.height <= _MOST_OF_JPEG:
            image.draft(image.mode, (2 * size, 2 * size))  # still larger than it will be
        if image.width * image.height > _MOST:
            raise InputError(f"{what} has {image.width} x {image.height} pixels, more than {_MOST}; resize it")
        if image.format not in _JPEG and _is_several(image):
            raise InputError(f"{what} has several pages or frames; save one of them")
        image = _upright(content, image)
        if image.mode.startswith("I"):
            levels = np.asarray(image)
            if levels.min() < 0 or levels.max() > 65535:
                raise InputError(f"{what} has levels beyond 0..65535; save it with 16 bits")
            image = Image.fromarray(((levels.astype(np.uint32) + 128) // 257).astype(np.uint8))  # the nearest of 8 bits
        # Between pixels of a palette, or of one bit, there is nothing.
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
        return np.asarray(_opaque(image, 255)[0].convert("RGB")), own


def picture_size(file: Path | bytes) -> tuple[int, int]:
    """Reads the width and the height of a picture from the beginning of its file. InputError where it cannot be read."""
    opened, what = (file, "it") if isinstance(file, bytes) else (check_file(file), str(file))
    with _opened(opened, what, FORMATS) as image:
        return image.size


def _bits(content, image) -> int:
    """The bits a channel, of a PNG."""
    return content[24] if image.format == "PNG" else 8


def _upright(content, image):
    """The image, decoded and turned as its orientation says."""
    from PIL import ImageOps

    bits = _bits(content, image)
    if image.mode == "L" and bits < 8 and "transparency" in image.info:  # Pillow scales its pixels, and not this one
        image.info["transparency"] *= 255 // (2**bits - 1)
    return ImageOps.exif_transpose(image)


def _opaque(image, background) -> tuple[Any, bool]:
    """The image, laid over a gray level where it is transparent; and is it anywhere?"""
    from PIL import Image

    if not image.has_transparency_data or (above := image.convert("RGBA")).getextrema()[3][0] == 255:
        return image, False
    return Image.alpha_composite(Image.new("RGBA", image.size, (background,) * 3 + (255,)), above), True


def pack_image(name: str, content: bytes, model) -> Packed | None:
    """Packs the bytes of an image; None where the name is that of no image. InputError where its pixels are no symbols of a
    model."""
    if Path(name).suffix not in IMAGES or not content:
        return None
    shape = (*model.site_shape, *model.head.event_shape)
    with _opened(content, name, (IMAGES[Path(name).suffix],)) as image:
        mode, (width, height) = image.mode, image.size
        if mode not in _MODES or (height, width, _MODES[mode] or 1) != (*shape[:2], *(shape[2:] or (1,))):
            raise InputError(f"{name} is {mode} of {height}x{width} pixels, but the model's images are {shape}; convert it")
        pixels = np.asarray(image.convert("L" if mode == "1" else mode))
    levels = _levels(name, model)
    symbols = np.minimum(np.searchsorted(levels, pixels), len(levels) - 1)
    shown = ", ".join(map(str, levels)) if len(levels) < 9 else f"{levels[0]}, {levels[1]}, ... {levels[-1]}"
    refuse_outside(name, pixels, levels[symbols] != pixels, f"{len(levels)} levels {shown}")
    return Packed(symbols.reshape(1, *shape), [model.num_sites], {"mode": mode})


def unpack_image(name: str, packed: Packed, model) -> bytes:
    """Returns an image that shows the same. InputError or KeyError where it was none."""
    from PIL import Image

    mode, file = packed.note["mode"], io.BytesIO()
    if mode not in _MODES or len(packed.x) != 1:
        raise InputError(f"{len(packed.x)} examples of mode {brief(mode)} are no image")
    pixels = _levels(name, model).astype(np.uint8)[packed.x[0]]
    pixels = pixels.reshape(*pixels.shape[:2], 3) if mode == "RGB" else pixels.reshape(pixels.shape[:2])
    Image.fromarray(pixels).convert(mode, dither=Image.Dither.NONE).save(file, IMAGES[Path(name).suffix])
    return file.getvalue()


def check_same(name: str, content: bytes, again: bytes) -> None:
    """Raises InputError, with what to do, unless a file that was packed and unpacked again is the same: its very bytes, or of an
    image what is seen."""
    if content == again:
        return
    if Path(name).suffix not in IMAGES:
        remedy = "save it anew by numpy.save" if Path(name).suffix == ".npy" else "choose a run whose symbols keep all of it"
        raise InputError(f"{name} would not come back byte for byte; {remedy}")
    before, after = _seen(name, content), _seen(name, again)
    if lost := [what for what, value in before.items() if after.get(what) != value]:
        raise InputError(f"{name} has {lost[0]}, which would be lost; save it without, or as .npy")


def _seen(name, content) -> dict[str, Any]:
    """All that a file says of what is seen, each by what the refusal calls it."""
    with _opened(content, name, (IMAGES[Path(name).suffix],)) as image:
        if _is_several(image):
            return {"several pages or frames": True}
        parts = {"PNG": _of_png, "BMP": _of_bmp, "PPM": _of_ppm, "TIFF": _of_tiff}[image.format](content, image)
        parts = {"an orientation": image.getexif().get(_ORIENTATION, 1)} | parts
        return parts | {"another mode": image.mode, "pixels that change": np.asarray(image).tobytes()}


_CHUNKS = {b"tRNS": "a transparent colour", b"iCCP": "a colour profile", b"gAMA": "a gamma", b"cHRM": "primary colours"}
# What says how the others are written, what is the same as nothing (a gamma of 1 / 2.2, the primaries of sRGB), or is not seen.
_UNSEEN_CHUNKS = b"IHDR PLTE IDAT IEND pHYs tEXt zTXt iTXt tIME sRGB sBIT bKGD hIST sPLT eXIf".split()
_USUAL = (struct.pack(">I", 45455), struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))


def _of_png(content, image) -> dict[str, Any]:
    parts, start, kind = {"more than 8 bits a channel": content[24] > 8}, 8, b""
    while kind != b"IEND" and start + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[start : start + 8])
        part = content[start + 8 : start + 8 + length]
        if kind not in _UNSEEN_CHUNKS and part not in _USUAL:
            parts[_CHUNKS.get(kind, f"a chunk {brief(kind)[1:]}")] = part
        start += 12 + length
    return parts | _behind(content, start)


def _of_bmp(content, image) -> dict[str, Any]:
    (size,) = struct.unpack("<I", content[14:18])
    tile = image.tile[0]
    fourth = size > 12 and struct.unpack("<H", content[28:30]) == (32,)
    space = content[70:74] if size >= 108 else b"BGRs"
    coded = tile.args[1] * image.height if tile.codec_name == "raw" else struct.unpack("<I", content[34:38])[0]
    parts = {"a fourth channel": fourth, "a colour profile": space not in (b"BGRs", b" niW")}
    return parts | _behind(content, tile.offset + coded)


def _of_ppm(content, image) -> dict[str, Any]:
    tile = image.tile[0]
    row = math.ceil(image.width * {"1": 1, "L": 8, "RGB": 24}.get(image.mode, 0) / 8)
    return {"numbers that are no bytes 0..255": tile.codec_name != "raw"} | _behind(content, tile.offset + row * image.height)


def _of_tiff(content, image) -> dict[str, Any]:
    return {"tags or a compression of its own": content}


def _behind(content, end) -> dict[str, Any]:
    return {"something behind its picture": content[end:].strip(b"\0\r\n\t ")}


def _is_several(image) -> bool:
    try:
        image.seek(1)
    except EOFError:
        return False
    return True


@contextlib.contextmanager
def _opened(content, what, formats) -> Iterator[Any]:
    """The image in bytes or at a path, of which nothing is read but what it says of its size. InputError where it, or what is
    done with it, fails."""
    from PIL import Image, UnidentifiedImageError

    file = io.BytesIO(content) if isinstance(content, bytes) else content

    try:
        # Pillow warns of pictures that would take much memory, all of which are of another size.
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=formats) as image:
            yield image
    except InputError:
        raise
    except Exception as error:  # Pillow raises whatever it stumbles over in a damaged file
        why = "" if isinstance(error, UnidentifiedImageError) else f" ({one_line(error)})"
        raise InputError(f"{what} cannot be read as a picture, {' '.join(formats)}{why}; save it as PNG") from error


def _levels(name, model) -> np.ndarray:
    """[V]: the gray level that each symbol is drawn as."""
    if model.head.vocab > 256:
        raise InputError(f"{name}: the {model.head.vocab} symbols of the model are more than an image's levels; give .npy")
    return np.round(np.arange(model.head.vocab) * 255 / max(model.head.vocab - 1, 1)).astype(int)
