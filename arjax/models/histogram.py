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

from arjax.models.counting import check_smoothing, check_symbols, check_weights, finite_log_probs
from arjax.protocol import Spec


class Histogram(nn.Module):
    """The parameter `theta` [T, P], in site layout, is what the head is given. It knows no conditions."""

    spec: Spec | None = None

    any_order: ClassVar[bool] = True
    decays: ClassVar[tuple[str, ...]] = ()

    def check_model(self, model):
        model.cond.require("Histogram")

    def setup(self):
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
    may go on from here. InputError where x is no array of symbols 0..vocab-1, or the weights do not fit.
    """
    sites = check_symbols(x, vocab)
    weights, smoothing = check_weights(weights, len(sites)), check_smoothing(smoothing)
    num_sites = sites.shape[1]
    bins = sites + vocab * np.arange(num_sites)
    counts = np.bincount(bins.ravel(), np.repeat(weights, num_sites), num_sites * vocab).reshape(num_sites, vocab)
    return {"theta": jnp.asarray(finite_log_probs(counts + smoothing), jnp.float32)}
