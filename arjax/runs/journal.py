"""What happens in a run, told as it happens: to metrics.jsonl, to TensorBoard, and to whoever is watching.

A step's metrics are read when the next step has been handed to the device, which therefore never waits for the host.
"""

import contextlib
import math
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from arjax.data.splits import heard, shown
from arjax.pictures import density_over_histogram, image_grid, save_png, sound_picture
from arjax.runs.metrics import Metrics
from arjax.runs.progress import Progress
from arjax.runs.report import pictured, rule_between, to_density, words, write_sounds, write_texts
from arjax.training.experiment import Experiment
from arjax.training.objective import Score

# Samples of sound that a validation leaves behind: each is a file of its own.
_HEARD = 8


class Journal:
    """The journal of the run of `experiment` in the directory `run`, from step `first` on. `updates`: what an earlier attempt
    left in `self.updates`, for the next record to count. A context manager.

    `seconds` in a record counts what the run took until then: compilation, training, validation, samples and test, of all its
    attempts together; of an attempt that was interrupted, up to the last record that was kept. Starting up is not counted.
    """

    def __init__(self, run: Path, experiment: Experiment, first: int, updates: Sequence[dict] = ()):
        self.run, self.experiment, self.first = run, experiment, first
        self._carried = updates
        self._pending = None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.metrics = stack.enter_context(Metrics(self.run, self.first, self.experiment.task.measure))
            self.progress = stack.enter_context(Progress(self.first, self.experiment.steps))
            self._stack = stack.pop_all()
        earlier = self.metrics.records[-1]["seconds"] if self.metrics.records else 0.0
        self._began = time.monotonic() - earlier
        self._restart(self._carried)
        return self

    def __exit__(self, *exception):
        self._stack.close()

    @property
    def records(self) -> list[dict]:
        """Every record of the run so far."""
        return self.metrics.records

    def train(self, step: int, metrics: dict) -> None:
        """The update that made it `step` steps was handed to the device. FloatingPointError if the one before went wrong."""
        self.settle()
        self._pending = step, metrics

    def settle(self) -> None:
        """Wait for the last update. FloatingPointError if it went wrong."""
        if self._pending is None:
            return
        (step, metrics), self._pending = self._pending, None
        values = {name: float(value) for name, value in metrics.items()}
        self._grad_norm = values.pop("grad_norm")
        _check_finite("loss", values["loss"], step, _TRAINING)
        _check_finite("gradient's norm", self._grad_norm, step, _TRAINING)
        self.updates.append(values)
        self._last = step
        self.progress.advance(step)
        if step % self.experiment.log_every == 0:
            self.summarise()

    def summarise(self) -> None:
        """Record the updates since the last record, if there were any."""
        if not self.updates:
            return
        elapsed = max(time.monotonic() - self._counting_since, 1e-9)
        rate = (len(self.updates) - len(self._carried)) * self.experiment.batch_size / elapsed
        means = {name: float(np.mean([values[name] for values in self.updates])) for name in self.updates[0]}
        record = self.experiment.task.record(means) | {"grad_norm": self._grad_norm, "examples_per_second": rate}
        self._write(self._last, "train", record)
        self.progress.train(self._last, f"{words(self.experiment.task, self.experiment, record)}  {rate:.0f} examples/s")
        self._restart()

    def valid(self, step: int, score: Score) -> None:
        """A validation. FloatingPointError if it is not finite."""
        _check_finite(f"validation's {self.experiment.task.measure}", score.loss, step, _VALIDATION)
        self._write(step, "valid", score.record | {"examples_per_second": score.examples / score.seconds})
        self.note(f"step {step}  valid {words(self.experiment.task, self.experiment, score.record)}")
        self._restart()

    def samples(self, step: int, x) -> None:
        """Samples [B, *site_shape, *E] into samples/ and TensorBoard: as a picture, as text, of which the first also comes before
        whoever is watching, or the first few as sound and a picture of it."""
        images = pictured(self.experiment.data, x, self.experiment.model.head.vocab)
        if images is not None:
            self.picture(step, "samples", image_grid(images))
        if (texts := shown(self.experiment.data, x)) is not None:
            write_texts(self.run / "samples" / f"{step:08d}.txt", texts)
            self.metrics.text("samples", rule_between(texts), step)
            self.note(texts[0])
        if (sound := heard(self.experiment.data, x[:_HEARD])) is not None:
            write_sounds(self.run / "samples" / f"{step:08d}", sound)
            picture = sound_picture(*sound, f"{self.experiment.data.title}, step {step}")
            self.picture(step, "samples", picture)
            for i, waveform in enumerate(sound.waveforms):
                self.metrics.audio(f"samples/{i}", waveform, sound.sample_rate, step)
        self._restart()

    def density(self, step: int, params, x) -> None:
        """The model's density over the histogram of raw data x [N, ...]: into samples/ and TensorBoard, if it has one site."""
        curve = to_density(self.experiment.model, params, x)
        if curve is not None:
            data = self.experiment.data
            picture = density_over_histogram(*curve, data.values(jax.random.key(0), x), f"{data.title}, step {step}")
            self.picture(step, "density", picture)
        self._restart()

    def picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """uint8 [h, w, 3] into samples/, and under this name into TensorBoard."""
        save_png(self.run / "samples" / f"{step:08d}.png", picture)
        self.metrics.image(name, picture, step)
        self._restart()

    def test(self, step: int, score: Score, facts: dict) -> None:
        """The result, of the parameters of `step`, with `facts` that belong to it."""
        _check_finite(f"test's {self.experiment.task.measure}", score.loss, step, _IMPOSSIBLE)
        self._write(step, "test", score.record | facts)

    def note(self, line: str) -> None:
        """Tell whoever is watching."""
        self.progress.note(line)

    def _restart(self, carried: Sequence[dict] = ()):
        self.updates, self._carried, self._counting_since = list(carried), carried, time.monotonic()

    def _write(self, step, split, record) -> None:
        self.metrics.write({"step": step, "split": split, **record, "seconds": time.monotonic() - self._began})


_SLOWER = "a smaller --optimizer.learning-rate, a longer --optimizer.warmup or a smaller --optimizer.clip"
_IMPOSSIBLE = "under the model at least one example is impossible; check that its head covers every value in the data"
# What may be the cause, and what to do, where training, validation or the test is not finite.
_TRAINING = f"the checkpoint before it is kept; try, with another --run, {_SLOWER}"
_VALIDATION = f"the checkpoint before it is kept; if training diverged try, with another --run, {_SLOWER}; else {_IMPOSSIBLE}"


def _check_finite(name, value, step, remedy):
    if not math.isfinite(value):
        raise FloatingPointError(f"the {name} is {value} at step {step}; {remedy}")
