"""The oracle: a full parallel pass for every site."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped

from arjax.orders import restore
from arjax.protocol import Cond, Model
from arjax.sampling.ancestral import draw, force
from arjax.sampling.prepare import prepare
from arjax.sharding import BATCH, automatic, constrain, varying


def naive(
    model: Model, params, key, batch: int, *, order=None, cond: Cond | None = None, observed=None, mask=None, transforms=()
) -> Shaped[Array, "{batch} *data"]:
    """Draws as `ancestral` does, by T full passes."""
    return _naive(model, params, *prepare(model, key, batch, order, cond, observed, mask, transforms))


@functools.partial(jax.jit, static_argnames="model")
@functools.partial(automatic, split=True)
def _naive(model, params, key, order, cond, observed, forced, transforms):
    def body(x, t):
        theta = model.apply(params, x, order, cond)[:, t]
        drawn = force(forced[:, t], observed[:, t], draw(model, key, t, theta, transforms))
        return x.at[:, t].set(drawn), None

    start = varying(constrain(jnp.zeros_like(observed), BATCH), params, key, order, cond, observed, forced, transforms)
    x, _ = jax.lax.scan(body, start, jnp.arange(model.num_sites, dtype=jnp.int32))
    return restore(x, order, model.site_shape)
