"""The 8x8 digits of scikit-learn (UCI's optical recognition set, its test part): inside its wheel, so always there.

Raw values 0..16, ten classes. The split is fixed and needs no random numbers: of every six images in the file's order the
fifth is for validation, the sixth for testing, the others for training.
"""

import dataclasses
from typing import Any

import numpy as np

from arjax.data.splits import Split, Splits, check_splits
from arjax.data.values import Threshold
from arjax.errors import require


@dataclasses.dataclass(frozen=True)
class Digits:
    """1797 images 8x8 of handwritten digits. `root` is not looked at."""

    values: Any = Threshold(7)
    root: str | None = dataclasses.field(default=None, compare=False)

    @property
    def title(self) -> str:
        return f"digits 8x8, {self.values.title}, train 1199 / valid 299 / test 299"

    def load(self) -> Splits:
        data = require("sklearn.datasets", extra="data").load_digits()
        x, label = data.images.astype(np.uint8), data.target.astype(np.uint8)
        place = np.arange(len(x)) % 6
        splits = Splits(*(Split(x[part], label[part]) for part in (place < 4, place == 4, place == 5)))
        return check_splits(splits, self.values, "digits")
