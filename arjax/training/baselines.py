"""What a result is held beside: models that count, in closed form. Their tables are fitted on the training split alone, as the
model is: a baseline that counted the validation split too would beat the same table trained by gradient, with data it never saw.

    independent            every site on its own                                   p(x_t = v) = table[t, v]
    histogram              of a stream: all its values have one law                p(x_t = v) = table[v]
    first-order Markov     of a stream: a value depends on the one before it       p(x_t = v | x_{t-1} = u) = table[u, v]
    independent Gaussian   of real values: each site is normal on its own          p(x_t) = N(x_t; mean[t], variance[t])

An entry is (count + 1) / (all counts of its row + V), so that nothing is impossible. Where the model is given labels, so are
these: each label has tables of its own, which may cost a Markov table of many symbols more than the label tells it.
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
        nats = _gaussian_nats(train, scored, classes, options)
        return {} if nats is None or data.medium.stream else {"independent Gaussian": nats}
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
    return np.bincount(_entries(batch, context, shape), minlength=math.prod(shape)).reshape(shape)


def _binary_counts(batch, shape) -> np.ndarray:
    """The same where every site is a context of its own and there are two symbols: how many there are of a label, and of the ones
    among them, are products of matrices, in float32 exact up to 2**24 examples."""
    x = batch["x"].reshape(len(batch["x"]), -1).astype(np.float32)
    label = batch["label"] if shape[0] > 1 else np.zeros(len(x), np.int64)
    of_label = (np.arange(shape[0])[:, None] == label).astype(np.float32)
    every = of_label.sum(axis=1, keepdims=True)
    if "counted" in batch:
        counted = batch["counted"].reshape(len(x), -1).astype(np.float32)
        counted = np.repeat(counted, x.shape[1] // counted.shape[1], axis=1)
        x, every = x * counted, of_label @ counted
    ones = of_label @ x
    return np.stack([every - ones, ones], axis=2).astype(np.int64)


def _gaussian_nats(train, scored, classes, options) -> float | None:
    """Nats per example scored of normal values, each with the mean and the variance of its label and site in training; None where
    one never varies, whose density has no bound."""

    def sums(split, function):
        """The sum [labels, values] of function(x, label) over what counts of a split."""
        return sum(_sum_by_label(batch, function, classes or 1) for batch in drawn_examples(split, **options))

    count = np.maximum(sums(train, lambda x, label: np.ones_like(x)), 1)
    mean = sums(train, lambda x, label: x) / count
    variance = sums(train, lambda x, label: (x - mean[label]) ** 2) / count
    if not (variance > 1e-14 * mean**2).all():  # what float32 tells apart
        return None

    def nats(x, label):
        return 0.5 * ((x - mean[label]) ** 2 / variance[label] + np.log(2 * np.pi * variance[label]))

    return float(sums(scored, nats).sum() / len(scored.x))


def _sum_by_label(batch, function, labels) -> np.ndarray:
    x = batch["x"].reshape(len(batch["x"]), -1).astype(np.float64)
    label = batch["label"].astype(np.int64) if labels > 1 else np.zeros(len(x), np.int64)
    each = function(x, label)
    if "counted" in batch:
        counted = batch["counted"].reshape(len(x), -1)
        each = np.where(np.repeat(counted, x.shape[1] // counted.shape[1], axis=1), each, 0)
    return (np.arange(labels)[:, None] == label).astype(np.float64) @ each


def _entries(batch, context, shape):
    """[n]: for every value of the batch that is counted, where its entry stands in a table of this shape, laid out flat."""
    labels, contexts, vocab = shape
    x = batch["x"].reshape(len(batch["x"]), -1).astype(np.int64)
    label = batch["label"].astype(np.int64) if labels > 1 else np.zeros(len(x), np.int64)
    entries = (label[:, None] * contexts + context(x, vocab)) * vocab + x
    if "counted" not in batch:
        return entries.ravel()
    counted = batch["counted"].reshape(len(x), -1)
    return entries[np.repeat(counted, x.shape[1] // counted.shape[1], axis=1)]


def _without_overlap(split: Split) -> Split:
    """The split's windows, where they share values only those that follow each other."""
    step = apart(split.x)
    return Split(*(None if array is None else array[::step] for array in split))
