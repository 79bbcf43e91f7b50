"""A user's own data: one .npz file with the arrays train, valid and test, and train_label and so on if there are labels."""

import dataclasses
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from arjax.data.sources import data_root, one_line
from arjax.data.splits import Split, Splits, check_splits


@dataclasses.dataclass(frozen=True)
class Npz:
    """Arrays train, valid, test [N, *site_shape, *E] of `path`, which may be relative to the data root."""

    path: str
    values: Any
    root: str | None = dataclasses.field(default=None, compare=False)

    @property
    def title(self) -> str:
        return f"{Path(self.path).name}, {self.values.title}, train / valid / test as in the file"

    def load(self) -> Splits:
        path = Path(self.path).expanduser()
        if not path.exists():
            path = data_root(self.root) / path  # an absolute path stays as it is
        if not path.exists():
            raise ValueError(f"there is no file {self.path}, neither as given nor in {data_root(self.root)}; check the path")
        arrays = _arrays(path)
        missing = [name for name in Splits._fields if name not in arrays]
        if missing:
            raise ValueError(
                f"{path} has no array {', '.join(missing)} (it has {', '.join(arrays) or 'none'}); "
                "save all three of train, valid and test"
            )
        splits = Splits(*(Split(arrays[name], arrays.get(f"{name}_label")) for name in Splits._fields))
        return check_splits(splits, self.values, str(path))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays that the splits are made of. Pickled ones are refused: reading them could run anything."""
    wanted = [name + suffix for name in Splits._fields for suffix in ("", "_label")]
    try:
        # np.load would give a bare .npy too, and what it says of other files misleads; an .npz is a zip file.
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as data:
            return {name: np.asarray(data[name]) for name in data.files if name in wanted}
    except (OSError, EOFError, ValueError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path} is not a readable .npz ({one_line(error)}); save it by numpy.savez, without object arrays"
        ) from error
