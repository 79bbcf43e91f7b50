"""The state of training and the pure step from one to the next.

    g    = mean over micro-batches of grad loss(params, micro-batch, key(step, micro-batch))
    ema <- d ema + (1 - d) params,   d = min(decay, (1 + step) / (10 + step))

The growing decay lets the average forget its random start (as in TensorFlow's ExponentialMovingAverage). Everything random
comes from `fold_in(key, step)`: a run that starts again from a saved state goes on as if nothing had happened, bit for bit.

On a mesh the step is compiled once before the first, its state laid out over the devices and donated. Beside what it learns it
passes on the signals that processes had: any process's signal reaches all of them with the same step, so that all stop after the
same one, without a message of their own.
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax

from arjax.training.experiment import Experiment
from arjax.training.mesh import over_batch, over_state, replicated, shares
from arjax.training.objective import declared

_MIB = 2**20


@flax.struct.dataclass
class TrainState:
    """`step`: int32 [], updates done. `ema`: the average of `params` that is evaluated. `state`: the objective's own."""

    step: jax.Array
    params: Any
    ema: Any
    opt_state: Any
    state: Any


def init_state(experiment: Experiment, key: jax.Array, given: Mapping[str, jax.Array] = MappingProxyType({})) -> TrainState:
    """Draws the state before the first step.

    given: by their names, as `leaves` has them, the parameters and parts of the objective's state that are not drawn.
    """
    drawn = experiment.task.init(experiment, key)
    params, state = jax.tree.unflatten(jax.tree.structure(drawn), (leaves(*drawn) | given).values())
    # A copy: the step donates its argument, and no buffer can be given away twice.
    ema = jax.tree.map(jnp.copy, params)
    return TrainState(jnp.zeros((), jnp.int32), params, ema, _transformation(experiment).init(params), state)


def _transformation(experiment: Experiment) -> optax.GradientTransformation:
    return experiment.optimizer.build(experiment.steps, declared(experiment.model))


def abstract_state(experiment: Experiment, mesh: jax.sharding.Mesh | None = None) -> TrainState:
    """Returns the shapes of the state that `init_state` makes; on a mesh with shardings, what a checkpoint is restored to."""
    shapes = jax.eval_shape(functools.partial(init_state, experiment), jax.random.key(0))
    return shapes if mesh is None else over_state(shapes, mesh, experiment.model)


def leaves(params, state) -> dict[str, Any]:
    """Returns the arrays of an experiment by their dotted names: parameters, and behind "state." the objective's own state."""
    named = {}
    for prefix, tree in (("", params), ("state.", state)):
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            named[prefix + jax.tree_util.keystr(path, simple=True, separator=".")] = leaf
    return named


def only(abstract: TrainState, *names: str) -> TrainState:
    """Returns the same state with `...` for every leaf outside its parts of these names: what to restore if no more is wanted."""
    return jax.tree.map(lambda _: ..., abstract).replace(**{name: getattr(abstract, name) for name in names})


def train_step(experiment: Experiment, state: TrainState, batch: dict, key: jax.Array) -> tuple[TrainState, dict]:
    """Computes (state, metrics) of one update. Pure; the caller jits it and donates `state`.

    batch: arrays [B, ...] with B divisible by `experiment.accumulate`, the number of micro-batches. key: the run's. metrics:
    `loss`, `grad_norm` (before clipping) and the objective's own, all scalars.
    """
    accumulate, optimizer = experiment.accumulate, _transformation(experiment)
    gradient = jax.value_and_grad(functools.partial(experiment.task.loss, experiment), has_aux=True)
    key = jax.random.fold_in(key, state.step)

    def micro_step(carry, micro):
        grads, inner = carry
        (loss, (inner, metrics)), new = gradient(state.params, inner, micro["batch"], micro["key"])
        return (jax.tree.map(jnp.add, grads, new), inner), {"loss": loss, **metrics}

    # Example b goes to micro-batch b mod A, so that each of them is spread over all devices as the batch is.
    micros = jax.tree.map(lambda x: x.reshape(x.shape[0] // accumulate, accumulate, *x.shape[1:]).swapaxes(0, 1), batch)
    zeros = jax.tree.map(jnp.zeros_like, state.params)
    every, carry = {"batch": micros, "key": jax.random.split(key, accumulate)}, (zeros, state.state)
    if accumulate == 1:
        # Not a loop of one: inside a loop XLA's CPU back-end takes many times as long for the gradient of a convolution.
        (grads, inner), metrics = micro_step(carry, jax.tree.map(lambda part: part[0], every))
    else:
        (grads, inner), metrics = jax.lax.scan(micro_step, carry, every)
    grads = jax.tree.map(lambda g: g / accumulate, grads)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    decay = jnp.minimum(experiment.ema, (1 + state.step) / (10 + state.step))
    average = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, state.ema, params)
    metrics = {name: value.mean() for name, value in metrics.items()} | {"grad_norm": optax.tree.norm(grads)}
    return TrainState(state.step + 1, params, average, opt_state, inner), metrics


def trace_step(experiment: Experiment, abstract: TrainState, batch, key) -> None:
    """Raises what the model or the objective raises, before anything is compiled or written."""
    jax.eval_shape(functools.partial(train_step, experiment), abstract, batch, key)


def draw_state(
    experiment: Experiment, abstract: TrainState, key: jax.Array, given: Mapping[str, np.ndarray] = MappingProxyType({})
) -> TrainState:
    """Draws the state before the first step; it lies as `abstract` says. `given`: as in `init_state`, on the host."""
    # It runs once: XLA's CPU back-end would optimise it for three times as long, to the same bits.
    options = {"xla_backend_optimization_level": 1} if jax.default_backend() == "cpu" else None
    start = functools.partial(init_state, experiment)
    start = jax.jit(start, donate_argnums=1, out_shardings=_shardings(abstract), compiler_options=options)
    there = leaves(abstract.params, abstract.state)
    return start(key, {name: _placed(array, there[name].sharding) for name, array in given.items()})


def compile_step(experiment: Experiment, abstract: TrainState, batch, key, mesh: jax.sharding.Mesh) -> jax.stages.Compiled:
    """Compiles (state, batch, key, asked) -> (state, metrics, signal): `train_step`, the state as `abstract` and donated;
    batch and key as given; `asked` [shares]: the number of the signal that each process had, 0 for none; `signal`: the highest of
    them."""

    def step(state, batch, key, asked):
        return *train_step(experiment, state, batch, key), jnp.max(asked)

    whole, asked = replicated(mesh), jax.ShapeDtypeStruct((shares(mesh),), jnp.int32, sharding=over_batch(mesh))
    jitted = jax.jit(step, donate_argnums=0, out_shardings=(_shardings(abstract), whole, whole))
    return jitted.lower(abstract, batch, key, asked).compile()


def memory(compiled: jax.stages.Compiled) -> str:
    """Says what it needs of each device's memory at once, by the compiler's plan; "unknown" where that has none."""
    plan = compiled.memory_analysis()
    if plan is None:
        return "unknown"
    # What is donated is not there twice.
    kept = plan.argument_size_in_bytes + plan.output_size_in_bytes - plan.alias_size_in_bytes
    during = plan.temp_size_in_bytes
    return f"{(kept + during) / _MIB:.1f} MiB on each device, {during / _MIB:.1f} of them only during the step"


def _placed(array, sharding):
    """An array that every process has, laid out over the devices."""
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


def _shardings(abstract):
    return jax.tree.map(lambda leaf: leaf.sharding, abstract)
