"""One run at a time in one directory."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import filelock

from arjax.errors import InputError
from arjax.runs.hosts import by_first

FILE = ".lock"


@contextlib.contextmanager
def alone_in(run: Path) -> Iterator[None]:
    """Hold the directory `run`, which is made if need be, against all but the processes that train together. ValueError, naming
    it, if another holds it. The system lets go of it when the first of these processes ends, however that ends."""
    lock = filelock.FileLock(run / FILE, timeout=0)
    by_first(lambda: _take(lock, run))
    try:
        yield
    finally:
        lock.release()


def _take(lock, run):
    run.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise InputError(f"{run} is being written by {_holder(run)}; wait for it, or choose another --run") from None
    (run / FILE).write_text(f"process {os.getpid()} on {socket.gethostname()}\n")


def _holder(run: Path) -> str:
    try:
        return (run / FILE).read_text().strip()[:200] or "another process"
    except OSError:
        return "another process"
