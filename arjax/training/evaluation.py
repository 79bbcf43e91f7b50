"""What a model's probabilities are worth on a split: exact nats per example."""

import functools
import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from arjax.data import evaluation_batches
from arjax.likelihood import log_prob, mixture
from arjax.orders import named
from arjax.training.conditions import draw_cond, draw_condition, draw_order
from arjax.training.mesh import to_host


class Evaluation(NamedTuple):
    """`nats`: the mean of -log p(x) over the examples; `dims`: the mean number of values that were counted in one;
    `standard_error`: of `nats`, as an estimate for their population given `dims` (NaN for a single example); `log_probs` [N]
    float32: every example's own, in the split's order; `counts` [N] float64: how many of its values were counted; `first` and
    `rest`: seconds until the first batch was scored, compilation among them, and from there to the last."""

    nats: float
    dims: float
    standard_error: float
    log_probs: np.ndarray
    counts: np.ndarray
    first: float
    rest: float


def evaluate(
    model, params, split, values, *, batch_size: int, key: jax.Array, ensemble: int = 1, place=jnp.asarray
) -> Evaluation:
    """Scores every example of `split` as a published result is.

    An ensemble of K > 1 is the equal mixture over K pairs of an order and a member, the same for all examples. The k-th order of
    a model that draws from orders it names is the k-th of these; of any other model, the first is its own and the rest are
    random. The first member is member 0, the rest are random. `key` draws what is random, and the values where they are (a
    dynamic binarization becomes one fixed binarization, whatever `batch_size`). `place` brings an array [B, ...] to the devices,
    and may append fillers to it.
    """
    return _evaluate(functools.partial(_mixture, ensemble=ensemble), model, params, split, values, batch_size, key, place)


def validate(model, params, split, values, *, batch_size: int, key: jax.Array, place=jnp.asarray) -> Evaluation:
    """Scores as `evaluate` does, at the price of one pass: every batch under one order and member drawn for it. The mean is an
    unbiased estimate of the average over orders and members; with one order and no members it is exact."""
    return _evaluate(_drawn, model, params, split, values, batch_size, key, place)


def drawn_examples(split, values, *, batch_size: int, key: jax.Array) -> Iterator[dict[str, np.ndarray]]:
    """Yields the examples of a split in batches, "x" [b, *site_shape, *E] being the symbols that `evaluate` scores under this
    key, with "label" and "counted" where there are any."""
    keys = _keys(key)
    for batch, real in _batches(split, batch_size):
        drawn = batch | {"x": np.asarray(_apply(values, keys, batch))}
        yield {name: array[: real.sum()] for name, array in drawn.items()}  # fillers come last: no copy


def _evaluate(score, model, params, split, values, batch_size, key, place):
    keys, began = _keys(key), time.perf_counter()
    log_probs, dims, first, waiting = [], [], 0.0, None
    for i, (batch, real) in enumerate(_batches(split, batch_size)):
        scores = score(model, values, params, jax.tree.map(place, batch), keys, i), real
        dims.append(_dims(model, batch, real))
        # A batch is read when the next one has been handed to the device, which therefore never waits for the host.
        if waiting is not None:
            log_probs.append(_read(*waiting))
            first = first or time.perf_counter() - began
        waiting = scores
    log_probs.append(_read(*waiting))
    seconds = time.perf_counter() - began
    first = first or seconds
    log_probs, dims = np.concatenate(log_probs), np.concatenate(dims)
    with np.errstate(invalid="ignore"):  # an infinite result has no spread; whoever asked for it decides what that means
        nats = -np.mean(log_probs, dtype=np.float64)
        # What is reported is nats / dims: examples that are longer are no part of its uncertainty.
        error = standard_error(log_probs + nats / dims.mean() * dims)
    return Evaluation(float(nats), float(dims.mean()), error, log_probs, dims, first, seconds - first)


def standard_error(scores: np.ndarray) -> float:
    """Returns that of the mean of scores [N] as an estimate for their population; NaN where there is one, which says nothing of
    it."""
    return float(np.std(scores, ddof=1) / math.sqrt(len(scores))) if len(scores) > 1 else math.nan


def _dims(model, batch, real) -> np.ndarray:
    """`counted_dims` of the examples [b] that are no fillers, float64: on the host, since the device is busy."""
    if "counted" not in batch:
        return np.full(real.sum(), float(model.num_dims))
    return batch["counted"][real].reshape(real.sum(), -1).sum(axis=1) * (model.num_dims / model.num_sites)


def _read(scores, real) -> np.ndarray:
    """The scores [b] of a batch's examples that are no fillers."""
    return to_host(scores)[: len(real)][real]


@functools.partial(jax.jit, static_argnames=("model", "values"))
def _drawn(model, values, params, batch, keys, i):
    """[B]: log p of each example, under an order and a member drawn for this batch, the i-th."""
    order, cond = draw_condition(model, jax.random.fold_in(keys.batch, i), batch)
    return log_prob(model, params, _apply(values, keys, batch), order=order, cond=cond, counted=batch.get("counted"))


@functools.partial(jax.jit, static_argnames=("model", "values", "ensemble"))
def _mixture(model, values, params, batch, keys, i, *, ensemble):
    """[B]: log p of each example, under the mixture over `ensemble` orders and members, the same for every batch."""
    x, orders = _apply(values, keys, batch), jnp.asarray(named(model.order, model.site_shape))

    def one(k):
        order_key, member_key = jax.random.split(jax.random.fold_in(keys.ensemble, k))
        order, cond = draw_order(model, order_key), draw_cond(model, member_key, batch)
        order = None if order is None else jnp.where(k < len(orders), orders[jnp.minimum(k, len(orders) - 1)], order)
        member = None if cond.member is None else jnp.where(k == 0, 0, cond.member)
        return log_prob(model, params, x, order=order, cond=cond.replace(member=member), counted=batch.get("counted"))

    return mixture(jax.lax.map(one, jnp.arange(ensemble))).log_prob


class _Keys(NamedTuple):
    """One key for each thing that is drawn."""

    values: jax.Array
    ensemble: jax.Array
    batch: jax.Array


def _keys(key) -> _Keys:
    return _Keys(*jax.random.split(key, 3))


def _batches(split, batch_size):
    """(batch, which of its examples are no fillers), batch by batch; "index" [B] is an example's place in the split."""
    for i, batch in enumerate(evaluation_batches(split, batch_size)):
        real = batch.pop("weight") > 0
        yield batch | {"index": np.arange(i * batch_size, (i + 1) * batch_size, dtype=np.int32)}, real


@functools.partial(jax.jit, static_argnames="values")
def _apply(values, keys, batch):
    """What the model sees of a batch. Random values are drawn for each example by its own key, so that they are the same
    whatever the batches and the devices."""
    return jax.vmap(lambda i, x: values(jax.random.fold_in(keys.values, i), x))(batch["index"], batch["x"])
