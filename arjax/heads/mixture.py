"""What the mixture heads share: M components, each with a weight, a mean and a scale.

    p(x) = sum_m w_m f((x - mu_m) / s_m) / s_m

theta [..., 3 M] holds M logits of the weights, M means and M log-scales. The means are counted from places spread evenly over
(-1, 1): at theta = 0 the components lie apart. Were they equal there, they would get equal gradients and stay one component
for ever, at the first site of every net whose biases start at zero.

Log-scales are clipped to +-30: within them nothing here overflows in float32, and no gradient does.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from arjax.errors import InputError
from arjax.heads.noise import categorical

LOG_SCALE_LIMIT = 30.0


class Components(NamedTuple):
    """Each [..., M] float32: normalised log-weights, means, and log-scales within the limit."""

    log_weight: jax.Array
    mean: jax.Array
    log_scale: jax.Array


def check_components(count: int) -> None:
    """InputError if there is none."""
    if count < 1:
        raise InputError(f"components={count} leaves nothing to mix; choose at least one component")


def read_components(theta) -> Components:
    """[..., 3 M] -> the components it stands for."""
    logits, mean, log_scale = jnp.split(theta.astype(jnp.float32), 3, axis=-1)
    return Components(jax.nn.log_softmax(logits), place(mean), limit(log_scale))


def place(mean):
    """[..., M] -> the same, each component counted from its own place in (-1, 1)."""
    count = mean.shape[-1]
    return mean + jnp.broadcast_to((2 * jnp.arange(count, dtype=jnp.float32) + 1) / count - 1, mean.shape)


def limit(log_scale):
    """Log-scales within +-30; beyond, their gradient is zero."""
    return jnp.clip(log_scale, -LOG_SCALE_LIMIT, LOG_SCALE_LIMIT)


def standardize(components: Components, x):
    """x [...] -> (x - mu_m) / s_m, [..., M]."""
    return (jnp.asarray(x, jnp.float32)[..., None] - components.mean) * jnp.exp(-components.log_scale)


def mix_logs(log_weight, logs):
    """log sum_m w_m exp(logs_m): [..., M] -> [...]."""
    return jax.nn.logsumexp(log_weight + logs, axis=-1)


def mix(log_weight, values):
    """sum_m w_m values_m: [..., M] -> [...]."""
    return (jnp.exp(log_weight) * values).sum(axis=-1)


def sample_components(key, components: Components, draw):
    """One component [...] drawn for every mixture, by its weight: its mean + its scale * noise [...], of draw(key, shape)."""
    component_key, noise_key = jax.random.split(key)
    noise = draw(noise_key, components.mean.shape[:-1])
    chosen = categorical(component_key, components.log_weight)[..., None]
    mean, log_scale = (jnp.take_along_axis(part, chosen, axis=-1)[..., 0] for part in components[1:])
    return mean + jnp.exp(log_scale) * noise
