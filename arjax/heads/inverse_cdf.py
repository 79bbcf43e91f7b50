"""Sampling ordered symbols by one uniform: the smallest symbol v with P(X <= v) >= u (Devroye 1986, section III.2).

The symbol is monotone in u, so that a small change of the probabilities seldom changes a sample: what fixed-point sampling
wants. Probabilities are met to 2^-23, the grid of a float32 uniform.
"""

import jax


def uniform(key, shape):
    """Float32 in (0, 1], not [0, 1): at u = 0 the smallest symbol would be the first one, even if it is impossible."""
    return 1 - jax.random.uniform(key, shape)
