"""What `complete` hides: a part of every example by its name, or what a file says."""

from pathlib import Path

import numpy as np

from arjax.commands.image_file import read_array, read_image
from arjax.errors import InputError

NAMES = ("lower", "upper", "left", "right", "centre", "random")


def hide(mask: str, height: int, width: int, seed: int) -> np.ndarray:
    """[H, W] bool: True where the mask of this name hides a pixel. A half of an odd number is rounded up."""
    row, column = np.indices((height, width))
    top, left = height // 4, width // 4
    return {
        "lower": row >= height // 2,
        "upper": row < height - height // 2,
        "left": column < width - width // 2,
        "right": column >= width // 2,
        "centre": (row >= top) & (row < height - top) & (column >= left) & (column < width - left),
        "random": np.random.default_rng(seed).permutation(row.size).reshape(row.shape) >= row.size // 2,
    }[mask]


def read_mask(mask: str, height: int, width: int, seed: int) -> np.ndarray:
    """The same for a name, or for a picture, in which what is brighter than half is hidden, or an .npy of booleans. InputError
    where it is none of these, has another size, or hides nothing or everything."""
    if mask in NAMES:
        hidden = hide(mask, height, width, seed)
    elif not Path(mask).exists():
        raise InputError(f"--mask {mask} is none of {', '.join(NAMES)}, and no file; choose one of them, or a picture")
    elif Path(mask).suffix == ".npy":
        hidden = _booleans(mask, (height, width))
    else:
        hidden = read_image(Path(mask), (height, width), "--mask") > 127
    if hidden.all() or not hidden.any():
        what = "nothing" if not hidden.any() else "everything"
        raise InputError(f"--mask {mask} hides {what} of {height} x {width}; hide a part, and what is white is hidden")
    return hidden


def _booleans(mask, shape) -> np.ndarray:
    hidden = read_array(Path(mask), "--mask")
    if hidden.dtype != bool or hidden.shape != shape:
        raise InputError(f"--mask {mask} is {hidden.dtype} of shape {hidden.shape}; give booleans of shape {shape}, True hides")
    return hidden
