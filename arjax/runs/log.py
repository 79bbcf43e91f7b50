"""The events of a run, written as they happen: to metrics.jsonl, to the loggers, and to the terminal.

metrics.jsonl has one JSON object a line. A step's metrics are read when the next step has been handed to the device, which
therefore never waits for the host. A line is handed to the system at once, so that a run that is killed has it; `sync` waits for
the disk, before each checkpoint and at the end, so that after a crash of the machine the records reach as far as the checkpoints.
"""

import contextlib
import json
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from arjax.data.exhibit import Exhibit
from arjax.errors import printable
from arjax.files import write_whole
from arjax.runs import loggers
from arjax.runs.checkpoints import Restored
from arjax.runs.curves import loss_picture
from arjax.runs.metrics import forget, in_digits, natural_unit, read_metrics
from arjax.runs.progress import Progress
from arjax.runs.report import words
from arjax.training.experiment import Experiment
from arjax.training.objective import Score
from arjax.training.optimizers import rates

# Samples of sound that a validation leaves behind: each is a file of its own.
_HEARD = 8


class Log:
    """The log of the run of `experiment` in the directory `run`, from step `first` on. A context manager.

    It removes the records of an earlier attempt after `first`.

    updates: `self.updates` of that attempt, which the next record counts.
    doubts: strange columns of the data, the likely cause of numbers that are not finite.
    described: the experiment in run.json, if this one is over tokens.

    `seconds` in a record is the time of the run until then: compilation, training, validation, samples and test of all attempts,
    of an interrupted one up to its last kept record. Starting up is not counted.
    """

    def __init__(
        self,
        run: Path,
        experiment: Experiment,
        first: int,
        updates: Sequence[dict] = (),
        doubts: Sequence[str] = (),
        described: Experiment | None = None,
    ):
        self.run, self.experiment, self.first = run, experiment, first
        self._described = described or experiment
        self.records: list[dict] = []
        self.updates: list[dict] = list(updates)
        self.lost = 0  # records that were written and are not there any more
        self._carried, self._pending, self._doubts = len(self.updates), None, doubts
        self._rate_of = rates(experiment.optimizer, experiment.steps)
        # The seconds of training since the last record, and the start of the current stretch; other phases do not count.
        self._trained, self._since = 0.0, None

    def __enter__(self):
        path = self.run / "metrics.jsonl"
        measure = self.experiment.task.measure
        self._beyond = max((record["step"] for record in read_metrics(path, measure)), default=0)
        self.records = forget(path, self.first, measure)
        with contextlib.ExitStack() as stack:
            self._file = stack.enter_context(path.open("a"))
            self._progress = stack.enter_context(Progress(self.first, self.experiment.steps))
            self._loggers = loggers.opened(self.run, self._described, self.first, self.note)
            for logger in self._loggers:
                stack.callback(logger.close)
            self._open = stack.pop_all()
        if self._rate_of is not None:
            self._rate_of(self.first + 1)  # JAX compiles it now, and not while updates are timed
        self._began = time.monotonic() - (self.records[-1]["seconds"] if self.records else 0.0)
        return self

    def __exit__(self, *exception):
        self._open.close()

    @property
    def written(self) -> int:
        """The records that the run has written until now, also those that are lost."""
        return len(self.records) + self.lost

    def now(self, state: str) -> None:
        """Shows the phase that begins. Updates are timed only in the phase "training"."""
        self._count()
        self._since = time.monotonic() if state == "training" else None
        self._progress.now(state)

    def _count(self) -> None:
        if self._since is not None:
            now = time.monotonic()
            self._trained, self._since = self._trained + now - self._since, now

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
        self._progress.step = step
        if step % self.experiment.log_every == 0:
            self.summarise()

    def summarise(self) -> None:
        """Records the updates since the last record, if there were any."""
        if not self.updates:
            return
        self._count()
        rate = (len(self.updates) - self._carried) * self.experiment.batch_size / max(self._trained, 1e-9)
        means = {name: float(np.mean([values[name] for values in self.updates])) for name in self.updates[0]}
        task = self.experiment.task
        record = task.record(means) | {"grad_norm": self._grad_norm, "examples_per_second": rate}
        if self._rate_of is not None:
            record["learning_rate"] = float(self._rate_of(self._last))
        self._write(self._last, "train", record)
        # Of this record alone, so that the unit stays what it is.
        unit, number = natural_unit(self.experiment, [record])
        score = f"{in_digits(number(record))} {unit}"
        self._progress.train(self._last, score, f"{rate:.0f} examples/s", words(task, self.experiment, record))
        self.updates, self._carried, self._trained = [], 0, 0.0

    def valid(self, step: int, score: Score) -> float:
        """Records a validation and returns its loss. FloatingPointError if that is not finite."""
        task = self.experiment.task
        self._check_finite(f"validation's {task.measure}", score.loss, step, _VALIDATION)
        self._write(step, "valid", score.record | {"examples_per_second": score.examples / score.seconds})
        self.note(f"step {step}  valid {words(task, self.experiment, score.record)}")
        return score.loss

    def exhibit(self, step: int, exhibits: dict[str, Exhibit]) -> None:
        """Writes examples into samples/ and to the loggers: as a picture, as text, whose first example is also printed, and the
        first few as sound."""
        for name, exhibit in exhibits.items():
            exhibit = exhibit._replace(waveforms=exhibit.waveforms[:_HEARD])
            exhibit.save(self.run / "samples" / f"{step:08d}", overwrite=True)
            for logger in self._loggers:
                logger.call(lambda to, name=name, exhibit=exhibit: to.exhibit(step, name, exhibit))
            if exhibit.texts:
                self._progress.note(exhibit.texts[0])

    def test(self, step: int, score: Score, facts: dict) -> None:
        """Records the result, of the parameters of `step`, with `facts` that belong to it, and draws loss.png."""
        task = self.experiment.task
        self._check_finite(f"test's {task.measure}", score.loss, step, _IMPOSSIBLE)
        lost = {"records_lost": self.lost} if self.lost else {}
        title = self.experiment.data.title + (f"; {self.lost} earlier records are lost" if lost else "")
        self._write(step, "test", score.record | facts | lost)
        write_whole(self.run / "loss.png", loss_picture(self.experiment, self.records, title))
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
        for logger in self._loggers:
            logger.call(lambda to: to.record(record))


_SLOWER = (
    "try, with another --run, a smaller --optimizer.learning-rate or --optimizer.clip, or a longer --optimizer.schedule.warmup"
)
_IMPOSSIBLE = "under the model at least one example is impossible; check that its head covers every value in the data"
# What may be the cause, and what to do, where the data raise no doubts.
_START = f"these are the initial parameters, before any learning: {_IMPOSSIBLE}"
_VALIDATION = f"the last checkpoint before it, if any, is kept; if training diverged {_SLOWER}; else {_IMPOSSIBLE}"
