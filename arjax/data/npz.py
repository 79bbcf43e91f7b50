"""A user's own data: one .npz file with the arrays train, valid and test, and beside each, for all three or none, what its
examples come with: `train_label` [N], whole numbers from 0; `train_local`, local features; `train_memory` [N, S, F];
`train_length` [N], how many values of a sequence are its own, the rest being padding with any valid value, as 0; or
`train_counted`, bool [N, *site_shape], False at sites that are not scored.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from arjax.data.archive import read_arrays
from arjax.data.media import Images
from arjax.data.sources import locate
from arjax.data.splits import Split, Splits, check_splits
from arjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Npz:
    """Arrays train, valid, test [N, *site_shape, *E] of `path`, which may be relative to the data root."""

    path: str
    """The .npz file, as given or under the data root."""
    values: Any
    """What a raw value becomes."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder of the file, if not $ARJAX_DATA or ~/.cache/arjax."""

    medium = property(lambda self: Images(self.values.vocab))

    @property
    def title(self) -> str:
        return f"{Path(self.path).name}, {self.values.title}, train / valid / test as in the file"

    def load(self) -> Splits:
        path = locate(self.path, self.root)
        suffixes = ("", "_label", "_local", "_memory", "_length", "_counted")
        arrays = read_arrays(path, str(path), [name + suffix for name in Splits._fields for suffix in suffixes])
        missing = [name for name in Splits._fields if name not in arrays]
        if missing:
            raise InputError(
                f"{path} has no array {', '.join(missing)} (it has {', '.join(arrays) or 'none'}); "
                "save all three of train, valid and test"
            )
        return check_splits(Splits(*(_split(arrays, name, path) for name in Splits._fields)), self.values, str(path))


def _split(arrays, name, path) -> Split:
    x, length, counted = (arrays.get(name + part) for part in ("", "_length", "_counted"))
    if length is not None and counted is not None:
        raise InputError(f"{path} has both {name}_length and {name}_counted; save one of them")
    if length is not None and x.ndim > 1:
        if length.shape != (len(x),) or length.dtype.kind not in "iu":
            raise InputError(
                f"{path}: {name}_length is {length.dtype} of shape {length.shape}; give one whole number for each of the "
                f"{len(x)} sequences"
            )
        if ((length < 1) | (length > x.shape[1])).any():
            i = int(np.argmax((length < 1) | (length > x.shape[1])))
            raise InputError(
                f"{path}: {name}_length[{i}] is {length[i]}, not in 1..{x.shape[1]}, the length of the rows of {name}; correct it"
            )
        counted = np.arange(x.shape[1]) < length[:, None]
    return Split(x, counted=counted, **{part: arrays.get(f"{name}_{part}") for part in ("label", "local", "memory")})
