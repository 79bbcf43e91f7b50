"""Sequences longer than a model: a window slides along them, and scores them.

A model of T sites gives the probabilities of T symbols. In a longer sequence symbol n is site n - w(n) of the window that begins
at symbol w(n), of which `keep` symbols, 0 to T - 1, are those of the window before it:

    w(n) = 0                                                  for n < T
    w(n) = (T - keep) (1 + floor((n - T) / (T - keep)))       from there on

so that each symbol is modelled given at least `keep` symbols before it, or all of them near the beginning, and at most T - 1.
w depends on n, T and `keep` alone. Therefore the score of a sequence is the logarithm of the probability with which generation
draws it, in any batch.

Each window begins as the windows of training do, which are cut out of a text anywhere: its first symbol follows the model's
start, at the model's first position.
"""

import dataclasses

import numpy as np
from jaxtyping import Array, Float, Shaped

from arjax.arguments import as_array, check_count, check_values
from arjax.errors import InputError
from arjax.likelihood import log_probs
from arjax.protocol import Cond, Model

# The most windows that are scored at once.
_WINDOWS = 32


def begins(n, sites: int, keep: int):
    """Returns w(n): where the window begins that models symbol n, a number or an array, also a traced one."""
    stride = sites - keep
    return (n >= sites) * stride * (1 + (n - sites) // stride)


def check_keep(model: Model, keep: int | None, length: int, name: str = "keep") -> int:
    """Returns `keep`, None for half of the model's sites. InputError unless it is 0..T-1 and a sequence of so many symbols can
    slide through the model."""
    if len(model.site_shape) > 1 or (model.permutation != np.arange(model.num_sites)).any():
        raise InputError(
            f"sequences are read in raster order on one axis, but the model's sites are {model.site_shape} in {model.order}; "
            "use arjax.sample(..., observed=..., mask=...) and arjax.log_probs"
        )
    keep = model.num_sites // 2 if keep is None else check_count(name, keep, least=0)
    if keep >= model.num_sites:
        raise InputError(f"{name}={keep} leaves none of the model's {model.num_sites} sites for new symbols; choose fewer")
    if length > model.num_sites and model.cond.local:
        raise InputError(
            f"{length} symbols are more than the model's {model.num_sites} sites, each of which has local features; choose fewer"
        )
    return keep


def sliding_log_probs(
    model: Model, params, x: Shaped[Array | np.ndarray, "N *E"], *, context: int | None = None, cond: Cond | None = None
) -> Float[np.ndarray, " N"]:
    """Returns the log-probability of each symbol of a sequence of any length given those before it in its window [N], in nats.

    x: [N, *E]; empty is allowed.
    context: `keep` above; None for half of the model's sites. 0 scores windows that do not overlap, as validation does. The cost
      is T / (T - context) passes over the sequence.
    cond: of the sequence, of batch size 1.

    The sum of the result is the log-probability with which `arjax.sampling.generate(..., keep=context)` draws x.

    Compiles once for up to 32 windows, and at most six times for texts of fewer.
    InputError where a symbol is none of the model's, or the model is not on one axis in raster order.
    """
    x, event = as_array("x", x), model.head.event_shape
    if x.shape != (*x.shape[:1], *event) or not x.ndim:
        raise InputError(f"x has shape {x.shape}; give one sequence, of shape {('N', *event)}")
    keep, sites = check_keep(model, context, len(x), "context"), model.num_sites
    if not len(x):
        return np.zeros(0, np.float32)
    check_values(model, x, "x")
    x = np.asarray(x)
    starts = np.unique(begins(np.arange(len(x)), sites, keep))
    at_once = min(_WINDOWS, 1 << (len(starts) - 1).bit_length())
    scores = np.zeros(len(x), np.float32)
    for first in range(0, len(starts), at_once):
        group = starts[first : first + at_once]
        # After the end of the text stand zeros, up to a whole number of windows; no symbol before them depends on them.
        windows = np.zeros((at_once, sites, *event), x.dtype)
        for window, start in zip(windows, group, strict=False):
            window[: len(x) - start] = x[start : start + sites]
        given = None if cond is None else _repeated(cond, at_once)
        each = np.asarray(log_probs(model, params, windows, cond=given))
        for row, start in zip(each, group, strict=False):
            new = start + keep if start else 0
            scores[new : start + sites] = row[new - start : len(x) - start]
    return scores


def _repeated(cond: Cond, count: int) -> Cond:
    """The condition of one sequence, for `count` windows of it. A member is the same for all."""
    several = {name: np.repeat(np.asarray(part), count, axis=0) for name, part in vars(cond).items() if np.ndim(part)}
    return dataclasses.replace(cond, **several)
