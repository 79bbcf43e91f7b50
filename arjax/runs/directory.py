"""A run directory: everything one experiment wrote, and run.json, which says which experiment that was.

run.json  metrics.jsonl  checkpoints/  samples/  loss.png, and with the packages for them tensorboard/ and tokenizer.safetensors

What a tokenizer learned lies in tokenizer.safetensors, and its sha256 in run.json: one that was changed is found when it is read.
"""

import contextlib
import importlib.metadata
import json
import os
import platform
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np

from arjax.data.splits import Split, fingerprint, split_fingerprint
from arjax.description import describe, difference, modules_of, rebuild
from arjax.errors import InputError, one_line, require
from arjax.files import read_file, sha256_of_all, write_whole
from arjax.runs import longer
from arjax.runs.hosts import by_first, check_same
from arjax.runs.modules import trusted
from arjax.tokenizers.tokenizer import Learned
from arjax.training.experiment import Experiment

_LOCK, _TOKENIZER = ".lock", "tokenizer.safetensors"
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "arjax")


@contextlib.contextmanager
def alone_in(run: Path) -> Iterator[None]:
    """Holds the directory `run`, which is made if need be, against all but the processes that train together. InputError, naming
    it, if another holds it. The system lets go of it when the first of these processes ends, however that ends."""
    import filelock

    lock = filelock.FileLock(run / _LOCK, timeout=0)

    def take():
        run.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise InputError(f"{run} is being written by {_holder(run)}; wait for it, or choose another --run") from None
        (run / _LOCK).write_text(f"process {os.getpid()} on {socket.gethostname()}\n")

    by_first(take)
    try:
        yield
    finally:
        lock.release()


def _holder(run: Path) -> str:
    try:
        return read_file(run / _LOCK).decode().strip()[:200] or "another process"
    except ValueError:
        return "another process"


def check_run(run: Path, experiment: Experiment) -> int | None:
    """Returns the number of steps that `run` was begun for, None if it was not begun. InputError if it holds another experiment,
    or files but no run.json, or if no checkpoint could be written there. Changes nothing."""
    if wild := set("[*?") & set(str(run.absolute())):
        # Orbax looks for what it wrote by a pattern. Where that does not match, the checkpoint cannot be read again.
        raise InputError(f"{run.absolute()} has {' '.join(sorted(wild))} in its name; choose another directory with --run")
    if run.exists() and not run.is_dir():
        raise InputError(f"{run} is a file, not a directory; choose another directory with --run")
    there = [path.name for path in run.iterdir()] if run.exists() else []
    names = {name for name in there if not (name.startswith(".") and name.endswith(".tmp"))}  # of what was killed as it wrote
    if "run.json" in names:
        described = _read(run)["experiment"]
        other = _difference_from(described, experiment)
        if other is not None:
            raise InputError(f"{run} holds a different experiment ({other}); choose another directory with --run")
        return described["steps"]
    if names - {_LOCK, _TOKENIZER}:
        raise InputError(f"{run} is not empty and holds no run.json; choose another directory with --run")
    return None


def write_run(run: Path, experiment: Experiment, splits, learned: Learned | None = None, params: str | None = None) -> None:
    """Makes `run` the directory of `experiment` on these data, tokens of what its tokenizer `learned` if it has one. One that is
    already stays as it is; if it is made longer, it loses what lies beyond its new beginning, and is described anew. InputError
    if it was begun on other data, as in `check_run`, or if processes that train together were given different ones.

    params: the sha256 of the parameters that it begins with, if these are not drawn.
    """
    content = {"experiment": describe(experiment), "data": fingerprint(splits)}
    if learned is not None:
        content["tokenizer"] = sha256_of_all(learned)
    if params is not None:
        content["params"] = params
    check_same("the experiment, its tokenizer or its data", content)
    by_first(lambda: _write(run, experiment, content, learned))


def _write(run, experiment, content, learned):
    before = check_run(run, experiment)
    if before is not None:
        earlier = _read(run)
        there, data = earlier["data"], content["data"]
        if there != data:
            name = next(name for name in sorted(there.keys() | data.keys()) if there.get(name) != data.get(name))
            raise InputError(
                f"{run} was begun on other data ({name}: {there.get(name)} there, {data.get(name)} now); put the data back as "
                "they were, or choose another directory with --run"
            )
        if before != experiment.steps:
            longer.forget_beyond(run, longer.begin_of_longer(run, before, experiment), experiment.task.measure)
            _write_json(run, earlier | {"experiment": content["experiment"]})
        return
    if learned is not None:
        # Before run.json: a directory that has one has all that it names.
        safetensors = require("safetensors.numpy", extra="tokens")
        write_whole(run / _TOKENIZER, safetensors.save({name: np.asarray(array, order="C") for name, array in learned.items()}))
    _write_json(run, content | {"written_by": _circumstances()})


def _write_json(run, content):
    write_whole(run / "run.json", json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_run(run: str | os.PathLike, modules: tuple[str, ...] = ()) -> Experiment:
    """Rebuilds the experiment that `run` holds from run.json, as data. InputError if it cannot be.

    modules: names of modules, besides arjax, whose dataclasses may be built (they are imported), or Python files (they are
      executed); see runs/modules.py.
    """
    experiment = rebuild(_read(Path(run))["experiment"], trusted(tuple(modules)))
    if not isinstance(experiment, Experiment):
        raise InputError(f"{Path(run) / 'run.json'} describes a {type(experiment).__name__}, no Experiment; was it edited?")
    return experiment


def read_tokenizer(run: str | os.PathLike, experiment: Experiment) -> Learned | None:
    """Returns what the tokenizer of `experiment`, which `run` holds, learned; None if it has none. InputError if it cannot be
    read, is not what the run was trained with, which run.json says, or not what such a tokenizer learns."""
    if experiment.tokenizer is None:
        return None
    path, expected = Path(run) / _TOKENIZER, str(recorded(run, "tokenizer"))
    safetensors = require("safetensors", extra="tokens")
    if not path.is_file():
        raise InputError(f"{path} is missing, or no file; restore it, or train again elsewhere")
    try:
        learned = require("safetensors.numpy", extra="tokens").load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read ({one_line(error)}); restore it, or train again elsewhere") from error
    if (found := sha256_of_all(learned)) != expected:
        raise InputError(
            f"{path} is not the tokenizer that this run was trained with (sha256 {found[:12]}, expected {expected[:12]}); "
            "restore it, or train again elsewhere"
        )
    try:
        experiment.tokenizer.check(learned)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return learned


def is_split_of(run: str | os.PathLike, name: str, split: Split) -> bool:
    """Is this split the one of this name that the run was trained beside? Files may have changed since."""
    there = {key: mark for key, mark in _read(Path(run))["data"].items() if key.startswith(f"{name}.")}
    return there == {f"{name}.{part}": mark for part, mark in split_fingerprint(split).items()}


def recorded(run: str | os.PathLike, what: str) -> str | None:
    """Returns the sha256 that run.json has of `what`: of its "tokenizer", or of the "params" it began with; None for none."""
    found = _read(Path(run)).get(what)
    return None if found is None else str(found)


def _read(run: Path) -> dict:
    path = run / "run.json"
    if not path.is_file():
        raise InputError(f"{run} is no run directory: it has no run.json; give one that train.py wrote")
    try:
        data = json.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON ({error}); restore it, or train again elsewhere") from error
    if not (isinstance(data, dict) and "experiment" in data and isinstance(data.get("data"), dict)):
        raise InputError(f"{path} describes no experiment and its data; restore it, or train again elsewhere")
    return data


def _difference_from(data, experiment) -> str | None:
    """Where the experiment that `data` describes first differs from this one, None if they are equal."""
    try:
        there = rebuild(data, modules_of(experiment))
    except InputError as error:  # it names what is not defined here, so it is another one
        return str(error).split(";")[0]
    return difference(there, experiment)


def _circumstances() -> dict:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None  # run from a checkout that is not installed
    devices = [f"{device.platform}:{device.device_kind}" for device in jax.devices()]
    return {
        "python": platform.python_version(),
        "packages": versions,
        "devices": devices,
        "git_commit": commit_of(Path(__file__)),
    }


def commit_of(file: Path) -> str | None:
    """Returns the commit of the checkout that tracks `file`, with -dirty behind it where a tracked file differs. None where no
    checkout does: what surrounds an installed package may be anyone's repository."""

    def git(*arguments):
        command = ["git", "--no-optional-locks", "-C", str(file.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", file.name)
        return git("describe", "--always", "--abbrev=64", "--exclude=*", "--dirty")
    except (OSError, subprocess.SubprocessError):
        return None
