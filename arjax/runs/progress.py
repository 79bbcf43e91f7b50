"""What a person watching a run sees: a bar on a terminal, plain lines elsewhere."""

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """The progress from `first` to `last` steps. A context manager; on a terminal the bar lives inside it."""

    def __init__(self, first: int, last: int):
        self.first, self.last, self.started = first, last, time.monotonic()
        self.console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        columns = (
            BarColumn(None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self.bar = Bar(*columns, console=self.console) if self.console.is_terminal else None

    def __enter__(self):
        if self.bar:
            self.bar.start()
            self.task = self.bar.add_task("", total=self.last, completed=self.first, status="compiling")
        return self

    def __exit__(self, *_):
        if self.bar:
            self.bar.stop()

    def advance(self, step: int) -> None:
        """`step` steps are done."""
        if self.bar:
            self.bar.update(self.task, completed=step)

    def train(self, step: int, status: str) -> None:
        """Show how training stands at this step."""
        if self.bar:
            self.bar.update(self.task, status=status)
            return
        left = (time.monotonic() - self.started) / max(1, step - self.first) * (self.last - step)
        print(f"step {step}/{self.last}  train {status}  {left:.0f} s left", flush=True)

    def note(self, line: str) -> None:
        """A line that stays."""
        self.console.print(line, markup=False)
        self.console.file.flush()
