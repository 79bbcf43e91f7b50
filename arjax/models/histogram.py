"""Histogram: every site has a distribution of its own, which depends on nothing (and on no other site).

    p(x) = prod_t head(x_t | theta_t),   theta_t free parameters

With one logit a symbol (Ordinal, Categorical) theta is a histogram of each site, and its maximum likelihood fit is counting:
`fit`. With a mixture head it is that mixture, to be fitted by gradient. Several sites are independent, which makes it the
baseline of every other model.
"""

from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from arjax.protocol import Spec

# The first whole number whose exp(-n) is zero in float32, denormal numbers included.
_ZERO = 104.0


class Histogram(nn.Module):
    """The parameter `theta` [T, P], in site layout, is what the head is given. It knows no conditions."""

    spec: Spec | None = None

    any_order: ClassVar[bool] = True

    def setup(self):
        self.spec.cond.require("Histogram")
        self.theta = self.param("theta", nn.initializers.zeros, (self.spec.num_sites, self.spec.param_size))

    def __call__(self, x, order, cond=None, *, key=None):
        """x [B, T, *E], order [T] -> theta [B, T, P]."""
        return jnp.broadcast_to(self.theta[order][None], (len(x), *self.theta.shape))

    def init_cache(self, batch, order, cond=None):
        return ()

    def step(self, cache, x, t, order, cond=None):
        """cache, x [B, *E] (ignored), t [] -> (cache, theta [B, P])."""
        return cache, jnp.broadcast_to(self.theta[order[t]][None], (len(x), self.theta.shape[1]))


def fit(x, vocab: int, *, weights=None, smoothing: float = 0.0) -> dict:
    """The maximum likelihood parameters of Model(Histogram(), Ordinal(vocab), site_shape), or with Categorical(vocab), by
    counting the symbols x [N, *site_shape]:

        theta[t, v] = log (c[t, v] + smoothing) / (sum_v c[t, v] + V smoothing),   c[t, v] = sum_n weights[n] 1[x[n, t] = v]

    weights: [N], not negative; None counts every example once. smoothing: added to each count (Laplace's is 1). A symbol that
    never occurs has, without smoothing, a probability that is exactly 0 in float32, and is never sampled; its logarithm is 104
    nats below the most probable symbol's, not -inf, so that all parameters are finite and gradients can bring it back: training
    may go on from here. ValueError where x is no array of symbols 0..vocab-1, or the weights do not fit.
    """
    x = np.asarray(x)
    if x.ndim < 2 or x.size == 0 or x.dtype.kind not in "biu":
        raise ValueError(f"x is {x.dtype} of shape {x.shape}; give whole numbers [N, *site_shape], at least one")
    if x.min() < 0 or x.max() >= vocab:
        raise ValueError(f"x has symbols {x.min()}..{x.max()}, but vocab={vocab} means 0..{vocab - 1}; correct one of them")
    if not (np.isfinite(smoothing) and smoothing >= 0):
        raise ValueError(f"smoothing={smoothing} must be finite and not negative; choose 0 for none")
    weights = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != (len(x),) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError(
            f"weights of shape {weights.shape} must be {len(x)} finite numbers >= 0, not all zero; give each example one"
        )
    sites = x.reshape(len(x), -1).astype(np.int64)
    num_sites = sites.shape[1]
    bins = sites + vocab * np.arange(num_sites)
    counts = np.bincount(bins.ravel(), np.repeat(weights, num_sites), num_sites * vocab).reshape(num_sites, vocab) + smoothing
    with np.errstate(divide="ignore"):  # log 0 = -inf is what the maximum below replaces
        theta = np.log(counts / counts.sum(axis=1, keepdims=True))
    return {"theta": jnp.asarray(np.maximum(theta, theta.max(axis=1, keepdims=True) - _ZERO), jnp.float32)}
