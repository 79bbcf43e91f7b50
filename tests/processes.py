"""train.py as a process that is waited for with a bound, killed, and never left behind; and whether two runs are the same."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest

import arjax

ROOT = Path(__file__).parents[1]
# Small, with many checkpoints; recorded at steps of which some are validated and some are not.
CONFIG = """
import arjax
from arjax.data import Digits
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.training import AdamW, Cosine, Experiment

experiment = Experiment(
    data=Digits(),
    model=arjax.Model(MADE(hidden=(16,), dropout=0.2), Bernoulli(), (8, 8)),
    optimizer=AdamW(learning_rate=1e-2, schedule=Cosine(warmup=5)),
    batch_size=32, steps=60, eval_every=4, log_every=6, eval_batch_size=512, samples=0,
)
"""
# Seconds for a command to come as far as a test waits for, on a busy machine.
PATIENCE = 240


def more(*row):
    """A row of a table of tests that `make torture` runs and CI does not."""
    return pytest.param(*row, marks=pytest.mark.torture)


class Started(NamedTuple):
    """A process that leads a group of its own, and the files it prints to."""

    process: subprocess.Popen
    stdout: Path
    stderr: Path

    @property
    def out(self) -> str:
        return self.stdout.read_text()

    @property
    def err(self) -> str:
        return self.stderr.read_text()


@contextlib.contextmanager
def started(folder: Path, *flags, name="run", devices=1, **environment) -> Iterator[Started]:
    """`python train.py` for the config above with `folder`/run as the run, in a process that sees so many devices; at the end its
    whole group is killed. `name`: of the files in `folder` that it prints to."""
    config = folder / "tiny.py"
    if not config.exists():
        config.write_text(CONFIG)
    # One executable for all, so that starting again costs little.
    cache = {"JAX_COMPILATION_CACHE_DIR": str(folder.parent / "compiled"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    given = {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(devices), "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    env = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"} | cache | given | environment
    argv = [sys.executable, str(ROOT / "train.py"), str(config), "--run", str(folder / "run"), *map(str, flags)]
    out, err = folder / f"{name}.out", folder / f"{name}.err"
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(argv, env=env, cwd=folder, stdout=stdout, stderr=stderr, start_new_session=True)
    try:
        yield Started(process, out, err)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def ended(run: Started, patience: float = PATIENCE) -> Ended:
    """What came of it. TimeoutExpired if it goes on for longer than `patience` seconds."""
    code = run.process.wait(patience)
    return Ended(code, run.out, run.err)


def train(folder: Path, *flags, **options) -> Ended:
    """Start it and wait for its end."""
    with started(folder, *flags, **options) as run:
        return ended(run)


def undisturbed_run(folder: Path, *flags) -> Path:
    """The folder of a run that was left alone."""
    done = train(folder, *flags)
    assert (done.code, done.err) == (0, "")
    return folder


def wait_until(run: Started, condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Asks again and again, a thousand times a second. AssertionError if the process ends before, or if it takes more than
    `patience` seconds."""
    end = time.monotonic() + patience
    while not condition():
        assert run.process.poll() is None, f"ended with {run.process.returncode}: {run.out[-500:]}{run.err}"
        assert time.monotonic() < end, f"waited {patience} s in vain: {run.out[-500:]}{run.err}"
        time.sleep(0.001)


def progress(run: Started) -> int:
    """How many lines tell of training or validation so far."""
    return sum(line.startswith("step ") for line in run.out.splitlines())


def half_written(folder: Path) -> list[str]:
    """The checkpoints that are, or were when their process was killed, being written."""
    return [path.name for path in (folder / "run" / "checkpoints").glob("*.orbax-checkpoint-tmp*")]


def records(folder: Path) -> list[dict]:
    """What metrics.jsonl says, without what differs from run to run: times."""
    lines = (folder / "run" / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in ("seconds", "examples_per_second")} for line in lines]


def checkpoints(folder: Path) -> list[int]:
    """The steps of those that are complete."""
    return sorted(int(path.name) for path in (folder / "run" / "checkpoints").iterdir() if path.name.isdigit())


def last_note(folder: Path) -> dict:
    """What is noted beside the last checkpoint: its loss, and the checksums of its state."""
    return json.loads((folder / "run" / "checkpoints" / str(checkpoints(folder)[-1]) / "metrics" / "metrics").read_text())


def assert_same(folder: Path, undisturbed: Path) -> None:
    """The same records; the same parameters, averaged and raw, of the best step; the same checksums of the whole last state."""
    assert records(folder) == records(undisturbed)
    assert last_note(folder) == last_note(undisturbed)
    for raw in (False, True):
        (model, params), (expected_model, expected) = (arjax.load(of / "run", raw=raw) for of in (folder, undisturbed))
        assert model == expected_model
        jax.tree.map(np.testing.assert_array_equal, params, expected)
