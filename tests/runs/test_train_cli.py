"""train.py as it is run: a process of its own, killed, interrupted, given nonsense."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import arjax
import train as script
from arjax.training import Likelihood
from arjax.training.objective import Score

ROOT = Path(__file__).parents[2]
CONFIG = """
import arjax
from arjax.data import Digits
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.training import AdamW, Experiment

experiment = Experiment(
    data=Digits(),
    model=arjax.Model(MADE(hidden=(16,), dropout=0.2), Bernoulli(), (8, 8), arjax.orders.AnyOrder(), arjax.CondSpec(members=2)),
    optimizer=AdamW(learning_rate=1e-2, warmup=5),
    batch_size=32, accumulate=2, steps=60, eval_every=20, log_every=5, eval_batch_size=128, samples=4, ensemble=2,
)
"""


def command(folder, *flags, devices=1):
    """Popen's arguments for the config above, in a process that sees so many devices."""
    config = folder / "tiny.py"
    config.write_text(CONFIG)
    env = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    env["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    argv = [sys.executable, str(ROOT / "train.py"), str(config), "--run", str(folder / "run"), *map(str, flags)]
    return {"args": argv, "env": env, "cwd": folder, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def train(folder, *flags, **options):
    return subprocess.run(**command(folder, *flags, **options), check=False, timeout=300)


def interrupted(folder, number, line, *flags):
    """Send a signal when `line` is printed: (exit status, all that was printed, stderr)."""
    process = subprocess.Popen(**command(folder, *flags))
    printed = ""
    for out in process.stdout:
        printed += out
        if line in out:
            process.send_signal(number)
    _, err = process.communicate(timeout=300)
    return process.returncode, printed, err


def records(folder):
    lines = (folder / "run" / "metrics.jsonl").read_text().splitlines()
    # Times differ from run to run; nothing else does.
    return [{k: v for k, v in json.loads(line).items() if k not in ("seconds", "examples_per_second")} for line in lines]


def same_parameters(one, other):
    for raw in (False, True):
        (model, params), (other_model, other_params) = (arjax.load(folder / "run", raw=raw) for folder in (one, other))
        assert model == other_model
        jax.tree.map(np.testing.assert_array_equal, params, other_params)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    done = train(folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done.stdout


def test_a_run_leaves_everything_behind_and_says_what_it_found(undisturbed):
    folder, printed = undisturbed
    run = folder / "run"
    assert {path.name for path in run.iterdir()} >= {
        "run.json",
        "metrics.jsonl",
        "checkpoints",
        "samples",
        "tensorboard",
        "loss.png",
    }
    assert [path.name for path in sorted((run / "samples").iterdir())] == ["00000020.png", "00000040.png", "00000060.png"]
    by_split = {split: [r for r in records(folder) if r["split"] == split] for split in ("train", "valid", "test")}
    assert [r["step"] for r in by_split["train"]] == list(range(5, 61, 5))
    assert [r["step"] for r in by_split["valid"]] == [20, 40, 60]
    (test,) = by_split["test"]
    assert test["nats"] < by_split["train"][0]["nats"]
    assert test["bits_per_dim"] == pytest.approx(test["nats"] / (64 * np.log(2)))
    assert test["step"] == min(by_split["valid"], key=lambda r: r["nats"])["step"]
    for part in (
        f"{test['nats']:.3f}",
        "nats per example",
        "independent Bernoulli",
        "digits 8x8",
        "threshold at 7",
        "mixture of 2",
        "memory of a step, as it was compiled: ",
        " MiB on each device",
    ):
        assert part in printed


@pytest.mark.slow
def test_the_same_command_again_elsewhere_gives_the_same_parameters_samples_and_numbers(undisturbed, tmp_path):
    assert train(tmp_path).returncode == 0
    same_parameters(undisturbed[0], tmp_path)
    assert records(tmp_path) == records(undisturbed[0])
    one, other = (sorted((folder / "run" / "samples").iterdir()) for folder in (undisturbed[0], tmp_path))
    assert [path.name for path in one] == [path.name for path in other]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_a_finished_run_says_so_and_changes_nothing(undisturbed):
    folder, _ = undisturbed
    before = {path: path.stat().st_mtime_ns for path in (folder / "run").rglob("*")}
    again = train(folder)
    assert (again.returncode, again.stderr) == (0, "")
    assert "is finished" in again.stdout
    assert "nats per example" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in (folder / "run").rglob("*")} == before


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_in_the_very_same_parameters(undisturbed, tmp_path):
    # In the first interval, where nothing is saved yet; as a checkpoint is being written; between two.
    for line in ("step 15/60", "step 20  valid", "step 45/60"):
        assert interrupted(tmp_path, signal.SIGKILL, line)[0] == -signal.SIGKILL
    assert train(tmp_path).returncode == 0
    same_parameters(undisturbed[0], tmp_path)
    assert records(tmp_path) == records(undisturbed[0])


@pytest.mark.slow
def test_an_interrupted_run_saves_says_how_to_continue_and_does(undisturbed, tmp_path):
    saved = 0
    for number, line, status in ((signal.SIGTERM, "step 25/60", 143), (signal.SIGINT, "step 45/60", 130)):
        code, printed, err = interrupted(tmp_path, number, line)
        assert (code, err) == (status, "")
        assert (f"continuing from step {saved}" in printed) == (saved > 0)
        last = printed.splitlines()[-1]
        assert last.startswith("interrupted and saved at step ")
        assert "to continue: python train.py" in last
        saved = int(last.split("step ")[1].split(";")[0])
    again = train(tmp_path)
    assert again.returncode == 0
    assert f"continuing from step {saved}" in again.stdout
    same_parameters(undisturbed[0], tmp_path)
    assert [(r["step"], r["split"]) for r in records(tmp_path)] == [(r["step"], r["split"]) for r in records(undisturbed[0])]


def test_another_experiment_in_the_same_directory_is_refused(undisturbed):
    folder, _ = undisturbed
    before = {path: path.stat().st_mtime_ns for path in (folder / "run").rglob("*")}
    refused = train(folder, "--model.net.hidden", 17)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    assert "holds a different experiment (model.net.hidden: [16] there, [17] here)" in refused.stderr
    assert {path: path.stat().st_mtime_ns for path in (folder / "run").rglob("*")} == before


@pytest.mark.parametrize(
    ("flags", "devices", "part"),
    [
        (["--model.net.hiden", 3], 1, "did you mean --model.net.hidden?"),
        (["--accumulate", 1, "--batch-size", 30], 4, "batch_size=30 is not divisible by 4 devices; choose 32"),
        (["--batch-size", 5000], 1, "batch_size=5000 is not in 1.."),
        (["--model.site-shape", 4, 16], 1, "has examples of shape (8, 8), but the model's are (4, 16)"),
        (["--run", "tiny.py/run"], 1, "tiny.py/run"),
    ],
)
def test_wrong_input_ends_in_one_line_and_writes_nothing(tmp_path, flags, devices, part):
    refused = train(tmp_path, *flags, devices=devices)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("error: ")
    assert refused.stderr.count("\n") == 1
    assert part in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.py"]


NARROW = """
from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp

import arjax
from arjax.data import Npz, Threshold
from arjax.heads import Bernoulli
from arjax.training import Experiment


class Narrow(nn.Module):
    width: int = 3
    any_order: ClassVar[bool] = False
    spec: Any = None

    @nn.compact
    def __call__(self, x, order, cond=None, *, key=None):
        if self.width % 2:
            raise ValueError(f"width={self.width} is odd; choose an even one")
        bias = self.param("bias", nn.initializers.zeros, (self.spec.num_sites, self.spec.param_size))
        return jnp.broadcast_to(bias, (len(x), *bias.shape))


experiment = Experiment(
    data=Npz("mine.npz", Threshold(0)), model=arjax.Model(Narrow(), Bernoulli(), (3,)),
    batch_size=8, steps=2, eval_every=1, eval_batch_size=5, samples=0,
)
"""


@pytest.fixture
def narrow(tmp_path, monkeypatch):
    """A folder with the config above and its data, which is the current one."""
    monkeypatch.chdir(tmp_path)
    Path("narrow.py").write_text(NARROW)
    np.savez("mine.npz", **{name: np.eye(3)[np.arange(16) % 3] for name in ("train", "valid", "test")})
    return tmp_path


def test_a_model_that_cannot_be_traced_leaves_no_directory_to_block_the_corrected_command(narrow):
    with pytest.raises(ValueError, match="width=3 is odd"):
        script.main(["narrow.py"])
    assert not Path("runs").exists()
    assert script.main(["narrow.py", "--model.net.width", "4"]) == 0


def test_a_run_does_not_go_on_with_other_data_under_the_same_path(narrow, monkeypatch):
    argv = ["narrow.py", "--model.net.width", "4"]
    with monkeypatch.context() as patch:
        patch.setattr(Likelihood, "validate", lambda *_, **__: (_ for _ in ()).throw(InterruptedError("killed")))
        with pytest.raises(InterruptedError):
            script.main(argv)
    before = Path("mine.npz").read_bytes()
    np.savez("mine.npz", **{name: np.eye(3)[np.arange(17) % 3] for name in ("train", "valid", "test")})
    with pytest.raises(ValueError, match="was begun on other data"):
        script.main(argv)
    Path("mine.npz").write_bytes(before)
    assert script.main(argv) == 0


def test_a_run_whose_best_checkpoint_is_damaged_ends_with_the_next_best_and_says_so(narrow, monkeypatch, capfd):
    def damaged(folder, abstract):
        (folder / "2" / "default" / "_METADATA").unlink()
        return restore_best(folder, abstract)

    restore_best = script.restore_best
    monkeypatch.setattr(script, "restore_best", damaged)
    # Every step is better than the one before: the only parameters are those of independent sites.
    assert script.main(["narrow.py", "--model.net.width", "4", "--optimizer.warmup", "0"]) == 0
    printed = capfd.readouterr()
    assert "checkpoint 2 was better on validation but is damaged; the result is that of step 1" in printed.out
    assert printed.err == ""


def test_a_result_that_is_not_finite_is_not_blamed_on_the_optimizer(narrow, monkeypatch):
    monkeypatch.setattr(Likelihood, "test", lambda *_, **__: Score(float("inf"), {"nats": float("inf"), "dims": 64.0}, 3, 1.0))
    with pytest.raises(FloatingPointError, match=r"\Athe test's nats is inf at step 2; [^\n]*\Z") as error:
        script.main(["narrow.py", "--model.net.width", "4"])
    assert "--optimizer" not in str(error.value)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path):
    failed = train(
        tmp_path, "--optimizer.learning-rate", 1e30, "--optimizer.warmup", 55, "--eval-every", 1, "--optimizer.clip", "None"
    )
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert "at step " in failed.stderr
    assert "--optimizer.learning-rate" in failed.stderr
    step = int(failed.stderr.split("at step ")[1].split(";")[0])
    kept = [int(path.name) for path in (tmp_path / "run" / "checkpoints").iterdir() if path.name.isdigit()]
    assert kept
    assert max(kept) < step
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(arjax.load(tmp_path / "run", raw=True).params))


@pytest.mark.slow
def test_several_devices_continue_what_one_began(undisturbed, tmp_path):
    interrupted(tmp_path, signal.SIGTERM, "step 25/60")
    assert train(tmp_path, devices=4).returncode == 0
    one, four = (arjax.load(folder / "run", raw=True).params for folder in (undisturbed[0], tmp_path))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), one, four)
