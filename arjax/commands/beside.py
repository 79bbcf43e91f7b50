"""What `evaluate` holds a run beside: other data under its model, and another run on its data."""

import dataclasses
from pathlib import Path

from arjax.commands.flags import require_model
from arjax.data.splits import split_fingerprint, unit
from arjax.errors import InputError
from arjax.runs.config import load_config
from arjax.runs.directory import read_run
from arjax.runs.load import open_run


def on_other_data(experiment, path: str, root: str | None, modules: tuple[str, ...]):
    """(the run's experiment, over the data of the config file or run directory `path`; their splits). Raw data become symbols as
    that config says, tokens as the run's tokenizer makes them. InputError where they do not fit the model."""
    there = (read_run(path, modules) if Path(path).is_dir() else load_config(path)).data
    there, here = dataclasses.replace(there, root=root or there.root), experiment.data
    if hasattr(here, "tokenizer"):
        if hasattr(here.data, "texts") != hasattr(there, "texts"):
            raise InputError(f"--other-data {path}: the tokenizer of the run is not for such data; choose others")
        if not hasattr(there, "texts") and there.values != here.data.values:
            raise InputError(
                f"--other-data {path}: the tokenizer of the run is of values={here.data.values}, these data have "
                f"values={there.values}; give both the same"
            )
        there = dataclasses.replace(here, data=there)
    if unit(there) != unit(here):
        raise InputError(f"--other-data {path} consists of {unit(there)}s, the run's data of {unit(here)}s; choose such data")
    if getattr(there, "alphabet", None) != getattr(here, "alphabet", None):
        raise InputError(f"--other-data {path} has another alphabet than the run's; read it by Characters(path, alphabet)")
    # An experiment refuses data whose symbols are not the model's.
    other = dataclasses.replace(experiment, data=there)
    splits = there.load()
    other.task.check_data(other, splits)
    return other, splits


def on_same_data(experiment, split, which: str, path: str, *, raw: bool, root: str | None, modules: tuple[str, ...]):
    """(the run `path`, Trained; its splits), of a model of the very examples that `split`, the first run's of the name `which`,
    holds. InputError where it is of others, or where they become other values."""
    other = open_run(path, raw=raw, root=root, modules=modules)
    require_model(path, other.experiment)
    here, there = experiment.data, other.experiment.data
    if (unit(here), here.values) != (unit(there), there.values):
        raise InputError(
            f"--other-run {path} is of {unit(there)}s, {there.values}, this one of {unit(here)}s, {here.values}; only nats of "
            "the same values can be compared, choose a run of these"
        )
    splits = there.load()
    other.experiment.task.check_data(other.experiment, splits)
    marks = [split_fingerprint(part) for part in (split, getattr(splits, which))]
    name = next((name for name in ("x", "counted") if marks[0].get(name) != marks[1].get(name)), None)
    if name is not None:
        raise InputError(
            f"--other-run {path} has another {which} split ({name}: {marks[1].get(name)} there, {marks[0].get(name)} here); "
            "choose a run over the same data"
        )
    return other, splits
