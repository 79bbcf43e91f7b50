"""The noise that heads draw with: 64 bits a value, so that both ends of every distribution are drawn as rarely as they should be.

`jax.random.uniform` has 2^23 values, and 0 is one of them: what should happen once in 10^20 draws happens once in 10^7, and at
its other end never. Here a uniform is a pair u, 1 - u of float32 numbers, each of which is precise where it is small, down to
2^-65. An event at either end, found by the number that is small there, has its probability to 2^-64, and to 1e-5 of itself.

Threefry (Salmon et al. 2011) computes 64 bits at a time, of which `jax.random.bits` returns 32, as `high` below: the noise of a
key is JAX's to 23 bits, at JAX's price.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from arjax.errors import InputError
from arjax.protocol import check_key


class Uniform(NamedTuple):
    """u and 1 - u, each float32 in [2^-65, 1]."""

    u: jax.Array
    rest: jax.Array


def threefry(key):
    """Returns the key itself if it is a threefry key, and else one made of its words.

    Of other implementations (rbg) vmapped draws are others than single ones: samplers that draw the sites of one key in different
    ways would part.
    """
    if isinstance(key, jax.Array) and _is_threefry(key.dtype) and not key.shape:
        return key  # the usual one, whose checks would take a tenth of a tiny model's samples
    key = check_key(key)
    if key.shape:
        raise InputError(f"key holds keys of shape {key.shape}; give one of them, or map over them by jax.vmap")
    return key if _is_threefry(key.dtype) else _hashed(jax.random.key_data(key))  # raw words may be threefry's


_THREEFRY = "threefry2x32"


@functools.cache
def _is_threefry(dtype) -> bool:
    return dtype == jax.eval_shape(lambda: jax.random.key(0, impl=_THREEFRY)).dtype


@jax.jit
def _hashed(words):
    key = jax.random.key(0, impl=_THREEFRY)
    for i in range(words.shape[-1]):
        key = jax.random.fold_in(key, words[..., i])
    return key


def uniform(key, shape) -> Uniform:
    """Draws uniforms: u is 1 - jax.random.uniform(key, shape) to 23 bits."""
    high, low = _words(key, shape)
    return Uniform(_fraction(~high, ~low), _fraction(high, low))


def categorical(key, logits):
    """[..., V] float32 -> [...] int32: the index at which an exponential variable over its probability is least (the Gumbel-max
    trick). The noise does not see how indices are numbered."""
    # Drawn flat, and the greatest found before its index: XLA does not vectorize what it fuses with an argmax of short rows.
    log_noise = jnp.log(_exponential(*uniform(key, (logits.size,)))).reshape(logits.shape)
    scores, last = logits - log_noise, logits.shape[-1] - 1
    greatest = scores == scores.max(axis=-1, keepdims=True)
    return jnp.where(greatest, jnp.arange(last + 1, dtype=jnp.int32), last).min(axis=-1)


def logistic(key, shape):
    """Draws standard logistic values: the logit of a uniform."""
    u, rest = uniform(key, shape)
    return jnp.log(rest) - jnp.log(u)


def normal(key, shape):
    """Draws standard normal values: the quantile of a uniform."""
    u, rest = uniform(key, shape)
    return jnp.where(rest < u, 1, -1) * jax.scipy.special.ndtri(jnp.minimum(u, rest))


def _exponential(u, rest):
    """-log(1 - u); the first terms of the series where 1 - u has lost the digits of u."""
    return jnp.where(u < 2.0**-5, u * (1 + u * (1 / 2 + u * (1 / 3 + u / 4))), -jnp.log(rest))


def _words(key, shape):
    """Two words of 32 bits for every value: those of the keys that a split gives, which are a threefry block each."""
    words = jax.random.key_data(jax.random.split(threefry(key), shape))
    return words[..., 0] ^ words[..., 1], words[..., 1]


def _fraction(high, low):
    """(2^32 high + low + 1/2) / 2^64 in float32."""
    return high.astype(jnp.float32) * 2.0**-32 + (low.astype(jnp.float32) + 0.5) * 2.0**-64
