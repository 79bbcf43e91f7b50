"""The state of training and the pure step from one to the next.

    g    = mean over micro-batches of grad loss(params, micro-batch, key(step, micro-batch))
    ema <- d ema + (1 - d) params,   d = min(decay, (1 + step) / (10 + step))

The growing decay lets the average forget its random start (as in TensorFlow's ExponentialMovingAverage). Everything random
comes from `fold_in(key, step)`: a run that starts again from a saved state goes on as if nothing had happened, bit for bit.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax

from arjax.training.experiment import Experiment
from arjax.training.objective import Objective


@flax.struct.dataclass
class TrainState:
    """`step`: int32 [], updates done. `ema`: the average of `params` that is evaluated. `state`: the objective's own."""

    step: jax.Array
    params: Any
    ema: Any
    opt_state: Any
    state: Any


class Parts(NamedTuple):
    """The pure functions that training is made of, not yet jitted: `start(key, batch)` -> the state before the first step, and
    `update(state, batch, key)` -> (state, metrics), one step."""

    objective: Objective
    start: Callable
    update: Callable


def parts(experiment: Experiment) -> Parts:
    """The parts of the training of `experiment`. The caller jits them, where and how it computes."""
    objective = experiment.task.objective(experiment)
    optimizer = experiment.optimizer.build(experiment.steps)
    options = {"objective": objective, "optimizer": optimizer, "ema": experiment.ema, "accumulate": experiment.accumulate}
    return Parts(objective, functools.partial(init_state, objective, optimizer), functools.partial(train_step, **options))


def init_state(objective: Objective, optimizer: optax.GradientTransformation, key: jax.Array, batch: dict) -> TrainState:
    """The state before the first step. `batch` is an example of what `train_step` will be given."""
    params, state = objective.init(key, batch)
    # A copy: the step donates its argument, and no buffer can be given away twice.
    ema = jax.tree.map(jnp.copy, params)
    return TrainState(jnp.zeros((), jnp.int32), params, ema, optimizer.init(params), state)


def abstract_state(start, batch: dict) -> TrainState:
    """The shapes of the state that `start(key, batch)` makes; with shardings, what a checkpoint is restored to."""
    return jax.eval_shape(start, jax.random.key(0), batch)


def only(abstract: TrainState, *names: str) -> TrainState:
    """The same state with `...` for every leaf outside its parts of these names: what to restore if no more is wanted."""
    return jax.tree.map(lambda _: ..., abstract).replace(**{name: getattr(abstract, name) for name in names})


def train_step(
    state: TrainState,
    batch: dict,
    key: jax.Array,
    *,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    ema: float = 0.999,
    accumulate: int = 1,
) -> tuple[TrainState, dict]:
    """(state, batch, the run's key) -> (state, metrics): one update. Pure; the caller jits it and donates `state`.

    batch: arrays [B, ...] with B divisible by `accumulate`, the number of micro-batches. metrics: `loss`, `grad_norm` (before
    clipping) and the objective's own, all scalars.
    """
    gradient = jax.value_and_grad(objective.loss, has_aux=True)
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
    decay = jnp.minimum(ema, (1 + state.step) / (10 + state.step))
    average = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, state.ema, params)
    metrics = {name: value.mean() for name, value in metrics.items()} | {"grad_norm": optax.tree.norm(grads)}
    return TrainState(state.step + 1, params, average, opt_state, inner), metrics
