"""Files: those of public data sets, found under one folder or downloaded there once, and always checked; and a user's own.

A checksum is that of a file's *content*: the same images are about in several gzip wrappers, and unpacked. So a file named
`x.gz` or `x.bz2` may also lie under the folder as `x`, and a downloaded one is stored unpacked.
"""

import bz2
import collections
import dataclasses
import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

from arjax import files
from arjax.errors import InputError, brief, one_line, require

# No file of ours unpacks to more than a fifth of this; a file that does is not one of ours.
MAX_BYTES = 2**28


@dataclasses.dataclass(frozen=True)
class Source:
    """One file: its name under the data root, the sha256 of its unpacked content (None: not known, so not checked and never
    downloaded), and where it can be had, if anywhere."""

    file: str
    sha256: str | None
    url: str | None = None


def data_root(root: str | None) -> Path:
    """Returns the folder of the data files: `root`, else $ARJAX_DATA, else ~/.cache/arjax."""
    return Path(os.path.expanduser(root or os.environ.get("ARJAX_DATA") or "~/.cache/arjax"))


def find(source: Source, root: str | None) -> Path | None:
    """Finds the file under the data root, packed or unpacked; None if it is not there."""
    folder = data_root(root)
    candidates = (folder / source.file, folder / _unpacked_name(source))
    return next((path for path in candidates if path.is_file()), None)


def read(source: Source, root: str | None) -> bytes:
    """Returns the file's unpacked content, and downloads the file first if it is not there. InputError in one line, with the
    remedy, if the file can neither be found nor downloaded, cannot be read, or has the wrong checksum."""
    path = find(source, root) or _download(source, data_root(root))
    try:
        content = _unpack(path)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({one_line(error)}); {_replace(source)}") from error
    found = hashlib.sha256(content).hexdigest()
    if source.sha256 is not None and found != source.sha256:
        raise InputError(
            f"{path} has the wrong checksum: the sha256 of its content is {found}, expected {source.sha256}; {_replace(source)}"
        )
    return content


def locate(path: str | None, root: str | None, kind: str = "file") -> Path:
    """Finds a user's own file or folder: `path` as given, or relative to the data root. InputError if there is nothing, or if no
    path is given."""
    if not path:
        raise InputError(f"the data have no path; name the {kind} by --data.path")
    found = Path(os.path.expanduser(path))  # pathlib's own raises where there is no such user
    if not os.path.exists(found):  # where pathlib's own raises for a name that is too long
        found = data_root(root) / found  # an absolute path stays as it is
    if not os.path.exists(found):
        raise InputError(f"there is no {kind} {path}, neither as given nor in {data_root(root)}; check the path")
    return found


def files_in(folder: Path) -> list[Path]:
    """Lists the files in a folder and in the folders in it, relative to it, in order; hidden ones are passed over."""
    found = sorted((file.relative_to(folder) for file in folder.rglob("*") if file.is_file()), key=lambda file: file.parts)
    return [file for file in found if not any(part.startswith(".") for part in file.parts)]


def kinds_of(endings: Iterable[str]) -> str:
    """Counts, in words, the files of some endings; "" where there are none."""
    counts = collections.Counter(ending or "no ending" for ending in endings)
    return ", ".join(f"{count} of {brief(ending)[1:-1]}" for ending, count in counts.most_common(5))


def read_file(path: str, root: str | None) -> tuple[str, bytes]:
    """Reads a user's own file: (its name for messages, its content). InputError if there is no such file, or nothing in it."""
    file = locate(path, root)
    content = files.read_file(file)
    if not content:
        raise InputError(f"{file} is empty; give a file that holds something")
    return str(file), content


def _download(source: Source, folder: Path) -> Path:
    by_hand = f"save it there as {source.file}, or name the folder that has it by root or $ARJAX_DATA"
    if source.url is None:
        raise InputError(f"{source.file} is not in {folder}; {by_hand}")
    if source.sha256 is None:
        raise InputError(
            f"{source.file} is not in {folder} and has no known checksum to download it by; get {source.url} and {by_hand}"
        )

    pooch = require("pooch", extra="data")

    def fetch_unpacked(url, file, owner):
        pooch.HTTPDownloader()(url, file, owner)
        Path(file).write_bytes(_unpack(Path(file)))

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # it announces a download on stderr, where a failed one is to leave one line
    try:
        # pooch checks the sum of what the downloader leaves, and only then moves it to its name, in one step.
        return Path(
            pooch.retrieve(
                source.url, f"sha256:{source.sha256}", fname=_unpacked_name(source), path=folder, downloader=fetch_unpacked
            )
        )
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(
            f"{source.file} is not in {folder} and could not be downloaded from {source.url} ({one_line(error)}); {by_hand}"
        ) from error
    finally:
        logger.setLevel(level)


def _unpack(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(3)
    opened = next((unpacker for magic, unpacker in _UNPACKERS.items() if start.startswith(magic)), open)
    with opened(path, "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(f"more than {MAX_BYTES} bytes")
    return content


# How a packed file starts, whatever its name, and what opens it.
_UNPACKERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open}


def _unpacked_name(source: Source) -> str:
    return source.file.removesuffix(".gz").removesuffix(".bz2")


def _replace(source: Source) -> str:
    return (
        "replace it by the published file, or remove it"
        if source.url is None
        else f"delete it to download it again from {source.url}"
    )
