"""Normalisation of a vector of features, in float32 whatever it is given.

layer   (h - mean h) / sqrt(var h + eps) * scale + shift     (Ba, Kiros, Hinton 2016)
rms     h / sqrt(mean h^2 + eps) * scale                     (Zhang and Sennrich 2019; Image GPT's)
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

NormName = Literal["layer", "rms"]
EPSILON = 1e-5


class Norm(nn.Module):
    """h [..., D] -> the same shape and type."""

    kind: NormName
    width: int

    def setup(self):
        self.scale = self.param("scale", nn.initializers.ones, (self.width,))
        if self.kind == "layer":
            self.shift = self.param("shift", nn.initializers.zeros, (self.width,))

    def __call__(self, h):
        x = h.astype(jnp.float32)
        if self.kind == "layer":
            x -= x.mean(axis=-1, keepdims=True)
        x *= jax.lax.rsqrt(jnp.square(x).mean(axis=-1, keepdims=True) + EPSILON)
        x *= _along(self.scale, x)
        return (x + _along(self.shift, x) if self.kind == "layer" else x).astype(h.dtype)


def _along(vector, x):
    return vector.reshape((1,) * (x.ndim - 1) + vector.shape)
