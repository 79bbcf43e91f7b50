"""Dropout with an explicit key (Srivastava et al. 2014): the key says whether a pass is stochastic, not a flag."""

import jax
import jax.numpy as jnp


def dropout(h, rate: float, key):
    """h with every value zeroed with probability `rate` and the rest scaled to keep the mean; h itself if `key` is None."""
    if key is None or rate == 0:
        return h
    return jnp.where(jax.random.bernoulli(key, 1 - rate, h.shape), h / (1 - rate), 0)
