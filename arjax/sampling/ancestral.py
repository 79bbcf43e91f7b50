"""The sampler: one loop over `step`, with a fixed-size cache. On a mesh (`jax.set_mesh`) the batch is split over it.

Every sampler draws a site as `draw` and `force` do: from the site's own key, unless it is observed.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Shaped

from arjax.orders import restore
from arjax.protocol import Cond, Model
from arjax.sampling.prepare import prepare
from arjax.sharding import BATCH, automatic, constrain, constrain_batch, varying


def ancestral(
    model: Model, params, key, batch: int, *, order=None, cond: Cond | None = None, observed=None, mask=None, transforms=()
) -> Shaped[Array, "{batch} *data"]:
    """Draws `batch` samples [B, *site_shape, *E] from p(x | cond), or from p(x | cond, x = observed where mask).

    For a net without `step`, `naive` draws them.

    order: [T], or [B, T] where the net takes one for each example, or None for the model's own.
    observed: [B, *site_shape, *E], or B = 1; outside the mask it does not matter. What all rows observe enters in one parallel
      pass where the net has `prefill`. Traced values are not checked: what is no symbol is kept, and its likelihood is zero.
    mask: bool [*site_shape], or [B, *site_shape] where every row is a prefix of the order or the net takes an order for each.
      Of a traced mask that cannot be checked: a net of one order assumes a prefix.
    transforms: theta -> theta, applied in turn (Temperature, TopK, TopP, MinP); the samples are then not of the model's law.

    InputError where one does not fit the model.
    """
    if model.capabilities.step is None:
        from arjax.sampling.naive import naive  # which imports this module

        return naive(model, params, key, batch, order=order, cond=cond, observed=observed, mask=mask, transforms=transforms)
    key, order, cond, x, forced, transforms = prepare(model, key, batch, order, cond, observed, mask, transforms)
    # A traced mask may show nothing, which a net need not be able to take in at once.
    enters = observed is not None and model.capabilities.prefill is not None and not isinstance(forced, Tracer)
    if enters and (known := _known(forced)):
        return _continued(model, params, key, order, cond, x, forced, known, transforms)
    return from_start(model, params, key, order, cond, x, forced, transforms)


def _known(forced) -> np.int32:
    """The number of sites at the start that are forced in every row [B, T]."""
    return forced.sum(axis=1).min(initial=forced.shape[1]).astype(np.int32)


@functools.partial(jax.jit, static_argnames="model")
@functools.partial(automatic, split=True)
def from_start(model, params, key, order, cond, observed, forced, transforms):
    """Samples [B, *site_shape, *E], a site at a time from the first; the arguments as `prepare` gives them."""

    def body(carry, t):
        cache, x = step(model, params, key, *carry, t, order, cond, observed[:, t], forced[:, t], transforms)  # pyright: ignore[reportCallIssue]
        return (cache, x), x

    observed = constrain(observed, BATCH)
    cache = init_cache(model, params, len(observed), order, cond)
    start = varying((cache, jnp.zeros_like(observed[:, 0])), params, key, order, cond, observed, forced, transforms)
    _, x = jax.lax.scan(body, start, jnp.arange(model.num_sites, dtype=jnp.int32))
    return restore(jnp.moveaxis(x, 0, 1), order, model.site_shape)


@functools.partial(jax.jit, static_argnames="model")
@functools.partial(automatic, split=True)
def _continued(model, params, key, order, cond, observed, forced, known, transforms):
    """The same, from site `known` on; a traced number, so that prompts of all lengths share one program."""

    def body(carry):
        t, cache, x = carry
        cache, new = step(model, params, key, cache, x[:, t - 1], t, order, cond, observed[:, t], forced[:, t], transforms)
        return t + 1, cache, x.at[:, t].set(new)

    observed = constrain(observed, BATCH)
    cache = init_cache(model, params, len(observed), order, cond)
    cache = model.apply(params, cache, observed, known, order, cond, method="prefill")
    start = known, *varying((cache, observed), params, key, order, cond, observed, forced, transforms)
    _, _, x = jax.lax.while_loop(lambda carry: carry[0] < model.num_sites, body, start)
    return restore(x, order, model.site_shape)


def init_cache(model, params, batch, order, cond):
    """The net's empty cache, split over the batch."""
    return constrain_batch(model.apply(params, batch, order, cond, method="init_cache"), batch)


def draw(model, key, t, theta, transforms):
    """The symbols of site t [B, *E], from theta [B, P] and the site's own key."""
    return model.head.sample(jax.random.fold_in(key, t), transforms(theta))


def force(forced, observed, x):
    """`observed` where forced [...], else x; both [..., *E]."""
    return jnp.where(forced.reshape(forced.shape + (1,) * (x.ndim - forced.ndim)), observed, x)


def step(model, params, key, cache, x, t, order, cond, observed, forced, transforms):
    """One step of the net, with a cache, from the symbols [B, *E] of site t - 1: (cache, the symbols of site t)."""
    cache, theta = model.apply(params, cache, x, t, order, cond, method="step")
    return cache, force(forced, observed, draw(model, key, t, theta, transforms))
