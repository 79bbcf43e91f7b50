"""A toy data set of one ordered symbol, whose law is known: what 1-D densities are tried on.

z ~ 0.4 N(25, 4^2) + 0.6 N(65, 12^2),   x = z rounded to the nearest of 0..99
"""

import dataclasses
import math
from typing import Any, ClassVar

import numpy as np

from arjax.data.splits import Split, Splits, check_splits
from arjax.data.values import Levels
from arjax.errors import InputError

_PARTS = ((0.4, 25.0, 4.0), (0.6, 65.0, 12.0))  # weight, mean, standard deviation


@dataclasses.dataclass(frozen=True)
class Bimodal:
    """Examples [1] of two bumps over 100 symbols. train: how many to learn from; there are 1000 to validate, 10000 to test, which
    do not change with it. seed: draws them all. `root` is not looked at."""

    train: int = 200
    seed: int = 0
    root: str | None = dataclasses.field(default=None, compare=False)

    values: ClassVar[Any] = Levels(100)

    def __post_init__(self):
        if self.train < 1:
            raise InputError(f"train={self.train} leaves nothing to learn from; choose at least one example")
        if self.seed < 0:
            raise InputError(f"seed={self.seed} must not be negative; choose 0 or more")

    @property
    def title(self) -> str:
        return f"bimodal toy, {self.values.title}, train {self.train} / valid 1000 / test 10000, seed {self.seed}"

    def probs(self) -> np.ndarray:
        """[100] float64: the law."""
        edges = [-math.inf, *np.arange(99) + 0.5, math.inf]
        cdf = [sum(w * 0.5 * math.erfc((mean - edge) / std / math.sqrt(2)) for w, mean, std in _PARTS) for edge in edges]
        return np.diff(cdf)

    def load(self) -> Splits:
        below, splits = np.cumsum(self.probs())[:-1], []
        for split, count in enumerate((self.train, 1000, 10000)):
            uniform = np.random.default_rng((self.seed, split)).random(count)
            splits.append(Split(np.searchsorted(below, uniform, side="right").astype(np.uint8)[:, None]))
        return check_splits(Splits(*splits), self.values, "bimodal toy")
