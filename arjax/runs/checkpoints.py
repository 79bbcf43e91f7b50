"""Checkpoints by orbax: written in the background, and restored bit for bit. The last two, the best and the requested ones are
kept.

A checkpoint counts once it is complete, so that a run killed while writing one still has the one before. A checkpoint that cannot
be read, or whose bits have changed, is skipped and never deleted, because another machine may read it. Each of several processes
writes and reads the arrays of its devices, and all agree on which checkpoints are damaged.
"""

import contextlib
import errno
import functools
import itertools
import json
import logging
import math
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jax.experimental.multihost_utils import process_allgather

from arjax.errors import InputError
from arjax.files import check_file, free_stem, read_file
from arjax.runs.hosts import by_first


class Restored(NamedTuple):
    """`state` as saved at `step`, where validation gave this `loss` (infinity if there was none), with the `updates` that no
    record counts yet, of a run that had written so many `records` (0: unknown); `damaged`: the steps that would have come before
    it but could not be read."""

    state: object
    step: int
    loss: float
    updates: tuple[dict, ...]
    records: int
    damaged: tuple[int, ...]


@contextlib.contextmanager
def open_checkpoints(folder: Path, every: int | None = None, at: tuple[int, ...] = ()) -> Iterator:
    """Opens the checkpoints in `folder`, which is made if need be; at the end waits for what is being written. Those whose note
    cannot be read are set aside under the name damaged.STEP. OSError if one cannot be written.

    every, at: steps whose checkpoints are kept besides the last two and the best: the multiples of `every`, and each of `at`.
    """
    import orbax.checkpoint as ocp
    from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, CustomSteps, EveryNSteps, LatestN

    by_first(lambda: set_aside(folder, [step for step in steps_in(folder) if _note(folder, step) is None]))

    def goodness(note: dict) -> float:
        return -note["loss"]

    best = BestN(get_metric_fn=goodness, n=1, keep_checkpoints_without_metrics=False)
    kept = AnyPreservationPolicy([LatestN(2), best, CustomSteps(at), *([EveryNSteps(every)] if every else [])])
    options = ocp.CheckpointManagerOptions(best_fn=goodness, preservation_policy=kept)
    checkpoints = ocp.CheckpointManager(folder.absolute(), item_handlers=ocp.PyTreeCheckpointHandler(), options=options)
    with _unlogged():
        try:
            yield checkpoints
            finish(checkpoints)
        except BaseException:
            # Whatever went wrong comes first: closing says once more what could not be written.
            with contextlib.suppress(Exception):
                checkpoints.close()
            raise
        checkpoints.close()


def save(checkpoints, step: int, state, loss: float | None, updates=(), records: int = 0) -> None:
    """Starts to write `state`, which may be donated at once. OSError if this one, or the one before, cannot be written.

    loss: what its validation gave, None if there was none. updates: the numbers of those that no record counts yet. records: how
    many of them the run has written.
    """
    import orbax.checkpoint as ocp

    # Orbax warns where a metric is missing: no validation is the worst of all.
    note = {"loss": math.inf if loss is None else loss, "checksums": checksums(state), "updates": list(updates)}
    note |= {"records": records}
    with _writing(checkpoints):
        checkpoints.save(step, args=ocp.args.PyTreeSave(state), metrics=note)


def finish(checkpoints) -> None:
    """Waits until all is written. OSError if it cannot be."""
    with _writing(checkpoints):
        checkpoints.wait_until_finished()


def restore_latest(folder: Path, abstract) -> Restored:
    """Restores the newest checkpoint in `folder` that can be read; where there is none at all, the state is None and the step 0.
    Newer ones, which cannot be read, are set aside under the name damaged.STEP, so that their steps can be saved again.

    abstract: the state as jax.ShapeDtypeStructs with shardings; a leaf `...` is not read and stays. InputError if a checkpoint
    holds other arrays than these, or if there are checkpoints but none can be read.
    """
    restored = _first_readable(folder, sorted(steps_in(folder), reverse=True), abstract)
    if restored is None:
        return Restored(None, 0, math.inf, (), 0, ())
    if restored.damaged:
        by_first(lambda: set_aside(folder, restored.damaged))
    return restored


def restore_best(folder: Path, abstract) -> Restored:
    """Restores the checkpoint in `folder` whose validation was best among those that can be read; the latest of equals.
    `abstract` and errors as in `restore_latest`; InputError if there is none. Changes nothing."""
    loss = {step: (_note(folder, step) or {"loss": math.inf})["loss"] for step in steps_in(folder)}
    steps = sorted(loss, key=lambda step: (loss[step], -step))
    restored = _first_readable(folder, steps, abstract)
    if restored is None:
        raise InputError(f"{folder} holds no checkpoint yet; train for at least one validation")
    return restored


def restore_step(folder: Path, step: int, abstract) -> Restored:
    """Restores the checkpoint of `step`. `abstract` as in `restore_latest`; InputError if it is not kept, with those that are, or
    cannot be read. Changes nothing."""
    kept = sorted(steps_in(folder))
    if step not in kept:
        raise InputError(
            f"{folder} keeps no checkpoint of step {step}, but of {', '.join(map(str, kept)) or 'none'}; choose one of these, or "
            "train with --keep-every"
        )
    return _first_readable(folder, [step], abstract, "choose another step")


@contextlib.contextmanager
def _unlogged():
    """Keeps orbax from logging, with tracebacks, what its threads could not write or read: whoever waits for them raises it."""
    levels = {logger: logger.level for logger in map(logging.getLogger, ("absl", "asyncio"))}
    try:
        for logger in levels:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


class _Misfit(Exception):
    """A checkpoint is readable and is of something else."""


class _Damaged(Exception):
    """A checkpoint is not what was saved."""


@contextlib.contextmanager
def _writing(checkpoints):
    """Turns what orbax raises where a file cannot be written, of whatever kind, into an OSError."""
    try:
        yield
    except jax.errors.JaxRuntimeError:  # no file's fault: the computation failed, or another process was lost
        raise
    except Exception as error:
        found = re.search(r"os_error_code='(\d+)'|\[Errno (\d+)\]", str(error))
        code = int(found[1] or found[2]) if found else errno.EIO
        raise OSError(code, f"a checkpoint cannot be written ({os.strerror(code)})", str(checkpoints.directory)) from error


@_unlogged()
def _first_readable(
    folder: Path, steps: Iterable[int], abstract, remedy: str = "delete the directory to start afresh"
) -> Restored | None:
    damaged, reason = [], ""
    for step in steps:
        try:
            return _restore(folder, step, abstract)._replace(damaged=tuple(damaged))
        except _Misfit as misfit:
            raise InputError(str(misfit)) from None
        except (MemoryError, jax.errors.JaxRuntimeError):
            raise  # for a lack of memory, of the host or of a device, an older checkpoint would be continued for nothing
        except Exception as error:  # whatever orbax and TensorStore stumble over in a file that is damaged or gone
            damaged.append(step)
            reason = str(error) if isinstance(error, _Damaged | InputError) else type(error).__name__
    if damaged:
        raise InputError(f"none of the checkpoints {sorted(damaged)} in {folder} can be read ({reason}); {remedy}")
    return None


def set_aside(folder: Path, steps: Iterable[int], name: str = "damaged") -> None:
    """Gives checkpoints the names NAME.STEP: orbax takes no folder for one whose name is no number."""
    for step in steps:
        (folder / str(step)).rename(free_stem(folder / f"{name}.{step}", [""]))


def steps_in(folder: Path) -> list[int]:
    """Lists the steps whose checkpoints lie in `folder`, in no order."""
    return [int(path.name) for path in folder.glob("*") if re.fullmatch("0|[1-9][0-9]*", path.name)]


def _note(folder: Path, step: int) -> dict | None:
    """What was noted beside a checkpoint: `loss`, `checksums`, `updates` and `records`. None if that cannot be read."""
    try:
        note = json.loads(read_file(folder / str(step) / "metrics" / "metrics"))
        loss, sums, updates = note["loss"], note["checksums"], note["updates"]
        numbers = [number for update in updates for number in update.values()]
        same = all(update.keys() == updates[0].keys() for update in updates)
        valid = isinstance(sums, dict) and same and all(isinstance(number, float) for number in (loss, *numbers))
        valid = valid and isinstance(note.setdefault("records", 0), int)
        return note if valid else None
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return None


def _restore(folder: Path, step: int, abstract) -> Restored:
    note, arrays = _note(folder, step), (folder / str(step) / "default").absolute()
    if note is None:
        raise _Damaged("what was noted of it cannot be read")
    for file in arrays.rglob("*"):
        if not file.is_dir():
            check_file(file)
    # By the handler alone: a manager would wait for all processes even where one of them cannot read.
    import orbax.checkpoint as ocp

    handler = ocp.PyTreeCheckpointHandler()
    _check_fit(_shapes(handler.metadata(arrays)), abstract, f"checkpoint {step} in {folder}")
    args = ocp.args.PyTreeRestore(abstract, restore_args=ocp.checkpoint_utils.construct_restore_args(abstract))
    state = _by_all(lambda: handler.restore(arrays, args=args))
    for name, found in checksums(state).items():
        if found != note["checksums"].get(name):
            raise _Damaged(f"{name} has the checksum {found}, but was saved with {note['checksums'].get(name)}")
    return Restored(state, step, note["loss"], tuple(note["updates"]), note["records"], ())


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
    from orbax.checkpoint.metadata import ArrayMetadata

    leaves = jax.tree.leaves(metadata.tree, is_leaf=lambda leaf: isinstance(leaf, ArrayMetadata))
    return {leaf.name: (tuple(leaf.shape), leaf.dtype) for leaf in leaves if isinstance(leaf, ArrayMetadata)}


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


def checksums(tree) -> dict[str, str]:
    """Returns for each part at the top of the tree, by its name, 16 hexadecimal digits that distinguish it from any other:

        sum_i bits_i m_i  mod 2^64,   m_i odd and unlike its neighbours

    Flipping any one bit changes the sum for certain, whatever else with a chance of 2^-64 to stay unseen. Sums of integers do not
    depend on their order: the same state has the same sum on every mesh. They are taken on the host, where nothing is compiled.
    A part with a leaf `...`, which was not read, has none; nor has an empty one.
    """
    parts = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        parts.setdefault(jax.tree_util.keystr(path[:1], simple=True), []).append(leaf)
    whole = {name: leaves for name, leaves in parts.items() if all(leaf is not ... for leaf in leaves)}
    sums = np.array([sum(map(_sum, leaves, itertools.count())) % 2**64 for leaves in whole.values()], np.uint64)
    if jax.process_count() > 1:
        # As pairs of halves: JAX would cut an integer of 64 bits.
        sums = process_allgather(sums.view(np.uint32)).view(np.uint64).sum(axis=0, dtype=np.uint64)
    return {name: f"{word:016x}" for name, word in zip(whole, sums.tolist(), strict=True)}


def _sum(leaf: jax.Array, place: int) -> int:
    """The sum over what this process holds of an array. `place`: among the leaves, so that two that changed places are found."""
    total, shape = 0, leaf.shape or (1,)
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    for shard in leaf.addressable_shards:
        if shard.replica_id:
            continue  # counted once, wherever it lies
        bits = np.asarray(shard.data).reshape(-1 if leaf.ndim == 0 else shard.data.shape)
        bits = bits.view(f"u{bits.itemsize}")
        held = shard.index or (slice(None),)
        places = zip(shape, held, strides, strict=True)
        axes = [np.arange(size, dtype=np.uint64)[part] * np.uint64(stride) for size, part, stride in places]
        rows = max(1, _AT_ONCE // max(1, math.prod(bits.shape[1:])))
        for start in range(0, len(bits), rows):
            at = functools.reduce(np.add.outer, [axes[0][start : start + rows], *axes[1:]])
            total += int((bits[start : start + rows] * _mixed(at, place)).sum(dtype=np.uint64))
    return total


# Elements that are summed at once: what is computed of them stays in the processor's cache.
_AT_ONCE = 2**16


def _mixed(at: np.ndarray, place: int) -> np.ndarray:
    """Odd numbers of 64 bits, one for each place in the array, by the multiplications and shifts of splitmix64."""
    at += np.uint64(place * 0x9E3779B97F4A7C15 % 2**64)
    at *= np.uint64(0xBF58476D1CE4E5B9)
    at ^= at >> np.uint64(29)
    at *= np.uint64(0x94D049BB133111EB)
    at ^= at >> np.uint64(32)
    return at | np.uint64(1)
