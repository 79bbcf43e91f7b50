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
    binarization becomes one fixed binarization, whatever `batch_size`). `place` brings an array [B, ...] to the devices, and may
    append fillers to it.
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
    shape = splits.train.x.shape[1:]
    counts = np.zeros((classes or 1, math.prod(shape), values.vocab), np.int64)
    for split in (splits.train, splits.valid):
        for x, label in _symbols(split, values, batch_size, key, classes):
            counts += np.bincount(_places(x, label, counts.shape).ravel(), minlength=counts.size).reshape(counts.shape)
    nats = np.log(counts.sum(axis=2, keepdims=True) + values.vocab) - np.log(counts + 1)
    test = [
        nats.ravel()[_places(x, label, counts.shape)].sum()
        for x, label in _symbols(splits.test, values, batch_size, key, classes)
    ]
    return float(sum(test) / len(splits.test.x))


def _places(x, label, shape):
    """[b, sites]: where the symbols x [b, *site_shape, *E] of examples of these labels [b] stand in a table of this shape,
    [labels, sites, V], laid out flat."""
    _, sites, vocab = shape
    return (label[:, None].astype(np.int64) * sites + np.arange(sites)) * vocab + x.reshape(len(x), sites)


def _evaluate(score, model, params, split, values, batch_size, key, place):
    keys = _keys(key)
    log_probs = []
    for i, (batch, real) in enumerate(_batches(split, batch_size)):
        scores = score(model, values, params, jax.tree.map(place, batch), keys, i)
        log_probs.append(np.asarray(scores)[: len(real)][real])
    log_probs = np.concatenate(log_probs)
    with np.errstate(invalid="ignore"):  # an infinite result has no spread; whoever asked for it decides what that means
        nats, spread = -np.mean(log_probs, dtype=np.float64), np.std(log_probs, dtype=np.float64)
    return Evaluation(float(nats), float(spread / math.sqrt(max(len(log_probs) - 1, 1))), log_probs)


@functools.partial(jax.jit, static_argnames=("model", "values"))
def _drawn(model, values, params, batch, keys, i):
    """[B]: log p of each example, under an order and a member drawn for this batch, the i-th."""
    order, cond = draw_condition(model, jax.random.fold_in(keys.batch, i), batch.get("label"))
    return log_prob(model, params, _apply(values, keys, batch), order=order, cond=cond)


@functools.partial(jax.jit, static_argnames=("model", "values", "ensemble"))
def _mixture(model, values, params, batch, keys, i, *, ensemble):
    """[B]: log p of each example, under the mixture over `ensemble` orders and members, the same for every batch."""
    x = _apply(values, keys, batch)

    def one(k):
        order, cond = draw_condition(model, jax.random.fold_in(keys.ensemble, k), batch.get("label"))
        order = None if order is None else jnp.where(k == 0, jnp.asarray(model.permutation), order)
        member = None if cond.member is None else jnp.where(k == 0, 0, cond.member)
        return log_prob(model, params, x, order=order, cond=cond.replace(member=member))

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


def _symbols(split, values, batch_size, key, classes):
    """(x [b, *site_shape, *E], label [b]), batch by batch, drawn as `evaluate` draws them; without `classes` all are of label
    0."""
    keys = _keys(key)
    for batch, real in _batches(split, batch_size):
        x = np.asarray(_apply(values, keys, batch))
        label = batch["label"] if classes else np.zeros(batch_size, np.int32)
        yield x[real], label[real]
