"""The lower half of pictures given the upper: what is hidden is the example, what is visible its memory, in patches.

The memory holds what a model of the whole would see of the upper half, scaled to [-1, 1], and not the raw values: so that
p(lower | upper) is the very quantity that the other gives by the chain rule, and the two can be compared.
"""

import dataclasses
from typing import Any

import jax
import numpy as np

from arjax.data.dataset import DataCapabilities, rooted
from arjax.data.splits import Split, Splits, check_splits
from arjax.description import check_types
from arjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class LowerHalf:
    """Of pictures (H, W): the rows from H // 2 on, and as memory [S, F] the rows above in patches of `patch` x `patch`, row by
    row: S = H // 2 / patch * W / patch and F = patch^2. Labels stay. InputError where values are random, since each half would
    be drawn on its own. `root`, if given, replaces that of `data`."""

    data: Any
    """The pictures."""
    patch: int = 2
    """Height and width of the patches that the upper half is seen in."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder of the files, in place of that of the pictures."""

    def __post_init__(self):
        check_types(self)
        if self.patch < 1:
            raise InputError(f"patch={self.patch} must be at least 1; choose a positive number")
        if self.data.values.random:
            raise InputError(f"{self.data.values} draws values at random, the halves each its own; choose values that are fixed")

    values = property(lambda self: self.data.values)
    medium = property(lambda self: self.data.medium)
    classes = property(lambda self: DataCapabilities.of(self.data).classes)

    @property
    def title(self) -> str:
        return f"{self.data.title}, the lower half given the upper"

    def load(self) -> Splits:
        splits = rooted(self.data, self.root).load()
        shape, parts = splits.train.x.shape[1:], splits.train._asdict()
        extra = [name for name in ("local", "counted", "memory") if parts[name] is not None]
        if len(shape) != 2 or shape[0] < 2 or extra:
            raise InputError(
                f"{self.data.title} has examples of shape {shape}{' with ' + ' and '.join(extra) if extra else ''}; "
                "give plain pictures (H, W) of at least two rows"
            )
        if shape[0] // 2 % self.patch or shape[1] % self.patch:
            raise InputError(
                f"patches of {self.patch} do not divide an upper half of {shape[0] // 2} x {shape[1]} pixels; choose a divisor"
            )
        upper = [self.values(jax.random.key(0), split.x[:, : shape[0] // 2]) for split in splits]
        vocab = self.values.vocab
        low, high = (upper[0].min(), upper[0].max()) if vocab is None else (0, vocab - 1)
        halves = [
            Split(split.x[:, shape[0] // 2 :], split.label, memory=self._patches((np.float32(top) - low) / max(high - low, 1)))
            for split, top in zip(splits, upper, strict=True)
        ]
        return check_splits(Splits(*halves), self.values, self.title)

    def _patches(self, x):
        """[N, h, W] in [0, 1] -> [N, S, F] in [-1, 1]."""
        count, height, width = x.shape
        tiles = (2 * x - 1).reshape(count, height // self.patch, self.patch, width // self.patch, self.patch)
        return tiles.swapaxes(2, 3).reshape(count, -1, self.patch**2).astype(np.float32)
