"""What a caller gives to a model, checked on the host before anything is traced.

Shapes and types are always checked; values (is this a permutation? is that a class?) wherever they are concrete, which inside
a caller's own `jit` they are only as constants.
"""

import math
import operator

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from arjax.errors import InputError
from arjax.orders import arrange, check_permutation
from arjax.protocol import ANY_ORDER, Cond, CondSpec, Model
from arjax.sharding import automatic

# Entries of a table that a net makes on the host: what someone else describes must not take any amount of memory.
MAX_TABLE = 2**26

LIMIT, UNCONDITIONED = np.finfo(np.float32).max, CondSpec()


def check_table(what: str, *shape: int, limit: int = MAX_TABLE) -> None:
    """Raises InputError where a table of this shape, which is made on the host, has more entries than `limit`. what: it is of."""
    if math.prod(shape) > limit:
        sizes = " x ".join(map(str, shape))
        raise InputError(f"the table of {what} has {sizes} entries, more than {limit}; describe a smaller model")


def native(x: np.ndarray) -> np.ndarray:
    """Returns an array with the bytes of its values in the order of this machine, the only one that JAX takes."""
    return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))


def as_array(name: str, x) -> np.ndarray | jax.Array:
    """`x` itself if it is an array of JAX; anything else as one of NumPy, its values as they are. InputError where they are no
    numbers, as dates or strings."""
    if isinstance(x, jax.Array):
        return x
    try:
        x = np.asarray(x)
    except ValueError as error:
        raise InputError(f"{name} is no array: its rows differ in length; make them equal") from error
    if x.dtype.kind in "OSUmM" or x.dtype.type is np.void:
        raise InputError(f"{name} holds {x.dtype}, no numbers; convert it")
    return native(x)


def check_x(model: Model, x, name="x", where: np.ndarray | jax.Array | None = None) -> np.ndarray | jax.Array:
    """`x` in the model's dtype. InputError unless it is [B, *site_shape, *E], and as `check_values` wants it. `where`, bool
    [B, *site_shape]: all else is zero, whatever it was."""
    x = as_array(name, x)
    expected = (*model.site_shape, *model.head.event_shape)
    if not x.ndim or x.shape[1:] != expected:
        raise InputError(f"{name} has shape {x.shape}, but the model's data is [B, {', '.join(map(str, expected))}]; reshape it")
    if where is not None:
        keep = where.reshape(*where.shape, *(1 for _ in model.head.event_shape))
        with jax.ensure_compile_time_eval():  # what is concrete remains so inside somebody's jit
            x = (np if isinstance(x, np.ndarray) and not _is_traced(keep) else jnp).where(keep, x, 0)
    check_values(model, x, name)
    return _cast(x, jnp.float32) if model.head.vocab is None else _int32(x, model.head.vocab)


def check_values(model: Model, x: np.ndarray | jax.Array, name: str) -> None:
    """InputError unless `x` holds what the head models: integers, and where they are concrete symbols; or finite real numbers."""
    head, vocab = type(model.head).__name__, model.head.vocab
    integer = jnp.issubdtype(x.dtype, jnp.integer) or x.dtype == bool
    if vocab is not None and not integer:
        raise InputError(f"{name} is {x.dtype}, but {head} wants integer symbols 0..{vocab - 1}; convert it")
    if not integer and not jnp.issubdtype(x.dtype, jnp.floating):
        raise InputError(f"{name} is {x.dtype}, but {head} wants real numbers; convert it")
    if _is_traced(x) or not x.size:
        return
    low, high = _range(x)
    # Not "outside": a NaN is not inside.
    if (low >= 0 and high < vocab) if vocab is not None else (low >= -LIMIT and high <= LIMIT):
        return
    x = np.asarray(x)
    inside = (x >= 0) & (x < vocab) if vocab is not None else np.abs(x.astype(np.float64)) <= LIMIT
    index = tuple(int(i) for i in np.argwhere(~inside)[0])
    wants = f"symbols 0..{vocab - 1}" if vocab is not None else "finite values of float32"
    raise InputError(f"{name} has the value {x[index]} at {list(index)}, but {head} wants {wants}; correct it")


def _int32(x: np.ndarray | jax.Array, count) -> np.ndarray | jax.Array:
    """`x` as int32. What is traced and not in 0..count-1 remains so: 64 bits would wrap around."""
    return _cast(x.clip(-1, count) if _is_traced(x) and x.dtype.itemsize > 4 else x, jnp.int32)


def _cast(x: np.ndarray | jax.Array, dtype) -> np.ndarray | jax.Array:
    """`x` in this dtype, NumPy's as it was: a jitted function takes it in faster than jnp.asarray does."""
    return x if x.dtype == dtype else x.astype(dtype)


def _range(x) -> tuple:
    """(the least value, the greatest), or NaN where there is one."""
    if isinstance(x, np.ndarray) or (x.size < 2**16 and x.is_fully_addressable):
        x = np.asarray(x)  # so few come to the host as fast as two do
        return x.min(), x.max()
    with jax.ensure_compile_time_eval():  # also where a concrete array is used inside somebody's jit
        return jax.device_get(_extremes(x))


@jax.jit
def _extremes(x):
    return x.min(), x.max()


def check_prefix(model: Model, x, order, counted) -> tuple[np.ndarray | jax.Array, jax.Array]:
    """(`x` [B, L, *E], L <= T, and zeros after it, [B, T, *E]; `counted` [B, L], None for all, and False after it, [B, T]).

    InputError unless the data lie on one axis, and `order`, as `check_order` returned it, begins with these L sites.
    """
    x, sites = as_array("x", x), model.num_sites
    if len(model.site_shape) > 1:
        raise InputError(f"a prefix is of data on one axis, but site_shape={model.site_shape}; give `counted` in its place")
    if x.ndim < 2 or x.shape[1] > sites:
        raise InputError(f"x has shape {x.shape}, but a prefix of the model's data is [B, L, ...] with L <= {sites}; shorten it")
    if _is_traced(order):
        raise InputError("a prefix needs an order that is concrete; close over it, not as an argument of your jit")
    if (np.sort(order[..., : x.shape[1]], axis=-1) != np.arange(x.shape[1])).any():
        raise InputError(f"the order does not begin with the sites 0..{x.shape[1] - 1} that a prefix has; give one that does")
    given = jnp.ones(x.shape[:2], bool) if counted is None else jnp.asarray(counted)
    given, after = _of_kind("counted", given, x.shape[:2], "booleans", jnp.bool_), [(0, 0), (0, sites - x.shape[1])]
    # By NumPy what is NumPy's: its values are then checked as they are.
    return (np if isinstance(x, np.ndarray) else jnp).pad(x, after + [(0, 0)] * (x.ndim - 2)), jnp.pad(given, after)


def check_order(model: Model, order, batch: int) -> np.ndarray | jax.Array:
    """`order` [T], or [B, T] where the net takes one for each example; the model's own [T] for None. A NumPy array unless it is
    traced. InputError if the net cannot generate in it."""
    if order is None:
        return model.permutation
    if not model.capabilities.any_order:
        raise InputError(
            f"{type(model.net).__name__} generates in its own order {model.order} only; leave out `order`, or choose {ANY_ORDER}"
        )
    if np.ndim(order) == 2 and not model.capabilities.order_per_example:
        raise InputError(f"{type(model.net).__name__} takes one order [T] for all examples, not {np.shape(order)}; give one")
    if np.ndim(order) == 2 and np.shape(order) != (batch, model.num_sites):
        raise InputError(f"order has shape {np.shape(order)}; give one [T], or [B, T] = ({batch}, {model.num_sites})")
    if not _is_traced(order):
        if np.ndim(order) == 2:
            return np.stack([check_permutation(row, model.num_sites) for row in np.asarray(order)])
        return check_permutation(order, model.num_sites)
    if order.shape[-1:] != (model.num_sites,) or order.ndim > 2 or not jnp.issubdtype(order.dtype, jnp.integer):
        raise InputError(f"order is {order.dtype} of shape {order.shape}; give a permutation of {model.num_sites} sites")
    return order


def check_cond(model: Model, cond: Cond | None, batch: int) -> Cond:
    """`cond` with int32 arrays. InputError if it is not of the kind that the model declares."""
    if cond is None and model.cond == UNCONDITIONED:
        return Cond()
    cond = Cond() if cond is None else cond
    if not isinstance(cond, Cond):
        raise InputError(f"cond is a {type(cond).__name__}; give a Cond, as Cond(label=...)")
    kinds = (("label", "classes", "classes"), ("member", "members", "members"))
    kinds += (("local", "local", "local features"), ("memory", "memory", "memory"))
    for part, kind, words in kinds:
        given, declared = getattr(cond, part) is not None, getattr(model.cond, kind) is not None
        if given and not declared:
            raise InputError(f"the model has no {words}, but the condition gives {part}; leave it out, or declare {kind}")
        if declared and not given and part != "member":
            raise InputError(f"the model has {words}, but the condition gives no {part}; pass Cond({part}=...)")
    if cond.memory_mask is not None and cond.memory is None:
        raise InputError("the condition has a memory_mask but no memory; give both, or leave the mask out")
    shapes = {name: (batch, *shape) for name, shape in model.cond.features(model.site_shape).items()}
    real = {name: _of_kind(name, getattr(cond, name), shape, "real numbers", jnp.floating) for name, shape in shapes.items()}
    return Cond(
        label=None if cond.label is None else _check_index("label", cond.label, (batch,), model.cond.classes),
        member=None if cond.member is None else _check_index("member", cond.member, (), model.cond.members),
        memory_mask=None if cond.memory_mask is None else _check_memory_mask(model, cond.memory_mask, batch),
        **{name: _cast(x, jnp.float32) for name, x in real.items()},
    )


def check_counted(model: Model, counted, batch: int) -> np.ndarray | jax.Array | None:
    """`counted` as an array. InputError unless it is None or bool [B, *site_shape]."""
    return None if counted is None else _of_kind("counted", counted, (batch, *model.site_shape), "booleans", jnp.bool_)


def observed_first(model: Model, order, mask, batch: int) -> tuple[np.ndarray | jax.Array, np.ndarray | jax.Array]:
    """(an order in which every example's observed sites come first, `mask` as bool [B, *site_shape]).

    mask: bool [*site_shape], or [B, *site_shape], True where x is observed. The order is the given one, as `check_order` returned
    it, if it does so; else, for a net that takes any, rearranged, and where the masks differ into one for each example, [B, T].
    InputError where none of this is possible: a net would ignore what it has not been shown yet. Where mask or order is traced,
    a net of one order is assumed to be given a prefix of it, and masks of their own to differ.
    """
    alone, traced = np.ndim(mask) == len(model.site_shape) or batch == 1, _is_traced(mask) or _is_traced(order)
    mask = _check_mask(model, mask, batch)
    if traced:
        return (_rearranged_inside(model, (), order, mask, alone) if model.capabilities.any_order else order), mask
    ranked = arrange(mask, order, model.site_shape)
    late = ranked[:, 1:] & ~ranked[:, :-1]
    if not late.any():
        return order, mask
    if not model.capabilities.any_order:
        site = int(order[np.argwhere(late)[0][1] + 1])
        raise InputError(
            f"site {site} is observed but comes after unobserved ones in {model.order}, and {type(model.net).__name__} generates "
            f"in no other order; observe a prefix of the order, or choose {ANY_ORDER}"
        )
    return _rearranged(model, (), order, mask, (ranked == ranked[0]).all()), mask


def _rearranged(model, _, order, mask, alone):
    """The order [T], or [B, T] unless the masks are `alone`, one for all: the observed sites of every row, then the others, each
    in the order that they had."""
    first = (~arrange(mask, order, model.site_shape)).argsort(axis=1, stable=True)
    if order.ndim == 1 and alone:
        return order[first[0]]
    if not model.capabilities.order_per_example:
        may = "may differ" if _is_traced(mask) else "differs"
        raise InputError(f"the mask {may} between examples and is no prefix of the order; complete one mask at a time")
    return arrange(order if order.ndim == 2 else order[None].repeat(len(mask), axis=0), first, (model.num_sites,))


_rearranged_inside = jax.jit(automatic(_rearranged), static_argnames=("model", "alone"))


def _check_mask(model, mask, batch) -> np.ndarray | jax.Array:
    """`mask` as bool [B, *site_shape]."""
    mask = mask if _is_traced(mask) else np.asarray(mask)
    if mask.dtype != bool or mask.shape not in (model.site_shape, (batch, *model.site_shape)):
        raise InputError(
            f"mask is {mask.dtype} {mask.shape}; give booleans of shape {model.site_shape}, True where x is observed"
        )
    return (jnp if _is_traced(mask) else np).broadcast_to(mask, (batch, *model.site_shape))


def _check_memory_mask(model, mask, batch) -> np.ndarray | jax.Array:
    """`mask` as an array. InputError unless it is bool [B, S] and, where concrete, shows every example something."""
    given = _of_kind("memory_mask", mask, (batch, model.cond.memory[0]), "booleans", jnp.bool_)
    if not _is_traced(mask) and not np.asarray(mask).any(axis=1).all():
        raise InputError("memory_mask hides all of an example's memory; leave something to look at, or choose another model")
    return given


def _check_index(name, index, shape, count) -> np.ndarray | jax.Array:
    """`index` as int32. InputError unless it has this shape and, where concrete, lies in 0..count-1."""
    index = _of_kind(name, index, shape, "integers", jnp.integer)
    if not _is_traced(index) and np.size(index):
        low, high = np.asarray(index).min(), np.asarray(index).max()
        if low < 0 or high >= count:
            raise InputError(f"{name} must be in 0..{count - 1}, but goes from {low} to {high}; declare more of them in CondSpec")
    return _int32(index, count)


def _of_kind(name, x, shape, words, kind) -> np.ndarray | jax.Array:
    """`x` as an array. InputError unless it has this shape and numbers of this kind, which `words` say."""
    x = as_array(name, x)
    if x.shape != shape or not jnp.issubdtype(x.dtype, kind):
        raise InputError(f"{name} is {x.dtype} of shape {x.shape}; give {words} of shape {shape}")
    return x


def check_count(name: str, count, least: int = 1) -> int:
    """`count` as an int. InputError unless it is a whole number of at least `least`."""
    try:
        if not isinstance(count, bool) and (whole := operator.index(count)) >= least:
            return whole
    except TypeError:  # what is traced, too
        pass
    raise InputError(f"{name}={count!r} is no whole number of at least {least}; choose one that is")


def _is_traced(x) -> bool:
    return isinstance(x, Tracer)
