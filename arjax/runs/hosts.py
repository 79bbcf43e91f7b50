"""Several processes, usually one a host, that train together as JAX's own multi-controller runtime has it: each runs the same
command, all compute every step, and what must be done once the first of them does.

What is lost with one process is lost for all: JAX ends the others within half a minute, and they start again together, from the
last checkpoint. A signal may reach one of them only, and none may leave a step that the others still compute. So each process
hands the number of its signal to every step, and all read the highest of them one step later, when it is computed anyway.
"""

import contextlib
import dataclasses
import hashlib
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np
from jax.experimental.multihost_utils import broadcast_one_to_all, process_allgather

from arjax.errors import InputError, one_line
from arjax.training.mesh import local_rows, place_batch, shares

# Seconds without a sign of life after which a process counts as lost, and that one which is done waits for the others.
PATIENCE = 25


@dataclasses.dataclass(frozen=True)
class Hosts:
    """Which processes train together; by default this one alone. InputError unless all three of coordinator, processes and
    process are given, or none."""

    join: bool = False
    """Join the other processes of this Slurm, GKE or TPU job."""
    coordinator: str | None = None
    """Outside such a job: HOST:PORT where process 0 can be reached by all."""
    processes: int | None = None
    """With a coordinator: how many processes there are."""
    process: int | None = None
    """With a coordinator: which of them this is, from 0."""

    def __post_init__(self):
        given = (self.coordinator, self.processes, self.process)
        if given == (None, None, None):
            return
        if None in given or self.join:
            raise InputError(f"{self} is incomplete; give coordinator, processes and process, or join alone")
        if ":" not in self.coordinator or not self.coordinator.rsplit(":", 1)[1].isdigit():
            raise InputError(f"coordinator={self.coordinator!r} is no HOST:PORT; give where process 0 can be reached")
        if not 0 <= self.process < self.processes:
            raise InputError(f"process={self.process} is not in 0..{self.processes - 1}; give this process's own number")


def meet(hosts: Hosts) -> None:
    """Waits for the other processes, before anything is computed. InputError if they cannot be found."""
    if not hosts.join and hosts.coordinator is None:
        return
    # A signal to one process is agreed on by all of them, in the step itself; JAX's own way would catch it first.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            hosts.coordinator,
            hosts.processes,
            hosts.process,
            heartbeat_timeout_seconds=PATIENCE,
            shutdown_timeout_seconds=PATIENCE,
        )
    except (RuntimeError, ValueError) as error:
        raise InputError(f"the other processes cannot be joined ({one_line(error)}); see docs/clusters.md") from error


def is_first() -> bool:
    """Is this the process that writes and prints?"""
    return jax.process_index() == 0


def by_first(action: Callable[[], None]) -> None:
    """Lets the first process do it while the others wait. If it fails it fails for all."""
    error = None
    if is_first():
        try:
            action()
        except Exception as failure:  # whatever it is, the others must not wait for ever
            error = failure
    failed = error is not None
    if jax.process_count() > 1:
        failed = bool(broadcast_one_to_all(np.bool_(failed)))
    if error is not None:
        raise error
    if failed:
        raise InputError("process 0 cannot go on, and has said why; correct that, and start all processes again")


def check_same(what: str, value) -> None:
    """Raises InputError, on every process, unless all have the same value, as its `repr` says it; `what` names it."""
    if jax.process_count() == 1:
        return
    digests = process_allgather(np.frombuffer(hashlib.sha256(repr(value).encode()).digest(), np.uint8))
    if (digests != digests[:1]).any():
        raise InputError(f"{what} differ between the processes; give all of them the same command, version and files")


@contextlib.contextmanager
def own_directory(run: Path) -> Iterator[Path]:
    """Yields the folder this process writes to: the first to `run`, any other to one that is gone afterwards, and without a word
    on stdout."""
    if is_first():
        yield run
        return
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield Path(folder)


class Interruption:
    """On Ctrl-C or SIGTERM a loop finishes the step or the validation that is under way, saves and ends; a second signal ends it
    at once. A context manager, for the processes that compute on `mesh`."""

    def __init__(self, mesh: jax.sharding.Mesh):
        self._mesh, self._signal, self._latest = mesh, 0, 0
        self._local = len(local_rows(shares(mesh), mesh))

    def __enter__(self):
        self._handlers = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_):
        self._restore()

    def asked(self) -> jax.Array:
        """Returns int32 [shares], over the batch: the number of the signal this process had until now, 0 if it had none."""
        return place_batch(np.full(self._local, self._signal, np.int32), self._mesh)

    def agreed(self, latest: jax.Array) -> int:
        """Takes the highest signal of this step; returns that of the step before as a number, 0 if no process had one."""
        before, self._latest = self._latest, latest
        return int(before)

    def _note(self, number, frame):
        self._signal = number
        self._restore()

    def _restore(self):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
