"""Files that come from outside, files written whole, and arrays known by what they hold."""

import contextlib
import gzip
import hashlib
import itertools
import math
import os
import secrets
import stat
import sys
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from arjax.errors import InputError, one_line

_MOST = 2**30  # bytes of standard input
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


def read_packed(path: Path, most: int) -> bytes:
    """Returns the content of a file that comes from outside, unpacked where its name ends in .gz: all of it, or the first `most`
    bytes and one more. InputError as `read_file`."""
    parts, left, packed = [], most + 1, check_file(path).name.lower().endswith(".gz")
    try:
        with gzip.open(path) if packed else path.open("rb") as opened:
            while left and (part := opened.read(min(left, 2**20))):  # who reads n bytes takes memory for n at once
                parts.append(part)
                left -= len(part)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({one_line(error)}); give a file, packed by gzip or not") from None
    return b"".join(parts)


def read_input(name: str) -> bytes:
    """Returns the content of a file as `read_file` does, or of standard input for "-". InputError as there, and if standard input
    has more than 1 GiB."""
    if name != "-":
        return read_file(name)
    content = sys.stdin.buffer.read(_MOST + 1)
    if len(content) > _MOST:
        raise InputError("standard input has more than 1 GiB; give a file")
    return content


def check_output(
    path: str | os.PathLike, *, overwrite: bool, inputs: Iterable[str | os.PathLike] = (), remedy: str = "overwrite=True"
) -> None:
    """Raises InputError unless a file can be written to `path`.

    overwrite: may a file that is there be replaced? A link is replaced itself, what it leads to stays.
    inputs: files that are read, and folders of them; none is replaced, under whatever name.
    remedy: what allows to overwrite, in words.
    """
    path = Path(path)
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be written ({one_line(error)}); choose another path") from None
    above = path if path.is_dir() else next(parent for parent in path.parents if os.path.lexists(parent))
    if above == path or not above.is_dir():
        raise InputError(f"{path}: {above} is there already; choose another path")
    if ".." in path.parts[len(above.parts) :]:  # once that folder is made, the path may be another's
        raise InputError(f"{path} leads through a folder that is not there; choose another path")
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(f"{path}: nothing can be written in {above}; choose another path, or change its permissions")
    if mode is None:
        return
    if not path.is_file():
        what = "a link to nothing" if stat.S_ISLNK(mode) and not path.exists() else "no file"
        raise InputError(f"{path} is there already, and is {what}; choose another path, or remove it")
    if any(os.path.samefile(one, name) for name in inputs if os.path.exists(name) for one in (path, *path.absolute().parents)):
        raise InputError(f"{path} is one of the files that are read; choose another path")
    if not overwrite:
        raise InputError(f"{path} is there already; choose another path, or replace it by {remedy}")


def free_stem(stem: Path, endings: Iterable[str]) -> Path:
    """Returns `stem`, or the first of STEM-2, STEM-3, ..., for which there is no file with any of the endings."""
    stems = itertools.chain([stem], (stem.with_name(f"{stem.name}-{number}") for number in itertools.count(2)))
    endings = tuple(endings)
    return next(stem for stem in stems if not any(os.path.lexists(f"{stem}{ending}") for ending in endings))


def write_whole(path: str | os.PathLike, content: bytes | str) -> None:
    """Writes a file, or replaces it, as `write_all` does."""
    write_all({path: content}, overwrite=True)


def write_all(contents: Mapping[str | os.PathLike, bytes | str], *, overwrite: bool) -> None:
    """Writes files beside their places, and renames them when all of them are on the disk: whoever reads one sees the old content
    or the new, also after a crash.

    contents: by the path of each file bytes, or text, which is written as UTF-8 with its line ends as they are.
    overwrite: may what is there be replaced? Without, InputError, and nothing is written.

    Makes the folders. OSError, with the file's name, if one cannot be written; what was there is there still, and no more.
    """
    beside = {Path(path): Path(path).with_name(f".{os.getpid()}.{secrets.token_hex(4)}.tmp") for path in contents}
    made, placed = [], {}
    try:
        for path, content in zip(beside, contents.values(), strict=True):
            with _named(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                with beside[path].open("xb") as file:
                    made.append(beside[path])
                    file.write(content.encode(errors="backslashreplace") if isinstance(content, str) else content)
                    file.flush()
                    os.fsync(file.fileno())
        for path, temporary in beside.items():
            if os.path.lexists(path):
                there = path.lstat()
                if (there.st_dev, there.st_ino) in placed.values():
                    raise InputError(f"{path} has the name of another file, as names are compared here; choose another folder")
                check_output(path, overwrite=overwrite)
            with _named(path):
                os.replace(temporary, path)
            there = path.lstat()
            placed[path] = there.st_dev, there.st_ino
    except BaseException:
        for path in () if overwrite else placed:
            path.unlink(missing_ok=True)
        raise
    finally:
        for temporary in made:
            temporary.unlink(missing_ok=True)
    for folder in {path.parent for path in beside}:
        _sync(folder)


@contextlib.contextmanager
def _named(path: Path):
    """Names the file in an OSError, not the one beside it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _sync(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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
