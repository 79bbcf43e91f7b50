"""Files that come from outside, files written whole, and arrays known by what they hold."""

import hashlib
import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from arjax.errors import InputError, one_line

_CHUNK = 2**24  # bytes hashed at once: an array that is not laid out in C order is copied by that much only


def check_file(path: str | os.PathLike) -> Path:
    """Returns the path of a file, or of a link to one. InputError where there is none: a pipe or a device would keep its reader
    waiting, or be without an end."""
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise InputError(f"there is no file {path}; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: no path has a zero byte
        raise InputError(f"{path} cannot be read ({one_line(error)}); give a file") from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{path} is a folder, no file; give a file")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is a pipe or a device, no file; save its content in a file and give that")
    return path


def read_file(path: str | os.PathLike) -> bytes:
    """Returns the content of a file that comes from outside. InputError as `check_file`, and where it cannot be read."""
    try:
        return check_file(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({one_line(error)}); give a file") from None


def write_whole(path: str | os.PathLike, content: bytes | str) -> None:
    """Writes a file beside its place and renames it: whoever reads sees the old content or the new, also after a crash.

    content: bytes, or text, which is written as UTF-8 with its line ends as they are. Makes the folder. OSError, with the
    file's name, if it cannot be written; the old content is then still there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def sha256_of(array: np.ndarray) -> str:
    """Names an array by its dtype, its shape and the sha256 of its values in C order: "uint8[3, 2] sha256:..."."""
    digest = hashlib.sha256()
    rows = max(1, _CHUNK // max(1, array.itemsize * math.prod(array.shape[1:])))
    for part in [array] if array.ndim == 0 else [array[start : start + rows] for start in range(0, len(array), rows)]:
        digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8))  # bfloat16 is no buffer
    return f"{array.dtype}{list(array.shape)} sha256:{digest.hexdigest()}"


def sha256_of_all(arrays: Mapping[str, np.ndarray]) -> str:
    """Returns the sha256 of several arrays, with their names, dtypes and shapes, in the order of the names."""
    lines = (f"{name} {sha256_of(np.asarray(arrays[name]))}\n" for name in sorted(arrays))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
