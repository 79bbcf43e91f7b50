"""What is minimised. The trainer knows the protocol only; likelihood is its first instance."""

import dataclasses
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from arjax.likelihood import log_prob
from arjax.orders import draw
from arjax.protocol import Cond, init


class Objective(Protocol):
    """A frozen dataclass. `state` holds what changes in training but is not learned by gradient (a tree, often empty)."""

    def init(self, key: jax.Array, batch: dict) -> tuple[Any, Any]:
        """key, an example batch -> (params, state). Works under jit."""
        ...

    def loss(self, params, state, batch: dict, key: jax.Array) -> tuple[jax.Array, tuple[Any, dict]]:
        """-> (loss [], (state, metrics)); metrics are scalars by name. Pure, and differentiable in params."""
        ...


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """-log p(x) in nats per example, averaged over the minibatch.

    model: an arjax.Model. values: (key, what the data set stores) -> symbols; its key is new at every step, so that
    a dynamic binarization is. An AnyOrder model is given one random order a minibatch, a model with members one of them.
    """

    model: Any
    values: Any

    def init(self, key, batch):
        """(params, ()): there is no other state."""
        return init(self.model, key), ()

    def loss(self, params, state, batch, key):
        """batch: {"x": [B, ...]}, and "label", "local", "counted" where there are any -> (mean nats per example, (state, {"dims":
        the mean number of values that were counted in one}))."""
        values_key, condition_key, dropout_key = jax.random.split(key, 3)
        x = self.values(values_key, batch["x"])
        order, cond = draw_condition(self.model, condition_key, batch)
        scores = log_prob(self.model, params, x, order=order, cond=cond, key=dropout_key, counted=batch.get("counted"))
        return -scores.mean(), (state, {"dims": counted_dims(self.model, batch).mean()})


def counted_dims(model, batch: dict) -> jax.Array:
    """[B] float32: the number of values of each example of a batch that are counted."""
    counted = batch.get("counted")
    if counted is None:
        return jnp.full(len(batch["x"]), model.num_dims, jnp.float32)
    return counted.reshape(len(counted), -1).sum(axis=1) * jnp.float32(model.num_dims / model.num_sites)


def draw_condition(model, key: jax.Array, batch: dict):
    """(order, cond) for one minibatch: a random order where the model is AnyOrder, a random member where it has members, and the
    batch's labels and local features where it wants them."""
    order_key, member_key = jax.random.split(key)
    # A net that generates in one order only is not to be told it.
    order = draw(model.order, order_key, model.site_shape) if model.net.any_order else None
    member = None if model.cond.members is None else jax.random.randint(member_key, (), 0, model.cond.members)
    label = None if model.cond.classes is None else batch["label"]
    return order, Cond(label, member, None if model.cond.local is None else batch["local"])
