"""What is minimised. The trainer knows the protocol only; likelihood is its first instance."""

import dataclasses
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from arjax.likelihood import log_prob
from arjax.orders import AnyOrder, draw
from arjax.protocol import Cond, init


class Objective(Protocol):
    """A frozen dataclass. `state` holds what changes in training but is not learned by gradient (a tree, often empty)."""

    def init(self, key: jax.Array, batch: dict) -> tuple[Any, Any]:
        """key, an example batch -> (params, state). Works under jit. Where a run is loaded the batch is {}: shapes are known."""
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
        """batch: {"x": [B, ...]}, and what else `gather` gives of a split -> (mean nats per example, (state, {"dims": the mean
        number of values that were counted in one}))."""
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
    """(order, cond) for one minibatch: a random order where the model is AnyOrder, [B, T] for a net that takes one for each
    example, and the condition that `draw_cond` gives."""
    order_key, member_key = jax.random.split(key)
    if getattr(model.net, "order_per_example", False) and isinstance(model.order, AnyOrder):
        order = jax.vmap(lambda k: draw(model.order, k, model.site_shape))(jax.random.split(order_key, len(batch["x"])))
    else:
        order = draw_order(model, order_key)
    return order, draw_cond(model, member_key, batch)


def draw_order(model, key: jax.Array):
    """[T]: a random order where the model is AnyOrder, else its own; None for a net that generates in one order only."""
    return draw(model.order, key, model.site_shape) if model.net.any_order else None


def draw_cond(model, key: jax.Array, batch: dict) -> Cond:
    """A random member where the model has members, and what `cond_of` gives."""
    member = None if model.cond.members is None else jax.random.randint(key, (), 0, model.cond.members)
    return cond_of(model, batch).replace(member=member)


def cond_of(model, batch: dict) -> Cond:
    """Of the batch's labels, local features and memory those that the model wants."""
    label = None if model.cond.classes is None else batch["label"]
    return Cond(label, **{name: batch[name] for name in model.cond.features(model.site_shape)})
