"""Categorical: one of V symbols without order among them, p(x = v) = softmax(theta)_v."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from arjax.description import check_types
from arjax.errors import InputError
from arjax.heads import noise


@dataclasses.dataclass(frozen=True)
class Categorical:
    """theta [..., V] are unnormalised log-probabilities, one for each of the `vocab` symbols."""

    vocab: int
    """The number of symbols."""
    event_shape: ClassVar[tuple[int, ...]] = ()
    logits: ClassVar[bool] = True

    def __post_init__(self):
        check_types(self)
        if self.vocab < 1:
            raise InputError(f"vocab={self.vocab} leaves nothing to choose from; choose at least one symbol")

    @property
    def param_size(self) -> int:
        return self.vocab

    def log_prob(self, theta, x):
        """[..., V], [...] int -> [...] float32, nats; -inf where x is not in 0..V-1."""
        log_probs = jax.nn.log_softmax(theta.astype(jnp.float32))
        inside = (x >= 0) & (x < self.vocab)
        chosen = jnp.take_along_axis(log_probs, jnp.where(inside, x, 0)[..., None], axis=-1)[..., 0]
        return jnp.where(inside, chosen, -jnp.inf)

    def sample(self, key, theta):
        """[..., V] -> [...] int32, by the Gumbel-max trick: the noise does not see the symbols' numbering."""
        return noise.categorical(key, theta.astype(jnp.float32))
