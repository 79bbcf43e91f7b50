"""Which of the earlier sites a site attends to: frozen dataclasses that give booleans over (site, attended site).

A mask is any frozen dataclass with `seen(num_sites) -> bool [T, S]`. What it hides beyond causality is up to it: site t can be
shown the symbols of sites before t alone, whatever a mask says, and always sees the start, so that nothing is ever attended to
an empty set. Places count in generation order: S = 0 is the start, s > 0 the symbol of site s - 1.
"""

import dataclasses
import functools
from typing import Any

import numpy as np
from jaxtyping import Bool

from arjax.arguments import check_table
from arjax.description import check_types
from arjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Causal:
    """Everything before a site."""

    def seen(self, num_sites: int) -> Bool[np.ndarray, "T S"]:
        return np.tri(num_sites, dtype=bool)


@dataclasses.dataclass(frozen=True)
class Window:
    """The last `size` symbols before a site."""

    size: int = 128
    """Symbols before a site that it attends to."""

    def __post_init__(self):
        check_types(self)
        if self.size < 1:
            raise InputError(f"Window(size={self.size}) shows no symbol; choose at least 1")

    def seen(self, num_sites: int) -> Bool[np.ndarray, "T S"]:
        behind = _behind(num_sites)
        return (behind >= 0) & (behind < self.size)


@dataclasses.dataclass(frozen=True)
class Strided:
    """The last `stride` symbols before a site, and every `stride`-th one before those: for a picture in raster order whose rows
    are so long, the row so far and the column above (Child et al. 2019, section 4.2)."""

    stride: int = 32
    """Symbols before a site that it attends to, and the distance of the others; for a picture the length of a row."""

    def __post_init__(self):
        check_types(self)
        if self.stride < 1:
            raise InputError(f"Strided(stride={self.stride}) shows no symbol; choose at least 1")

    def seen(self, num_sites: int) -> Bool[np.ndarray, "T S"]:
        behind = _behind(num_sites)
        return (behind >= 0) & ((behind < self.stride) | ((behind + 1) % self.stride == 0))


# Booleans: of 16,384 sites.
MAX_SEEN = 2**28


@dataclasses.dataclass(frozen=True)
class Sight:
    """What the sites of a model see of each other, fixed when a program is traced."""

    mask: Any
    sites: int

    def table(self, length: int) -> Bool[np.ndarray, "{length} {length}"]:
        """What the first `length` sites attend to."""
        return attended(self.mask, self.sites)[:length, :length]


@functools.lru_cache(maxsize=1)  # all blocks of a net use the same table
def attended(mask, num_sites: int) -> Bool[np.ndarray, "T S"]:
    """What site t really attends to under `mask`: never what is not known yet, always the start. InputError where its booleans
    have another shape."""
    check_table("what each site attends to", num_sites, num_sites, limit=MAX_SEEN)
    seen = np.asarray(mask.seen(num_sites))
    if seen.shape != (num_sites, num_sites) or seen.dtype != bool:
        raise InputError(f"{mask} gives {seen.dtype} of shape {seen.shape}; give booleans of shape {(num_sites, num_sites)}")
    seen = seen & np.tri(num_sites, dtype=bool)
    seen[:, 0] = True
    seen.flags.writeable = False
    return seen


def _behind(num_sites) -> np.ndarray:
    """[T, S] int32: how many places s lies behind t."""
    at = np.arange(num_sites, dtype=np.int32)
    return np.subtract.outer(at, at)
