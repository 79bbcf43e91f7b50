"""What a model is tried on: parameters, orders, conditions and data, and every outcome of a small space."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from arjax.likelihood import log_prob
from arjax.orders import restore
from arjax.protocol import Cond, Model, init

ENUMERABLE = 4096
BATCH = 4


def accepted_orders(model: Model, key) -> list[np.ndarray]:
    """The model's own order and, for a net that takes any, its reverse and two random ones."""
    if not model.net.any_order:
        return [model.permutation]
    keys = jax.random.split(key)
    drawn = [np.asarray(jax.random.permutation(k, model.num_sites).astype(np.int32)) for k in keys]
    return [model.permutation, model.permutation[::-1].copy(), *drawn]


def lively_params(model: Model, key):
    """Initial parameters with noise of scale 0.5 on every leaf, so that no weight or bias is zero."""
    leaves, tree = jax.tree.flatten(init(model, key))
    keys = jax.random.split(jax.random.fold_in(key, 1), len(leaves))
    return tree.unflatten([leaf + 0.5 * jax.random.normal(k, leaf.shape) for leaf, k in zip(leaves, keys, strict=True)])


def random_cond(model: Model, key, batch: int) -> Cond:
    """A random condition of the kind that the model declares."""
    label_key, member_key, local_key = jax.random.split(key, 3)
    label = None if model.cond.classes is None else jax.random.randint(label_key, (batch,), 0, model.cond.classes)
    member = None if model.cond.members is None else jax.random.randint(member_key, (), 0, model.cond.members)
    keys = {"local": local_key, "memory": jax.random.fold_in(key, 1)}
    shapes = model.cond.features(model.site_shape)
    features = {name: jax.random.normal(keys[name], (batch, *shape)) for name, shape in shapes.items()}
    memory_mask = None
    if model.cond.memory is not None:
        # Every example has the first of its memory, and some of the rest.
        mask_key = jax.random.fold_in(key, 2)
        memory_mask = jax.random.bernoulli(mask_key, 0.7, (batch, model.cond.memory[0])).at[:, 0].set(True)
    return Cond(label, member, memory_mask=memory_mask, **features)


def repeat_cond(cond: Cond, count: int) -> Cond:
    """The first example's condition, `count` times."""
    per_example = cond.replace(member=None)
    return jax.tree.map(lambda leaf: jnp.repeat(leaf[:1], count, axis=0), per_example).replace(member=cond.member)


def random_symbols(model, key, batch):
    """[batch, T, *E] in generation order."""
    shape = (batch, model.num_sites, *model.head.event_shape)
    return jax.random.normal(key, shape) if model.head.vocab is None else jax.random.randint(key, shape, 0, model.head.vocab)


def another_symbol(model, x):
    return x + 1 if model.head.vocab is None else (x + 1) % model.head.vocab


def enumerate_space(model: Model) -> np.ndarray | None:
    """Every outcome [V^dims, *site_shape, *E], or None if they are more than `ENUMERABLE` or real."""
    vocab = model.head.vocab
    if vocab is None or vocab**model.num_dims > ENUMERABLE:
        return None
    outcomes = np.array(list(itertools.product(range(vocab), repeat=model.num_dims)), np.int32)
    return outcomes.reshape(-1, *model.site_shape, *model.head.event_shape)


def enumerated(model, params, space, order, cond):
    """log p of every outcome of the space, in this order, under a condition of batch 1."""
    return log_prob(model, params, space, order=given_order(model, order), cond=repeat_cond(cond, len(space)))


def all_events(model):
    """Every value of one symbol [V^|E|, *E]."""
    values = itertools.product(range(model.head.vocab), repeat=math.prod(model.head.event_shape))
    return jnp.array(list(itertools.islice(values, ENUMERABLE + 1))).reshape(-1, *model.head.event_shape)


def to_data(model, x, order):
    return restore(x, jnp.asarray(order), model.site_shape)


def given_order(model, order):
    """The `order` argument: None for a net that generates in its own order only."""
    return jnp.asarray(order) if model.net.any_order else None


def order_name(order):
    return f"[{', '.join(map(str, order[:8]))}{', ...' if len(order) > 8 else ''}]"
