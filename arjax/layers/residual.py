"""Parts of residual blocks: nonlinearity, dropout, and what is computed again for the gradient."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


@jax.custom_jvp
def concat_elu(h):
    """Returns elu of h and of -h side by side, [..., 2 D] (Salimans et al. 2017, section 3; Shang et al. 2016). Zeros stay zeros,
    so that what is not known yet still is not."""
    # One exponential serves both halves: only one of h and -h is below zero.
    below = jnp.expm1(-jnp.abs(h))
    return jnp.concatenate([jnp.where(h > 0, h, below), jnp.where(h < 0, -h, below)], axis=-1)


@concat_elu.defjvp
def _(primals, tangents):
    # At h = 0 the slopes are 1 and -1, which the derivative of abs does not give. The result alone is kept, and not h.
    (h,), (d,) = primals, tangents
    y = concat_elu(h)
    up, down = (d * jnp.where(part > 0, 1, part + 1) for part in jnp.split(y, 2, axis=-1))
    return y, jnp.concatenate([up, -down], axis=-1)


def dropout(h, rate: float, key):
    """Returns h with every value zeroed with probability `rate` and the rest scaled to keep the mean; h itself if `key` is None:
    the key says whether a pass is stochastic, not a flag (Srivastava et al. 2014)."""
    if key is None or rate == 0:
        return h
    return jnp.where(jax.random.bernoulli(key, jnp.float32(1 - rate), h.shape), h / (1 - rate), 0)


def split_key(key, num: int):
    """Returns `num` keys, of a key; of None, as many times None."""
    return [None] * num if key is None else jax.random.split(key, num)


def recomputed(block: Callable, remat: bool) -> Callable:
    """Returns `block`, a pure function of arrays; with `remat` only its arguments and results are kept for the gradient, and what
    is inside is computed again in the backward pass (Chen et al. 2016)."""
    return jax.checkpoint(block) if remat else block
