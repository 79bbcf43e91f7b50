"""Ctrl-C and SIGTERM ask a loop to finish what it is doing, save, and go; a second one does not ask.

A signal may reach one of several processes only, and none may leave a step that the others still compute. So each tells with
every step what it was asked, and all read what came of it one step later, when it is known anyway.
"""

import signal

import jax
import numpy as np

from arjax.training.mesh import local_rows, place_batch, shares


class Interruption:
    """A context manager, for the processes that compute on `mesh`."""

    def __init__(self, mesh: jax.sharding.Mesh):
        self._mesh, self._signal, self._latest = mesh, 0, 0
        self._local = len(local_rows(shares(mesh), mesh))

    def __enter__(self):
        self._handlers = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_):
        self._restore()

    def asked(self) -> jax.Array:
        """int32 [shares], over the batch: the number of the signal this process had until now, 0 if it had none."""
        return place_batch(np.full(self._local, self._signal, np.int32), self._mesh)

    def agreed(self, latest: jax.Array) -> int:
        """Given what all were asked with this step, the number of a signal that any had by the step before, or 0."""
        before, self._latest = self._latest, latest
        return int(before)

    def _note(self, number, frame):
        self._signal = number
        self._restore()

    def _restore(self):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
