"""Warnings about real-valued data that spoil training: before it begins, and when numbers do not stay finite.

A net begins with weights, and a head with scales, for values of about 1. A column of size 50,000 starts at a loss of 10^9 nats
and a gradient as large, for which no learning rate is right; a constant column has a density without an upper bound.
"""

import jax
import numpy as np

from arjax.data.splits import Splits, blocks
from arjax.protocol import Model

# A net cannot begin with values farther from 0 than this.
FAR = 1e3


def doubts_of_data(experiment, splits: Splits, key: jax.Array) -> tuple[str, ...]:
    """Returns a line for each thing in the data that spoils the fit of an arjax.Model: values and features far from 0, and in the
    training split columns that are always the same. None for symbols.

    key: draws the values, where they are random.
    """
    model, found = experiment.model, []
    if not isinstance(model, Model):
        return ()
    if model.head.vocab is None and not model.capabilities.standardizes:
        train, *others = (_counted_range(experiment.data.values, split, key) for split in splits)
        found += _far("x", train, *others) + _constant(*train)
    for part in model.cond.features(model.site_shape):
        found += _far(part, *(_range(getattr(split, part), lambda x: x.reshape(-1, x.shape[-1])) for split in splits))
    return tuple(found)


def _counted_range(values, split, key):
    """The range of what the model is given of each column; NaN where it never counts, being padding or context."""
    low, high = _range(split.x, lambda x: np.asarray(values(key, x)))
    if split.counted is None:
        return low, high
    counted = split.counted.any(axis=0)
    counted = np.broadcast_to(counted.reshape(*counted.shape, *(1,) * (low.ndim - counted.ndim)), low.shape)
    return np.where(counted, low, np.nan), np.where(counted, high, np.nan)


def _range(x, columns):
    """(the lowest, the highest) of each column of all examples, a row of them being `columns(x)`."""
    ends = [(part.min(axis=0), part.max(axis=0)) for part in (columns(x[block]) for block in blocks(x))]
    return np.min([low for low, _ in ends], axis=0), np.max([high for _, high in ends], axis=0)


def _far(part, *ranges) -> list[str]:
    low, high = np.fmin.reduce([low for low, _ in ranges]), np.fmax.reduce([high for _, high in ranges])
    size = np.nan_to_num(np.fmax(-low, high))
    if size.max() <= FAR:
        return []
    widest = size == size.max()
    return [
        f"{_name(part, widest)} lies between {low[widest][0]:g} and {high[widest][0]:g}, farther from 0 than a net can begin "
        "with; shift and divide it to a size of about 1 in the data, or in `values` of your own"
    ]


def _constant(low, high) -> list[str]:
    same = low == high
    if not same.any():
        return []
    more = int(same.sum()) - 1
    return [
        f"{_name('x', same)} {f'and {more} other columns are' if more else 'is'} the same in all of the training split "
        f"({low[same][0]:g}): a density there has no upper bound, and a result no meaning; leave such columns out, or model "
        "symbols"
    ]


def _name(part, places) -> str:
    """The first of these places of an example, as NumPy would be asked for it."""
    first = np.unravel_index(int(np.argmax(places)), places.shape)
    return f"{part}[{', '.join([':' if part == 'x' else '...', *map(str, map(int, first))])}]"
