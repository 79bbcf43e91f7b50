"""What a discrete autoencoder minimises: the error of its reconstruction, and what its quantizer asks for.

loss = mean (x - x_hat)^2 / variance + the quantizer's own                (van den Oord et al. 2017, section 3.2, eq. 3)
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp

from arjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Reconstruction:
    """model: a VQVAE. values: (key, what the data set stores) -> real values in [0, 1]. variance: of the normal distribution
    that a pixel has around its reconstruction; the variance of the data themselves makes the first term start near 1."""

    model: Any
    values: Any
    variance: float = 0.1

    def __post_init__(self):
        if not 0 < self.variance < math.inf:
            raise InputError(f"variance={self.variance} must be positive and finite; choose about the variance of a pixel")

    def init(self, key, batch):
        """(params, state) of the model."""
        return self.model.init(key)

    def loss(self, params, state, batch, key):
        """batch: {"x": [B, *shape]} raw -> (loss, (state, {"mse": per pixel; "perplexity": of the minibatch's tokens; "used":
        the fraction of the codes that occur among them}))."""
        values_key, update_key = jax.random.split(key)
        quantizer, x = self.model.quantizer, self.values(values_key, batch["x"])
        h = self.model.features(params, x)
        q, tokens, own = quantizer.quantize(params["quantizer"], state, h)
        mse = squared_error(x, self.model.picture(params, q)).mean()
        state = quantizer.update(params["quantizer"], state, jax.lax.stop_gradient(h), tokens, update_key)
        counts = code_counts(tokens, quantizer.size)
        metrics = {"mse": mse, "perplexity": perplexity(counts), "used": (counts > 0).mean()}
        return mse / self.variance + own, (state, metrics)


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
