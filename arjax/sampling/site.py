"""One site, as every sampler draws it: from the site's own key, unless it is observed."""

import jax
import jax.numpy as jnp


def draw(model, key, t, theta, transforms):
    """The symbols of site t [B, *E], from theta [B, P] and the site's own key."""
    for transform in transforms:
        theta = transform(theta)
    return model.head.sample(jax.random.fold_in(key, t), theta)


def force(forced, observed, x):
    """`observed` where forced [...], else x; both [..., *E]."""
    return jnp.where(forced.reshape(forced.shape + (1,) * (x.ndim - forced.ndim)), observed, x)


def step(model, params, key, cache, x, t, order, cond, observed, forced, transforms):
    """One step of the net, with a cache, from the symbols [B, *E] of site t - 1: (cache, the symbols of site t)."""
    cache, theta = model.apply(params, cache, x, t, order, cond, method="step")
    return cache, force(forced, observed, draw(model, key, t, theta, transforms))
