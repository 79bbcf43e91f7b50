"""What a net looks at, measured: the derivative of theta at one site by every value of the data."""

import jax
import jax.numpy as jnp
import numpy as np

from arjax.likelihood import theta
from arjax.orders import inverse
from arjax.protocol import Model
from arjax.testing.cases import random_cond


def dependence(model: Model, params, site: tuple[int, ...], key) -> np.ndarray:
    """[*site_shape]: how far theta at `site` moves with the value at each, the sum of the derivatives' absolute values over theta
    and the values of a symbol, at random data. Exactly 0 where it does not depend on it.

    ValueError for a head of symbols, which have no derivative, and for a site outside the data.
    """
    if model.head.vocab is not None:
        raise ValueError(f"{model.head} models symbols, which have no derivative; choose a head of real values")
    if len(site) != len(model.site_shape) or not all(0 <= i < size for i, size in zip(site, model.site_shape, strict=True)):
        raise ValueError(f"site={site} is outside the data of shape {model.site_shape}; choose one inside")
    x_key, cond_key = jax.random.split(key)
    x = jax.random.normal(x_key, (1, *model.site_shape, *model.head.event_shape))
    cond = random_cond(model, cond_key, 1)
    t = inverse(model.permutation)[np.ravel_multi_index(site, model.site_shape)]
    jacobian = jax.jit(jax.jacrev(lambda x: theta(model, params, x, cond=cond)[0, t]))(x)
    return np.asarray(jnp.abs(jacobian).sum(axis=0).reshape(*model.site_shape, -1).sum(axis=-1))
