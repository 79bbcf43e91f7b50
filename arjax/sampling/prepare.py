"""What a caller gives to a sampler, checked on the host and brought into generation order."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from arjax.arguments import check_cond, check_count, check_order, check_x, observed_first
from arjax.errors import InputError
from arjax.heads.noise import threefry
from arjax.orders import arrange
from arjax.sampling.transforms import Transforms
from arjax.sharding import automatic


def prepare(model, key, batch, order, cond, observed, mask, transforms):
    """(key, order, cond, observed [B, T, *E], forced [B, T], transforms): the last arguments of the jitted samplers. InputError
    where what the caller gave does not fit the model. `forced` is a NumPy array where something is observed.

    The key is a threefry key, so that all samplers draw the same. What is not observed is zero, whatever it was.
    """
    key, batch = threefry(key), check_count("batch", batch, least=0)
    order = check_order(model, order, batch)
    cond = check_cond(model, cond, batch)
    transforms = check_transforms(model, transforms)
    if (observed is None) != (mask is None):
        raise InputError("completion needs both `observed` and `mask`; give the other one too, or neither")
    if observed is None:
        return key, order, cond, *_nothing(batch, model.num_sites, model.head.event_shape, model.dtype), transforms
    if np.shape(observed)[:1] not in ((1,), (batch,)):
        raise InputError(f"observed has shape {np.shape(observed)} for a batch of {batch}; give one example, or one for each")
    order, mask = observed_first(model, order, mask, batch)
    x = _arranged(model, (), check_x(model, observed, "observed", mask), order)
    concrete = isinstance(mask, np.ndarray) and isinstance(order, np.ndarray)
    forced = arrange(mask, order, model.site_shape) if concrete else _arranged(model, (), mask, order)
    return key, order, cond, x, forced, transforms


@functools.partial(jax.jit, static_argnames="model")
@automatic
def _arranged(model, _, x, order):
    """[B, *site_shape, *E] in generation order [B, T, *E]."""
    return arrange(x, order, model.site_shape)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))  # dispatched one by one, they take as long as a tiny model's samples
def _nothing(batch, num_sites, event_shape, dtype):
    """What is observed, and where, where nothing is."""
    return jnp.zeros((batch, num_sites, *event_shape), dtype), jnp.zeros((batch, num_sites), bool)


def check_transforms(model, transforms) -> Transforms:
    """`transforms` as one argument of a jitted sampler. InputError if there are any and theta is not one logit a symbol."""
    if not isinstance(transforms, tuple | list) or not all(map(callable, transforms)):
        raise InputError(f"transforms={transforms!r} is no tuple of functions of theta; give one, as (Temperature(0.8),)")
    if not transforms:
        return _NONE
    # A head says so itself: that it has as many parameters as symbols may be a coincidence.
    if not model.head_capabilities.logits:
        raise InputError(f"{transforms[0]} needs one logit a symbol, which {model.head} has not; use a Categorical head")
    return Transforms.of(transforms)


_NONE = Transforms.of(())
