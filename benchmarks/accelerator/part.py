"""A part of the script: rows that are measured in a process of their own, which ends at the part's limit.

    OUT/NAME.jsonl    its rows, each as it is measured: an interrupted part continues after them
    OUT/NAME.json     the part, once it is over: what became of it, and its rows; while this file is there, the part is over
    OUT/NAME.log      what its process printed

A dry run puts `tiny-` before each name. A row that fails leaves its error in its place, and the next row goes on; where the JSON
is removed, rows that failed or were skipped are measured again.
"""

import concurrent.futures
import contextlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from arjax.errors import one_line
from arjax.files import write_whole
from arjax.measure.results import without_nan

DONE = "done"
SPAWN = multiprocessing.get_context("spawn")


class Setting(NamedTuple):
    """tiny: is it a dry run on the CPU? out: the folder of the results. platform: JAX's name of the back-end."""

    tiny: bool
    out: Path
    platform: str

    def path(self, name: str) -> Path:
        return self.out / ("tiny-" * self.tiny + name)


class Row(NamedTuple):
    """`measure` returns figures by name; it can be pickled. An `error` among the figures says what is wrong with them."""

    name: str
    measure: Callable[[], dict]


class Part(NamedTuple):
    """`rows` of a setting; `report` makes Markdown of their figures. limit: seconds. workers: on a GPU, how many rows are
    measured at once, where times are not what is measured."""

    name: str
    rows: Callable[[Setting], Iterable[Row]]
    report: Callable[[dict[str, dict]], str]
    limit: float
    workers: int = 1


def result(part: Part, setting: Setting) -> dict | None:
    """Returns the result of a part that is over; None of any other."""
    path = setting.path(f"{part.name}.json")
    return json.loads(path.read_text()) if path.exists() else None


def run(part: Part, setting: Setting, seconds: float) -> dict | None:
    """Measures a part within so many seconds, its limit or fewer, and writes and returns its result. None, and its rows alone are
    written, if time ran out before its limit."""
    setting.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    process = SPAWN.Process(target=_measure, args=(part, setting))
    process.start()
    try:
        process.join(seconds)
        status = process.exitcode
    finally:
        _kill(process)
    took, rows = time.monotonic() - began, _rows(part, setting)
    if status is None and seconds < part.limit:
        return None
    whole = {"part": part.name, "state": _state(part, setting, status, rows), "platform": setting.platform}
    whole |= {"seconds": round(took, 1), "rows": rows}
    write_whole(setting.path(f"{part.name}.json"), json.dumps(whole, indent=2) + "\n")
    return whole


def _state(part: Part, setting: Setting, status: int | None, rows: dict[str, dict]) -> str:
    """Says what became of a part whose process ended with this exit status, None if it was ended."""
    if status is None:
        return f"out of time: its limit is {part.limit:g} s"
    if status:
        return f"failed with exit status {status}, see {setting.path(part.name)}.log"
    if wrong := [name for name, figures in rows.items() if "error" in figures]:
        return f"failed in {', '.join(wrong)}"
    return DONE


def _kill(process) -> None:
    """Ends the process and those that it began."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _rows(part: Part, setting: Setting) -> dict[str, dict]:
    """Reads the figures of the rows that are measured; a last line that was cut short is left out."""
    path = setting.path(f"{part.name}.jsonl")
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return dict(json.loads(line) for line in lines if line.endswith("\n"))


def _measure(part: Part, setting: Setting) -> None:
    """Appends every row that is not measured yet; the main function of a part's process."""
    os.setsid()  # a group of its own, so that it can be ended with the processes it begins
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log = os.open(setting.path(f"{part.name}.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    known = {name: figures for name, figures in _rows(part, setting).items() if not {"error", "skipped"} & figures.keys()}
    write_whole(setting.path(f"{part.name}.jsonl"), "".join(json.dumps(pair) + "\n" for pair in known.items()))
    rows = [row for row in part.rows(setting) if row.name not in known]
    with setting.path(f"{part.name}.jsonl").open("a") as file:
        for name, figures in _measured(rows, setting, part.workers if setting.platform == "gpu" else 1):
            file.write(json.dumps([name, without_nan(figures)]) + "\n")
            file.flush()


def _end_with_parent() -> None:
    """Ends this group of processes when the one that began it is gone, so that none keeps the device."""
    multiprocessing.parent_process().join()
    os.killpg(0, signal.SIGKILL)


def _measured(rows: list[Row], setting: Setting, workers: int):
    """Yields (name, figures) of each row."""
    if workers == 1:
        prepare(setting)
        yield from ((row.name, _tried(row.measure)) for row in rows)
        return
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # the workers share the memory
    with concurrent.futures.ProcessPoolExecutor(workers, SPAWN, prepare, (setting,)) as pool:
        names = {pool.submit(_tried, row.measure): row.name for row in rows}
        for future in concurrent.futures.as_completed(names):
            yield names[future], _tried(future.result)


def prepare(setting: Setting) -> None:
    """Sets JAX up in a process that measures: the compilation cache of train.py, and in a dry run the CPU."""
    import jax

    from arjax.allocator import keep_freed_memory
    from arjax.runs import cache_compilations

    keep_freed_memory()
    cache_compilations()
    if setting.tiny:
        jax.config.update("jax_platforms", "cpu")


def _tried(measure: Callable[[], dict]) -> dict:
    try:
        return measure()
    except Exception as error:
        return {"error": one_line(error)}
