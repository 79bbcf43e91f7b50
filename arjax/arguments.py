"""What a caller gives to a model, checked on the host before anything is traced.

Shapes and types are always checked; values (is this a permutation? is that a class?) wherever they are concrete, which inside
a caller's own `jit` they are only as constants.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from arjax.errors import InputError
from arjax.orders import arrange, check_permutation
from arjax.protocol import Cond, Model


def check_x(model: Model, x) -> jax.Array:
    """`x` as the model's dtype. InputError unless it is [B, *site_shape, *E], and of integers where the head wants symbols."""
    x = jnp.asarray(x)
    expected = (*model.site_shape, *model.head.event_shape)
    if x.shape[1:] != expected:
        raise InputError(f"x has shape {x.shape}, but the model's data is [B, {', '.join(map(str, expected))}]; reshape it")
    if model.head.vocab is not None and not _is_integer(x) and x.dtype != bool:
        raise InputError(
            f"x is {x.dtype}, but {type(model.head).__name__} wants integer symbols 0..{model.head.vocab - 1}; convert it"
        )
    return x.astype(model.dtype)


def check_order(model: Model, order, batch: int) -> np.ndarray | jax.Array:
    """`order` [T], or [B, T] where the net takes one for each example; the model's own [T] for None. A NumPy array unless it is
    traced. InputError if the net cannot generate in it."""
    if order is None:
        return model.permutation
    if not model.capabilities.any_order:
        raise InputError(
            f"{type(model.net).__name__} generates in its own order {model.order} only; leave out `order`, or use MADE or LMConv"
        )
    if np.ndim(order) == 2 and not model.capabilities.order_per_example:
        raise InputError(f"{type(model.net).__name__} takes one order [T] for all examples, not {np.shape(order)}; give one")
    if np.ndim(order) == 2 and np.shape(order) != (batch, model.num_sites):
        raise InputError(f"order has shape {np.shape(order)}; give one [T], or [B, T] = ({batch}, {model.num_sites})")
    if not _is_traced(order):
        if np.ndim(order) == 2:
            return np.stack([check_permutation(row, model.num_sites) for row in np.asarray(order)])
        return check_permutation(order, model.num_sites)
    if order.shape[-1:] != (model.num_sites,) or order.ndim > 2 or not _is_integer(order):
        raise InputError(f"order is {order.dtype} of shape {order.shape}; give a permutation of {model.num_sites} sites")
    return order


def check_cond(model: Model, cond: Cond | None, batch: int) -> Cond:
    """`cond` with int32 arrays. InputError if it is not of the kind that the model declares."""
    cond = Cond() if cond is None else cond
    if not isinstance(cond, Cond):
        raise InputError(f"cond is a {type(cond).__name__}; give a Cond, as Cond(label=...)")
    if (cond.label is None) != (model.cond.classes is None):
        has, remedy = ("no classes", "leave out the label") if model.cond.classes is None else ("classes", "pass Cond(label=...)")
        raise InputError(f"the model has {has}, but the condition's label is {cond.label}; {remedy}")
    if cond.member is not None and model.cond.members is None:
        raise InputError("the model has no members, but the condition names one; leave it out or declare CondSpec(members=...)")
    if cond.local is None and model.cond.local is not None:
        raise InputError("the model has local features, but the condition has none; pass Cond(local=...)")
    if cond.local is not None and model.cond.local is None:
        raise InputError("the model has no local features, but the condition has some; leave them out")
    if (cond.memory is None) != (model.cond.memory is None):
        has, remedy = ("no memory", "leave it out") if model.cond.memory is None else ("a memory", "pass Cond(memory=...)")
        raise InputError(f"the model has {has}, but the condition has {'none' if cond.memory is None else 'one'}; {remedy}")
    if cond.memory_mask is not None and cond.memory is None:
        raise InputError("the condition has a memory_mask but no memory; give both, or leave the mask out")
    local_shape = None if model.cond.local is None else (batch, *model.cond.local_shape(model.site_shape))
    return Cond(
        label=None if cond.label is None else _check_index("label", cond.label, (batch,), model.cond.classes),
        member=None if cond.member is None else _check_index("member", cond.member, (), model.cond.members),
        local=None if cond.local is None else _check_real("local", cond.local, local_shape),
        memory=None if cond.memory is None else _check_real("memory", cond.memory, (batch, *model.cond.memory)),
        memory_mask=None if cond.memory_mask is None else _check_memory_mask(model, cond.memory_mask, batch),
    )


def check_counted(model: Model, counted, batch: int) -> jax.Array | None:
    """`counted` as an array. InputError unless it is None or bool [B, *site_shape]."""
    if counted is None:
        return None
    return _of_kind("counted", jnp.asarray(counted), (batch, *model.site_shape), "booleans", jnp.bool_)


def observed_first(model: Model, order, mask, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """(an order in which every example's observed sites come first, `mask` as bool [B, *site_shape]).

    mask: bool [*site_shape], or [B, *site_shape], True where x is observed. The order is the given one, as `check_order` returned
    it, if it does so; else, for a net that takes any, rearranged, and where the masks differ into one for each example, [B, T].
    InputError where none of this is possible (a net would ignore what it has not been shown yet), or where mask or order is
    traced.
    """
    if _is_traced(mask) or _is_traced(order):
        raise InputError("completion needs a mask and an order that are concrete; close over them, not as arguments of your jit")
    mask = _check_mask(model, mask, batch)
    ranked = arrange(mask, order, model.site_shape)
    late = ranked[:, 1:] & ~ranked[:, :-1]
    if not late.any():
        return order, mask
    if not model.capabilities.any_order:
        site = int(order[np.argwhere(late)[0][1] + 1])
        raise InputError(
            f"site {site} is observed but comes after unobserved ones in {model.order}, and {type(model.net).__name__} generates "
            "in no other order; observe a prefix of the order, or use a net that takes any, as MADE or LMConv"
        )
    # The observed sites of every row, then the others, each in the order they had.
    first = np.argsort(~ranked, axis=1, kind="stable")
    if order.ndim == 1 and (ranked == ranked[0]).all():
        return order[first[0]], mask
    if not model.capabilities.order_per_example:
        raise InputError("the mask differs between examples and is no prefix of the order; complete one mask at a time")
    return np.take_along_axis(np.broadcast_to(order, ranked.shape), first, axis=1), mask


def _check_mask(model, mask, batch) -> np.ndarray:
    """`mask` as bool [B, *site_shape]."""
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape not in (model.site_shape, (batch, *model.site_shape)):
        raise InputError(
            f"mask is {mask.dtype} {mask.shape}; give booleans of shape {model.site_shape}, True where x is observed"
        )
    return np.broadcast_to(mask, (batch, *model.site_shape))


def _check_real(name, features, shape) -> jax.Array:
    """`features` as float32. InputError unless they are real numbers of this shape, which the model declares."""
    return _of_kind(name, jnp.asarray(features), shape, "real numbers", jnp.floating).astype(jnp.float32)


def _check_memory_mask(model, mask, batch) -> jax.Array:
    """`mask` as an array. InputError unless it is bool [B, S] and, where concrete, shows every example something."""
    given = _of_kind("memory_mask", jnp.asarray(mask), (batch, model.cond.memory[0]), "booleans", jnp.bool_)
    if not _is_traced(mask) and not np.asarray(mask).any(axis=1).all():
        raise InputError("memory_mask hides all of an example's memory; leave something to look at, or choose another model")
    return given


def _check_index(name, index, shape, count) -> jax.Array:
    """`index` as int32. InputError unless it has this shape and, where concrete, lies in 0..count-1."""
    _of_kind(name, index, shape, "integers", jnp.integer)
    if not _is_traced(index) and np.size(index):
        low, high = np.asarray(index).min(), np.asarray(index).max()
        if low < 0 or high >= count:
            raise InputError(f"{name} must be in 0..{count - 1}, but goes from {low} to {high}; declare more of them in CondSpec")
    return jnp.asarray(index, jnp.int32)


def _of_kind(name, x, shape, words, kind):
    """`x`. InputError unless it has this shape and numbers of this kind, which `words` say."""
    if jnp.shape(x) != shape or not jnp.issubdtype(jnp.result_type(x), kind):
        raise InputError(f"{name} is {jnp.result_type(x)} of shape {jnp.shape(x)}; give {words} of shape {shape}")
    return x


def _is_integer(x) -> bool:
    return jnp.issubdtype(jnp.result_type(x), jnp.integer)


def _is_traced(x) -> bool:
    return isinstance(x, Tracer)
