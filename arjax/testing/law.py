"""The law itself: theta ignores the future and the other examples, probabilities sum to one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from arjax.likelihood import theta
from arjax.protocol import Model
from arjax.testing.cases import (
    BATCH,
    ENUMERABLE,
    accepted_orders,
    all_events,
    another_symbol,
    enumerate_space,
    enumerated,
    given_order,
    order_name,
    parallel,
    random_cond,
    random_symbols,
    split,
    to_data,
)
from arjax.testing.cases import tolerance as stated
from arjax.testing.shape import LawBroken

ROUNDING = 1e-5


def check_causality(model: Model, params, key) -> None:
    """Checks that theta ignores the future: changing the symbol at s leaves theta[:, :s+1] bit-identical, for every order the
    model accepts; and for some s it changes something after s. Real symbols: the Jacobian is exactly zero there, too. The same
    arguments give the same theta twice, whatever the other examples of the batch are. Each part of the condition moves it."""
    x_key, cond_key, order_key, told_key = split(key, 4)
    rows = np.arange(max(BATCH, model.num_sites))
    sites = rows % model.num_sites  # what is changed in each row
    x, cond = random_symbols(model, x_key, len(rows)), random_cond(model, cond_key, len(rows))
    other, mixed = x.copy(), x.copy()
    other[rows, sites] = another_symbol(model, x[rows, sites])
    mixed[1::2] = another_symbol(model, x[1::2])
    for order in accepted_orders(model, order_key):
        before, again, among, after = (parallel(model, params, data, order, cond) for data in (x, x, mixed, other))
        if not np.array_equal(before, again, equal_nan=True):
            raise LawBroken(
                "theta of the same symbols differs from call to call; draw from `key` alone, and nothing where it is None"
            )
        if not np.array_equal(before[::2], among[::2], equal_nan=True):
            raise LawBroken(
                f"theta of an example moves by {np.nanmax(abs(before - among)[::2]):.2g} when other examples of its batch are "
                f"replaced, in order {order_name(order)}; take no mean, norm or attention over the batch"
            )
        moved = _by_site(model, np.abs(after - before))
        _refuse_future(order, moved, "the symbol at t={s} is replaced", ROUNDING * max(1, np.abs(before).max()))
        if model.num_sites > 1 and not moved.any():
            raise LawBroken(
                f"theta depends on no earlier symbol at all in order {order_name(order)}: the check of causality is vacuous"
            )
        if model.head.vocab is None:
            for value in np.ndindex(model.head.event_shape):
                along = np.zeros_like(x)
                along[rows, sites, *value] = 1
                slope = _slope(model, params, x, along, order, cond)
                _refuse_future(order, _by_site(model, np.abs(slope)), "the symbol at t={s} moves by one (its Jacobian)")
    _require_condition(model, params, x, cond, random_cond(model, told_key, len(rows)))


def _require_condition(model, params, x, cond, other):
    """LawBroken if theta stays when a part of the condition is replaced by that of `other`."""
    before = parallel(model, params, x, model.permutation, cond)
    for name in ("label", "local", "memory"):
        told = getattr(other, name)
        if told is None or np.array_equal(told, getattr(cond, name)):
            continue
        if np.array_equal(before, parallel(model, params, x, model.permutation, cond.replace(**{name: told}))):
            raise LawBroken(
                f"theta does not depend on the condition's {name}, which the model declares; use cond.{name} in the net, or "
                "leave it out of CondSpec"
            )


def check_order_per_example(model: Model, params, key, tolerance: float | None = None) -> str | None:
    """Checks, where the net takes an order for each example, [B, T], that theta of each is what its own order [T] gives alone,
    to a relative `tolerance` (None: that of the net's dtype)."""
    tolerance = stated(model).theta if tolerance is None else tolerance
    if not (model.capabilities.order_per_example and model.capabilities.any_order):
        return "the net takes one order for all examples"
    x_key, cond_key, order_key = split(key, 3)
    several = accepted_orders(model, order_key)
    orders = np.resize(several, (BATCH, model.num_sites))  # each in turn
    cond = random_cond(model, cond_key, BATCH)
    x = random_symbols(model, x_key, BATCH).reshape(BATCH, *model.site_shape, *model.head.event_shape)
    together = np.asarray(theta(model, params, x, order=orders, cond=cond))
    for b, order in enumerate(several):
        alone = np.asarray(theta(model, params, x, order=order, cond=cond))[b :: len(several)]
        error = np.abs(together[b :: len(several)] - alone).max() / max(1, np.abs(alone).max())
        if not error <= tolerance:
            raise LawBroken(
                f"theta of example {b} in its order {order_name(order)} differs when other examples have others: "
                f"relative difference {error:.2g}"
            )
    return None


def check_normalization(model: Model, params, key, tolerance: float = 1e-5) -> str | None:
    """Checks that probabilities sum to one: over one symbol at every site, and over the whole space where it is enumerable."""
    if model.head.vocab is None:
        return "real values have no sum"
    x_key, cond_key, order_key = split(key, 3)
    x, cond = random_symbols(model, x_key, BATCH), random_cond(model, cond_key, BATCH)
    symbols, space = all_events(model), enumerate_space(model)
    for order in accepted_orders(model, order_key):
        if len(symbols) <= ENUMERABLE:
            total = np.asarray(_total(model.head, parallel(model, params, x, order, cond)[0], symbols))
            if not (abs(total - 1) <= tolerance).all():
                t = int(np.argmax(~(abs(total - 1) <= tolerance)))
                raise LawBroken(
                    f"the probabilities of the symbols at site t={t} in order {order_name(order)} sum to {total[t]:.6f}, not 1"
                )
        if space is not None:
            total = enumerated(model, params, space, order, cond).sum()
            if not abs(total - 1) <= 10 * tolerance:
                raise LawBroken(
                    f"the probabilities of all {len(space)} outcomes in order {order_name(order)} sum to {total:.6f}, not 1"
                )
    return None if space is not None else f"the sum over the space: it has more than {ENUMERABLE} outcomes"


@functools.partial(jax.jit, static_argnames="model")
def _slope(model, params, x, along, order, cond):
    """The derivative of theta [B, T, P] along a direction in x, both in generation order."""

    def at(x):
        return theta(model, params, to_data(model, x, order), order=given_order(model, order), cond=cond)

    return jax.jvp(at, (x,), (along,))[1]


@functools.partial(jax.jit, static_argnames="head")
def _total(head, theta, symbols):
    """[T]: the sum of the probabilities of all symbols."""
    each = jax.vmap(lambda symbol: head.log_prob(theta, jnp.broadcast_to(symbol, (len(theta), *symbol.shape))))
    return jnp.exp(each(symbols)).sum(axis=0)


def _by_site(model, moved) -> np.ndarray:
    """[s, t]: how much theta_t moves when s does, of moved [rows, T, P], where s of each row is moved in turn."""
    most = moved.max(axis=-1)
    return np.stack([most[s :: model.num_sites].max(axis=0) for s in range(model.num_sites)])


def _refuse_future(order, moved, what, rounding=0.0):
    """LawBroken if theta_t moves when s does, moved[s, t], for any t <= s."""
    future = np.where(np.tri(len(moved), dtype=bool), moved, 0)
    if future.any() or np.isnan(future).any():
        s, t = np.unravel_index(np.argmax(np.nan_to_num(future, nan=np.inf)), future.shape)
        cause = "; so little is rounding: a sum that adds this symbol and subtracts it again" if future[s, t] <= rounding else ""
        raise LawBroken(
            f"theta sees the {'present' if s == t else 'future'} at site t={t} in order {order_name(order)}: "
            f"it moves by {future[s, t]:.2g} when {what.format(s=s)}{cause}"
        )
