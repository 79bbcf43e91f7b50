"""The start: at t = 0 there is no symbol t-1, and a net sees zeros instead. One site at a time, and all of them at once."""

import jax.numpy as jnp


def start(x, t):
    """x [B, ...] after the start, zeros of the same shape at t = 0. `t` is traced."""
    return jnp.where(t == 0, jnp.zeros_like(x), x)


def shift(x):
    """[B, T, ...] -> [B, T, ...]: at t what x has at t-1, zeros at t = 0."""
    return jnp.concatenate([jnp.zeros_like(x[:, :1]), x[:, :-1]], axis=1)
