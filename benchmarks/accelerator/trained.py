"""Configs trained by train.py, with as many of their steps as three minutes hold.

Their data are read from $ARJAX_DATA, or downloaded where there is a network; without data a config is skipped. A run that was
interrupted goes on. No samples are drawn: speed.py measures these.
"""

import functools
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import train
from arjax.errors import InputError, one_line
from arjax.measure.bench import time_training
from arjax.measure.results import rounded, table
from arjax.runs.config import edit, load_config
from arjax.runs.directory import read_run
from arjax.runs.load import prepare
from arjax.runs.metrics import read_metrics
from benchmarks.accelerator.part import Row, Setting

LIMIT = 180  # seconds
TRAINING = 0.7  # of them; the rest is for evaluations and checkpoints
COMPILATIONS = 2  # train.py compiles a step of its own, and evaluations


class Run(NamedTuple):
    """A config with flags. each: is -log p given for a value, not for an example? target: nats that count as reached."""

    config: str
    flags: tuple[str, ...] = ()
    each: bool = False
    target: float | None = None


SHAKESPEARE = Run("configs/shakespeare_gpt.py", ("--model.net.dtype", "bfloat16"), each=True, target=1.47)
MNIST = Run("configs/mnist_gated_pixelcnn.py")
SMALL_TEXT = ("--data.length", "16", "--model.net.width", "16", "--model.net.layers", "1", "--model.net.dtype", "bfloat16")
TINY_SHAKESPEARE = Run("configs/my_text.py", ("--data.path", "README.md", *SMALL_TEXT), each=True, target=1.47)
TINY_MNIST = Run("configs/digits_gated_pixelcnn.py", ("--model.net.width", "4", "--model.net.layers", "1"))
TINY_STEPS = 4


def shakespeare(setting: Setting) -> Iterable[Row]:
    """Lists nanoGPT's transformer on the characters of Shakespeare."""
    return [_row("shakespeare_gpt", TINY_SHAKESPEARE if setting.tiny else SHAKESPEARE, setting)]


def mnist(setting: Setting) -> Iterable[Row]:
    """Lists the gated PixelCNN on binarized MNIST."""
    return [_row("mnist_gated_pixelcnn", TINY_MNIST if setting.tiny else MNIST, setting)]


def _row(name: str, run: Run, setting: Setting) -> Row:
    folder = setting.path(f"{name}-run")
    return Row(name, functools.partial(_trained, run, folder, TINY_STEPS if setting.tiny else None))


def _trained(run: Run, folder: Path, count: int | None) -> dict:
    """Trains in `folder`, for so many steps or as many as the limit holds."""
    began = time.monotonic()
    experiment, _ = edit(load_config(run.config), list(run.flags), "", "accelerator")
    try:
        experiment, splits, *_ = prepare(experiment)
    except InputError as error:
        return {"skipped": one_line(error)}
    whole = experiment.steps
    if (folder / "run.json").exists():
        steps = read_run(folder).steps
    else:
        _, step = time_training(experiment, splits.train, 1)
        room = TRAINING * LIMIT - COMPILATIONS * (time.monotonic() - began)
        steps = count or min(whole, max(1, int(room / step)))
    warmup = min(experiment.optimizer.schedule.warmup, steps // 10)
    flags = {"steps": steps, "eval-every": max(1, steps // 10), "samples": 0, "optimizer.schedule.warmup": warmup, "run": folder}
    train.main([run.config, *run.flags, *(text for flag, value in flags.items() for text in (f"--{flag}", str(value)))])
    return _figures(run, read_metrics(folder / "metrics.jsonl"), whole, steps)


def _figures(run: Run, records: list[dict], whole: int, steps: int) -> dict:
    """What a run reached; `seconds` are those of training, evaluation and compilation together."""

    def nats(record):
        return record["nats"] / (record["dims"] if run.each else 1)

    test = next(record for record in records if record["split"] == "test")
    reached = [r for r in records if r["split"] == "valid" and run.target is not None and nats(r) <= run.target]
    return {
        "steps": steps,
        "steps_of_config": whole,
        "seconds": test["seconds"],
        "examples_per_second": max((r["examples_per_second"] for r in records if r["split"] == "train"), default=None),
        "test_nats": nats(test),
        "per": "value" if run.each else "example",
        "target": run.target,
        "seconds_to_target": reached[0]["seconds"] if reached else None,
        "steps_to_target": reached[0]["step"] if reached else None,
    }


def report(rows: dict[str, dict]) -> str:
    figures = ("steps", "steps_of_config", "seconds", "examples_per_second", "test_nats", "target", "seconds_to_target")
    heads = ["config", *(name.replace("_per_second", "/s").replace("_", " ") for name in figures), "nats are per"]
    return table(
        heads, [[name, *(rounded(row.get(figure)) for figure in figures), row.get("per", "-")] for name, row in rows.items()]
    )
