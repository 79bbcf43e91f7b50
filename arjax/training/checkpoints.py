"""Checkpoints by orbax: written in the background; the last two and the best are kept; what is restored is what was saved.

A checkpoint counts once it is complete, so that a run killed while writing one has the one before.
"""

import math
from pathlib import Path
from typing import NamedTuple

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN


class Restored(NamedTuple):
    """`state` as saved at `step`, where validation gave `nats` (infinity if there was none); `damaged`: newer steps that
    could not be read."""

    state: object
    step: int
    nats: float
    damaged: tuple[int, ...]


def open_checkpoints(folder: Path) -> ocp.CheckpointManager:
    """The checkpoints in `folder`, which is made if need be. Close them when done: that waits for what is being written."""
    best = BestN(get_metric_fn=_goodness, n=1, keep_checkpoints_without_metrics=False)
    options = ocp.CheckpointManagerOptions(best_fn=_goodness, preservation_policy=AnyPreservationPolicy([LatestN(2), best]))
    # The handler is named so that what a checkpoint holds can be asked before anything is restored.
    return ocp.CheckpointManager(folder.absolute(), item_handlers=ocp.StandardCheckpointHandler(), options=options)


def save(checkpoints: ocp.CheckpointManager, step: int, state, nats: float | None) -> None:
    """Start writing `state`; `nats`: what its validation gave, None if there was none. The state may be donated at once."""
    # Orbax warns where a metric is missing: no validation is the worst of all.
    metrics = {"nats": math.inf if nats is None else nats}
    checkpoints.save(step, args=ocp.args.StandardSave(state), metrics=metrics)


def restore_latest(checkpoints: ocp.CheckpointManager, abstract) -> Restored | None:
    """The newest checkpoint that can be read, None if there is none at all.

    abstract: the state as jax.ShapeDtypeStructs with shardings. ValueError if a checkpoint holds other arrays than these, or
    if there are checkpoints but none can be read.
    """
    damaged, reason = [], None
    for step in sorted(checkpoints.all_steps(), reverse=True):
        try:
            restored = _restore(checkpoints, step, abstract)
        except _Misfit as misfit:
            raise ValueError(str(misfit)) from None
        except Exception as error:  # whatever the reader stumbles over in a damaged file, the one before is tried
            damaged.append(step)
            reason = error
            continue
        for newer in damaged:
            checkpoints.delete(newer)
        return restored._replace(damaged=tuple(damaged))
    if damaged:
        raise ValueError(
            f"none of the checkpoints {sorted(damaged)} in {checkpoints.directory} can be read "
            f"({type(reason).__name__}); delete the directory to start afresh"
        ) from reason
    return None


def restore_best(checkpoints: ocp.CheckpointManager, abstract) -> Restored:
    """The checkpoint whose validation was best, else the latest. Errors as in `restore_latest`; ValueError if there is none."""
    checkpoints.wait_until_finished()
    steps = checkpoints.all_steps()
    if not steps:
        raise ValueError(f"{checkpoints.directory} holds no checkpoint; train for at least one validation")
    try:
        return _restore(checkpoints, min(steps, key=lambda step: (_nats(checkpoints, step), -step)), abstract)
    except _Misfit as misfit:
        raise ValueError(str(misfit)) from None


class _Misfit(Exception):
    """A checkpoint is readable and is of something else."""


def _goodness(metrics) -> float:
    return -metrics["nats"]


def _nats(checkpoints, step) -> float:
    metrics = checkpoints.metrics(step)
    return math.inf if metrics is None else metrics["nats"]


def _restore(checkpoints, step, abstract) -> Restored:
    _check_fit(_shapes_saved(checkpoints, step), abstract, f"checkpoint {step} in {checkpoints.directory}")
    state = checkpoints.restore(step, args=ocp.args.StandardRestore(abstract))
    return Restored(state, step, _nats(checkpoints, step), ())


def _shapes_saved(checkpoints, step) -> dict:
    metadata = checkpoints.item_metadata(step)
    leaves = jax.tree.leaves(metadata.tree, is_leaf=lambda leaf: hasattr(leaf, "shape"))
    return {leaf.name: (tuple(leaf.shape), leaf.dtype) for leaf in leaves if hasattr(leaf, "shape")}


def _check_fit(saved, abstract, where) -> None:
    leaves = jax.tree_util.tree_leaves_with_path(abstract)
    wanted = {jax.tree_util.keystr(path, simple=True, separator="."): (leaf.shape, leaf.dtype) for path, leaf in leaves}
    for name in sorted(saved.keys() | wanted.keys()):
        if saved.get(name) != wanted.get(name):
            raise _Misfit(
                f"{where} does not match the model: {name} is {_array(saved.get(name))} there, {_array(wanted.get(name))} here; "
                "restore it with the experiment that wrote it, or choose another --run"
            )


def _array(entry) -> str:
    return "absent" if entry is None else f"{entry[1]}{list(entry[0])}"
