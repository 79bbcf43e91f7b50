"""What a net looks at, measured: the derivative of theta at one site, or at all, by every value of the data."""

import jax
import jax.numpy as jnp
import numpy as np

from arjax.errors import InputError
from arjax.likelihood import theta
from arjax.orders import inverse
from arjax.protocol import Model
from arjax.testing.cases import random_cond


def dependence(model: Model, params, site: tuple[int, ...], key) -> np.ndarray:
    """[*site_shape]: how far theta at `site` moves with the value at each, the sum of the derivatives' absolute values over theta
    and the values of a symbol, at random data. Exactly 0 where it does not depend on it.

    InputError for a head of symbols, which have no derivative, and for a site outside the data.
    """
    _require_derivative(model)
    if len(site) != len(model.site_shape) or not all(0 <= i < size for i, size in zip(site, model.site_shape, strict=True)):
        raise InputError(f"site={site} is outside the data of shape {model.site_shape}; choose one inside")
    x, cond = _random_data(model, key)
    t = inverse(model.permutation)[np.ravel_multi_index(site, model.site_shape)]
    jacobian = jax.jit(jax.jacrev(lambda x: theta(model, params, x, cond=cond)[0, t]))(x)
    return np.asarray(jnp.abs(jacobian).sum(axis=0).reshape(*model.site_shape, -1).sum(axis=-1))


def dependences(model: Model, params, key) -> np.ndarray:
    """[T, T]: row s is what `dependence` gives at site s; rows and columns are sites in row-major order, whatever the model's.

    InputError for a head of symbols, which have no derivative.
    """
    _require_derivative(model)
    x, cond = _random_data(model, key)
    # Forwards: fewer passes than there are thetas, and of 192 at once backwards XLA on CPU (JAX 0.10.2) mixes some up.
    jacobian = jax.jit(jax.jacfwd(lambda x: theta(model, params, x, cond=cond)[0]))(x)  # [T, P, 1, *site_shape, *E]
    sums = jnp.abs(jacobian).sum(axis=1).reshape(model.num_sites, model.num_sites, -1).sum(axis=-1)
    return np.asarray(sums)[inverse(model.permutation)]


def _require_derivative(model):
    if model.head.vocab is not None:
        raise InputError(f"{model.head} models symbols, which have no derivative; choose a head of real values")


def _random_data(model, key):
    x_key, cond_key = jax.random.split(key)
    x = jax.random.normal(x_key, (1, *model.site_shape, *model.head.event_shape))
    return x, random_cond(model, cond_key, 1)
