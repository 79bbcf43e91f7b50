"""Coordinate coding: where a site is, as numbers that a net can add to what it sees (as in Liu et al. 2018)."""

import math

import numpy as np
from jaxtyping import Float


def coordinates(site_shape: tuple[int, ...]) -> Float[np.ndarray, "T axes"]:
    """[T, axes] float32: each row-major site's place along every axis of the data, from -1 to 1; 0 along an axis of one."""
    axes = [np.linspace(-1, 1, size) if size > 1 else np.zeros(1) for size in site_shape]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return grid.reshape(math.prod(site_shape), len(site_shape)).astype(np.float32)
