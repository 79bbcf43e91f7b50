"""How well images come back, and how evenly codes are used."""

import jax
import jax.numpy as jnp


def squared_error(x: jax.Array, x_hat: jax.Array) -> jax.Array:
    """[B, ...] twice -> [B]: the mean over an example's values."""
    return jnp.square(x - x_hat).reshape(len(x), -1).mean(axis=1)


def code_counts(tokens: jax.Array, size: int) -> jax.Array:
    """Tokens of any shape -> float32 [K]: how often each of the `size` codes occurs."""
    return jnp.zeros(size, jnp.float32).at[tokens.ravel()].add(1)


def perplexity(counts: jax.Array) -> jax.Array:
    """[K] -> []: exp of the entropy of how often each code occurs, the number of codes in use if all were used equally."""
    p = counts / counts.sum()
    return jnp.exp(-jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1)), 0).sum())
