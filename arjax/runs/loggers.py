"""Loggers beside metrics.jsonl: TensorBoard, Weights & Biases, MLflow.

Each is a Logger, whose methods may raise anything and take any time. A thread of its own calls it, so that a slow or missing
server does not stop the run: the run prints one line, and continues without the logger.
"""

import importlib.util
import json
import logging
import os
import queue
import re
import secrets
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Protocol

from arjax.data.exhibit import Exhibit
from arjax.description import describe
from arjax.errors import InputError, one_line, require
from arjax.files import read_file, write_whole
from arjax.runs.hosts import is_first
from arjax.runs.metrics import is_finite
from arjax.training.experiment import Experiment, Loggers

# The most calls in a logger's queue, and the seconds that the end of a run waits for it.
_WAITING, PATIENCE = 1000, 60
# Characters of a parameter that MLflow takes.
_LONGEST = 6000


class Logger(Protocol):
    """Takes the records of a run."""

    def record(self, record: dict) -> None:
        """Takes a record of metrics.jsonl."""
        ...

    def exhibit(self, step: int, name: str, exhibit: Exhibit) -> None:
        """Takes examples after `step` steps: as picture, text and sound."""
        ...

    def close(self) -> None:
        """Flushes and closes."""
        ...


def check(loggers: Loggers) -> None:
    """Raises InputError if a chosen logger is not installed, or has no key. On a terminal its own prompt for the key appears."""
    if loggers.wandb is not None:
        wandb = require("wandb", extra="wandb")
        if os.environ.get("WANDB_MODE", "online") not in ("offline", "disabled", "dryrun"):
            try:
                wandb.login()
            except wandb.errors.UsageError as error:
                raise InputError(
                    f"--log.wandb {loggers.wandb} has no key ({one_line(error)}); run `wandb login`, or choose "
                    "WANDB_MODE=offline, which keeps what is logged in the run's directory"
                ) from None
            except wandb.errors.Error:
                pass  # a server that cannot be reached, or refuses the key, costs the run a line
    if loggers.mlflow is not None:
        require("mlflow", extra="mlflow")


def opened(run: Path, experiment: Experiment, step: int, note: Callable[[str], None]) -> tuple["Guarded", ...]:
    """Opens the loggers that the experiment chooses, for a run that continues from `step`; only the first process has any.

    note: prints a line.
    """
    chosen = experiment.log
    if not is_first():
        return ()
    opens: dict[str, Callable[[], Logger]] = {}
    if chosen.tensorboard and importlib.util.find_spec("tensorboardX"):
        opens["TensorBoard"] = lambda: TensorBoard(run / "tensorboard", experiment, step)
    elif chosen.tensorboard:
        note("no tensorboard/: pip install 'arjax[tensorboard]'")
    if chosen.wandb is not None:
        opens["Weights & Biases"] = lambda: WandB(run, experiment, chosen.wandb)
    if chosen.mlflow is not None:
        opens["MLflow"] = lambda: MLflow(run, experiment, chosen.mlflow)
    return tuple(Guarded(name, open_it, note) for name, open_it in opens.items())


class Guarded:
    """A logger that cannot harm a run: a thread of its own opens and calls it, in order, and drops it once it fails."""

    def __init__(self, name: str, opens: Callable[[], Logger], note: Callable[[str], None]):
        self._name, self._note, self._lost = name, note, False
        self._calls: queue.Queue = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, args=(opens,), daemon=True)
        self._thread.start()

    def call(self, method: Callable[[Logger], None]) -> None:
        """Queues a call of `method` with the logger."""
        if self._lost:
            return
        try:
            self._calls.put_nowait(method)
        except queue.Full:
            self._lose(f"{_WAITING} records wait for it")

    def close(self) -> None:
        """Waits until the logger has all records, at most PATIENCE seconds."""
        self.call(lambda logger: logger.close())
        self.call(None)
        if not self._lost:
            self._thread.join(min(2, PATIENCE))
            if self._thread.is_alive():
                self._note(f"waiting for {self._name}, {PATIENCE} s at most")
            self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._lose(f"it was not done {PATIENCE} s after the run")

    def _work(self, opens):
        try:
            logger = opens()
            while (method := self._calls.get()) is not None:
                method(logger)
        except Exception as error:  # whatever another library or its server does
            self._lose(one_line(error))

    def _lose(self, reason):
        if not self._lost:
            self._lost = True
            self._note(f"note: {self._name} lacks all further records ({reason}); metrics.jsonl has them")


def _tagged(record: dict) -> dict[str, float]:
    return {f"{record['split']}/{name}": value for name, value in record.items()
            if name != "step" and is_finite(value)}  # fmt: skip


def _config(experiment) -> str:
    return json.dumps(describe(experiment), indent=2)


class TensorBoard:
    """TensorBoard's file of events in `folder`, for a run that continues from `step`; later events in older files are hidden."""

    def __init__(self, folder: Path, experiment: Experiment, step: int):
        from tensorboardX import summary
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import SessionLog

        folder.mkdir(parents=True, exist_ok=True)
        self._writer = EventsWriter(str(folder / "events"), f".{os.getpid()}")
        self._add(step + 1, session_log=SessionLog(status=SessionLog.START))
        self._add(step, summary=summary.text("experiment", _as_code(_config(experiment))))

    def record(self, record):
        from tensorboardX import summary

        for name, value in _tagged(record).items():
            self._add(record["step"], summary=summary.scalar(name, value))

    def exhibit(self, step, name, exhibit):
        from tensorboardX import summary

        if exhibit.picture is not None:
            self._add(step, summary=summary.image(name, exhibit.picture, dataformats="HWC"))
        if exhibit.texts:
            self._add(step, summary=summary.text(name, _as_code(exhibit.text)))
        for i, waveform in enumerate(exhibit.waveforms):
            self._add(step, summary=summary.audio(f"{name}/{i}", waveform[:, None], exhibit.sample_rate))

    def close(self):
        self._writer.close()

    def _add(self, step, **what) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._writer.write_event(Event(step=step, wall_time=time.time(), **what))
        self._writer.flush()


def _as_code(text: str) -> str:
    # TensorBoard takes text for Markdown: as code every character stays as it is.
    return textwrap.indent(text, "    ", lambda line: True)


class WandB:
    """A run in a project of Weights & Biases. It continues when the run continues."""

    def __init__(self, run: Path, experiment: Experiment, project: str):
        import wandb

        settings = wandb.Settings(silent=True, console="off", disable_git=True, save_code=False)
        config, name = describe(experiment), run.absolute().name
        self._run = wandb.init(
            project=project, name=name, dir=run, id=_kept(run / "wandb" / "id", lambda: secrets.token_hex(8)), resume="allow",
            config=config, settings=settings
        )  # fmt: skip
        self._run.define_metric("*", step_metric="step")

    def record(self, record):
        self._run.log(_tagged(record) | {"step": record["step"]})

    def exhibit(self, step, name, exhibit):
        import wandb

        shown = {} if exhibit.picture is None else {name: wandb.Image(exhibit.picture)}
        if exhibit.texts:
            shown[f"{name}/text"] = wandb.Html(f"<pre>{escape(exhibit.text)}</pre>")
        for i, waveform in enumerate(exhibit.waveforms):
            shown[f"{name}/{i}"] = wandb.Audio(waveform, exhibit.sample_rate)
        self._run.log(shown | {"step": step})

    def close(self):
        self._run.finish()


class MLflow:
    """A run in an experiment of MLflow. It continues when the run continues."""

    def __init__(self, run: Path, experiment: Experiment, name: str):
        import mlflow

        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it would write into the line of progress
        self._client = mlflow.MlflowClient()
        found = self._client.get_experiment_by_name(name)
        of = found.experiment_id if found else self._client.create_experiment(name)
        self._id = _kept(run / "mlflow" / "id", lambda: self._begin(of, run.absolute().name, describe(experiment)))
        self._client.update_run(self._id, "RUNNING")
        self._client.log_text(self._id, _config(experiment), "experiment.json")

    def _begin(self, of, name, config) -> str:
        from mlflow.entities import Param

        began = self._client.create_run(of, run_name=name).info.run_id
        parameters = [Param(name, str(value)[:_LONGEST]) for name, value in _fields(config, "")]
        for i in range(0, len(parameters), 100):  # as many as MLflow takes at once
            self._client.log_batch(began, params=parameters[i : i + 100])
        return began

    def record(self, record):
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(self._id, [Metric(name, value, now, record["step"]) for name, value in _tagged(record).items()])

    def exhibit(self, step, name, exhibit):
        with tempfile.TemporaryDirectory() as folder:
            exhibit.save(Path(folder) / f"{step:08d}")
            self._client.log_artifacts(self._id, folder, name)

    def close(self):
        self._client.set_terminated(self._id)


def _fields(config, path: str) -> Iterator[tuple[str, object]]:
    """The fields of a described object, and of its parts, by their dotted names."""
    if not isinstance(config, dict):
        yield path, config
        return
    for name, value in config.items():
        yield from _fields(value, f"{path}.{name}".removeprefix("."))


def _kept(path: Path, make: Callable[[], str]) -> str:
    """The name of the run on a logger's server: that of an earlier start in the file, else a new one."""
    if path.exists():
        kept = read_file(path).decode(errors="replace").strip()
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", kept):
            raise InputError(f"{path} holds no name of a run; delete it to begin another")
        return kept
    path.parent.mkdir(exist_ok=True)
    write_whole(path, (made := make()))
    return made
