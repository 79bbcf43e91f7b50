"""What commands share: how one is run, the argument RUN, the flag --overwrite, and checks of flags, all made before anything is
read or written."""

import io
import os
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from arjax.data.dataset import DataCapabilities
from arjax.data.sources import data_root
from arjax.description import describe
from arjax.errors import InputError, printable
from arjax.files import check_output
from arjax.protocol import Model
from arjax.runs.config import read_flags
from arjax.runs.directory import read_run

Run = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN", help="The directory that train.py wrote.")]
Raw = Annotated[bool, tyro.conf.arg(help="The parameters as trained, not their moving average.")]
_STEP = "The step of the checkpoint to use, one that --keep-every kept; by default the best on validation."
Step = Annotated[int | None, tyro.conf.arg(help=_STEP)]
Root = Annotated[str | None, tyro.conf.arg(help="Where the data lie, if not in $ARJAX_DATA or ~/.cache/arjax.")]
_TRUSTED = "Modules, besides arjax, whose classes the run may name: names or files.py, also in $ARJAX_MODULES; they are executed."
Modules = Annotated[tuple[str, ...], tyro.conf.arg(help=_TRUSTED)]
Seed = Annotated[int, tyro.conf.arg(help="The seed of everything random, a whole number.")]
Overwrite = Annotated[
    bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help="Replace files that are there already; without it they stay.")
]


def run(command: type, name: str, argv: list[str], edits: bool) -> None:
    """Reads `argv` into the fields of a command, a dataclass, and calls it.

    edits: is it called with the flags that are none of its own, which edit a config?
    """
    read = read_flags(command, argv, f"python -m arjax {name}", return_unknown_args=edits)
    if edits:
        parsed, flags = read
        parsed(flags)
    else:
        read()


def require_model(name: str, experiment):
    """Returns the arjax.Model that the run or config `name` is of. InputError if it is of something else, as an autoencoder."""
    if not isinstance(experiment.model, Model):
        raise InputError(f"{name} has a {type(experiment.model).__name__}, which has no probabilities; choose an arjax.Model")
    return experiment.model


def require_positive(**counts: int | None) -> None:
    """Raises InputError unless every flag that is given, by its name, counts at least one."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise InputError(f"--{name} {count} must be at least 1; choose a positive number")


def require_seed(seed: int) -> None:
    """Raises InputError unless JAX can make a key of it."""
    if not 0 <= seed < 2**32:
        raise InputError(f"--seed {seed} is not in 0..2**32-1; choose one that is")


def require_label(run: str, model, data, label: str | None) -> int | None:
    """Returns the class that --label says, if it is given: by its name, in capitals or not, else by its number. InputError unless
    the run's model has it."""
    classes = model.cond.classes
    if label is None:
        return None
    if classes is None:
        raise InputError(f"--label {label}: {run} has no classes; leave it out")
    names = (DataCapabilities.of(data).classes or ())[:classes]
    for known, wanted in ((names, label), ([name.casefold() for name in names], label.casefold())):
        if wanted in known:
            return known.index(wanted)
    if label.isdecimal() and int(label) < classes:
        return int(label)
    listed = f", or one of {', '.join(map(printable, names[:20]))}{', ...' * (len(names) > 20)}" if names else ""
    raise InputError(f"--label {label}: label must be in 0..{classes - 1}{listed}; choose one that is")


def require_suffix(*suffixes: str, **paths: Path | None) -> None:
    """Raises InputError unless every path, by the name of its flag, ends in one of `suffixes`, or is None."""
    for name, path in paths.items():
        if path is not None and path.suffix not in suffixes:
            raise InputError(f"--{name} {path} must end in {' or '.join(suffixes)}; rename it")


def require_outputs(overwrite: bool, *inputs: str | Path | None, **paths: Path | None) -> None:
    """Raises InputError unless at every path, by the name of its flag, a file can be written, or it is None.

    overwrite: what --overwrite says.
    inputs: files that the command reads; or None.
    """
    for name, path in paths.items():
        if path is None:
            continue
        try:
            check_output(path, overwrite=overwrite, inputs=[file for file in inputs if file is not None], remedy="--overwrite")
        except InputError as error:
            raise InputError(f"--{name} {error}") from None


def data_files(run: str, root: str | None, modules: tuple[str, ...]) -> list[Path]:
    """Lists what the data of a run name that may be a file or a folder, as given and under their root."""
    described = describe(read_run(run, modules).data)
    folder = data_root(root or described.get("root"))
    return [path for name in map(os.path.expanduser, _strings(described)) for path in (Path(name), folder / name)]


def _strings(described) -> list[str]:
    """Those of a description, also of data within data, but for roots."""
    if isinstance(described, dict):
        described = [value for name, value in described.items() if name != "root"]
    if isinstance(described, list):
        return [string for part in described for string in _strings(part)]
    return [described] if isinstance(described, str) and described else []


def npz(**arrays) -> bytes:
    """Returns arrays by name as the content of an .npz file."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()
