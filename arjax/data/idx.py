"""The IDX format of the MNIST files: two zero bytes, a type, the number of axes, each axis as a big-endian uint32, the values."""

import math
import struct

import numpy as np

from arjax.errors import InputError

UNSIGNED_BYTE = 0x08


def parse(content: bytes, where: str, ndim: int) -> np.ndarray:
    """The uint8 array of `ndim` axes in an unpacked IDX file. InputError unless it is exactly that; `where` names the file.

    The header is held against the length before anything of its size is made.
    """
    if len(content) < 4 or content[:2] != b"\0\0":
        raise InputError(f"{where} is not an IDX file: it starts with {content[:4]!r}; give the published file")
    if content[2] != UNSIGNED_BYTE:
        raise InputError(f"{where} holds IDX type {content[2]:#04x}, not unsigned bytes (0x08); give the published file")
    if content[3] != ndim:
        raise InputError(
            f"{where} has {content[3]} axes, not {ndim}; give images where images belong, and labels where labels do"
        )
    start = 4 + 4 * ndim
    if len(content) < start:
        raise InputError(f"{where} is truncated: it ends within its header; get it again")
    shape = struct.unpack(f">{ndim}I", content[4:start])
    if 0 in shape:
        raise InputError(f"{where} holds no values: its shape is {shape}; give the published file")
    expected = start + math.prod(shape)
    if len(content) != expected:
        fault = "is truncated" if len(content) < expected else "has trailing bytes"
        raise InputError(f"{where} {fault}: shape {shape} takes {expected} bytes, not {len(content)}; get it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
