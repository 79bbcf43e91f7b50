"""A trained model out of its run directory."""

import os
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp

from arjax.training.checkpoints import restore_best, view_checkpoints
from arjax.training.run_directory import read_run
from arjax.training.state import abstract_state, only, parts


def load(run: str | os.PathLike, *, raw: bool = False, modules: tuple[str, ...] = ()):
    """(model, params) of the checkpoint that was best on validation. Nothing that `run` holds is executed or changed.

    params are the averaged ones that were evaluated (EMA), or with `raw` those that were trained. modules: names of modules,
    besides arjax, whose dataclasses run.json may name. ValueError if `run` is no run directory, does not fit its description or
    has no checkpoint that can be read; a warning if a better one is damaged.
    """
    experiment = read_run(run, modules)
    folder = Path(run) / "checkpoints"
    if not folder.is_dir():
        raise ValueError(f"{run} holds no checkpoint yet; train for at least one validation")
    model, which = experiment.model, "params" if raw else "ema"
    batch = {"x": jnp.zeros((1, *model.site_shape, *model.head.event_shape))}
    abstract = abstract_state(parts(experiment).start, batch, jax.sharding.SingleDeviceSharding(jax.devices()[0]))
    with view_checkpoints(folder) as checkpoints:
        best = restore_best(checkpoints, only(abstract, which))
    if best.damaged:
        damaged = ", ".join(map(str, best.damaged))
        warnings.warn(f"checkpoint {damaged} in {folder} is damaged; these are the parameters of step {best.step}", stacklevel=2)
    return model, getattr(best.state, which)
