"""The law itself: theta ignores the future, `step` computes what `__call__` does, probabilities sum to one."""

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
    repeat_cond,
    to_data,
)
from arjax.testing.tolerance import tolerance as stated


class LawBroken(AssertionError):
    """A net, head or model does not do what the law says."""


def check_causality(model: Model, params, key) -> None:
    """theta ignores the future: changing the symbol at s leaves theta[:, :s+1] bit-identical, for every order the model accepts;
    and for some s it changes something after s. Real symbols: the Jacobian is exactly zero there, too."""
    x_key, cond_key, order_key = jax.random.split(key, 3)
    x = random_symbols(model, x_key, 1).repeat(model.num_sites, axis=0)  # row s will differ from this at site s alone
    cond = random_cond(model, cond_key, len(x))
    sites = jnp.arange(model.num_sites)
    for order in accepted_orders(model, order_key):
        changed = to_data(model, x.at[sites, sites].set(another_symbol(model, x[sites, sites])), order)
        before = theta(model, params, to_data(model, x, order), order=given_order(model, order), cond=cond)
        after = theta(model, params, changed, order=given_order(model, order), cond=cond)
        moved = np.asarray(jnp.abs(after - before).max(axis=-1))  # [s, t]
        _refuse_future(model, order, moved, "the symbol at t={s} is replaced")
        if model.num_sites > 1 and not moved.any():
            raise LawBroken(
                f"theta depends on no earlier symbol at all in order {order_name(order)}: the check of causality is vacuous"
            )
        if model.head.vocab is None:
            _check_jacobian(model, params, x[:1], order, repeat_cond(cond, 1))


def check_step(model: Model, params, key, tolerance: float | None = None) -> None:
    """`step` computes what `__call__` does, site by site, to a relative `tolerance` (None: that of the net's dtype); at t = 0 it
    ignores its x."""
    tolerance = stated(model).theta if tolerance is None else tolerance
    x_key, cond_key, order_key = jax.random.split(key, 3)
    x = random_symbols(model, x_key, BATCH)
    cond = random_cond(model, cond_key, BATCH)

    @jax.jit
    def stepped(order):
        def body(carry, t):
            cache, previous = carry
            cache, theta = model.apply(params, cache, previous, t, order, cond, method="step")
            return (cache, x[:, t]), theta

        start = model.apply(params, BATCH, order, cond, method="init_cache"), x[:, -1]
        return jnp.moveaxis(jax.lax.scan(body, start, jnp.arange(model.num_sites))[1], 0, 1)

    for order in accepted_orders(model, order_key):
        expected = theta(model, params, to_data(model, x, order), order=given_order(model, order), cond=cond)
        error = jnp.abs(stepped(order) - expected).max(axis=(0, 2)) / jnp.maximum(1, jnp.abs(expected).max())
        if not jnp.all(error <= tolerance):
            t = int(jnp.argmax(~(error <= tolerance)))
            raise LawBroken(
                f"step and call disagree at site t={t} in order {order_name(order)}: relative difference {error[t]:.2g}"
            )


def check_order_per_example(model: Model, params, key, tolerance: float | None = None) -> None:
    """Where the net takes an order for each example, [B, T]: theta and log_prob of each are what its own order [T] gives alone,
    to a relative `tolerance` (None: that of the net's dtype). Nothing to check for other nets."""
    tolerance = stated(model).theta if tolerance is None else tolerance
    if not getattr(model.net, "order_per_example", False) or not model.net.any_order:
        return
    x_key, cond_key, order_key = jax.random.split(key, 3)
    orders = np.stack(accepted_orders(model, order_key))
    cond = random_cond(model, cond_key, len(orders))
    x = random_symbols(model, x_key, len(orders)).reshape(len(orders), *model.site_shape, *model.head.event_shape)
    together = [score(model, params, x, order=orders, cond=cond) for score in (theta, log_prob)]
    for b, order in enumerate(orders):
        # All examples in the one order: of the same shape, and so one compilation for all orders.
        alone = [score(model, params, x, order=order, cond=cond) for score in (theta, log_prob)]
        for name, found, expected in zip(("theta", "log_prob"), together, alone, strict=True):
            error = jnp.abs(found[b] - expected[b]).max() / jnp.maximum(1, jnp.abs(expected[b]).max())
            if not error <= tolerance:
                raise LawBroken(
                    f"{name} of example {b} in its order {order_name(order)} differs when other examples have others: "
                    f"relative difference {error:.2g}"
                )


def check_normalization(model: Model, params, key, tolerance: float = 1e-5) -> None:
    """Probabilities sum to one: over one symbol at every site, and over the whole space where it is enumerable."""
    if model.head.vocab is None:
        return
    x_key, cond_key, order_key = jax.random.split(key, 3)
    cond, orders = random_cond(model, cond_key, 1), accepted_orders(model, order_key)
    symbols = all_events(model)
    if len(symbols) <= ENUMERABLE:
        x = random_symbols(model, x_key, 1)
        for order in orders:
            at = theta(model, params, to_data(model, x, order), order=given_order(model, order), cond=cond)[0]
            total = jnp.exp(jax.vmap(lambda symbol, at=at: model.head.log_prob(at, _repeat(symbol, len(at))))(symbols)).sum(
                axis=0
            )
            if not jnp.all(jnp.abs(total - 1) <= tolerance):
                t = int(jnp.argmax(~(jnp.abs(total - 1) <= tolerance)))
                raise LawBroken(
                    f"the probabilities of the symbols at site t={t} in order {order_name(order)} sum to {total[t]:.6f}, not 1"
                )
    if (space := enumerate_space(model)) is not None:
        for order in orders:
            total = jnp.exp(enumerated(model, params, space, order, cond)).sum()
            if not abs(total - 1) <= 10 * tolerance:
                raise LawBroken(
                    f"the probabilities of all {len(space)} outcomes in order {order_name(order)} sum to {total:.6f}, not 1"
                )


def _refuse_future(model, order, moved, what):
    """moved[s, t]: how much theta_t moves when s does. LawBroken if it moves for any t <= s."""
    future = np.where(np.tri(len(moved), dtype=bool), moved, 0)
    if future.any() or np.isnan(future).any():
        s, t = np.unravel_index(np.argmax(np.nan_to_num(future, nan=np.inf)), future.shape)
        raise LawBroken(
            f"theta sees the {'present' if s == t else 'future'} at site t={t} in order {order_name(order)}: "
            f"it moves by {future[s, t]:.2g} when {what.format(s=s)}"
        )


def _check_jacobian(model, params, x, order, cond):
    def at(x):
        return theta(model, params, to_data(model, x, order), order=given_order(model, order), cond=cond)[0]

    # Forwards: fewer passes than there are thetas, of which XLA on CPU (JAX 0.10.2) mixes up 192 at once backwards.
    jacobian = jax.jacfwd(at)(x)  # [T, P, 1, T, *E]
    sizes = jnp.abs(jacobian).reshape(model.num_sites, model.head.param_size, model.num_sites, -1).max(axis=(1, 3))
    _refuse_future(model, order, np.asarray(sizes).T, "the symbol at t={s} moves by one (its Jacobian)")


def _repeat(symbol, count):
    return jnp.broadcast_to(symbol, (count, *symbol.shape))
