"""A file as one stream of symbols, cut by place into training, validation and test parts, and these into windows.

Training sees every window of `length` symbols that the training part holds; held-out parts are cut into windows that follow each
other, so that every symbol is scored once (less than a window at the end of a part is left out). A window's first symbols are
scored without what stood before them: -log p is exact for a model that takes windows as independent, and an upper bound on what
the same model needs given the whole context, as far as context helps it. Longer windows make it tighter.
"""

from pathlib import Path

import numpy as np

from arjax.data.sources import data_root, one_line
from arjax.data.splits import Split, Splits, check_fractions, cut_points


def read_file(path: str, root: str | None) -> tuple[str, bytes]:
    """(the file's name for messages, its content). `path` as given, or relative to the data root. ValueError if there is none."""
    file = Path(path).expanduser()
    if not file.exists():
        file = data_root(root) / file  # an absolute path stays as it is
    if not file.exists():
        raise ValueError(f"there is no file {path}, neither as given nor in {data_root(root)}; check the path")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({one_line(error)}); give a file") from error
    if not content:
        raise ValueError(f"{file} is empty; give a file with at least one window in each part")
    return str(file), content


def windows(codes: np.ndarray, length: int, valid: float, test: float, where: str, symbols: str) -> Splits:
    """[N] -> train [windows, length], a view of `codes` that copies nothing; valid and test [windows, length].

    ValueError if a part is shorter than one window; `where` names the file and `symbols` what it consists of in the message.
    """
    first, second = cut_points(len(codes), valid, test)
    parts = {"training": codes[:first], "validation": codes[first:second], "test": codes[second:] if test else codes[first:]}
    for name, part in parts.items():
        if len(part) < length:
            raise ValueError(
                f"{where}: its {name} part has {len(part)} {symbols}, less than one window of length={length}; choose a shorter "
                "length or a longer file"
            )
    held_out = (Split(part[: len(part) // length * length].reshape(-1, length)) for part in (parts["validation"], parts["test"]))
    # Codes need no check of their values, which would visit every symbol once for each window it is in.
    return Splits(Split(np.lib.stride_tricks.sliding_window_view(parts["training"], length)), *held_out)


def check_windows(length: int, valid: float, test: float) -> None:
    """ValueError unless windows of this length and these fractions can be."""
    if length < 1:
        raise ValueError(f"length={length} must be at least one symbol; choose a positive number")
    check_fractions(valid, test)


def title(name: str, symbols: str, length: int, valid: float, test: float) -> str:
    """Data set, symbols and split in one line."""
    last = f"test the last {test:.4g}" if test else "test = valid"
    held_out = f"then valid {valid:.4g}, {last}" if test else f"valid the last {valid:.4g}, {last}"
    return f"{name}, {symbols}, windows of {length}; train the first {1 - valid - test:.4g} of it, {held_out}"
