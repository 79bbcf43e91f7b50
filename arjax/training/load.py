"""A trained model out of its run directory."""

import functools
import os
from pathlib import Path

import jax
import jax.numpy as jnp

from arjax.training.checkpoints import open_checkpoints, restore_best
from arjax.training.objective import Likelihood
from arjax.training.run_directory import read_run
from arjax.training.state import abstract_state, init_state


def load(run: str | os.PathLike, *, raw: bool = False, modules: tuple[str, ...] = ()):
    """(model, params) of the checkpoint that was best on validation. Nothing that `run` holds is executed.

    params are the averaged ones that were evaluated (EMA), or with `raw` those that were trained. modules: names of modules,
    besides arjax, whose dataclasses run.json may name. ValueError if `run` is no run directory or does not fit its description.
    """
    experiment = read_run(run, modules)
    folder = Path(run) / "checkpoints"
    if not folder.is_dir():
        raise ValueError(f"{run} holds no checkpoint yet; train for at least one validation")
    model = experiment.model
    start = functools.partial(init_state, Likelihood(model, experiment.data.values), experiment.optimizer.build(experiment.steps))
    batch = {"x": jnp.zeros((1, *model.site_shape, *model.head.event_shape))}
    abstract = abstract_state(start, batch, jax.sharding.SingleDeviceSharding(jax.devices()[0]))
    with open_checkpoints(folder) as checkpoints:
        state = restore_best(checkpoints, abstract).state
    return model, state.params if raw else state.ema
