"""A part of CIFAR-10 (Krizhevsky 2009): the first 4000 of its 50000 training images, in their published order.

Raw values 0..255, RGB, ten classes. There is no test image among them and far fewer to train on, so that no result on it can be
held against a published one. The split is by place: the first 3200 for training, 400 for validation, the last 400 for testing.
"""

import dataclasses
from typing import Any

from arjax.data.archive import read_arrays
from arjax.data.sources import Source, read
from arjax.data.splits import Split, Splits, check_splits
from arjax.data.values import Levels

FIRST4000 = Source("cifar10_train_first4000.npz", "f21ba659b327871ec330654ccdc95e0da52b1b39c04c467a581440516466148c")

# The first image for validation, the first for testing.
_VALID, _TEST = 3200, 3600


@dataclasses.dataclass(frozen=True)
class Cifar10Subset:
    """4000 colour images 32x32x3 of ten kinds of things. The file has no public download: it holds `images` (4000, 32, 32, 3)
    uint8 and `labels` (4000,) uint8, and must lie under the data root."""

    values: Any = Levels(256)
    root: str | None = dataclasses.field(default=None, compare=False)

    @property
    def title(self) -> str:
        return (
            f"CIFAR-10's first 4000 training images 32x32 RGB (not comparable with CIFAR-10), {self.values.title}, "
            "train 3200 / valid 400 / test 400"
        )

    def load(self) -> Splits:
        data = read_arrays(read(FIRST4000, self.root), FIRST4000.file, ("images", "labels"))
        x, label = data["images"], data["labels"]
        parts = slice(None, _VALID), slice(_VALID, _TEST), slice(_TEST, None)
        return check_splits(Splits(*(Split(x[part], label[part]) for part in parts)), self.values, "CIFAR-10 subset")
