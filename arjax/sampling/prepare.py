"""What a caller gives to a sampler, checked on the host and brought into generation order."""

import jax
import jax.numpy as jnp
import numpy as np

from arjax.arguments import check_cond, check_order, check_x
from arjax.orders import arrange


def prepare(model, batch, order, cond, observed, mask, transforms):
    """(order, cond, observed [B, T, *E], forced [B, T], transforms): the last arguments of the jitted samplers. ValueError where
    what the caller gave does not fit the model. `forced` is a NumPy array where something is observed."""
    order = check_order(model, order, batch)
    cond = check_cond(model, cond, batch)
    transforms = check_transforms(model, transforms)
    if (observed is None) != (mask is None):
        raise ValueError("completion needs both `observed` and `mask`; give the other one too, or neither")
    if observed is None:
        x = jnp.zeros((batch, model.num_sites, *model.head.event_shape), model.dtype)
        return order, cond, x, jnp.zeros((batch, model.num_sites), bool), transforms
    observed = check_x(model, observed)
    if len(observed) not in (1, batch):
        raise ValueError(f"observed holds {len(observed)} examples for a batch of {batch}; give one, or one for each sample")
    if isinstance(mask, jax.core.Tracer) or isinstance(order, jax.core.Tracer):
        raise ValueError("completion needs a mask and an order that are concrete; close over them, not as arguments of your jit")
    mask = _check_mask(model, mask, batch)
    order = _observed_first(model, order, mask)
    x = arrange(jnp.broadcast_to(observed, (batch, *observed.shape[1:])), order, model.site_shape)
    return order, cond, x, arrange(mask, order, model.site_shape), transforms


def check_transforms(model, transforms) -> tuple:
    """`transforms` as a tuple. ValueError if there are any and the head's theta is not one logit a symbol."""
    transforms = tuple(transforms)
    # A head says so itself: that it has as many parameters as symbols may be a coincidence.
    if transforms and not getattr(model.head, "logits", False):
        raise ValueError(f"{transforms[0]} needs one logit a symbol, which {model.head} has not; use a Categorical head")
    return transforms


def _check_mask(model, mask, batch) -> np.ndarray:
    """`mask` as bool [B, *site_shape]."""
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape not in (model.site_shape, (batch, *model.site_shape)):
        raise ValueError(
            f"mask is {mask.dtype} {mask.shape}; give booleans of shape {model.site_shape}, True where x is observed"
        )
    return np.broadcast_to(mask, (batch, *model.site_shape))


def _observed_first(model, order, mask):
    """An order in which every row's observed sites come first: `order` itself if it does, else, for a net that can,
    rearranged, and where the masks differ into one for each example, [B, T]. ValueError where none of this is possible: a net
    would ignore what it has not been shown yet."""
    ranked = arrange(mask, order, model.site_shape)
    late = ranked[:, 1:] & ~ranked[:, :-1]
    if not late.any():
        return order
    if not model.net.any_order:
        site = int(order[np.argwhere(late)[0][1] + 1])
        raise ValueError(
            f"site {site} is observed but comes after unobserved ones in {model.order}, and {type(model.net).__name__} generates "
            "in no other order; observe a prefix of the order, or use a net that takes any, as MADE or LMConv"
        )
    # The observed sites of every row, then the others, each in the order they had.
    first = np.argsort(~ranked, axis=1, kind="stable")
    if order.ndim == 1 and (ranked == ranked[0]).all():
        return order[first[0]]
    if not getattr(model.net, "order_per_example", False):
        raise ValueError("the mask differs between examples and is no prefix of the order; complete one mask at a time")
    return np.take_along_axis(np.broadcast_to(order, ranked.shape), first, axis=1)
