"""CoupledDiscretizedMixtureOfLogistics: a pixel of three ordered symbols, PixelCNN++'s head (Salimans et al. 2017, section 2.2).

    p(r, g, b) = sum_m w_m L(r; mu_r) L(g; mu_g + alpha r) L(b; mu_b + beta r + gamma g)      L: logistic_bins.py

Every component m has its own means, scales and coefficients; r and g enter the means as values in [-1, 1]. As in the authors'
program, alpha, beta and gamma are tanh of what the net says; unlike there, a sampled channel is a whole symbol before it moves
the next one's mean, so that samples follow p exactly.

A pixel is generated channel by channel: given the channels before, channel c is a mixture of the same components, with the
weights w_m times what they gave to those channels. `cdf` and `mean` are those of these conditionals.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from arjax.description import check_types
from arjax.heads import logistic_bins
from arjax.heads.logistic_bins import check_bins, log_bins, to_unit
from arjax.heads.mixture import Components, check_components, limit, mix_logs, place
from arjax.heads.noise import Uniform, uniform


@dataclasses.dataclass(frozen=True)
class CoupledDiscretizedMixtureOfLogistics:
    """theta [..., 10 M]: M logits, then M means, M log-scales and M coefficients three times: those of red, green and blue; and
    alpha, beta, gamma before their tanh."""

    vocab: int
    """The number of levels of a value."""
    components: int
    """Logistics in the mixture."""
    event_shape: ClassVar[tuple[int, ...]] = (3,)

    def __post_init__(self):
        check_types(self)
        check_bins(self.vocab)
        check_components(self.components)

    @property
    def param_size(self) -> int:
        return 10 * self.components

    def log_prob(self, theta, x):
        """[..., 10 M], [..., 3] int -> [...] float32, nats; -inf where any channel is not in 0..V-1."""
        inside = ((x >= 0) & (x < self.vocab)).all(axis=-1)
        x = jnp.clip(x, 0, self.vocab - 1)
        channels = self._channels(theta, x)
        logs = sum(log_bins(parts, x[..., c], self.vocab) for c, parts in enumerate(channels))
        return jnp.where(inside, mix_logs(channels[0].log_weight, logs), -jnp.inf)

    def log_conditionals(self, theta, x):
        """[..., 10 M], [..., 3] int in 0..V-1 -> [..., 3] float32, nats: log P(x_c | the channels of x before c). They sum to
        `log_prob`."""
        parts = enumerate(self._conditionals(theta, x))
        return jnp.stack([mix_logs(p.log_weight, log_bins(p, x[..., c], self.vocab)) for c, p in parts], axis=-1)

    def sample(self, key, theta):
        """[..., 10 M] -> [..., 3] int32: each channel by one uniform through the inverse CDF of its conditional."""
        return self.quantile(theta, uniform(key, (*theta.shape[:-1], 3)))

    def quantile(self, theta, u: Uniform):
        """[..., 10 M], [..., 3] -> [..., 3] int32: for each channel in turn the smallest symbol at which its CDF, given
        the symbols chosen for those before, reaches its u."""
        x = jnp.zeros(u.u.shape, jnp.int32)
        for c in range(3):
            x = x.at[..., c].set(
                logistic_bins.quantile(self._conditionals(theta, x)[c], Uniform(u.u[..., c], u.rest[..., c]), self.vocab)
            )
        return x

    def cdf(self, theta, x):
        """[..., 10 M], [..., 3] int -> [..., 3] float32: P(X_c <= x_c | the channels of x before c)."""
        conditionals = self._conditionals(theta, x)
        return jnp.stack([logistic_bins.cdf(parts, x[..., c], self.vocab) for c, parts in enumerate(conditionals)], axis=-1)

    def mean(self, theta, x):
        """[..., 10 M], [..., 3] int -> [..., 3] float32: the mean symbol of each channel, given the channels of x before it. (The
        mean of a whole pixel would be a sum over V^2 colours: sample it.)"""
        return jnp.stack([logistic_bins.mean(parts, self.vocab) for parts in self._conditionals(theta, x)], axis=-1)

    def _channels(self, theta, x) -> list[Components]:
        """For each channel the components with their weights before any channel is known, and their means given x."""
        theta = theta.astype(jnp.float32).reshape(*theta.shape[:-1], 10, self.components)
        log_weight, mean, log_scale = jax.nn.log_softmax(theta[..., 0, :]), place(theta[..., 1:4, :]), limit(theta[..., 4:7, :])
        alpha, beta, gamma = (jnp.tanh(theta[..., i, :]) for i in (7, 8, 9))
        red, green = (to_unit(x[..., c], self.vocab)[..., None] for c in (0, 1))
        shifts = jnp.zeros_like(alpha), alpha * red, beta * red + gamma * green
        return [Components(log_weight, mean[..., c, :] + shift, log_scale[..., c, :]) for c, shift in enumerate(shifts)]

    def _conditionals(self, theta, x) -> list[Components]:
        """For each channel the components with their weights and means given the channels of x before it."""
        x = jnp.clip(x, 0, self.vocab - 1)
        channels = self._channels(theta, x)
        logs, conditionals = channels[0].log_weight, []
        for c, parts in enumerate(channels):
            conditionals.append(parts._replace(log_weight=jax.nn.log_softmax(logs)))
            logs = logs + log_bins(parts, x[..., c], self.vocab)
        return conditionals
