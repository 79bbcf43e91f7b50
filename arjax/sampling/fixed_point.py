"""Jacobi's method: all sites at once, again and again, until nothing changes."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Shaped

from arjax.orders import restore
from arjax.protocol import Cond, Model
from arjax.sampling.prepare import prepare
from arjax.sampling.site import draw, force
from arjax.sharding import BATCH, constrain


def fixed_point(
    model: Model, params, key, batch: int, *, order=None, cond: Cond | None = None, observed=None, mask=None, transforms=()
) -> tuple[Shaped[Array, "{batch} *data"], Int[Array, ""]]:
    """As `ancestral`, by repeated full passes: (samples, number of network evaluations, at most T + 1)."""
    return _fixed_point(model, params, key, *prepare(model, batch, order, cond, observed, mask, transforms))


@functools.partial(jax.jit, static_argnames=("model", "transforms"))
def _fixed_point(model, params, key, order, cond, observed, forced, transforms):
    def sweep(x):
        theta = model.apply(params, x, order, cond)
        drawn = jax.vmap(lambda t, theta: draw(model, key, t, theta, transforms), in_axes=(0, 1), out_axes=1)(
            jnp.arange(model.num_sites), theta
        )
        return force(forced, observed, drawn)

    def body(carry):
        x, _, evaluations = carry
        new = sweep(x)
        return new, jnp.any(new != x), evaluations + 1

    start = constrain(jnp.zeros_like(observed), BATCH)
    # After n sweeps the first n sites are final, whatever the rest started from; the last sweep only confirms.
    x, _, evaluations = jax.lax.while_loop(
        lambda carry: carry[1] & (carry[2] <= model.num_sites), body, (start, jnp.array(True), jnp.array(0))
    )
    return restore(x, order, model.site_shape), evaluations
