"""A small net fitted in seconds, by the steps that training takes, for a figure without a run."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from arjax.data import training_batches
from arjax.training.experiment import Experiment, run_keys
from arjax.training.likelihood import Likelihood
from arjax.training.optimizers import AdamW
from arjax.training.schedules import Cosine
from arjax.training.state import init_state, train_step


class Fitted(NamedTuple):
    """What training left: the experiment, parameters and state; the loss [steps] of each batch; and (step, loss) of the
    validations."""

    experiment: Experiment
    params: Any
    state: Any
    losses: np.ndarray
    validations: list[tuple[int, float]]


def fitted(
    model, data, steps: int, *, rate: float = 1e-2, batch_size: int = 100, task=None, validate: int | None = None
) -> Fitted:
    """Fits a model to data in so many steps of AdamW without decay.

    rate: the learning rate, from which a cosine falls to zero.
    task: the objective; by default the likelihood.
    validate: steps between validations; None makes none.
    """
    experiment = Experiment(
        data=data,
        model=model,
        task=task or Likelihood(),
        optimizer=AdamW(learning_rate=rate, weight_decay=0.0, schedule=Cosine(warmup=steps // 10)),
        steps=steps,
        batch_size=batch_size,
        ema=0,
        eval_every=steps,
    )
    splits, keys = data.load(), run_keys(experiment)
    batches = training_batches(splits.train, batch_size, experiment.seed)
    # What draws the parameters takes seconds to compile; with this generator two thirds of the time.
    state = jax.jit(functools.partial(init_state, experiment))(jax.random.key(experiment.seed, impl="unsafe_rbg"))
    step = jax.jit(functools.partial(train_step, experiment), donate_argnums=0)
    losses, validations = [], []
    for i in range(steps):
        if validate and i % validate == 0:
            validations.append((i, _score(experiment, state, splits.valid, keys)))
        state, metrics = step(state, jax.tree.map(jnp.asarray, batches[i]), keys.train)
        losses.append(metrics["loss"])
    if validate:
        validations.append((steps, _score(experiment, state, splits.valid, keys)))
    return Fitted(experiment, state.params, state.state, np.array(jax.device_get(losses)), validations)


def _score(experiment, state, split, keys) -> float:
    size = min(len(split.x), experiment.eval_batch_size)
    return experiment.task.validate(experiment, state.params, state.state, split, batch_size=size, key=keys.evaluate).loss
