"""Checkpoints by orbax: written in the background; the last two and the best are kept; what is restored is what was saved.

A checkpoint counts once it is complete, so that a run killed while writing one has the one before. One that cannot be read is
passed over for the next, and never deleted: what could not be read here may be readable elsewhere.
"""

import contextlib
import itertools
import logging
import math
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN


class Restored(NamedTuple):
    """`state` as saved at `step`, where validation gave this `loss` (infinity if there was none); `damaged`: the steps that would
    have come before it but could not be read."""

    state: object
    step: int
    loss: float
    damaged: tuple[int, ...]


def open_checkpoints(folder: Path) -> ocp.CheckpointManager:
    """The checkpoints in `folder`, which is made if need be. Close them when done: that waits for what is being written.
    ValueError if what was noted of them cannot be read."""
    best = BestN(get_metric_fn=_goodness, n=1, keep_checkpoints_without_metrics=False)
    return _open(folder, preservation_policy=AnyPreservationPolicy([LatestN(2), best]))


def view_checkpoints(folder: Path) -> ocp.CheckpointManager:
    """The checkpoints in `folder`, to be read only: nothing in it changes, not even what another process is writing."""
    return _open(folder, read_only=True, create=False, save_interval_steps=0)


def save(checkpoints: ocp.CheckpointManager, step: int, state, loss: float | None) -> None:
    """Start writing `state`; `loss`: what its validation gave, None if there was none. The state may be donated at once."""
    # Orbax warns where a metric is missing: no validation is the worst of all.
    metrics = {"loss": math.inf if loss is None else loss}
    checkpoints.save(step, args=ocp.args.PyTreeSave(state), metrics=metrics)


def restore_latest(checkpoints: ocp.CheckpointManager, abstract) -> Restored | None:
    """The newest checkpoint that can be read, None if there is none at all. Newer ones, which cannot, are set aside under the
    name damaged.STEP, so that their steps can be saved again.

    abstract: the state as jax.ShapeDtypeStructs with shardings; a leaf `...` is not read and stays. ValueError if a checkpoint
    holds other arrays than these, or if there are checkpoints but none can be read.
    """
    restored = _first_readable(checkpoints, sorted(checkpoints.all_steps(), reverse=True), abstract)
    if restored and restored.damaged:
        for step in restored.damaged:
            _set_aside(Path(checkpoints.directory) / str(step))
        checkpoints.reload()
    return restored


def restore_best(checkpoints: ocp.CheckpointManager, abstract) -> Restored:
    """The checkpoint whose validation was best among those that can be read; the latest of equals. `abstract` and errors as in
    `restore_latest`; ValueError if there is none. Changes nothing."""
    checkpoints.wait_until_finished()
    steps = sorted(checkpoints.all_steps(), key=lambda step: (_loss(checkpoints, step), -step))
    restored = _first_readable(checkpoints, steps, abstract)
    if restored is None:
        raise ValueError(f"{checkpoints.directory} holds no checkpoint; train for at least one validation")
    return restored


class _Misfit(Exception):
    """A checkpoint is readable and is of something else."""


def _open(folder, **options) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(best_fn=_goodness, **options)
    # The handler is named so that what a checkpoint holds can be asked before anything is restored.
    handler = ocp.PyTreeCheckpointHandler()
    try:
        with _quietly():
            return ocp.CheckpointManager(folder.absolute(), item_handlers=handler, options=options)
    except ValueError as error:  # the metrics of all steps are read here
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"the checkpoints in {folder} cannot be opened ({reason}); delete the damaged one") from error


def _first_readable(checkpoints, steps: Iterable[int], abstract) -> Restored | None:
    damaged, reason = [], None
    for step in steps:
        try:
            with _quietly():
                return _restore(checkpoints, step, abstract)._replace(damaged=tuple(damaged))
        except _Misfit as misfit:
            raise ValueError(str(misfit)) from None
        except Exception as error:  # whatever the reader stumbles over in a damaged file, the next one is tried
            damaged.append(step)
            reason = error
    if damaged:
        raise ValueError(
            f"none of the checkpoints {sorted(damaged)} in {checkpoints.directory} can be read "
            f"({type(reason).__name__}); delete the directory to start afresh"
        ) from reason
    return None


@contextlib.contextmanager
def _quietly():
    """What orbax logs about errors that are handled here, and what the threads of its reader print, is not for the user."""
    logger, print_unraisable = logging.getLogger("absl"), sys.unraisablehook
    level = logger.level

    def hook(unraisable):
        # When one array cannot be read orbax closes its event loop, and the threads that read the others do not find it.
        if str(unraisable.exc_value) != "Event loop is closed":
            print_unraisable(unraisable)

    logger.setLevel(logging.CRITICAL + 1)
    sys.unraisablehook = hook
    try:
        yield
    except _Misfit:
        raise
    except Exception:
        time.sleep(0.2)  # these threads come a little later
        raise
    finally:
        sys.unraisablehook = print_unraisable
        logger.setLevel(level)


def _set_aside(folder: Path) -> None:
    # Orbax takes no folder for a checkpoint whose name is no number.
    names = itertools.chain([f"damaged.{folder.name}"], (f"damaged.{folder.name}.{i}" for i in itertools.count(2)))
    folder.rename(next(path for path in map(folder.with_name, names) if not path.exists()))


def _goodness(metrics) -> float:
    return -_value(metrics)


def _loss(checkpoints, step) -> float:
    metrics = checkpoints.metrics(step)
    return math.inf if metrics is None else _value(metrics)


def _value(metrics) -> float:
    return metrics["loss"] if "loss" in metrics else metrics["nats"]  # as an older version called it


def _restore(checkpoints, step, abstract) -> Restored:
    _check_fit(_shapes_saved(checkpoints, step), abstract, f"checkpoint {step} in {checkpoints.directory}")
    how = ocp.checkpoint_utils.construct_restore_args(abstract)
    state = checkpoints.restore(step, args=ocp.args.PyTreeRestore(abstract, restore_args=how))
    return Restored(state, step, _loss(checkpoints, step), ())


def _shapes_saved(checkpoints, step) -> dict:
    metadata = checkpoints.item_metadata(step)
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
