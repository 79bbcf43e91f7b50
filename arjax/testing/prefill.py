"""A prompt that enters in one parallel pass leaves what it would leave, had it entered a symbol at a time."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from arjax.likelihood import theta
from arjax.protocol import Model
from arjax.testing.cases import (
    BATCH,
    accepted_orders,
    another_symbol,
    given_order,
    order_name,
    random_cond,
    random_symbols,
    to_data,
)
from arjax.testing.cases import tolerance as stated
from arjax.testing.law import LawBroken


def check_prefill(model: Model, params, key, tolerance: float | None = None) -> None:
    """For a net with `prefill`: n symbols at once, then steps, give the theta of `__call__` to a relative `tolerance` (None:
    that of the net's dtype), whatever stands behind these n; for several n, for prompts padded to all sites and to half of them,
    in every order."""
    tolerance = stated(model).theta if tolerance is None else tolerance
    if model.capabilities.prefill is None:
        return
    x_key, cond_key, order_key = jax.random.split(key, 3)
    sites = model.num_sites
    x, cond = random_symbols(model, x_key, BATCH), random_cond(model, cond_key, BATCH)

    for order in accepted_orders(model, order_key):
        expected = np.asarray(theta(model, params, to_data(model, x, order), order=given_order(model, order), cond=cond))
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
