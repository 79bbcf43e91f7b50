"""The start: at t = 0 there is no symbol t-1, and a net sees zeros instead."""

import jax.numpy as jnp


def start(x, t):
    """x [B, ...] after the start, zeros of the same shape at t = 0. `t` is traced."""
    return jnp.where(t == 0, jnp.zeros_like(x), x)
