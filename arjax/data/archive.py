"""The arrays of .npy and .npz files, which may come from anyone: no array is made before its size is known and bounded.

An .npz is a zip file of .npy files. Python's reader of the one and NumPy's of the other believe what a header promises: one of a
few bytes could ask for any amount of memory. Here the directory of the archive and the header of each array have to agree, with
each other and with the length of the file; and compressed arrays together must not take more than MAX_BYTES. So what is made
takes at most as much as the file where nothing is compressed, else at most 1032 times as much and MAX_BYTES.

Arrays are booleans, whole numbers or real numbers of at most 64 bits. Whatever the order of their bytes in the file, they come in
that of this machine.
"""

import io
import math
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from arjax.arguments import native
from arjax.errors import InputError, one_line
from arjax.files import check_file

MAX_BYTES = 2**32
_CHUNK = 2**20
# What numpy.savez and numpy.savez_compressed write, and how many bytes it can make of one; other methods may ask for gigabytes
# just to begin with.
_METHODS = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: 1032}
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def parse_array(content: bytes, what: str, as_stored: bool = False) -> np.ndarray:
    """Reads the array of an .npy. InputError that names `what` it is where it is none, holds something else than numbers, ends
    early or goes on.

    as_stored: does it keep the order of its bytes?
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of odd headers: each is read, or refused in one line
            return _array(io.BytesIO(content), len(content), "it", as_stored)
    except Exception as error:  # NumPy's reader raises whatever it stumbles over
        raise InputError(f"{what} cannot be read as an array ({one_line(error)}); save it by numpy.save") from error


def read_arrays(file: Path | bytes, where: str, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Returns those of the arrays `names` that the .npz holds, in this order. InputError in one line if it is none, is damaged,
    or holds more than MAX_BYTES and more than it is long. Pickled arrays are refused: reading them could run anything.

    file: its path, or its content.
    where: names it in the message.
    """
    size = len(file) if isinstance(file, bytes) else check_file(file).stat().st_size
    try:
        opened = io.BytesIO(file) if isinstance(file, bytes) else file
        with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(opened) as archive:
            held = {info.filename: info for info in archive.infolist()}
            chosen = {name: held[f"{name}.npy"] for name in names if f"{name}.npy" in held}
            total = sum(info.file_size for info in chosen.values())
            if total > max(MAX_BYTES, size):
                raise OSError(f"its arrays take {total} bytes, more than {MAX_BYTES} and than the file: store them uncompressed")
            return {name: _member(archive, info, size) for name, info in chosen.items()}
    except Exception as error:  # both readers raise whatever they stumble over in a damaged file
        raise InputError(
            f"{where} is not a readable .npz ({one_line(error)}); save it by numpy.savez, as arrays of numbers"
        ) from error


def _member(archive, info, size) -> np.ndarray:
    if info.compress_type not in _METHODS:
        raise OSError(f"{info.filename} is compressed by method {info.compress_type}, neither stored nor deflated")
    if info.compress_size > size or info.file_size > _METHODS[info.compress_type] * info.compress_size:
        raise OSError(f"{info.filename} promises {info.file_size} bytes out of {info.compress_size}, more than there can be")
    with archive.open(info) as member:
        return _array(member, info.file_size, info.filename)


def _array(file, size, name, as_stored=False) -> np.ndarray:
    """The array in an open .npy file of this size, of which its header is read first."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise OSError(f"{name} is in version {version} of its format, not in {' or '.join(map(str, _HEADERS))}")
    shape, in_columns, dtype = _HEADERS[version](file)
    if dtype.hasobject:
        raise OSError(f"{name} holds Python objects, and these are pickled")
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise OSError(f"{name} holds {dtype}, not booleans, whole or real numbers of at most 64 bits")
    promised, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if promised != there:
        raise OSError(f"{name} has shape {shape} of {dtype}, {promised} bytes, and {there} are there")
    flat = np.empty(there, np.uint8)
    for start in range(0, there, _CHUNK):
        chunk = flat[start : start + _CHUNK]
        content = file.read(len(chunk))
        if len(content) != len(chunk):
            raise OSError(f"{name} is truncated")
        chunk[:] = np.frombuffer(content, np.uint8)
    x = flat.view(dtype).reshape(shape, order="F" if in_columns else "C") if there else np.empty(shape, dtype)
    return x if as_stored else native(x)
