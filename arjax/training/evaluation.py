"""What a model's probabilities are worth on a split: exact nats per example, and the baseline to hold beside them."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from arjax.data import evaluation_batches
from arjax.likelihood import log_prob, mixture
from arjax.training.objective import draw_condition


class Evaluation(NamedTuple):
    """`nats`: the mean of -log p(x) over the examples; `standard_error`: of that mean, as an estimate for their population
    (0 where there is one); `log_probs` [N] float32: every example's own, in the split's order."""

    nats: float
    standard_error: float
    log_probs: np.ndarray


def evaluate(
    model, params, split, values, *, batch_size: int, key: jax.Array, ensemble: int = 1, place=jnp.asarray
) -> Evaluation:
    """Every example of `split` scored as a published result is.

    An ensemble of K > 1 is the equal mixture over K pairs of an order and a member: the model's own order with member 0, and
    K - 1 random pairs, the same for all examples. `key` draws these, and the values where they are random (a dynamic
    binarization becomes one fixed binarization). `place` brings an array [B, ...] to the devices.
    """
    return _evaluate(functools.partial(_mixture, ensemble=ensemble), model, params, split, values, batch_size, key, place)


def validate(model, params, split, values, *, batch_size: int, key: jax.Array, place=jnp.asarray) -> Evaluation:
    """As `evaluate`, at the price of one pass: every batch is scored under one order and member drawn for it. The mean is an
    unbiased estimate of the average over orders and members; with one order and no members it is exact."""
    return _evaluate(_drawn, model, params, split, values, batch_size, key, place)


def baseline(splits, values, *, batch_size: int, key: jax.Array, classes: int | None = None) -> float | None:
    """Nats per test example of the model in which all sites are independent, in closed form; None for real values.

    Each site's symbol v has probability (count + 1) / (N + V), counted on the training and validation splits; with `classes`,
    on the examples of the same label, which is then given, as it is to a model of classes.
    """
    if values.vocab is None:
        return None
    counts = 0
    for split in (splits.train, splits.valid):
        for x, label in _symbols(split, values, batch_size, key, classes):
            hits = x[:, None] == np.arange(values.vocab).reshape(-1, *[1] * (x.ndim - 1))  # [b, V, *site_shape, *E]
            counts = counts + np.stack([hits[label == c].sum(axis=0) for c in range(classes or 1)])
    nats = np.log(counts.sum(axis=1, keepdims=True) + values.vocab) - np.log(counts + 1)  # [C, V, *site_shape, *E]
    test = [
        np.take_along_axis(nats[label], x[:, None], axis=1).sum()
        for x, label in _symbols(splits.test, values, batch_size, key, classes)
    ]
    return float(sum(test) / len(splits.test.x))


def _evaluate(score, model, params, split, values, batch_size, key, place):
    key, shared = jax.random.split(key)
    log_probs = []
    for i, batch in enumerate(evaluation_batches(split, batch_size)):
        real, arrays = batch["weight"] > 0, {name: value for name, value in batch.items() if name != "weight"}
        scores = score(model, values, params, jax.tree.map(place, arrays), jax.random.fold_in(key, i), shared)
        log_probs.append(np.asarray(scores)[real])
    log_probs = np.concatenate(log_probs)
    with np.errstate(invalid="ignore"):  # an infinite result has no spread; whoever asked for it decides what that means
        nats, spread = -np.mean(log_probs, dtype=np.float64), np.std(log_probs, dtype=np.float64)
    return Evaluation(float(nats), float(spread / math.sqrt(max(len(log_probs) - 1, 1))), log_probs)


@functools.partial(jax.jit, static_argnames=("model", "values"))
def _drawn(model, values, params, batch, key, shared):
    """[B]: log p of each example, under an order and a member drawn for this batch."""
    values_key, condition_key = jax.random.split(key)
    order, cond = draw_condition(model, condition_key, batch.get("label"))
    return log_prob(model, params, values(values_key, batch["x"]), order=order, cond=cond)


@functools.partial(jax.jit, static_argnames=("model", "values", "ensemble"))
def _mixture(model, values, params, batch, key, shared, *, ensemble):
    """[B]: log p of each example, under the mixture over `ensemble` orders and members, which `shared` draws."""
    x = values(jax.random.split(key)[0], batch["x"])

    def one(k):
        order, cond = draw_condition(model, jax.random.fold_in(shared, k), batch.get("label"))
        order = None if order is None else jnp.where(k == 0, jnp.asarray(model.permutation), order)
        member = None if cond.member is None else jnp.where(k == 0, 0, cond.member)
        return log_prob(model, params, x, order=order, cond=cond.replace(member=member))

    return mixture(jax.lax.map(one, jnp.arange(ensemble))).log_prob


def _symbols(split, values, batch_size, key, classes):
    """(x [b, *site_shape, *E], label [b]), batch by batch, drawn by the keys that `evaluate` draws them by; without `classes`
    all are of label 0."""
    key, _ = jax.random.split(key)
    for i, batch in enumerate(evaluation_batches(split, batch_size)):
        x = values(jax.random.split(jax.random.fold_in(key, i))[0], jnp.asarray(batch["x"]))
        label = batch["label"] if classes else np.zeros(batch_size, np.int32)
        real = batch["weight"] > 0
        yield np.asarray(x)[real], label[real]
