"""What a model is given of the data beside the symbols it generates, and whether data have it."""

import jax
import jax.numpy as jnp
import numpy as np

from arjax.data.batches import gather
from arjax.data.dataset import DataCapabilities
from arjax.errors import InputError
from arjax.orders import AnyOrder, draw
from arjax.protocol import Cond


def cond_of(model, batch: dict) -> Cond:
    """Returns of the batch's labels, local features and memory those that the model is conditioned on."""
    label = None if model.cond.classes is None else batch["label"]
    return Cond(label, **{name: batch[name] for name in model.cond.features(model.site_shape)})


def sample_cond(model, count: int, examples) -> Cond:
    """Returns what samples are shown for: the classes in turn, where the model has classes, or where it has features (local,
    memory), these and the labels of the first `count` of `examples`, a split that may be None for other models. A model's
    members: the first."""
    if model.cond.features(model.site_shape):
        # A label and features belong together.
        return jax.tree.map(jnp.asarray, cond_of(model, gather(examples, np.arange(count) % len(examples.x))))
    return Cond(None if model.cond.classes is None else jnp.arange(count, dtype=jnp.int32) % model.cond.classes)


def captions_of(data, cond: Cond) -> tuple[str, ...]:
    """Returns the name of the class of each example under a condition, as the data set calls it, or its number; none where there
    is no label."""
    if cond.label is None:
        return ()
    names = DataCapabilities.of(data).classes or ()
    return tuple(names[k] if k < len(names) else str(k) for k in np.asarray(cond.label).tolist())


def draw_condition(model, key: jax.Array, batch: dict):
    """Draws (order, cond) for one minibatch: a random order where the model is AnyOrder, [B, T] for a net that takes one for each
    example, and the condition that `draw_cond` gives."""
    order_key, member_key = jax.random.split(key)
    if model.capabilities.order_per_example and isinstance(model.order, AnyOrder):
        order = jax.vmap(lambda k: draw(model.order, k, model.site_shape))(jax.random.split(order_key, len(batch["x"])))
    else:
        order = draw_order(model, order_key)
    return order, draw_cond(model, member_key, batch)


def draw_order(model, key: jax.Array):
    """Draws an order [T] where the model is AnyOrder, else returns its own; None for a net that generates in one order only."""
    return draw(model.order, key, model.site_shape) if model.capabilities.any_order else None


def draw_cond(model, key: jax.Array, batch: dict) -> Cond:
    """Draws a member where the model has members, and adds what `cond_of` gives."""
    member = None if model.cond.members is None else jax.random.randint(key, (), 0, model.cond.members)
    return cond_of(model, batch).replace(member=member)


def counted_dims(model, batch: dict) -> jax.Array:
    """Returns the number of values of each example of a batch that are counted, float32 [B]."""
    counted = batch.get("counted")
    if counted is None:
        return jnp.full(len(batch["x"]), model.num_dims, jnp.float32)
    return counted.reshape(len(counted), -1).sum(axis=1) * jnp.float32(model.num_dims / model.num_sites)


def check_fits(title: str, model, splits) -> None:
    """Raises InputError unless the splits have the shape and the labels that the model was made for; `title` names the data."""
    shape, expected = splits.train.x.shape[1:], (*model.site_shape, *model.head.event_shape)
    event = model.head.event_shape
    if shape[len(shape) - len(event) :] != event:
        raise InputError(
            f"{title} has examples of shape {shape}, but {model.head} models {event[0]} values a site; choose a head of one"
        )
    if shape != expected:
        raise InputError(f"{title} has examples of shape {shape}, but the model's are {expected}; set --model.site-shape to fit")
    if splits.train.counted is not None:
        # In another order padding would come before what counts, which would be given it.
        if isinstance(model.order, AnyOrder) or not np.array_equal(model.permutation, np.arange(model.num_sites)):
            raise InputError(f"{title} has sites that do not count, which needs Raster(), not {model.order}; leave out the order")
        if splits.train.counted.shape[1:] != model.site_shape:
            raise InputError(
                f"{title} says what counts for sites of shape {splits.train.counted.shape[1:]}, but the model's are "
                f"{model.site_shape}; give one boolean for each site"
            )
    for name, declared in model.cond.features(model.site_shape).items():
        features = getattr(splits.train, name)
        if features is None or features.shape[1:] != declared:
            has = f"no {name} features" if features is None else f"{name} features of shape {features.shape[1:]}"
            flags = {"local": "--model.cond.local and --model.cond.hop", "memory": "--model.cond.memory"}[name]
            raise InputError(f"{title} has {has}, but the model takes {declared} for an example; set {flags} to fit")
    if model.cond.classes is None:
        return
    if splits.train.label is None:
        raise InputError(
            f"{title} has no labels, but the model is conditioned on {model.cond.classes} classes; "
            "leave out CondSpec(classes=...)"
        )
    highest = max(int(split.label.max()) for split in splits)
    if highest >= model.cond.classes:
        raise InputError(
            f"{title} has labels up to {highest}, but the model has classes 0..{model.cond.classes - 1}; "
            f"set --model.cond.classes {highest + 1}"
        )
