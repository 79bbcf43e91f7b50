"""A trained model out of its run directory, and the tokenizer that belongs to it."""

import dataclasses
import os
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from arjax.data.dataset import has_root, rooted
from arjax.data.splits import Splits
from arjax.description import difference, modules_of
from arjax.errors import InputError, one_line, printable, say
from arjax.files import sha256_of_all
from arjax.runs.checkpoints import restore_best, restore_step
from arjax.runs.directory import read_run, read_tokenizer
from arjax.tokenizers.tokenizer import Fitted, Learned
from arjax.training.experiment import Experiment, over_tokens
from arjax.training.mesh import on_one_device
from arjax.training.state import abstract_state, only


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What a run trained: `model, params = load(run)`, and where the model is of tokens their `tokenizer`, else None."""

    model: Any
    params: Any
    tokenizer: Fitted | None = None

    def __iter__(self):
        return iter((self.model, self.params))


class Trained(NamedTuple):
    """A run's experiment, over tokens where it has a tokenizer, and what training left."""

    experiment: Experiment
    params: Any
    state: Any


def load(run: str | os.PathLike, *, raw: bool = False, step: int | None = None, modules: tuple[str, ...] = ()) -> Loaded:
    """Loads (model, params) of the checkpoint that was best on validation, with the tokenizer. Nothing that `run` holds is
    executed or changed.

    params are the moving average that was evaluated (EMA), or with `raw` the parameters as trained. step: that of another kept
    checkpoint. modules: names of modules, besides arjax, whose dataclasses run.json may name. InputError if `run` is no run
    directory, does not fit its description, has another tokenizer than it was trained with, or has no readable checkpoint; a
    warning if a better checkpoint is damaged.
    """
    experiment = read_run(run, modules)
    learned = read_tokenizer(run, experiment)
    fitted = None if learned is None else Fitted(experiment.tokenizer, learned)
    params, state = restore(run, over_tokens(experiment, learned), raw, step)
    return Loaded(experiment.model, experiment.task.learned(experiment, params, state), fitted)


def open_run(
    run: str | os.PathLike,
    *,
    raw: bool = False,
    step: int | None = None,
    root: str | None = None,
    modules: tuple[str, ...] = (),
) -> Trained:
    """Opens a run as the commands need it. `root`, if given: where its data lie; else, and errors, as `load`."""
    experiment = read_run(run, modules)
    if root is not None:
        if not has_root(experiment.data):
            raise InputError(f"root={root}: {experiment.data.title} lies in no folder; leave it out")
        experiment = dataclasses.replace(experiment, data=rooted(experiment.data, root))
    experiment = over_tokens(experiment, read_tokenizer(run, experiment))
    return Trained(experiment, *restore(run, experiment, raw, step))


class Prepared(NamedTuple):
    """An experiment over tokens where it has a tokenizer, the splits of its data; what identifies these, as they lie in their
    files (tokens may differ in the last place from device to device), and what the tokenizer learned."""

    experiment: Experiment
    splits: Splits
    raw: Splits
    learned: Learned | None


def prepare(experiment: Experiment, run: Path | None = None) -> Prepared:
    """Loads what the training of an experiment needs. `run`: its directory, see `learn`. InputError where the data do not fit."""
    learned, raw = learn(experiment, run), experiment.data.load()
    experiment = over_tokens(experiment, learned)
    splits = raw if learned is None else experiment.data.load()
    experiment.task.check_data(experiment, splits)
    return Prepared(experiment, splits, raw, learned)


def learn(experiment: Experiment, run: Path | None = None) -> Learned | None:
    """Returns what the experiment's tokenizer learned, None if it has none: what the directory `run` holds, if it was begun
    before; else what the run `tokenizer_from` holds; else what it learns from the training split. InputError if these two runs
    differ in it, or if it is not for such data."""
    tokenizer, source = experiment.tokenizer, experiment.tokenizer_from
    if tokenizer is None:
        return None
    begun = run is not None and (run / "run.json").exists()
    kept = read_tokenizer(run, experiment) if begun else None
    # A run that was begun has a copy of its own, and needs the other no more.
    if begun and (source is None or not Path(source).exists()):
        return kept
    if source is None:
        say(f"fitting {tokenizer.title} to {experiment.data.title}")
        return tokenizer.fit(experiment.data)
    taken = _learned_there(experiment, source)
    if begun and sha256_of_all(taken) != sha256_of_all(kept):
        raise InputError(
            f"{run} was begun with another tokenizer than that of {source}, which was trained again since; choose another "
            "directory with --run, or go on with --tokenizer-from None"
        )
    return taken


def _learned_there(experiment: Experiment, source: str) -> Learned:
    """What the experiment's tokenizer learned in the run `source`."""
    tokenizer, modules = experiment.tokenizer, modules_of(experiment)
    other = read_run(source, modules)
    if tokenizer in (other.tokenizer, other.model) and other.data.values != experiment.data.values:
        raise InputError(
            f"the tokenizer of {source} is of values={other.data.values}, these data have values={experiment.data.values}; give "
            "both the same"
        )
    if other.tokenizer == tokenizer:
        return read_tokenizer(source, other)
    if other.model == tokenizer:
        return load(source, modules=modules).params
    candidate = other.model if other.tokenizer is None else other.tokenizer
    raise InputError(
        f"the run {source} has no such tokenizer ({difference(candidate, tokenizer)}); describe the tokenizer as it is there, or "
        "name another run with --tokenizer-from"
    )


def restore(run: str | os.PathLike, experiment: Experiment, raw: bool = False, step: int | None = None) -> tuple[Any, Any]:
    """Returns (params, state) of the run's checkpoint of `step`, or of that which was best on validation. `experiment`: over
    tokens where it has a tokenizer. InputError and warning as `load`."""
    folder = Path(run) / "checkpoints"
    which = "params" if raw else "ema"
    try:
        abstract = on_one_device(abstract_state(experiment))
    except (OverflowError, MemoryError) as error:
        raise InputError(f"{run} describes a model that no memory holds ({one_line(error)}); was run.json edited?") from error
    wanted = only(abstract, which, "state")
    best = restore_best(folder, wanted) if step is None else restore_step(folder, step, wanted)
    if best.damaged:
        damaged = ", ".join(map(str, best.damaged))
        said = f"checkpoint {damaged} in {folder} is damaged; these are the parameters of step {best.step}"
        warnings.warn(printable(said), stacklevel=3)
    # Bound to no device: on a mesh, too, they go where they are used.
    params, state = jax.tree.map(jnp.asarray, jax.device_get((getattr(best.state, which), best.state.state)))
    return params, state
