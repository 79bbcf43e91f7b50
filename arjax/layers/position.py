"""Where a site is, as numbers that a net can use: coordinates, position embeddings, rotary angles.

learned      a vector of its own for each site                                      (Vaswani et al. 2017, section 3.5)
axial        the sum of a vector for each of its coordinates                        (as in Child et al. 2019, section 5.3)
sinusoidal   sin and cos of its coordinates at falling speeds, nothing to learn     (Vaswani et al. 2017, section 3.5)
rotary       queries and keys turned, so that their product knows how far apart they are (Su et al. 2021):
             (a, b) -> (a cos p f - b sin p f, a sin p f + b cos p f)   for every pair of features, f = 10000^(-pair / pairs)

On several axes each has a share of the pairs of its own.
"""

from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from arjax.arguments import check_table
from arjax.errors import InputError

EmbeddingName = Literal["learned", "axial", "sinusoidal"]


def grid(sites: tuple[int, ...]) -> Float[np.ndarray, "T axes"]:
    """Returns the coordinates of every site, row by row, counted from 0."""
    check_table("coordinates", *sites, len(sites))
    return np.stack(np.unravel_index(np.arange(np.prod(sites)), sites), axis=-1).astype(np.float64)


def coordinates(sites: tuple[int, ...]) -> Float[np.ndarray, "T axes"]:
    """Returns each site's coordinates from -1 to 1, float32, row by row; 0 along an axis of one (as in Liu et al. 2018)."""
    check_table("coordinates", *sites, len(sites))
    axes = [np.linspace(-1, 1, size) if size > 1 else np.zeros(1) for size in sites]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(sites)).astype(np.float32)


def coordinate_table(net, init: Callable, axes: int, width: int):
    """Returns the net's parameter `w_place` [axes, width], None without `coordinates`. axes: the first of the data's."""
    return net.param("w_place", init, (axes, width)) if net.coordinates else None


def coordinate_bias(net, sites, dtype=jnp.float32) -> Any:
    """Returns what the coordinates of these sites [...] along the axes of the net's `w_place` [axes, G] add to a layer, [..., G];
    0 where the net has none."""
    if net.w_place is None:
        return 0
    return (jnp.asarray(coordinates(net.spec.sites[: len(net.w_place)]))[sites] @ net.w_place).astype(dtype)


class PositionEmbedding(nn.Module):
    """Sites [...], row-major indices into data of this shape -> [..., D] float32."""

    kind: EmbeddingName
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


def _sines(sites, width):
    """[T, width]: every axis has about an equal share of the features, which start with the fastest pairs."""
    places = grid(sites)
    turns = _turns(places, -(-width // (2 * places.shape[1])))
    waves = np.stack([np.sin(turns), np.cos(turns)], axis=-1)  # [T, axes, pairs, 2]
    return waves.transpose(0, 2, 1, 3).reshape(len(places), -1)[:, :width].astype(np.float32)


def angles(places: np.ndarray, width: int) -> Float[np.ndarray, "T half"]:
    """Returns by how much each pair of `width` features is turned at places [T, axes], which may be any numbers: [T, width / 2].

    InputError unless every axis gets a whole number of pairs.
    """
    axes = places.shape[1]
    if width % (2 * axes):
        raise InputError(f"{width} features a head are no pairs for {axes} axes; choose a multiple of {2 * axes}")
    return _turns(places, width // (2 * axes)).reshape(len(places), -1).astype(np.float32)


def _turns(places, pairs):
    """[T, axes, pairs]: the coordinates at falling speeds."""
    check_table("positions", *places.shape, pairs)
    return places[:, :, None] * 10000.0 ** (-np.arange(pairs) / pairs)


def turn(h: Float[Array, "*B N K"], by: Float[Array, "*b half"]) -> Float[Array, "*B N K"]:
    """Returns h turned by angles [..., K / 2], the same for all heads. The pairs are feature k and feature k + K / 2."""
    cos, sin = (part[..., None, :].astype(h.dtype) for part in (jnp.cos(by), jnp.sin(by)))
    a, b = jnp.split(h, 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
