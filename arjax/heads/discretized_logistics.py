"""DiscretizedMixtureOfLogistics: one of V ordered symbols, by a mixture of logistics over bins (Salimans et al. 2017).

Symbol v lies at 2 v / (V - 1) - 1, so that means and scales are in units of half the range; see logistic_bins.py. Neighbouring
symbols share what is learned of either, with 3 M parameters instead of V.
"""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp

from arjax.description import check_types
from arjax.heads import logistic_bins
from arjax.heads.logistic_bins import check_bins, log_bins
from arjax.heads.mixture import check_components, mix_logs, read_components
from arjax.heads.noise import Uniform, uniform


@dataclasses.dataclass(frozen=True)
class DiscretizedMixtureOfLogistics:
    """theta [..., 3 M] as in mixture.py: logits, means, log-scales."""

    vocab: int
    """The number of levels of a value."""
    components: int
    """Logistics in the mixture."""
    event_shape: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self):
        check_types(self)
        check_bins(self.vocab)
        check_components(self.components)

    @property
    def param_size(self) -> int:
        return 3 * self.components

    def log_prob(self, theta, x):
        """[..., 3 M], [...] int -> [...] float32, nats; -inf where x is not in 0..V-1."""
        parts, inside = read_components(theta), (x >= 0) & (x < self.vocab)
        logs = log_bins(parts, jnp.where(inside, x, 0), self.vocab)
        return jnp.where(inside, mix_logs(parts.log_weight, logs), -jnp.inf)

    def sample(self, key, theta):
        """[..., 3 M] -> [...] int32, by one uniform through the inverse CDF."""
        return self.quantile(theta, uniform(key, theta.shape[:-1]))

    def quantile(self, theta, u: Uniform):
        """[..., 3 M], [...] -> [...] int32: the smallest symbol v with P(X <= v) >= u."""
        return logistic_bins.quantile(read_components(theta), u, self.vocab)

    def cdf(self, theta, x):
        """[..., 3 M], [...] int -> [...] float32: P(X <= x)."""
        return logistic_bins.cdf(read_components(theta), x, self.vocab)

    def mean(self, theta):
        """[..., 3 M] -> [...] float32: the mean symbol, between 0 and V-1."""
        return logistic_bins.mean(read_components(theta), self.vocab)
