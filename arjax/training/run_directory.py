"""A run directory: everything one experiment wrote, and run.json, which says which experiment that was.

run.json  metrics.jsonl  checkpoints/  samples/  tensorboard/  loss.png
"""

import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path

import jax

from arjax.training.description import describe, modules_of, rebuild
from arjax.training.experiment import Experiment

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "arjax")


def check_run(run: Path, experiment: Experiment) -> None:
    """ValueError if `run` exists and holds another experiment, or files but no run.json. Changes nothing."""
    if run.exists() and not run.is_dir():
        raise ValueError(f"{run} is a file, not a directory; choose another directory with --run")
    if (run / "run.json").exists():
        there, here = _read(run)["experiment"], describe(experiment)
        if not _same(there, experiment, tuple(modules_of(here))):
            raise ValueError(
                f"{run} holds a different experiment ({_difference(there, here)}); choose another directory with --run"
            )
    elif run.exists() and any(path.name != ".run.json" for path in run.iterdir()):
        raise ValueError(f"{run} is not empty and holds no run.json; choose another directory with --run")


def write_run(run: Path, experiment: Experiment) -> None:
    """Make `run` the directory of `experiment`; one that is already stays as it is."""
    if (run / "run.json").exists():
        return
    run.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"experiment": describe(experiment), "written_by": _circumstances()}, indent=2, allow_nan=False)
    # Written beside and renamed, so that there is never half a run.json; a dot, so that a leftover is no run of its own.
    beside = run / ".run.json"
    beside.write_text(text + "\n")
    os.replace(beside, run / "run.json")


def read_run(run: str | os.PathLike, modules: tuple[str, ...] = ()) -> Experiment:
    """The experiment that `run` holds, rebuilt from run.json as data. ValueError if it cannot be.

    modules: names of modules, besides arjax, whose dataclasses may be built (they are imported).
    """
    experiment = rebuild(_read(Path(run))["experiment"], tuple(modules))
    if not isinstance(experiment, Experiment):
        raise ValueError(f"{Path(run) / 'run.json'} describes a {type(experiment).__name__}, no Experiment; was it edited?")
    return experiment


def _same(data, experiment, trusted) -> bool:
    """Does `data` describe an experiment equal to this one? Not what differs in fields that do not compare."""
    try:
        return rebuild(data, trusted) == experiment
    except ValueError:  # it names what is not known here, so it is another one
        return False


def _read(run: Path) -> dict:
    path = run / "run.json"
    if not path.is_file():
        raise ValueError(f"{run} is no run directory: it has no run.json; give one that train.py wrote")
    try:
        data = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON ({error}); restore it, or train again elsewhere") from error
    if not (isinstance(data, dict) and "experiment" in data):
        raise ValueError(f"{path} describes no experiment; restore it, or train again elsewhere")
    return data


def _difference(there, here, path="experiment") -> str:
    """Where two descriptions first differ."""
    if isinstance(there, dict) and isinstance(here, dict):
        for name in here.keys() | there.keys() if there.keys() != here.keys() else here:
            if name in ("root", "mesh"):
                continue
            if there.get(name) != here.get(name):
                return _difference(there.get(name), here.get(name), f"{path}.{name}")
    return f"{path.removeprefix('experiment.')}: {json.dumps(there)[:60]} there, {json.dumps(here)[:60]} here"


def _circumstances() -> dict:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None  # run from a checkout that is not installed
    devices = [f"{device.platform}:{device.device_kind}" for device in jax.devices()]
    return {"python": platform.python_version(), "packages": versions, "devices": devices, "git_commit": _commit()}


def _commit() -> str | None:
    """The commit of the checkout this package lies in, None where there is none."""
    try:
        git = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return git.stdout.strip() if git.returncode == 0 else None
