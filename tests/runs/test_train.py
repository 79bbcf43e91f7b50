"""train.py: what a run leaves behind, how it goes on, and how it ends. Nearly all of it in this process; the torture tests of
tests/hostile/ kill processes."""

import contextlib
import signal
from pathlib import Path

import jax
import numpy as np
import pytest
from trained import records

import arjax
import train as script
from arjax.errors import InputError, one_line_errors
from arjax.runs import checkpoints, loop
from arjax.runs.load import open_run
from arjax.training import Likelihood
from arjax.training.objective import Score

CONFIG = """
import arjax
from arjax.data import Digits
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.training import AdamW, Cosine, Experiment, Mesh

experiment = Experiment(
    data=Digits(),
    model=arjax.Model(MADE(hidden=(16,), dropout=0.2), Bernoulli(), (8, 8), arjax.orders.AnyOrder(), arjax.CondSpec(members=2)),
    optimizer=AdamW(learning_rate=1e-2, schedule=Cosine(warmup=5)), mesh=Mesh(1),
    batch_size=32, accumulate=2, steps=30, eval_every=10, log_every=4, eval_batch_size=300, samples=4, ensemble=2,
)
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("config") / "tiny.py"
    path.write_text(CONFIG)
    return str(path)


@pytest.fixture(scope="module")
def trained(config):
    """The folder of a run that was left alone, and what it printed. Tests leave it as it is."""
    run, printed = Path(config).parent / "run", Path(config).parent / "printed"
    with printed.open("w") as file, contextlib.redirect_stdout(file):
        assert script.main([config, "--run", str(run)]) == 0
    return run, printed.read_text()


def assert_same(run, other):
    """The same records, parameters and pictures, to the last bit."""
    assert records(run) == records(other)
    for raw in (False, True):
        (model, params), (other_model, other_params) = arjax.load(run, raw=raw), arjax.load(other, raw=raw)
        assert model == other_model
        jax.tree.map(np.testing.assert_array_equal, params, other_params)
    one, two = ({path.name: path.read_bytes() for path in (folder / "samples").iterdir()} for folder in (run, other))
    assert one == two


def stamps(run):
    return {path: path.stat().st_mtime_ns for path in run.rglob("*")}


def nth(count, action, function):
    """`function`, the `count`-th call of which does `action` first."""
    calls = []

    def counted(*arguments, **options):
        calls.append(1)
        if len(calls) == count:
            action()
        return function(*arguments, **options)

    return counted


def killed():
    raise InterruptedError("killed")


def test_train_leaves_everything_behind_and_says_what_it_found(trained):
    run, printed = trained
    names = {"run.json", "metrics.jsonl", "checkpoints", "samples", "tensorboard", "loss.png"}
    assert {path.name for path in run.iterdir()} >= names
    assert [path.name for path in sorted((run / "samples").iterdir())] == ["00000010.png", "00000020.png", "00000030.png"]
    by_split = {split: [r for r in records(run) if r["split"] == split] for split in ("train", "valid", "test")}
    assert [r["step"] for r in by_split["train"]] == [4, 8, 10, 12, 16, 20, 24, 28, 30]
    assert [r["step"] for r in by_split["valid"]] == [10, 20, 30]
    (test,) = by_split["test"]
    assert test["nats"] < by_split["train"][0]["nats"]
    assert test["bits_per_dim"] == pytest.approx(test["nats"] / (64 * np.log(2)))
    assert test["step"] == min(by_split["valid"], key=lambda r: r["nats"])["step"]
    said = (
        "nats per example",
        "independent Bernoulli",
        "digits 8x8",
        "threshold at 7",
        "mixture of 2",
        "memory of a step, as it",
    )
    for part in (f"{test['nats']:.3f}", *said):
        assert part in printed


def test_train_says_that_a_run_is_finished_and_changes_nothing(trained, config, capsys):
    before = stamps(trained[0])
    assert script.main([config, "--run", str(trained[0])]) == 0
    printed = capsys.readouterr().out
    assert "is finished" in printed
    assert "nats per example" in printed
    assert stamps(trained[0]) == before


def test_train_refuses_another_experiment_in_the_same_directory(trained, config, capsys):
    before = stamps(trained[0])
    with pytest.raises(SystemExit) as end, one_line_errors():
        script.main([config, "--run", str(trained[0]), "--model.net.hidden", "17"])
    assert end.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "holds a different experiment (model.net.hidden: 16 there, 17 here)" in line
    assert stamps(trained[0]) == before


def test_train_goes_on_to_the_same_bits_after_it_was_killed_and_interrupted(trained, config, tmp_path, monkeypatch, capsys):
    argv = [config, "--run", str(tmp_path / "run")]
    # As its second checkpoint was due; then by a signal at a step of which no record tells; then as the next began to be written.
    with monkeypatch.context() as patch:
        patch.setattr(Likelihood, "validate", nth(2, killed, Likelihood.validate))
        with pytest.raises(InterruptedError):
            script.main(argv)
    with monkeypatch.context() as patch:
        term = lambda: signal.raise_signal(signal.SIGTERM)  # noqa: E731
        patch.setattr(loop, "place_batch", nth(5, term, loop.place_batch))
        assert script.main(argv) == 143
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", nth(1, killed, checkpoints.save))
        with pytest.raises(InterruptedError):
            script.main(argv)
    assert script.main(argv) == 0
    printed = capsys.readouterr().out
    assert "continuing from step 10\n" in printed
    saved = int(printed.split("interrupted and saved at step ")[1].split(";")[0])
    assert saved not in (12, 16, 20)
    assert f"interrupted and saved at step {saved}; to continue: python train.py {config}" in printed
    assert printed.count(f"continuing from step {saved}\n") == 2
    assert_same(tmp_path / "run", trained[0])


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (
            ["--mesh.data", "4", "--accumulate", "1", "--batch-size", "30"],
            "batch_size=30 is not divisible by 4 devices; choose 32",
        ),
        (["--batch-size", "5000"], "batch_size=5000 is not in 1.."),
        (["--model.site-shape", "4", "16"], "has examples of shape (8, 8), but the model's are (4, 16)"),
        (["--run", "tiny.py/run"], "tiny.py/run"),
    ],
)
def test_train_ends_in_one_line_for_wrong_input_and_writes_nothing(tmp_path, monkeypatch, capsys, flags, part):
    monkeypatch.chdir(tmp_path)
    Path("tiny.py").write_text(CONFIG)
    with pytest.raises(SystemExit) as end, one_line_errors():
        script.main(["tiny.py", *flags])
    printed = capsys.readouterr()
    assert (end.value.code, printed.out) == (2, "")
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert part in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.py"]


NARROW = """
from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp

import arjax
from arjax.data import Npz, Threshold
from arjax.heads import Bernoulli
from arjax.training import Experiment, Mesh


class Narrow(nn.Module):
    width: int = 4
    any_order: ClassVar[bool] = False
    decays: ClassVar[tuple[str, ...]] = ()
    spec: Any = None

    @nn.compact
    def __call__(self, x, order, cond=None, *, key=None):
        if self.width % 2:
            raise ValueError(f"width={self.width} is odd; choose an even one")
        bias = self.param("bias", nn.initializers.zeros, (self.spec.num_sites, self.spec.param_size))
        return jnp.broadcast_to(bias, (len(x), *bias.shape))


experiment = Experiment(
    data=Npz("mine.npz", Threshold(0)), model=arjax.Model(Narrow(), Bernoulli(), (3,)), mesh=Mesh(1),
    batch_size=8, steps=2, eval_every=1, eval_batch_size=16, samples=0,
)
"""


@pytest.fixture
def narrow(tmp_path, monkeypatch):
    """A folder with the config above and its data, which is the current one."""
    monkeypatch.chdir(tmp_path)
    Path("narrow.py").write_text(NARROW)
    np.savez("mine.npz", **{name: np.eye(3)[np.arange(16) % 3] for name in ("train", "valid", "test")})


@pytest.mark.usefixtures("narrow")
def test_train_leaves_no_directory_of_a_model_that_cannot_be_traced():
    with pytest.raises(ValueError, match="width=3 is odd"):
        script.main(["narrow.py", "--model.net.width", "3"])
    assert not Path("runs").exists()


@pytest.mark.usefixtures("narrow")
def test_train_does_not_go_on_with_other_data_under_the_same_path(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Likelihood, "validate", nth(1, killed, Likelihood.validate))
        with pytest.raises(InterruptedError):
            script.main(["narrow.py"])
    before = Path("mine.npz").read_bytes()
    np.savez("mine.npz", **{name: np.eye(3)[np.arange(17) % 3] for name in ("train", "valid", "test")})
    with pytest.raises(ValueError, match="was begun on other data"):
        script.main(["narrow.py"])
    Path("mine.npz").write_bytes(before)
    assert script.main(["narrow.py"]) == 0


@pytest.mark.usefixtures("narrow")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_train_ends_with_the_next_best_checkpoint_where_the_best_is_damaged(monkeypatch, capfd):
    def damaged(folder, abstract):
        (folder / "2" / "default" / "_METADATA").unlink()
        return restore_best(folder, abstract)

    restore_best = checkpoints.restore_best
    monkeypatch.setattr(checkpoints, "restore_best", damaged)
    # Every step is better than the one before: the only parameters are those of independent sites.
    assert script.main(["narrow.py", "--optimizer.schedule.warmup", "0"]) == 0
    assert "checkpoint 2 was better on validation but is damaged; the result is that of step 1" in capfd.readouterr().out


@pytest.mark.usefixtures("narrow")
def test_train_does_not_blame_the_optimizer_for_a_result_that_is_not_finite(monkeypatch):
    score = Score(float("inf"), {"nats": float("inf"), "dims": 64.0}, 3, 1.0)
    monkeypatch.setattr(Likelihood, "test", lambda *_, **__: score)
    with pytest.raises(FloatingPointError, match=r"\Athe test's nats is inf at step 2; [^\n]*\Z") as error:
        script.main(["narrow.py"])
    assert "--optimizer" not in str(error.value)


def test_train_stops_where_a_loss_is_not_finite_and_keeps_the_last_good_checkpoint(config, tmp_path, capsys):
    wild = ["--optimizer.learning-rate", "1e30", "--optimizer.schedule.warmup", "25", "--optimizer.clip", "None"]
    with pytest.raises(SystemExit) as end, one_line_errors():
        script.main([config, "--run", str(tmp_path / "run"), "--eval-every", "1", "--samples", "0", *wild])
    line = capsys.readouterr().err
    assert (end.value.code, line.count("\n")) == (1, 1)
    assert "--optimizer.learning-rate" in line
    kept = [int(path.name) for path in (tmp_path / "run" / "checkpoints").iterdir() if path.name.isdigit()]
    assert kept
    assert max(kept) < int(line.split("at step ")[1].split(";")[0])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(arjax.load(tmp_path / "run", raw=True).params))


# An objective of a user's own: it shows its numbers by their names, and draws nothing.
OWN = """
import dataclasses
from typing import ClassVar

import jax.numpy as jnp

import arjax
from arjax.data import Npz, Real, Table
from arjax.training import Adam, Experiment, Mesh, Score


@dataclasses.dataclass(frozen=True)
class Mean:
    measure: ClassVar[str] = "distance"

    def check(self, experiment): pass
    def check_data(self, experiment, splits): pass
    def init(self, experiment, key): return {"mean": jnp.zeros((1, 3))}, ()
    def record(self, metrics): return {"distance": metrics["loss"]}
    def learned(self, experiment, params, state): return params

    def loss(self, experiment, params, state, batch, key):
        return jnp.square(batch["x"] - params["mean"]).mean(), (state, {})

    def validate(self, experiment, params, state, split, *, batch_size, key, place=jnp.asarray):
        distance = float(jnp.square(place(split.x) - params["mean"]).mean())
        return Score(distance, {"distance": distance}, len(split.x), 1.0)

    def test(self, experiment, params, state, splits, which="test", **scoring):
        return self.validate(experiment, params, state, getattr(splits, which), **scoring)


@dataclasses.dataclass(frozen=True)
class Mine:
    values: Real = Real()
    medium = Table()
    title = "a table of my own"

    def load(self): return Npz("mine.npz", self.values).load()


experiment = Experiment(
    data=Mine(), model=None, task=Mean(), optimizer=Adam(), mesh=Mesh(1),
    batch_size=8, steps=2, eval_every=1, eval_batch_size=16,
)
"""


@pytest.mark.usefixtures("narrow")
def test_train_and_open_run_take_an_objective_and_data_of_ones_own(capsys):
    Path("own.py").write_text(OWN)
    assert script.main(["own.py"]) == 0
    printed = capsys.readouterr().out
    assert "step 2  valid distance 0.3" in printed
    assert "a table of my own" in printed
    # The data have the fields that CONTRIBUTING.md lists, and no folder.
    assert open_run("runs/own", modules=(f"{Path.cwd().name}.own",)).params["mean"].shape == (1, 3)
    with pytest.raises(InputError, match="lies in no folder; leave it out"):
        open_run("runs/own", root="here", modules=(f"{Path.cwd().name}.own",))
    assert script.main(["own.py"]) == 0
    assert "is finished" in capsys.readouterr().out
