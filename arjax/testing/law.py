"""The law itself: theta ignores the future, `step` and `prefill` compute what `__call__` does, probabilities sum to one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from arjax.likelihood import log_prob, theta
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
    random_cond,
    random_symbols,
    to_data,
)
from arjax.testing.cases import tolerance as stated


class LawBroken(AssertionError):
    """A net, head or model does not do what the law says."""


def check_causality(model: Model, params, key) -> None:
    """Checks that theta ignores the future: changing the symbol at s leaves theta[:, :s+1] bit-identical, for every order the
    model accepts; and for some s it changes something after s. Real symbols: the Jacobian is exactly zero there, too."""
    x_key, cond_key, order_key = jax.random.split(key, 3)
    rows = np.arange(max(BATCH, model.num_sites))
    sites = rows % model.num_sites  # what is changed in each row
    x, cond = random_symbols(model, x_key, len(rows)), random_cond(model, cond_key, len(rows))
    other = x.copy()
    other[rows, sites] = another_symbol(model, x[rows, sites])
    for order in accepted_orders(model, order_key):
        before, after = (_theta(model, params, data, order, cond) for data in (x, other))
        moved = _by_site(model, np.abs(after - before))
        _refuse_future(order, moved, "the symbol at t={s} is replaced")
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


def check_step(model: Model, params, key, tolerance: float | None = None) -> None:
    """Checks that `step` computes what `__call__` does, site by site, to a relative `tolerance` (None: that of the net's
    dtype); at t = 0 it ignores its x."""
    tolerance = stated(model).theta if tolerance is None else tolerance
    x_key, cond_key, order_key = jax.random.split(key, 3)
    x, cond = random_symbols(model, x_key, BATCH), random_cond(model, cond_key, BATCH)
    for order in accepted_orders(model, order_key):
        expected = _theta(model, params, x, order, cond)
        found = np.asarray(_stepped(model, params, x, order, cond))
        if (fault := _first_fault(found, expected, 0, tolerance)) is not None:
            raise LawBroken(
                f"step and call disagree at site t={fault[0]} in order {order_name(order)}: relative difference {fault[1]:.2g}"
            )


def check_order_per_example(model: Model, params, key, tolerance: float | None = None) -> None:
    """Checks, where the net takes an order for each example, [B, T], that theta and log_prob of each are what its own order
    [T] gives alone, to a relative `tolerance` (None: that of the net's dtype). Nothing to check for other nets."""
    tolerance = stated(model).theta if tolerance is None else tolerance
    if not (model.capabilities.order_per_example and model.capabilities.any_order):
        return
    x_key, cond_key, order_key = jax.random.split(key, 3)
    several = accepted_orders(model, order_key)
    orders = np.resize(several, (BATCH, model.num_sites))  # each in turn
    cond = random_cond(model, cond_key, BATCH)
    x = random_symbols(model, x_key, BATCH).reshape(BATCH, *model.site_shape, *model.head.event_shape)
    for name, score in (("theta", theta), ("log_prob", log_prob)):
        together = np.asarray(score(model, params, x, order=orders, cond=cond))
        for b, order in enumerate(several):
            alone = np.asarray(score(model, params, x, order=order, cond=cond))[b :: len(several)]
            error = np.abs(together[b :: len(several)] - alone).max() / max(1, np.abs(alone).max())
            if not error <= tolerance:
                raise LawBroken(
                    f"{name} of example {b} in its order {order_name(order)} differs when other examples have others: "
                    f"relative difference {error:.2g}"
                )


def check_prefill(model: Model, params, key, tolerance: float | None = None) -> None:
    """Checks, for a net with `prefill`, that n symbols at once, then steps, give the theta of `__call__` to a relative
    `tolerance` (None: that of the net's dtype), whatever stands behind these n; for several n, for prompts padded to all
    sites and to half of them, in every order."""
    tolerance = stated(model).theta if tolerance is None else tolerance
    if model.capabilities.prefill is None:
        return
    x_key, cond_key, order_key = jax.random.split(key, 3)
    sites = model.num_sites
    x, cond = random_symbols(model, x_key, BATCH), random_cond(model, cond_key, BATCH)

    for order in accepted_orders(model, order_key):
        expected = _theta(model, params, x, order, cond)
        for length in sorted({(sites + 1) // 2, sites}):
            for n in sorted({1, 2, length // 2, length - 1, length} & set(range(1, min(length, sites - 1) + 1))):
                garbled = np.concatenate([x[:, :n], another_symbol(model, x[:, n:])], axis=1)
                clean, other = (
                    np.asarray(_continued(model, params, given[:, :length], n, x, order, cond)) for given in (x, garbled)
                )
                where = f"in order {order_name(order)}: relative difference"
                if (fault := _first_fault(clean, other, n, tolerance)) is not None:
                    raise LawBroken(
                        f"prefill of n={n} of {length} symbols sees those from n on: when they are replaced, theta moves at site "
                        f"t={fault[0]} {where} {fault[1]:.2g}"
                    )
                if (fault := _first_fault(clean, expected, n, tolerance)) is not None:
                    raise LawBroken(
                        f"prefill of n={n} of {length} symbols and call disagree at site t={fault[0]} {where} {fault[1]:.2g}"
                    )


def check_normalization(model: Model, params, key, tolerance: float = 1e-5) -> None:
    """Checks that probabilities sum to one: over one symbol at every site, and over the whole space where it is enumerable."""
    if model.head.vocab is None:
        return
    x_key, cond_key, order_key = jax.random.split(key, 3)
    x, cond = random_symbols(model, x_key, BATCH), random_cond(model, cond_key, BATCH)
    symbols, space = all_events(model), enumerate_space(model)
    for order in accepted_orders(model, order_key):
        if len(symbols) <= ENUMERABLE:
            total = np.asarray(_total(model.head, _theta(model, params, x, order, cond)[0], symbols))
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


def _theta(model, params, x, order, cond) -> np.ndarray:
    """[B, T, P], of x in generation order."""
    return np.asarray(theta(model, params, to_data(model, x, order), order=given_order(model, order), cond=cond))


@functools.partial(jax.jit, static_argnames="model")
def _stepped(model, params, x, order, cond):
    """The same, by steps."""

    def body(carry, t):
        cache, theta = model.apply(params, *carry, t, order, cond, method="step")
        return (cache, x[:, t]), theta

    start = model.apply(params, len(x), order, cond, method="init_cache"), x[:, -1]
    return jnp.moveaxis(jax.lax.scan(body, start, jnp.arange(model.num_sites))[1], 0, 1)


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


def _refuse_future(order, moved, what):
    """LawBroken if theta_t moves when s does, moved[s, t], for any t <= s."""
    future = np.where(np.tri(len(moved), dtype=bool), moved, 0)
    if future.any() or np.isnan(future).any():
        s, t = np.unravel_index(np.argmax(np.nan_to_num(future, nan=np.inf)), future.shape)
        raise LawBroken(
            f"theta sees the {'present' if s == t else 'future'} at site t={t} in order {order_name(order)}: "
            f"it moves by {future[s, t]:.2g} when {what.format(s=s)}"
        )


@functools.partial(jax.jit, static_argnames="model")
def _continued(model, params, given, n, x, order, cond):
    """theta [B, T, P] from site n on: what the first n of `given` are followed by is x."""

    def body(t, carry):
        cache, said = carry
        cache, new = model.apply(params, cache, x[:, t - 1], t, order, cond, method="step")
        return cache, said.at[:, t].set(new)

    cache = model.apply(params, len(x), order, cond, method="init_cache")
    cache = model.apply(params, cache, given, n, order, cond, method="prefill")
    said = jnp.zeros((*x.shape[:2], model.head.param_size))
    return jax.lax.fori_loop(n, model.num_sites, body, (cache, said))[1]


def _first_fault(one, other, n, tolerance):
    """(t, relative difference) at the first site from n on where two theta [B, T, P] differ by more; None if there is none."""
    errors = np.abs(one - other)[:, n:].max(axis=(0, 2)) / max(1, np.abs(other).max())
    wrong = ~(errors <= tolerance)
    first = int(np.argmax(wrong))
    return (n + first, float(errors[first])) if wrong.any() else None
