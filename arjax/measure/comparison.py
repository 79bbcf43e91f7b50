"""Scores held beside each other: how well they tell two data sets apart, and by how much one model beats another.

AUROC     P(outside > inside) + P(outside = inside) / 2, over all pairs: Mann-Whitney's statistic (Hanley and McNeil 1982)
paired    the mean of a - b over the examples both were given, with the percentile interval of a bootstrap over the examples
          (Efron and Tibshirani 1993, section 13.3)
"""

import math
from typing import NamedTuple

import numpy as np

from arjax.errors import InputError

RESAMPLES = 2000


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """Computes how well a score tells what is outside [M], where it should be high, from what is inside [N]: 1 always, 0.5 not
    at all. May be infinite. InputError where one is empty or NaN, which has no rank."""
    from scipy import stats

    inside, outside = (np.asarray(scores, np.float64) for scores in (inside, outside))
    if not len(inside) or not len(outside) or np.isnan(inside).any() or np.isnan(outside).any():
        raise InputError("scores to be ranked are missing or NaN; give at least one of each kind, all of them numbers")
    wins = stats.mannwhitneyu(outside, inside, method="asymptotic").statistic
    return float(wins / (len(inside) * len(outside)))


class Paired(NamedTuple):
    """`difference`: the mean of first - second; `low`, `high`: its 95 % interval; `first`, `second`: the fractions of the
    examples for which the one or the other is higher. What is left are ties."""

    difference: float
    low: float
    high: float
    first: float
    second: float


def paired(first: np.ndarray, second: np.ndarray, *, seed: int = 0) -> Paired:
    """Compares two scores [N] of the same examples. The interval is of RESAMPLES resamples of whole examples, drawn from `seed`,
    and takes them as independent; that of one example is everything. InputError unless both are finite and of one length."""
    from scipy import stats

    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise InputError(f"paired scores have shapes {first.shape} and {second.shape}; give one of each for every example")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        i = int(np.argmin(np.isfinite(first) & np.isfinite(second)))
        raise InputError(f"example {i} has the scores {first[i]} and {second[i]}, which have no finite mean; leave it out")
    each = first - second
    low, high = -math.inf, math.inf
    if len(each) > 1:  # one example says nothing of the spread
        # One resample at a time: all together would take their number times the memory of the scores.
        options = {"n_resamples": RESAMPLES, "method": "percentile", "batch": 1, "rng": np.random.default_rng(seed)}
        low, high = stats.bootstrap((each,), np.mean, **options).confidence_interval
    return Paired(float(each.mean()), float(low), float(high), float((each > 0).mean()), float((each < 0).mean()))
