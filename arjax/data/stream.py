"""A file as one stream of symbols, cut by place into training, validation and test parts, and these into windows.

Training sees every window of `length` symbols that the training part holds; held-out parts are cut into windows that follow each
other, so that every symbol is scored once (less than a window at the end of a part is left out). A window's first symbols are
scored without what stood before them: -log p is exact for a model that takes windows as independent, and an upper bound on what
the same model needs given the whole context, as far as context helps it. Longer windows make it tighter.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from arjax.data.sources import data_root
from arjax.data.splits import Split, Splits, check_fractions, cut_points
from arjax.errors import InputError, one_line


def read_file(path: str, root: str | None) -> tuple[str, bytes]:
    """(the file's name for messages, its content). `path` as given, or relative to the data root. InputError if there is none."""
    file = Path(path).expanduser()
    if not file.exists():
        file = data_root(root) / file  # an absolute path stays as it is
    if not file.exists():
        raise InputError(f"there is no file {path}, neither as given nor in {data_root(root)}; check the path")
    # A device or a pipe could keep its reader waiting, or be without an end.
    if not file.is_file():
        raise InputError(f"{file} is no file; give one")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read ({one_line(error)}); give a file") from error
    if not content:
        raise InputError(f"{file} is empty; give a file that holds something")
    return str(file), content


class Parts(NamedTuple):
    """The parts of one stream, each a sequence: 1-D arrays, or strings. `test` is `valid`, the same object, where no test part is
    held out."""

    train: Any
    valid: Any
    test: Any


def cut(codes, valid: float, test: float) -> Parts:
    """A sequence of N symbols -> its three parts, views of it where it is an array."""
    first, second = cut_points(len(codes), valid, test)
    held_out = codes[first:second]
    return Parts(codes[:first], held_out, codes[second:] if test else held_out)


def each(function: Callable, parts: Parts) -> Parts:
    """What the function makes of each part; once, and shared, where the test part is the validation part."""
    train, valid = function(parts.train), function(parts.valid)
    return Parts(train, valid, valid if parts.test is parts.valid else function(parts.test))


def windows(parts: Parts, length: int, where: str, symbols: str) -> Splits:
    """Arrays [N] -> train [windows, length], a view that copies nothing; valid and test [windows, length], views too.

    InputError if a part is shorter than one window; `where` names the file and `symbols` what it consists of in the message.
    """
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        if len(part) < length:
            raise InputError(
                f"{where}: its {name} part has {len(part)} {symbols}, less than one window of length={length}; choose a shorter "
                "length or a longer file"
            )
    held_out = (Split(part[: len(part) // length * length].reshape(-1, length)) for part in (parts.valid, parts.test))
    # Codes need no check of their values, which would visit every symbol once for each window it is in.
    return Splits(Split(np.lib.stride_tricks.sliding_window_view(parts.train, length)), *held_out)


def check_windows(length: int, valid: float, test: float) -> None:
    """InputError unless windows of this length and these fractions can be."""
    if length < 1:
        raise InputError(f"length={length} must be at least one symbol; choose a positive number")
    check_fractions(valid, test)


def title(name: str, symbols: str, length: int, valid: float, test: float) -> str:
    """Data set, symbols and split in one line."""
    last = f"test the last {test:.4g}" if test else "test = valid"
    held_out = f"then valid {valid:.4g}, {last}" if test else f"valid the last {valid:.4g}, {last}"
    return f"{name}, {symbols}, windows of {length}; train the first {1 - valid - test:.4g} of it, {held_out}"
