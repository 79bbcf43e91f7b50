"""Where a site is, as a vector that is added to what a net knows there: one table, a table for each axis, or sines.

learned      a vector of its own for each site                                      (Vaswani et al. 2017, section 3.5)
axial        the sum of a vector for each of its coordinates                        (as in Child et al. 2019, section 5.3)
sinusoidal   sin and cos of its coordinates at falling speeds, nothing to learn     (Vaswani et al. 2017, section 3.5)
"""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

PlaceName = Literal["learned", "axial", "sinusoidal"]


class Places(nn.Module):
    """sites [...], row-major indices into data of this shape -> [..., D] float32."""

    kind: PlaceName
    sites: tuple[int, ...]
    width: int

    def setup(self):
        normal = nn.initializers.normal(0.02)
        if self.kind == "learned":
            self.table = self.param("table", normal, (int(np.prod(self.sites)), self.width))
        elif self.kind == "axial":
            self.tables = [self.param(f"table{axis}", normal, (size, self.width)) for axis, size in enumerate(self.sites)]

    def __call__(self, sites):
        if self.kind == "learned":
            return self.table[sites]
        if self.kind == "axial":
            return sum(table[at] for table, at in zip(self.tables, jnp.unravel_index(sites, self.sites), strict=True))
        return jnp.asarray(_sines(self.sites, self.width))[sites]


def grid(sites: tuple[int, ...]) -> np.ndarray:
    """[T, axes] float: the coordinates of every site, row by row, counted from 0."""
    return np.stack(np.unravel_index(np.arange(np.prod(sites)), sites), axis=-1).astype(np.float64)


def _sines(sites, width):
    """[T, width]: every axis has about an equal share of the features, which start with the fastest pairs."""
    places = grid(sites)
    pairs = -(-width // (2 * places.shape[1]))
    turns = places[:, :, None] * 10000.0 ** (-np.arange(pairs) / pairs)
    waves = np.stack([np.sin(turns), np.cos(turns)], axis=-1)  # [T, axes, pairs, 2]
    return waves.transpose(0, 2, 1, 3).reshape(len(places), -1)[:, :width].astype(np.float32)
