"""MixtureOfLogistics: one real value, P(X <= x) = sum_m w_m sigmoid((x - mu_m) / s_m)."""

import dataclasses
from typing import ClassVar

import jax

from arjax.description import check_types
from arjax.heads import noise
from arjax.heads.mixture import check_components, mix, mix_logs, read_components, sample_components, standardize


@dataclasses.dataclass(frozen=True)
class MixtureOfLogistics:
    """theta [..., 3 M] as in mixture.py: logits, means, log-scales. It starts near values of a size of about one."""

    components: int
    """Logistics in the mixture."""
    event_shape: ClassVar[tuple[int, ...]] = ()
    vocab: ClassVar[None] = None

    def __post_init__(self):
        check_types(self)
        check_components(self.components)

    @property
    def param_size(self) -> int:
        return 3 * self.components

    def log_prob(self, theta, x):
        """[..., 3 M], [...] -> [...] float32: the logarithm of the density, nats."""
        parts = read_components(theta)
        z = standardize(parts, x)
        return mix_logs(parts.log_weight, jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z) - parts.log_scale)

    def sample(self, key, theta):
        """[..., 3 M] -> [...] float32: a component by its weight, then a logistic value of it."""
        return sample_components(key, read_components(theta), noise.logistic)

    def cdf(self, theta, x):
        """[..., 3 M], [...] -> [...] float32: the probability of a value of at most x."""
        parts = read_components(theta)
        return mix(parts.log_weight, jax.nn.sigmoid(standardize(parts, x)))

    def mean(self, theta):
        """[..., 3 M] -> [...] float32."""
        parts = read_components(theta)
        return mix(parts.log_weight, parts.mean)
