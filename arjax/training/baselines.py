"""Baselines: models that count, in closed form. Their tables are fitted on the training split alone, as the model is. A baseline
that counted the validation split, too, would beat the same table trained by gradient with data which that table never saw.

    independent            every site on its own                                   p(x_t = v) = table[t, v]
    histogram              of a stream: all its values have one distribution                p(x_t = v) = table[v]
    first-order Markov     of a stream: a value depends on the one before it       p(x_t = v | x_{t-1} = u) = table[u, v]
    independent Gaussian   of real values: each site is normal on its own          p(x_t) = N(x_t; mean[t], variance[t])

An entry is (count + 1) / (all counts of its row + V), so that nothing is impossible. If the model is given labels, the baselines
have tables for each label. A Markov table of many symbols may lose more by the smaller counts than it gains by the label.
"""

import functools
import math

import jax
import numpy as np

from arjax.data.dataset import DataCapabilities
from arjax.data.splits import Split, apart
from arjax.training.evaluation import drawn_examples

# A Markov table of more entries than this is left out: of 65536 symbols it would have 4 billion.
_MAX_ENTRIES = 2**26


def baselines(data, train, scored, *, batch_size: int, key: jax.Array, classes: int | None = None) -> dict[str, float]:
    """Computes the nats per example of the split `scored` of each model that applies, by its name, or of those that the data
    declare. A first value's predecessor is a symbol of its own, "nothing"."""
    vocab, declared = data.values.vocab, DataCapabilities.of(data).baseline
    options = {"values": data.values, "batch_size": batch_size, "key": key}
    if declared is not None:
        return {name: float(nats.mean()) for name, nats in declared(train.x, scored.x).items()}
    if vocab is None:
        nats = None if data.medium.stream else _gaussian_nats(train, scored, classes, options)
        return {} if nats is None else {"independent Gaussian": nats}
    if not data.medium.stream:
        contexts = {"independent Bernoulli" if vocab == 2 else "independent categorical": _site}
        sizes = [math.prod(train.x.shape[1:])]
    else:
        contexts, sizes = {"histogram": _nothing, "first-order Markov table": _previous}, [1, vocab + 1]
        train = _without_overlap(train)
    return {
        name: _fitted_nats(train, scored, context, size, classes, options)
        for (name, context), size in zip(contexts.items(), sizes, strict=True)
        if (classes or 1) * size * vocab <= _MAX_ENTRIES
    }


def _site(x, vocab):
    return np.broadcast_to(np.arange(x.shape[1]), x.shape)


def _nothing(x, vocab):
    return np.zeros_like(x)


def _previous(x, vocab):
    return np.concatenate([np.full_like(x[:, :1], vocab), x[:, :-1]], axis=1)


def _fitted_nats(train, scored, context, size, classes, options) -> float:
    """Nats per example scored of the table [labels, contexts, V] that the training split fills."""
    shape = (classes or 1, size, options["values"].vocab)
    # Most data are binary images, and bincount would take longer over them than many a model.
    count = _binary_counts if context is _site and shape[2] == 2 else functools.partial(_counts, context=context)
    seen = sum(count(batch, shape=shape) for batch in drawn_examples(train, **options))
    nats = np.log(seen.sum(axis=2, keepdims=True) + shape[2]) - np.log(seen + 1)
    found = sum(count(batch, shape=shape) for batch in drawn_examples(scored, **options))
    return float((found * nats).sum() / len(scored.x))


def _counts(batch, context, shape) -> np.ndarray:
    """int64 [labels, contexts, V]: how often each entry of the table occurs in the batch."""
    labels, contexts, vocab = shape
    x, label, counted = _flat(batch, np.int64, labels)
    entries = (label[:, None] * contexts + context(x, vocab)) * vocab + x
    entries = entries.ravel() if counted is None else entries[counted]
    return np.bincount(entries, minlength=math.prod(shape)).reshape(shape)


def _binary_counts(batch, shape) -> np.ndarray:
    """The same where every site is a context of its own and there are two symbols."""
    every, ones = (_sum_by_label(batch, function, shape[0], np.float32) for function in (_one, lambda x, label: x))
    return np.stack([every - ones, ones], axis=2).astype(np.int64)  # float32 is exact up to 2**24 examples


def _gaussian_nats(train, scored, classes, options) -> float | None:
    """Nats per example scored of normal values, each with the mean and the variance of its label and site in training; None where
    one never varies, whose density has no bound."""

    def sums(split, function):
        """The sum [labels, values] of function(x, label) over what counts of a split."""
        return sum(_sum_by_label(batch, function, classes or 1) for batch in drawn_examples(split, **options))

    count = np.maximum(sums(train, _one), 1)
    mean = sums(train, lambda x, label: x) / count
    variance = sums(train, lambda x, label: (x - mean[label]) ** 2) / count
    if not (variance > 1e-14 * mean**2).all():  # what float32 tells apart
        return None

    def nats(x, label):
        return 0.5 * ((x - mean[label]) ** 2 / variance[label] + np.log(2 * np.pi * variance[label]))

    return float(sums(scored, nats).sum() / len(scored.x))


def _one(x, label):
    return np.ones((len(x), 1), x.dtype)  # as many for each value


def _sum_by_label(batch, function, labels, dtype=np.float64) -> np.ndarray:
    """[labels, values]: the sum of function(x, label) over what counts of the batch."""
    x, label, counted = _flat(batch, dtype, labels)
    each = function(x, label) if counted is None else np.where(counted, function(x, label), 0)
    return (np.arange(labels)[:, None] == label).astype(dtype) @ each


def _flat(batch, dtype, labels):
    """(values [b, n], the label of each example [b], which of the values count [b, n] or None for all)."""
    x, counted = batch["x"].reshape(len(batch["x"]), -1).astype(dtype), batch.get("counted")
    label = batch["label"].astype(np.int64) if labels > 1 else np.zeros(len(x), np.int64)
    if counted is not None:
        counted = counted.reshape(len(x), -1)
        counted = np.repeat(counted, x.shape[1] // counted.shape[1], axis=1)
    return x, label, counted


def _without_overlap(split: Split) -> Split:
    """The split's windows, where they share values only those that follow each other."""
    return Split(*(None if array is None else array[:: apart(split.x)] for array in split))
