"""What of real-valued data spoils training, in words: before it begins, and again where its numbers do not stay finite.

A net begins with weights, and a head with scales, for values of about 1. A column of size 50,000 starts at a loss of 10^9 nats
with a gradient to fit, which no learning rate mends; one that never varies has a density without an upper bound.
"""

import jax
import numpy as np

from arjax.data.splits import blocks
from arjax.protocol import Model

# Values farther from 0 than this are none that a net can begin with.
FAR = 1e3


def doubts(experiment, split, key: jax.Array) -> tuple[str, ...]:
    """Returns a line for each thing in a training split that spoils the fit of an arjax.Model; none for symbols.

    key: draws the values, where they are random.
    """
    model, values, found = experiment.model, experiment.data.values, []
    if not isinstance(model, Model):
        return ()
    if model.head.vocab is None:
        shape = split.x.shape[1:]
        counted = np.ones(shape[: len(model.site_shape)], bool) if split.counted is None else split.counted.any(axis=0)
        counted = np.broadcast_to(counted.reshape(*counted.shape, *(1,) * (len(shape) - counted.ndim)), shape)
        low, high = _range(np.asarray(values(key, split.x[block])) for block in blocks(split.x))
        found += _far("x", np.where(counted, low, 0), np.where(counted, high, 0))
        if (same := counted & (low == high)).any():
            place, more = _name("x", same), int(same.sum()) - 1
            found.append(
                f"{place} {f'and {more} other columns are' if more else 'is'} the same in all of the training split "
                f"({low[same][0]:g}): a density there has no upper bound, and a result no meaning; leave such columns out, or "
                "model symbols"
            )
    for name in model.cond.features(model.site_shape):
        features = getattr(split, name)
        found += _far(name, *_range(block.reshape(-1, features.shape[-1]) for block in (features[b] for b in blocks(features))))
    return tuple(found)


def _range(parts):
    """(the lowest, the highest) of each column, over all examples."""
    ends = [(part.min(axis=0), part.max(axis=0)) for part in parts]
    return np.min([low for low, _ in ends], axis=0), np.max([high for _, high in ends], axis=0)


def _far(name, low, high) -> list[str]:
    size = np.maximum(np.abs(low), np.abs(high))
    widest = size == size.max()
    if size.max() <= FAR:
        return []
    return [
        f"{_name(name, widest)} lies between {low[widest][0]:g} and {high[widest][0]:g} in the training split, farther from 0 "
        "than a net can begin with; shift and divide it to a size of about 1 in the data, or in `values` of your own"
    ]


def _name(name, places) -> str:
    """The first of these places of an example, as NumPy would be asked for it."""
    first = np.unravel_index(int(np.argmax(places)), places.shape)
    return f"{name}[{', '.join(['...' if name != 'x' else ':', *map(str, map(int, first))])}]"
