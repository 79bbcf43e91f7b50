"""What happens in a run, written as it happens: to metrics.jsonl, to TensorBoard, and to the terminal.

metrics.jsonl has one JSON object a line. A step's metrics are read when the next step has been handed to the device, which
therefore never waits for the host. A line is handed to the system at once, so that a run that is killed has it; `sync` waits for
the disk, before each checkpoint and at the end, so that after a crash of the machine the records reach as far as the checkpoints.
"""

import contextlib
import importlib.util
import json
import math
import os
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from arjax.data.media import Exhibit
from arjax.errors import KEPT, InputError, printable, say
from arjax.files import read_file, write_whole
from arjax.pictures import loss_curve
from arjax.runs.checkpoints import Restored
from arjax.runs.report import words
from arjax.training.experiment import Experiment
from arjax.training.objective import Score

# What every record has besides its score: the step, what was scored, and the seconds the run had taken.
_FIELDS = {"step": int, "split": str, "seconds": int | float}
# Samples of sound that a validation leaves behind: each is a file of its own.
_HEARD = 8


def read_metrics(path: Path, measure: str = "nats") -> list[dict]:
    """Reads the records of metrics.jsonl, [] if there is no such file.

    measure: what the objective calls its score; every record has it. A last line that was cut short is left out; InputError for
    any other line that is no record.
    """
    if not path.exists():
        return []
    records, fields = [], _FIELDS | {measure: int | float}
    lines = read_file(path).splitlines()
    for number, line in enumerate(lines, 1):
        record = _record(line, fields)
        if record is None:
            if number == len(lines):
                break
            start = line.strip()[:60].decode(errors="replace")
            raise InputError(f"{path} line {number} is no record with {', '.join(fields)}: {start!r}; mend or delete it")
        records.append(record)
    return records


def forget(path: Path, step: int, measure: str) -> list[dict]:
    """Leaves in metrics.jsonl the records of training and validation until `step`, and returns them."""
    kept = [record for record in read_metrics(path, measure) if record["step"] <= step and record["split"] != "test"]
    write_whole(path, "".join(json.dumps(record) + "\n" for record in kept))
    return kept


def _record(line: bytes, fields: dict) -> dict | None:
    """The JSON object with these fields, their numbers finite as all that is ever written; None if it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # ValueError: no JSON, no Unicode, or an integer of thousands of digits
        return None
    if not (isinstance(record, dict) and all(isinstance(record.get(name), kind) for name, kind in fields.items())):
        return None
    numbers = [record[name] for name in fields if not isinstance(record[name], str)]
    # Of integers, those that a float holds.
    return record if all(abs(number) < 2**1023 and math.isfinite(number) for number in numbers) else None


class Log:
    """The log of the run of `experiment` in the directory `run`, from step `first` on. A context manager.

    It forgets what an earlier attempt wrote beyond `first`. updates: what that attempt left in `self.updates`, for the next
    record to count. doubts: what is strange about the data, which is the likely cause of numbers that are not finite. `seconds`
    in a record counts what the run took until then: compilation, training, validation, samples and test, of all its attempts
    together; of an attempt that was interrupted, up to the last record that was kept. Starting up is not counted.
    """

    def __init__(self, run: Path, experiment: Experiment, first: int, updates: Sequence[dict] = (), doubts: Sequence[str] = ()):
        self.run, self.experiment, self.first = run, experiment, first
        self.records: list[dict] = []
        self.updates: list[dict] = list(updates)
        self.lost = 0  # records that were written and are not there any more
        self._carried, self._pending, self._doubts = len(self.updates), None, doubts

    def __enter__(self):
        path = self.run / "metrics.jsonl"
        measure = self.experiment.task.measure
        self._beyond = max((record["step"] for record in read_metrics(path, measure)), default=0)
        self.records = forget(path, self.first, measure)
        with contextlib.ExitStack() as stack:
            self._file = stack.enter_context(path.open("a"))
            self._board = _Board(self.run / "tensorboard", self.first) if importlib.util.find_spec("tensorboardX") else None
            if self._board:
                stack.callback(self._board.close)
            self._progress = stack.enter_context(_Progress(self.first, self.experiment.steps))
            self._open = stack.pop_all()
        if not self._board:
            self.note("no tensorboard/: pip install 'arjax[tensorboard]'")
        self._began = time.monotonic() - (self.records[-1]["seconds"] if self.records else 0.0)
        self._counting_since = time.monotonic()
        return self

    def __exit__(self, *exception):
        self._open.close()

    @property
    def written(self) -> int:
        """The records that the run has written until now, also those that are lost."""
        return len(self.records) + self.lost

    def begin(self, saved: Restored) -> None:
        """Says from where the run goes on, and what is not there any more of what it had recorded until then."""
        if saved.state is None:
            if self._beyond:
                self.note(f"starting again: metrics.jsonl went to step {self._beyond}, but there is no checkpoint")
            return
        valid = [record for record in self.records if (record["step"], record["split"]) == (saved.step, "valid")]
        more = 0 < saved.records < len(self.records)
        other = more or any(record[self.experiment.task.measure] != saved.loss for record in valid)
        self.lost = max(0, saved.records - len(self.records))
        gap = "; metrics.jsonl is not what this run recorded until there" if other else ""
        if self.lost and not other:
            gap = f"; metrics.jsonl lacks {self.lost} of the {saved.records} records until there, and loss.png will lack them"
        damaged = "".join(f"; checkpoint {step} is damaged and set aside" for step in saved.damaged)
        self.note(f"continuing from step {saved.step}{damaged}{gap}")

    def train(self, step: int, metrics: dict) -> None:
        """Takes the metrics of the update that made it `step` steps, which was handed to the device. FloatingPointError if the
        one before went wrong."""
        self.settle()
        self._pending = step, metrics

    def settle(self) -> None:
        """Waits for the last update. FloatingPointError if it went wrong."""
        if self._pending is None:
            return
        (step, metrics), self._pending = self._pending, None
        values = {name: float(value) for name, value in metrics.items()}
        self._grad_norm = values.pop("grad_norm")
        remedy = _START if step == 1 else f"the last checkpoint before it, if any, is kept; {_SLOWER}"
        self._check_finite("loss", values["loss"], step, remedy)
        self._check_finite("gradient's norm", self._grad_norm, step, remedy)
        self.updates.append(values)
        self._last = step
        self._progress.advance(step)
        if step % self.experiment.log_every == 0:
            self.summarise()

    def summarise(self) -> None:
        """Records the updates since the last record, if there were any."""
        if not self.updates:
            return
        elapsed = max(time.monotonic() - self._counting_since, 1e-9)
        rate = (len(self.updates) - self._carried) * self.experiment.batch_size / elapsed
        means = {name: float(np.mean([values[name] for values in self.updates])) for name in self.updates[0]}
        task = self.experiment.task
        record = task.record(means) | {"grad_norm": self._grad_norm, "examples_per_second": rate}
        self._write(self._last, "train", record)
        self._progress.train(self._last, f"{words(task, self.experiment, record)}  {rate:.0f} examples/s")
        self.updates, self._carried, self._counting_since = [], 0, time.monotonic()

    def valid(self, step: int, score: Score) -> float:
        """Records a validation and returns its loss. FloatingPointError if that is not finite."""
        task = self.experiment.task
        self._check_finite(f"validation's {task.measure}", score.loss, step, _VALIDATION)
        self._write(step, "valid", score.record | {"examples_per_second": score.examples / score.seconds})
        self.note(f"step {step}  valid {words(task, self.experiment, score.record)}")
        self._counting_since = time.monotonic()
        return score.loss

    def exhibit(self, step: int, exhibits: dict[str, Exhibit]) -> None:
        """Writes examples into samples/ and by their names into TensorBoard: as a picture, as text, of which the first also comes
        before whoever is watching, and the first few as sound."""
        for name, exhibit in exhibits.items():
            exhibit = exhibit._replace(waveforms=exhibit.waveforms[:_HEARD])
            exhibit.save(self.run / "samples" / f"{step:08d}", overwrite=True)
            if self._board:
                self._board.exhibit(step, name, exhibit)
            if exhibit.texts:
                self._progress.note(exhibit.texts[0])
        self._counting_since = time.monotonic()

    def test(self, step: int, score: Score, facts: dict) -> None:
        """Draws loss.png and records the result, of the parameters of `step`, with `facts` that belong to it."""
        task = self.experiment.task
        self._check_finite(f"test's {task.measure}", score.loss, step, _IMPOSSIBLE)
        lost = {"records_lost": self.lost} if self.lost else {}
        title = self.experiment.data.title + (f"; {self.lost} earlier records are lost" if lost else "")
        if self.records:
            write_whole(self.run / "loss.png", loss_curve(self.records, title, task.measure))
        self._write(step, "test", score.record | facts | lost)
        self.sync()

    def sync(self) -> None:
        """Waits until all records are on the disk."""
        os.fsync(self._file.fileno())

    def interrupted(self, step: int, command: str) -> None:
        """Says that `command` continues the run."""
        self.note(f"interrupted and saved at step {step}; to continue: {command}")

    def note(self, line: str) -> None:
        """Prints a line for whoever is watching."""
        self._progress.note(printable(line))

    def _check_finite(self, name, value, step, remedy) -> None:
        if not math.isfinite(value):
            raise FloatingPointError(f"the {name} is {value} at step {step}; {'; '.join(self._doubts) or remedy}")

    def _write(self, step, split, record) -> None:
        record = {"step": step, "split": split, **record, "seconds": time.monotonic() - self._began}
        self.records.append(record)
        self._file.write(json.dumps(record, allow_nan=False) + "\n")
        self._file.flush()
        if self._board:
            self._board.record(record)


_SLOWER = (
    "try, with another --run, a smaller --optimizer.learning-rate or --optimizer.clip, or a longer --optimizer.schedule.warmup"
)
_IMPOSSIBLE = "under the model at least one example is impossible; check that its head covers every value in the data"
# What may be the cause, and what to do, where the data raise no doubts.
_START = f"these are the initial parameters, before any learning: {_IMPOSSIBLE}"
_VALIDATION = f"the last checkpoint before it, if any, is kept; if training diverged {_SLOWER}; else {_IMPOSSIBLE}"


class _Board:
    """TensorBoard's file of events, of a run that goes on from `step`: it forgets what earlier files hold from there on.

    Whoever adds an event writes it, so that a file that cannot be written is an OSError there. The SummaryWriter hands events to
    a thread: where the disk is full that ends with a traceback, and whoever adds the next few events waits for ever.
    """

    def __init__(self, folder: Path, step: int):
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import SessionLog

        folder.mkdir(parents=True, exist_ok=True)
        self._writer = EventsWriter(str(folder / "events"), f".{os.getpid()}")
        self._add(step + 1, session_log=SessionLog(status=SessionLog.START))

    def record(self, record: dict) -> None:
        """Shows the numbers of a record."""
        from tensorboardX import summary

        for name, value in record.items():
            if name != "step" and isinstance(value, int | float) and not isinstance(value, bool):
                self._add(record["step"], summary=summary.scalar(f"{record['split']}/{name}", value))

    def exhibit(self, step: int, name: str, exhibit: Exhibit) -> None:
        """Shows examples as picture, text and sound."""
        from tensorboardX import summary

        if exhibit.picture is not None:
            self._add(step, summary=summary.image(name, exhibit.picture, dataformats="HWC"))
        if exhibit.texts:
            # TensorBoard takes text for Markdown: as code every character stays as it is.
            self._add(step, summary=summary.text(name, textwrap.indent(exhibit.text, "    ", lambda line: True)))
        for i, waveform in enumerate(exhibit.waveforms):
            self._add(step, summary=summary.audio(f"{name}/{i}", waveform[:, None], exhibit.sample_rate))

    def close(self) -> None:
        self._writer.close()

    def _add(self, step, **what) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._writer.write_event(Event(step=step, wall_time=time.time(), **what))
        self._writer.flush()


class _Progress:
    """What a person sees on the way from `first` to `last` steps: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, first: int, last: int):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self.first, self.last, self.started = first, last, time.monotonic()
        self.console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        status, left = TextColumn("{task.fields[status]}", markup=False), TextColumn("left")
        columns = BarColumn(None), MofNCompleteColumn(), status, TimeElapsedColumn(), left, TimeRemainingColumn()
        self.bar = Progress(*columns, console=self.console, disable=not self.console.is_terminal)
        self.task = self.bar.add_task("", total=last, completed=first, status="compiling")

    def __enter__(self):
        self.bar.start()
        return self

    def __exit__(self, *_):
        self.bar.stop()

    def advance(self, step: int) -> None:
        """Shows that `step` steps are done."""
        self.bar.update(self.task, completed=step)

    def train(self, step: int, status: str) -> None:
        """Shows how training stands at this step."""
        self.bar.update(self.task, status=printable(status))
        if self.bar.disable:
            left = (time.monotonic() - self.started) / max(1, step - self.first) * (self.last - step)
            say(f"step {step}/{self.last}  train {status}  {left:.0f} s left")

    def note(self, text: str) -> None:
        """Prints a text that stays."""
        from rich.text import Text

        self.console.print(Text(printable(text, KEPT)))
        self.console.file.flush()
