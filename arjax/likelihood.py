"""Exact likelihoods: the only place that sums over sites, and the only one that changes units.

    log p(x) = sum_t head.log_prob(theta_t, x_t)                       one parallel pass
    log p(x) = logsumexp_k log p(x | order_k, member_k) - log K        a valid ensemble: a mixture of K densities

The ensemble averages probabilities. Averaging logits or log-probabilities over orders is not a likelihood.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer, Shaped

from arjax.arguments import as_array, check_cond, check_counted, check_order, check_prefix, check_x, observed_first
from arjax.errors import InputError
from arjax.orders import arrange, restore
from arjax.protocol import Cond, Model
from arjax.sharding import BATCH, TENSOR, automatic, held


def theta(
    model: Model, params, x: Shaped[Array | np.ndarray, "B *data"], *, order=None, cond: Cond | None = None, key=None
) -> Float[Array, "B T P"]:
    """Returns [B, T, P]: what the net says at every site, in generation order.

    x: [B, *site_shape, *E].
    order: [T], or [B, T] where the net takes one for each example, or None for the model's own.
    cond: as the model declares it.
    key: draws dropout; None is deterministic.

    InputError where a shape, a value, the order or the condition does not fit the model. Inside a jit, where values are not
    known, what is no symbol or no finite number has probability zero, and the net is given a zero.
    """
    x = check_x(model, x)
    order, cond = check_order(model, order, len(x)), check_cond(model, cond, len(x))
    return _theta(model, params, x, order, cond, key)


def log_prob(
    model: Model,
    params,
    x: Shaped[Array | np.ndarray, "B *data"],
    *,
    order=None,
    cond: Cond | None = None,
    key=None,
    counted=None,
    prefix: bool = False,
) -> Float[Array, " B"]:
    """Returns log p(x | cond) [B] in nats: the sum of `log_probs`, with its arguments and errors.

    counted: bool [B, *site_shape], of a prefix [B, L], or None for all: the sites whose log-probability, given all before them in
    the order, is summed. Padding after the end of a sequence does not count then; a window of one counts what follows given its
    first sites. What does not count has to be valid, too: a symbol, or a finite number. (Inside a jit it enters as zero.)
    """
    order, cond = check_order(model, order, _batch(x)), check_cond(model, cond, _batch(x))
    if prefix:
        x, counted = check_prefix(model, x, order, counted)
    return _log_prob(model, params, check_x(model, x), order, cond, key, check_counted(model, counted, len(x)))


def log_probs(
    model: Model,
    params,
    x: Shaped[Array | np.ndarray, "B *data"],
    *,
    order=None,
    cond: Cond | None = None,
    key=None,
    prefix: bool = False,
) -> Float[Array, "B *sites"]:
    """Returns each site's log p(x_t | x_<t, cond) in nats, in the layout of the data whatever the order: [B, *site_shape].

    prefix: for data on one axis, x is [B, L, *E] with L <= T, the sites that the order begins with, and so is the result
      [B, L]. The sites after them are not looked at.

    The other arguments and errors are those of `theta`.
    """
    order, cond, length = check_order(model, order, _batch(x)), check_cond(model, cond, _batch(x)), np.shape(x)[1:2]
    if prefix:
        x, _ = check_prefix(model, x, order, None)
    each = _log_probs(model, params, check_x(model, x), order, cond, key)
    return each[:, : length[0]] if prefix else each


def conditional_log_prob(
    model: Model,
    params,
    x: Shaped[Array | np.ndarray, "B *data"],
    mask,
    *,
    order=None,
    cond: Cond | None = None,
    counted=None,
) -> Float[Array, " B"]:
    """Returns log p(x where not mask | x where mask, cond) [B] in nats: the sum of the log-probabilities of the sites that are
    not observed, in the order in which `arjax.sample(..., observed=x, mask=mask, order=order)` draws them.

    mask: bool [*site_shape] or [B, *site_shape], True where x is observed. counted: as in `log_prob`, of what is not observed;
    the result is a conditional probability where what is left out comes last. InputError as in `theta`, and as of the sampler
    where the order does not begin with what is observed and the net takes no other. Where the mask or the order is traced, that
    cannot be checked: a net of one order assumes it.
    """
    x = check_x(model, x)
    order, cond = check_order(model, order, _batch(x)), check_cond(model, cond, _batch(x))
    counted = check_counted(model, counted, len(x))
    order, mask = observed_first(model, order, mask, len(x))
    return _log_prob(model, params, x, order, cond, None, ~mask if counted is None else counted & ~mask)


class Ensemble(NamedTuple):
    """`log_prob` [B], nats, of the mixture of K densities; `standard_error` [B] of that number as an estimate of the mixture of
    all orders and members they were drawn from (delta method; infinite for K = 1)."""

    log_prob: Float[Array, " B"]
    standard_error: Float[Array, " B"]


def ensemble_log_prob(
    model: Model,
    params,
    x: Shaped[Array | np.ndarray, "B *data"],
    orders: Integer[Array | np.ndarray, "K T"],
    *,
    cond: Cond | None = None,
    members: Integer[Array | np.ndarray, " members"] | None = None,
    counted=None,
) -> Ensemble:
    """Scores by the equal mixture over K orders and, where given, members.

    orders [K, T]; members int [K] or None; counted as in `log_prob`. Each x is scored under all K, and the probabilities are
    averaged. InputError as there, and unless there are as many members as orders, at least one.
    """
    orders = orders if isinstance(orders, jax.Array) else np.asarray(orders)
    if orders.ndim != 2 or not len(orders):
        raise InputError(f"orders have shape {orders.shape}; give K of {model.num_sites} sites, [K, T], at least one")
    if members is not None and np.shape(members) != orders.shape[:1]:
        raise InputError(f"members have shape {np.shape(members)} for {len(orders)} orders; give each order its member")
    cond, each = Cond() if cond is None else cond, []
    for k, order in enumerate(orders):
        part = cond if members is None else dataclasses.replace(cond, member=members[k])
        each.append(log_prob(model, params, x, order=order, cond=part, counted=counted))
    return mixture(jnp.stack(each))


def mixture(log_probs: Float[Array, "K B"]) -> Ensemble:
    """[K, B] log-probabilities of the parts -> those of their equal mixture, with the standard error."""
    parts = len(log_probs)
    total = jax.nn.logsumexp(log_probs, axis=0) - math.log(parts)
    # Where every part says impossible, so does the mixture, and there is nothing to estimate.
    ratios = jnp.exp(log_probs - jnp.where(jnp.isfinite(total), total, 0)[None])
    error = jnp.std(ratios, axis=0, ddof=1) / math.sqrt(parts) if parts > 1 else jnp.full_like(total, jnp.inf)
    return Ensemble(total, error)


def nats_per_dim(nats: float, dims: int | float) -> float:
    """Nats per example -> nats per dimension."""
    return nats / dims


def bits_per_dim(nats: float | np.ndarray, dims: int | float | np.ndarray) -> float | np.ndarray:
    """Nats per example -> bits per dimension; of many examples arrays [N]."""
    return nats / (dims * math.log(2))


def _batch(x) -> int:
    """The number of examples; 0 where there are none that could be counted, which `check_x` refuses."""
    x = as_array("x", x)
    return len(x) if x.ndim else 0


@functools.partial(jax.jit, static_argnames="model")
@automatic
def _theta(model, params, x, order, cond, key):
    x, _ = _possible(model, arrange(x, order, model.site_shape))
    return model.apply(params, x, order, cond, key=key)


@functools.partial(jax.jit, static_argnames="model")
@automatic
def _log_prob(model, params, x, order, cond, key, counted):
    each = _each(model, params, x, order, cond, key)
    # Not a product: what is not counted may be impossible, and 0 times -inf is NaN.
    return (each if counted is None else jnp.where(arrange(counted, order, model.site_shape), each, 0)).sum(axis=1)


@functools.partial(jax.jit, static_argnames="model")
@automatic
def _log_probs(model, params, x, order, cond, key):
    return restore(_each(model, params, x, order, cond, key), order, model.site_shape)


def _each(model, params, x, order, cond, key):
    """[B, T]: the log-probability of each site, in generation order."""
    x, possible = _possible(model, arrange(x, order, model.site_shape))
    if model.capabilities.before_theta is None:
        return jnp.where(possible, model.head.log_prob(model.apply(params, x, order, cond, key=key), x), -jnp.inf)

    def score(h, x):
        return model.head.log_prob(model.apply(params, h, method="to_theta"), x)

    h = model.apply(params, x, order, cond, key=key, method="before_theta")
    parts = _parts(h.shape, model.head.param_size)
    return jnp.where(possible, score(h, x) if parts == 1 else _in_parts(score, parts, h, x), -jnp.inf)


# The most bytes that theta [B, T, P] takes in float32 on a device before it is made in parts.
_THETA = 2**26


def _parts(shape: tuple[int, ...], param_size: int) -> int:
    """Returns in how many parts theta is made from h [B, T, D]: more than one where theta is much larger than h and takes more
    than _THETA bytes. A part has 2 D rows or more, since each adds to the gradient of the [D, P] that makes theta, which must
    cost little."""
    batch, sites, width = shape
    if param_size <= 8 * width:
        return 1
    whole = held((batch, sites, param_size), BATCH, None, TENSOR)
    part = max(_THETA // 4, held((2 * width, param_size), None, TENSOR))
    return max(1, min(sites, math.ceil(whole / part)))  # one, where there are no examples


def _in_parts(score, parts: int, h, x):
    """Returns score(h, x) [B, T] for h [B, T, D] and x [B, T, *E], made some sites at a time, and made again for the gradient."""
    batch, sites = h.shape[:2]
    length = math.ceil(sites / parts)

    def cut(array):  # [parts, B, length, ...]: copies of the last site fill the last part
        array = jnp.pad(array, ((0, 0), (0, parts * length - sites)) + ((0, 0),) * (array.ndim - 2), mode="edge")
        return jnp.moveaxis(array.reshape(batch, parts, length, *array.shape[2:]), 1, 0)

    again = jax.checkpoint(lambda part: score(*part), prevent_cse=False)  # inside a loop nothing is shared anyway
    each = jax.lax.map(again, (cut(h), cut(x)))
    return jnp.moveaxis(each, 0, 1).reshape(batch, parts * length)[:, :sites]


def _possible(model, x):
    """x [B, T, *E] with zero in the place of what is no symbol or no finite number, and where nothing was replaced [B, T]."""
    inside = jnp.isfinite(x) if model.head.vocab is None else (x >= 0) & (x < model.head.vocab)
    return jnp.where(inside, x, 0), inside.all(axis=tuple(range(2, x.ndim)))
