"""The progress of a run: one line that changes on a terminal, plain lines elsewhere."""

import datetime
import sys
import time

from arjax.errors import KEPT, printable, say

_LEAST_BAR = 10  # columns; a shorter bar shows nothing


class Progress:
    """The progress from `first` to `last` steps, and the phase. A context manager."""

    def __init__(self, first: int, last: int):
        from rich.console import Console
        from rich.live import Live

        self.first, self.last, self.step = first, last, first
        self.state, self.score, self.rate = "", "", ""
        self.console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._live = Live(self, console=self.console, refresh_per_second=4) if self.console.is_terminal else None
        self._said: set[str] = set()
        self._began: float | None = None

    def __enter__(self):
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_):
        self.state = ""
        if self._live:
            self._live.stop()

    def now(self, state: str) -> None:
        """Shows the phase. Without a terminal each phase is printed the first time, when it takes longest."""
        self.state = state
        if state == "training" and self._began is None:
            self._began = time.monotonic()
        if not self._live and state not in self._said:
            self._said.add(state)
            say(f"{state} ...")

    def train(self, step: int, score: str, rate: str, words: str) -> None:
        """Shows the score of the last updates, as one number or, if there is room, in words, and their speed."""
        self.score, self.rate = printable(score), rate
        if not self._live:
            left = "" if (left := self.left) is None else f"  {left:.0f} s left"
            say(f"step {step}/{self.last}  train {words}  {rate}{left}")

    def note(self, text: str) -> None:
        """Prints a text that stays."""
        from rich.text import Text

        self.console.print(Text(printable(text, KEPT)))
        self.console.file.flush()

    @property
    def left(self) -> float | None:
        """The seconds until the last step at the speed so far, which includes validations and checkpoints; None before a step."""
        done = self.step - self.first
        return None if self._began is None or not done else (time.monotonic() - self._began) / done * (self.last - self.step)

    def line(self, width: int) -> str:
        """The line in `width` columns: a narrow terminal drops the bar first, then the rate, the time left, the score, and never
        the steps."""
        left = self.left
        clock = "" if left is None or self.step == self.last else f"{datetime.timedelta(seconds=int(left))} left"
        steps = f"{self.step}/{self.last}"
        parts = {steps: 0, self.state: 1, self.score: 2, clock: 3, self.rate: 4}
        kept, room = [], width
        for part in sorted(filter(None, parts), key=parts.__getitem__):
            if len(part) + 2 * bool(kept) > room:
                break
            kept.append(part)
            room -= len(part) + 2 * (len(kept) > 1)
        order = [part for part in (self.state, steps, self.score, self.rate, clock) if part in kept]
        if room >= _LEAST_BAR + 2:
            full = round((room - 2) * self.step / self.last)
            order.insert(order.index(steps), "━" * full + "─" * (room - 2 - full))
        return "  ".join(order)

    def __rich_console__(self, console, options):
        from rich.text import Text

        yield Text(self.line(options.max_width), no_wrap=True, overflow="crop")
