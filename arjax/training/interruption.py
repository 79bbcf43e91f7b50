"""Ctrl-C and SIGTERM ask a loop to finish what it is doing, save, and go; a second one does not ask."""

import signal


class Interruption:
    """A context manager. `signal` is None until one arrives, then its number."""

    def __init__(self):
        self.signal: int | None = None

    def __enter__(self):
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_):
        self._restore()

    def _note(self, number, frame):
        self.signal = number
        self._restore()

    def _restore(self):
        for number, handler in self._before.items():
            signal.signal(number, handler)
