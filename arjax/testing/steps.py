"""`step` and `prefill` compute what `__call__` does, and where they do not, why."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from arjax.protocol import Model
from arjax.testing.cases import BATCH, accepted_orders, another_symbol, order_name, parallel, random_cond, random_symbols, split
from arjax.testing.cases import tolerance as stated
from arjax.testing.shape import LawBroken

NO_STEP = "the net has no step"


def check_step(model: Model, params, key, tolerance: float | None = None) -> str | None:
    """Checks that `step` computes what `__call__` does, site by site, to a relative `tolerance` (None: that of the net's
    dtype); at t = 0 it ignores its x."""
    if model.capabilities.step is None:
        return NO_STEP
    tolerance = stated(model).theta if tolerance is None else tolerance
    x_key, cond_key, order_key = split(key, 3)
    x, cond = random_symbols(model, x_key, BATCH), random_cond(model, cond_key, BATCH)
    for order in accepted_orders(model, order_key):
        expected, start = parallel(model, params, x, order, cond), _started(model, params, BATCH, order, cond)
        cache, found = _stepped(model, params, start, x, 0, model.num_sites, order, cond)
        if (fault := _first_fault(found, expected, 0, tolerance)) is not None:

            def again(x, start=start, order=order):
                return _stepped(model, params, start, x, 0, model.num_sites, order, cond)[1]

            raise LawBroken(
                f"step and call disagree at site t={fault[0]} in order {order_name(order)}: relative difference "
                f"{fault[1]:.2g}{_cause(model, x, start, cache, found, expected, tolerance, again)}"
            )
    return None


def _cause(model, x, start, cache, found, expected, tolerance, again) -> str:
    """Why steps differ, where it is one of the usual faults."""
    found, last = np.asarray(found), x.copy()
    last[:, -1] = another_symbol(model, x[:, -1])  # what a step is given at t = 0, and nowhere else
    if not np.array_equal(again(last)[:, 0], found[:, 0], equal_nan=True):
        return "; at t = 0 step reads its x, which is no symbol there: jnp.where(t == 0, start, x)"
    if model.num_sites == 1:
        return ""
    if jax.tree.leaves(cache) and _differ(cache, start, 0) is None:
        return "; step returns the cache as it was given: return it with symbol t-1 in it"
    if _first_fault(found[:, 1:], expected[:, :-1], 0, tolerance) is None:
        return "; theta of step at t is that of call at t - 1: its x is symbol t - 1 already, do not shift it once more"
    return ""


def check_prefill(model: Model, params, key, tolerance: float | None = None) -> str | None:
    """Checks, for a net with `prefill`, that n symbols at once, then steps, give the theta of `__call__` to a relative
    `tolerance` (None: that of the net's dtype), whatever stands behind these n; for several n, for prompts padded to all
    sites and to half of them, in every order. Of a prompt that is not padded, the cache is that of n steps."""
    if model.capabilities.prefill is None:
        return "the net has no prefill"
    tolerance = stated(model).theta if tolerance is None else tolerance
    x_key, cond_key, order_key = split(key, 3)
    sites = model.num_sites
    x, cond = random_symbols(model, x_key, BATCH), random_cond(model, cond_key, BATCH)
    for order in accepted_orders(model, order_key):
        expected, start = parallel(model, params, x, order, cond), _started(model, params, BATCH, order, cond)
        for length in sorted({(sites + 1) // 2, sites}):
            for n in sorted({1, 2, length // 2, length - 1, length} & set(range(1, min(length, sites - 1) + 1))):
                garbled = np.concatenate([x[:, :n], another_symbol(model, x[:, n:])], axis=1)
                filled = [_filled(model, params, start, given[:, :length], n, order, cond) for given in (x, garbled)]
                clean, other = (_stepped(model, params, cache, x, n, sites, order, cond)[1] for cache in filled)
                what = f"prefill of n={n} of {length} symbols"
                where = f"in order {order_name(order)}: relative difference"
                if (fault := _first_fault(clean, other, n, tolerance)) is not None:
                    raise LawBroken(
                        f"{what} sees those from n on: when they are replaced, theta moves at site t={fault[0]} {where} "
                        f"{fault[1]:.2g}"
                    )

                def after(steps, start=start, order=order):
                    return _stepped(model, params, start, x, 0, steps, order, cond)[0]

                fault = _first_fault(clean, expected, n, tolerance)
                if fault is not None:
                    cause = _one_of_others(filled[0], after, n, tolerance)
                    raise LawBroken(f"{what} and call disagree at site t={fault[0]} {where} {fault[1]:.2g}{cause}")
                # Behind a shorter prompt a cache may hold what is never read.
                if n == length and (leaf := _differ(filled[0], after(n), tolerance)) is not None:
                    cause = _one_of_others(filled[0], after, n, tolerance)
                    raise LawBroken(
                        f"{what} leaves another cache than {n} steps at cache{leaf} in order {order_name(order)}{cause}"
                    )
    return None


def _one_of_others(cache, after, n, tolerance) -> str:
    """How many steps a prefill took in place of n, where it is one of these."""
    if _differ(cache, after(0), tolerance) is None:
        return "; its cache is still that of init_cache"
    if _differ(cache, after(n - 1), tolerance) is None:
        return f"; its cache is that of {n - 1} steps, one symbol too few"
    if _differ(cache, after(n + 1), tolerance) is None:
        return f"; its cache is that of {n + 1} steps, one symbol too far: symbol n - 1 enters with step n"
    return ""


@functools.partial(jax.jit, static_argnames=("model", "batch"))
def _started(model, params, batch, order, cond):
    return model.apply(params, batch, order, cond, method="init_cache")


@functools.partial(jax.jit, static_argnames="model")
def _filled(model, params, cache, given, n, order, cond):
    return model.apply(params, cache, given, n, order, cond, method="prefill")


@functools.partial(jax.jit, static_argnames="model")
def _stepped(model, params, cache, x, first, stop, order, cond):
    """(the cache, theta [B, T, P]) after the steps first..stop-1."""

    def body(t, carry):
        cache, said = carry
        cache, new = model.apply(params, cache, x[:, t - 1], t, order, cond, method="step")
        return cache, said.at[:, t].set(new)

    said = jnp.zeros((*x.shape[:2], model.head.param_size))
    return jax.lax.fori_loop(first, stop, body, (cache, said))


def _first_fault(one, other, n, tolerance):
    """(t, relative difference) at the first site from n on where two theta [B, T, P] differ by more; None if there is none."""
    errors = np.abs(np.asarray(one) - np.asarray(other))[:, n:].max(axis=(0, 2)) / max(1, np.abs(other).max())
    wrong = ~(errors <= tolerance)
    first = int(np.argmax(wrong))
    return (n + first, float(errors[first])) if wrong.any() else None


def _differ(one, other, tolerance) -> str | None:
    """The first leaf in which two caches differ by more; None if there is none."""
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(one), jax.tree.leaves(other), strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        if not np.abs(a - b).max(initial=0) <= tolerance * max(1, np.abs(b).max(initial=0)):
            return jax.tree_util.keystr(path)
    return None
