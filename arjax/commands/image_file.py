"""Pictures and arrays that a user gives to a command. They may be of any kind: nothing of their size is made before this is known
to be the one that is wanted."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from arjax.errors import InputError, one_line

_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")  # of at most 8 bits a channel


def read_image(path: Path, size: tuple[int, int], flag: str, colour: bool = False) -> np.ndarray:
    """uint8 [H, W], grey, or in colour [H, W, 3]: a picture in any format that Pillow knows. ValueError, with the flag that names
    it, where it cannot be read, has another size (H, W) or more than 8 bits a channel."""
    try:
        # Pillow warns of pictures that would take much memory, all of which are of another size.
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            width, height = picture.size
            if (height, width) == size and picture.mode in _MODES:
                return np.asarray(picture.convert("RGB" if colour else "L"))
            mode = picture.mode
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(f"{flag} {path} cannot be read as a picture ({one_line(error)}); give a PNG") from error
    if (height, width) != size:
        raise InputError(f"{flag} {path} is {height} x {width} (height x width), not {size[0]} x {size[1]}; resize it")
    raise InputError(f"{flag} {path} has pixels of mode {mode}; save it with 8 bits a channel")


def read_array(path: Path, flag: str) -> np.ndarray:
    """The array of an .npy. ValueError, with the flag that names it, where it cannot be read."""
    try:
        # Mapped: a header that promises more than the file holds is refused before any memory is taken.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, OverflowError, SyntaxError, TypeError) as error:
        raise InputError(f"{flag} {path} cannot be read as an array ({one_line(error)}); save it by numpy.save") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{flag} {path} holds more than one array; save one by numpy.save")
    return array
