"""Rotary positions: queries and keys turned by where they are, so that their product knows how far apart (Su et al. 2021).

    (a, b) -> (a cos p f - b sin p f, a sin p f + b cos p f)       for every pair of features, f = 10000^(-pair / pairs)

On several axes each has a share of the pairs of its own.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from arjax.errors import InputError


def angles(places: np.ndarray, width: int) -> Float[np.ndarray, "T half"]:
    """[T, width / 2]: by how much each pair of `width` features is turned at places [T, axes], which may be any numbers.

    InputError unless every axis gets a whole number of pairs.
    """
    axes = places.shape[1]
    if width % (2 * axes):
        raise InputError(f"{width} features a head are no pairs for {axes} axes; choose a multiple of {2 * axes}")
    pairs = width // (2 * axes)
    speeds = 10000.0 ** (-np.arange(pairs) / pairs)
    return (places[:, :, None] * speeds).reshape(len(places), -1).astype(np.float32)


def turn(h: Float[Array, "*B N K"], by: Float[Array, "*b half"]) -> Float[Array, "*B N K"]:
    """h turned by angles [..., K / 2], the same for all heads. The pairs are feature k and feature k + K / 2."""
    cos, sin = (part[..., None, :].astype(h.dtype) for part in (jnp.cos(by), jnp.sin(by)))
    a, b = jnp.split(h, 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
