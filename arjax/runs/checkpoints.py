"""Checkpoints by orbax: written in the background; the last two and the best are kept; what is restored is what was saved.

A checkpoint counts once it is complete, so that a run killed while writing one has the one before. One that cannot be read, or
holds other bits than were saved, is passed over for the next, and never deleted: what could not be read here may be readable
elsewhere. Of several processes each writes and reads what its devices hold, and all agree on what is damaged.
"""

import contextlib
import errno
import gc
import itertools
import json
import logging
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental.multihost_utils import process_allgather
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN

from arjax.errors import InputError
from arjax.runs.checksum import checksums
from arjax.runs.hosts import by_first


class Restored(NamedTuple):
    """`state` as saved at `step`, where validation gave this `loss` (infinity if there was none), with the `updates` that no
    record told of yet; `damaged`: the steps that would have come before it but could not be read."""

    state: object
    step: int
    loss: float
    updates: tuple[dict, ...]
    damaged: tuple[int, ...]


@contextlib.contextmanager
def open_checkpoints(folder: Path) -> Iterator[ocp.CheckpointManager]:
    """The checkpoints in `folder`, which is made if need be; at the end waits for what is being written. Those whose note of what
    validation gave cannot be read are set aside under the name damaged.STEP. OSError if one cannot be written."""
    by_first(lambda: _set_aside(folder, [step for step in _steps(folder) if _note(folder, step) is None]))
    best = BestN(get_metric_fn=_goodness, n=1, keep_checkpoints_without_metrics=False)
    options = ocp.CheckpointManagerOptions(best_fn=_goodness, preservation_policy=AnyPreservationPolicy([LatestN(2), best]))
    # What its threads log of a file that cannot be written is raised here, too.
    with _silent(_is_late):
        checkpoints = ocp.CheckpointManager(folder.absolute(), item_handlers=ocp.PyTreeCheckpointHandler(), options=options)
        try:
            yield checkpoints
            finish(checkpoints)
        except BaseException:
            # Whatever went wrong comes first: closing says once more what could not be written.
            with _silent(lambda _: True):
                with contextlib.suppress(Exception):
                    checkpoints.close()
                _let_threads_end()
            raise
        checkpoints.close()


def save(checkpoints: ocp.CheckpointManager, step: int, state, loss: float | None, updates=()) -> None:
    """Start writing `state`; `loss`: what its validation gave, None if there was none; `updates`: the numbers of those that no
    record tells of yet. The state may be donated at once. OSError if this one, or the one before, cannot be written."""
    # Orbax warns where a metric is missing: no validation is the worst of all.
    note = {"loss": math.inf if loss is None else loss, "checksums": checksums(state), "updates": list(updates)}
    with _writing(checkpoints):
        checkpoints.save(step, args=ocp.args.PyTreeSave(state), metrics=note)


def finish(checkpoints: ocp.CheckpointManager) -> None:
    """Wait until all is written. OSError if it cannot be."""
    with _writing(checkpoints):
        checkpoints.wait_until_finished()


def restore_latest(folder: Path, abstract) -> Restored | None:
    """The newest checkpoint in `folder` that can be read, None if there is none at all. Newer ones, which cannot, are set aside
    under the name damaged.STEP, so that their steps can be saved again.

    abstract: the state as jax.ShapeDtypeStructs with shardings; a leaf `...` is not read and stays. InputError if a checkpoint
    holds other arrays than these, or if there are checkpoints but none can be read.
    """
    restored = _first_readable(folder, sorted(_steps(folder), reverse=True), abstract)
    if restored and restored.damaged:
        by_first(lambda: _set_aside(folder, restored.damaged))
    return restored


def restore_best(folder: Path, abstract) -> Restored:
    """The checkpoint in `folder` whose validation was best among those that can be read; the latest of equals. `abstract` and
    errors as in `restore_latest`; InputError if there is none. Changes nothing."""
    steps = sorted(_steps(folder), key=lambda step: (_loss(_note(folder, step)), -step))
    restored = _first_readable(folder, steps, abstract)
    if restored is None:
        raise InputError(f"{folder} holds no checkpoint; train for at least one validation")
    return restored


class _Misfit(Exception):
    """A checkpoint is readable and is of something else."""


class _Damaged(Exception):
    """A checkpoint is not what was saved."""


@contextlib.contextmanager
def _writing(checkpoints):
    """What orbax raises where a file cannot be written, of whatever kind, becomes an OSError."""
    with _silent(lambda _: True):
        try:
            yield
        except jax.errors.JaxRuntimeError:  # no file's fault: the computation failed, or another process was lost
            raise
        except Exception as error:
            known = re.search(r"os_error_code='(\d+)'|\[Errno (\d+)\]", str(error))
            code = int(known[1] or known[2]) if known else errno.EIO
        else:
            return
        gc.collect()
    raise OSError(code, f"a checkpoint cannot be written ({os.strerror(code)})", str(checkpoints.directory))


def _first_readable(folder: Path, steps: Iterable[int], abstract) -> Restored | None:
    damaged, reason = [], ""
    for step in steps:
        with _silent(lambda _: True):
            try:
                return _restore(folder, step, abstract)._replace(damaged=tuple(damaged))
            except _Misfit as misfit:
                raise InputError(str(misfit)) from None
            except Exception as error:  # whatever the reader stumbles over in a damaged file, the next one is tried
                damaged.append(step)
                reason = str(error) if isinstance(error, _Damaged) else type(error).__name__
            _let_threads_end()
    if damaged:
        raise InputError(
            f"none of the checkpoints {sorted(damaged)} in {folder} can be read ({reason}); delete the directory to start afresh"
        )
    return None


@contextlib.contextmanager
def _silent(is_noise: Callable[[BaseException], bool]):
    """What orbax logs about errors that are raised and handled here is not for the user, nor are those that its threads stumble
    over afterwards, where nobody could catch them."""
    loggers, hook = [logging.getLogger(name) for name in ("absl", "asyncio")], sys.unraisablehook
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    sys.unraisablehook = lambda unraisable: None if is_noise(unraisable.exc_value) else hook(unraisable)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _let_threads_end() -> None:
    time.sleep(0.2)  # what they leave comes a little later,
    gc.collect()  # or when it is cleared away


def _is_late(error) -> bool:
    """When one array cannot be written orbax closes its event loop, and the threads that write the others do not find it."""
    return str(error) == "Event loop is closed"


def _set_aside(folder: Path, steps: Iterable[int]) -> None:
    # Orbax takes no folder for a checkpoint whose name is no number.
    for step in steps:
        names = itertools.chain([f"damaged.{step}"], (f"damaged.{step}.{i}" for i in itertools.count(2)))
        (folder / str(step)).rename(next(path for path in map(folder.joinpath, names) if not path.exists()))


def _steps(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.glob("*") if path.name.isdigit()]


def _note(folder: Path, step: int) -> dict | None:
    """What was noted beside a checkpoint: `loss`, or as an older version called it `nats`, and `checksums` and `updates`, which
    that had not. None if that cannot be read."""
    try:
        note = json.loads((folder / str(step) / "metrics" / "metrics").read_text())
        known = isinstance(_loss(note), float) and isinstance(note.get("checksums", {}), dict) and _are_updates(note)
        return note if known else None
    except (OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return None


def _are_updates(note: dict) -> bool:
    updates = note.get("updates", [])
    return isinstance(updates, list) and all(
        isinstance(update, dict) and update.keys() == updates[0].keys() and all(isinstance(x, float) for x in update.values())
        for update in updates
    )


def _loss(note: dict | None) -> float:
    return math.inf if note is None else note["loss"] if "loss" in note else note["nats"]


def _goodness(note: dict) -> float:
    return -_loss(note)


def _restore(folder: Path, step: int, abstract) -> Restored:
    note, arrays = _note(folder, step), (folder / str(step) / "default").absolute()
    if note is None:
        raise _Damaged("what was noted of it cannot be read")
    # By the handler alone: a manager would wait for all processes even where one of them cannot read.
    handler = ocp.PyTreeCheckpointHandler()
    _check_fit(_shapes(handler.metadata(arrays)), abstract, f"checkpoint {step} in {folder}")
    args = ocp.args.PyTreeRestore(abstract, restore_args=ocp.checkpoint_utils.construct_restore_args(abstract))
    state = _by_all(lambda: handler.restore(arrays, args=args))
    saved = note.get("checksums", {})
    for name, found in checksums(state).items():
        if found != saved.get(name, found):
            raise _Damaged(f"{name} has the checksum {found}, but was saved with {saved[name]}")
    return Restored(state, step, _loss(note), tuple(note.get("updates", ())), ())


def _by_all(action):
    """What `action` returns, if it does on every process. Without this those that can read would wait for one that cannot."""
    result, error = None, None
    try:
        result = action()
    except Exception as failure:
        error = failure
    if not np.all(process_allgather(np.bool_(error is None))):
        raise error or _Damaged("another process cannot read its part")
    return result


def _shapes(metadata) -> dict:
    leaves = jax.tree.leaves(metadata.tree, is_leaf=lambda leaf: hasattr(leaf, "shape"))
    return {leaf.name: (tuple(leaf.shape), leaf.dtype) for leaf in leaves if hasattr(leaf, "shape")}


def _check_fit(saved, abstract, where) -> None:
    leaves = {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(abstract)
    }
    wanted = {name: saved.get(name) if leaf is ... else (leaf.shape, leaf.dtype) for name, leaf in leaves.items()}
    for name in sorted(saved.keys() | wanted.keys()):
        if saved.get(name) != wanted.get(name):
            raise _Misfit(
                f"{where} does not match the model: {name} is {_array(saved.get(name))} there, {_array(wanted.get(name))} here; "
                "restore it with the experiment that wrote it, or choose another --run"
            )


def _array(entry) -> str:
    return "absent" if entry is None else f"{entry[1]}{list(entry[0])}"
