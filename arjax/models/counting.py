"""Counting: what is counted, checked, and counts turned into log-probabilities that are all finite."""

import numpy as np

from arjax.errors import InputError

# The first whole number whose exp(-n) is zero in float32, denormal numbers included.
_ZERO = 104.0


def check_symbols(x, vocab: int) -> np.ndarray:
    """Symbols [N, *site_shape] as int64 [N, T]. InputError unless they are whole numbers 0..vocab-1, and at least one."""
    x = np.asarray(x)
    if x.ndim < 2 or x.size == 0 or x.dtype.kind not in "biu":
        raise InputError(f"x is {x.dtype} of shape {x.shape}; give whole numbers [N, *site_shape], at least one")
    if x.min() < 0 or x.max() >= vocab:
        raise InputError(f"x has symbols {x.min()}..{x.max()}, but vocab={vocab} means 0..{vocab - 1}; correct one of them")
    return x.reshape(len(x), -1).astype(np.int64)


def check_smoothing(smoothing: float) -> float:
    """`smoothing`, what is added to each count. InputError unless it is finite and not negative."""
    if not (np.isfinite(smoothing) and smoothing >= 0):
        raise InputError(f"smoothing={smoothing} must be finite and not negative; choose 0 for none")
    return smoothing


def check_weights(weights, num: int) -> np.ndarray:
    """The weights of `num` examples, float64 [N]; all one for None. InputError unless they are finite, >= 0 and not all 0."""
    weights = np.ones(num) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != (num,) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise InputError(
            f"weights of shape {weights.shape} must be {num} finite numbers >= 0, not all zero; give each example one"
        )
    return weights


def finite_log_probs(counts: np.ndarray) -> np.ndarray:
    """Counts [..., V], some of every V positive, -> log (counts / their sum), and in place of log 0 = -inf what is 104 nats below
    the most probable symbol: a probability that is exactly 0 in float32."""
    with np.errstate(divide="ignore"):  # the maximum below replaces it
        log_probs = np.log(counts / counts.sum(axis=-1, keepdims=True))
    return np.maximum(log_probs, log_probs.max(axis=-1, keepdims=True) - _ZERO)
