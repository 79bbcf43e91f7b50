"""Batches of raw examples: for training a pure function of (seed, step), for evaluation every example once.

Epoch e visits the examples in a random order of its own; the epochs lie end to end, and batch s is examples
[s B, (s + 1) B) of that endless row. Any batch can be asked for at any time, which is what makes an interrupted run resume
exactly. The order of an epoch is one permutation drawn from (seed, epoch).

Of several processes each gathers the rows of a batch that its devices hold, so that together they have the very batch that one
process would.
"""

import dataclasses
import functools
import operator
from collections.abc import Callable, Iterator

import numpy as np

from arjax.arguments import native
from arjax.data.splits import Split
from arjax.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingBatches:
    """`batches[step]` for any step >= 0: what `gather` gives of the rows of a batch that this process holds."""

    split: Split
    order: Callable[[int], np.ndarray]  # epoch -> [N], the examples as that epoch visits them
    batch_size: int
    rows: slice | np.ndarray  # of the global batch, those that this process gets

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        step = operator.index(step)
        if step < 0:
            raise InputError(f"step={step} is negative; steps count from 0")
        epoch, place = divmod(step * self.batch_size, len(self.split.x))
        indices = self.order(epoch)[place : place + self.batch_size]
        if len(indices) < self.batch_size:  # the epoch ends within this batch
            indices = np.concatenate([indices, self.order(epoch + 1)[: self.batch_size - len(indices)]])
        return gather(self.split, indices[self.rows])


def training_batches(split: Split, batch_size: int, seed: int, rows: slice | np.ndarray = slice(None)) -> TrainingBatches:
    """Makes endless shuffled batches with random access. InputError if the batch is larger than the split, or has no such rows.

    batch_size: the global one.
    rows: what this process gets of it, places in 0..batch_size-1.
    """
    num = len(split.x)
    if not 1 <= batch_size <= num:
        raise InputError(f"batch_size={batch_size} is not in 1..{num}, the size of the training split; choose one that is")
    places = np.arange(batch_size)[rows] if isinstance(rows, slice) else np.asarray(rows)
    if places.size == 0 or places.min() < 0 or places.max() >= batch_size:
        raise InputError(f"rows={rows} are none of a batch of {batch_size}; give places in 0..{batch_size - 1}")
    if not 0 <= seed < 2**32:
        raise InputError(f"seed={seed} is not in 0..2**32-1; choose one that is")

    # A batch needs at most two epochs' orders: keep those, so that each is drawn once.
    @functools.lru_cache(maxsize=2)
    def order(epoch):
        return np.random.default_rng((seed, epoch)).permutation(num)

    return TrainingBatches(split, order, batch_size, rows)


def evaluation_batches(split: Split, batch_size: int) -> Iterator[dict[str, np.ndarray]]:
    """Yields every example exactly once and in order, in batches of one size: the last is filled up with its last example.

    "weight" [B] float32 is 1 for an example and 0 for a filler. InputError if batch_size < 1.
    """
    if batch_size < 1:
        raise InputError(f"batch_size={batch_size} must be at least 1; choose a positive number")
    num = len(split.x)
    places = (np.arange(start, start + batch_size) for start in range(0, num, batch_size))
    return (gather(split, np.minimum(i, num - 1)) | {"weight": (i < num).astype(np.float32)} for i in places)


_DTYPES = {"label": np.int32, "local": np.float32, "memory": np.float32, "counted": np.bool_}


def gather(split: Split, indices: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the examples at `indices` [B]: {"x": [B, *site_shape, *E]}, raw, and "label" int32, "local" and "memory" float32
    and "counted" bool where the split has them."""
    parts = {name: getattr(split, name) for name in _DTYPES}
    there = {name: part[indices].astype(_DTYPES[name], copy=False) for name, part in parts.items() if part is not None}
    return {"x": native(split.x[indices])} | there
