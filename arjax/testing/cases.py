"""What a model is tried on: parameters, orders, conditions and data, and every outcome of a small space.

All of it is drawn on the host, by NumPy from a JAX key, and every check has the same batch: compiling is what a check of a
tiny model costs, and so checks share their programs.
"""

import functools
import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from arjax.likelihood import theta
from arjax.orders import arrange, restore
from arjax.protocol import Cond, Model
from arjax.testing.shape import initial

ENUMERABLE = 4096
BATCH = 128


class Tolerance(NamedTuple):
    """How far two ways to compute one theta may differ. theta: relative to the largest of it. parted: of a batch of samples, the
    share that rounding may turn from one symbol to another, and so from there on."""

    theta: float
    parted: float


FLOAT32, BFLOAT16 = Tolerance(1e-5, 0.0), Tolerance(0.03, 0.25)


def tolerance(model: Model) -> Tolerance:
    """float32's, unless the net computes in bfloat16, whose numbers have 8 significant bits."""
    return BFLOAT16 if jnp.dtype(model.capabilities.dtype or "float32") == jnp.bfloat16 else FLOAT32


def generator(key) -> np.random.Generator:
    """NumPy's random numbers, from a JAX key."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def split(key, num: int) -> list:
    """`num` keys of a key, made on the host: jax.random.split compiles two programs for every `num`."""
    data, kind = np.asarray(jax.random.key_data(key)), jax.random.key_impl(key)
    drawn = generator(key).integers(2**32, size=(num, *data.shape), dtype=np.uint32)
    return [jax.random.wrap_key_data(each, impl=kind) for each in drawn]


def accepted_orders(model: Model, key) -> list[np.ndarray]:
    """The model's own order and, for a net that takes any, its reverse and two random ones."""
    if not model.capabilities.any_order:
        return [model.permutation]
    rng = generator(key)
    drawn = [rng.permutation(model.num_sites).astype(np.int32) for _ in range(2)]
    return [model.permutation, model.permutation[::-1].copy(), *drawn]


def lively_params(model: Model, key):
    """Normal parameters of the net's shapes, so that no weight or bias is zero; of scale 0.5, and less for wide sums."""
    rng = generator(key)

    def drawn(leaf):
        scale = min(0.5, math.prod(leaf.shape[:-1]) ** -0.5)
        return jnp.asarray(scale * rng.standard_normal(leaf.shape), leaf.dtype)

    return jax.tree.map(drawn, initial(model))


def random_cond(model: Model, key, batch: int) -> Cond:
    """A random condition of the kind that the model declares."""
    rng, declared = generator(key), model.cond
    label = None if declared.classes is None else rng.integers(declared.classes, size=batch, dtype=np.int32)
    member = None if declared.members is None else rng.integers(declared.members, size=(), dtype=np.int32)
    shapes = declared.features(model.site_shape)
    features = {name: rng.standard_normal((batch, *shape), np.float32) for name, shape in shapes.items()}
    memory_mask = None
    if declared.memory is not None:
        # Every example has the first of its memory, and some of the rest.
        memory_mask = rng.random((batch, declared.memory[0])) < 0.7
        memory_mask[:, 0] = True
    return jax.tree.map(jnp.asarray, Cond(label, member, memory_mask=memory_mask, **features))


def repeat_cond(cond: Cond, count: int) -> Cond:
    """The first example's condition, `count` times."""
    per_example = cond.replace(member=None)
    return jax.tree.map(lambda leaf: np.repeat(np.asarray(leaf)[:1], count, axis=0), per_example).replace(member=cond.member)


def random_symbols(model, key, batch) -> np.ndarray:
    """[batch, T, *E] in generation order."""
    shape, rng = (batch, model.num_sites, *model.head.event_shape), generator(key)
    vocab = model.head.vocab
    return rng.standard_normal(shape, np.float32) if vocab is None else rng.integers(vocab, size=shape, dtype=np.int32)


def another_symbol(model, x):
    """Another than each of x."""
    return x + 1 if model.head.vocab is None else (x + 1) % model.head.vocab


def enumerate_space(model: Model) -> np.ndarray | None:
    """Every outcome [V^dims, *site_shape, *E], or None if they are more than `ENUMERABLE` or real."""
    vocab = model.head.vocab
    if vocab is None or vocab**model.num_dims > ENUMERABLE:
        return None
    outcomes = np.array(list(itertools.product(range(vocab), repeat=model.num_dims)), np.int32)
    return outcomes.reshape(-1, *model.site_shape, *model.head.event_shape)


def enumerated(model, params, space, order, cond) -> np.ndarray:
    """p of every outcome of the space, in this order, under the condition of the first example, in float64."""
    cond, batches = repeat_cond(cond, BATCH), -(-len(space) // BATCH)
    filled = arrange(np.resize(space, (batches * BATCH, *space.shape[1:])), order, model.site_shape)
    each = (log_probs(model.head, parallel(model, params, x, order, cond), x) for x in np.split(filled, batches))
    return np.exp(np.concatenate([*each]).astype(np.float64).sum(axis=1)[: len(space)])


@functools.partial(jax.jit, static_argnames="head")
def log_probs(head, theta, x):
    """[...]: of each symbol, so that a program of a head alone serves all nets."""
    return head.log_prob(theta, x)


def parallel(model, params, x, order, cond) -> np.ndarray:
    """theta [B, T, P] of x [B, T, *E], both in generation order."""
    return np.asarray(theta(model, params, to_data(model, x, order), order=given_order(model, order), cond=cond))


def all_events(model) -> np.ndarray:
    """Every value of one symbol [V^|E|, *E]; of more than `ENUMERABLE`, one more than that."""
    values = itertools.product(range(model.head.vocab), repeat=math.prod(model.head.event_shape))
    return np.array(list(itertools.islice(values, ENUMERABLE + 1)), np.int32).reshape(-1, *model.head.event_shape)


def to_data(model, x, order):
    """Generation order to data layout."""
    return restore(x, order, model.site_shape)


def given_order(model, order):
    """The `order` argument: None for a net that generates in its own order only."""
    return order if model.capabilities.any_order else None


def order_name(order):
    return f"[{', '.join(map(str, order[:8]))}{', ...' if len(order) > 8 else ''}]"
