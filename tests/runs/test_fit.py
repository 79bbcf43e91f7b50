"""Training from Python."""

import io
import itertools
import shutil
import signal

import jax
import numpy as np
import pytest
from faults import fault

import arjax
from arjax.heads import Categorical
from arjax.models import Histogram
from arjax.runs import loop
from arjax.training.mesh import Mesh
from arjax.training.optimizers import Adam

MODEL = arjax.Model(Histogram(), Categorical(3), (2,))
X = np.array([[0, 1], [0, 2], [0, 1], [1, 1]])
FIELDS = {"steps": 4, "mesh": Mesh(data=1), "batch_size": 4, "ema": 0.0, "optimizer": Adam(0.1)}


def fit(**fields):
    return arjax.fit(MODEL, arjax.Arrays(X, X), **(FIELDS | fields))


def test_fit_learns_the_frequencies():
    fitted = fit(steps=300, eval_every=300, quiet=True)
    # Of the two sites: three zeros in four, and three ones in four; no symbol is there twice as often.
    entropy = -2 * (0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert fitted.test["nats"] == pytest.approx(entropy, abs=0.01)
    np.testing.assert_allclose(-arjax.log_prob(MODEL, fitted.params, X).mean(), fitted.test["nats"], rtol=1e-6)


def test_fit_escapes_what_the_encoding_of_stdout_lacks(monkeypatch):
    stdout = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr("sys.stdout", stdout)
    fit(steps=1)
    stdout.flush()
    assert rb" \xb1 " in stdout.buffer.getvalue()


def test_fit_trains_on_its_own_mesh_whatever_the_callers():
    with jax.set_mesh(jax.make_mesh((8,), ("batch",))):
        inside = fit(quiet=True)
    np.testing.assert_array_equal(inside.params["theta"], fit(quiet=True).params["theta"])


def test_fit_validates_ten_times_and_keeps_nothing_without_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    fitted = fit(steps=20)
    assert [record["step"] for record in fitted.records if record["split"] == "valid"] == [*range(2, 21, 2)]
    printed = capsys.readouterr().out
    assert "step 20  valid" in printed
    assert "written to" not in printed
    assert not list(tmp_path.iterdir())


def test_fit_continues_a_run_to_the_same_parameters(tmp_path, monkeypatch, capsys):
    """Interrupted by the third step, and called again."""
    whole = fit(eval_every=2, quiet=True)
    stopped, place = tmp_path / "run", loop.place_batch

    calls = itertools.count(1)

    def interrupt(batch, mesh):
        if next(calls) == 4:  # the step is compiled with one batch more
            signal.raise_signal(signal.SIGINT)
        return place(batch, mesh)

    monkeypatch.setattr(loop, "place_batch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(eval_every=2, run=stopped)
    assert "to continue: the same call of arjax.fit" in capsys.readouterr().out
    monkeypatch.undo()
    for _ in ("continued", "finished already"):
        again = fit(eval_every=2, run=stopped, quiet=True)
        jax.tree.map(np.testing.assert_array_equal, again.params, whole.params)
    assert [record["split"] for record in again.records][-1] == "test"
    assert arjax.load(stopped).model == MODEL


def test_fit_says_that_the_history_of_a_run_is_gone_and_what_is_left(tmp_path, capsys):
    whole = fit(eval_every=2, run=tmp_path / "run", quiet=True)
    (tmp_path / "run" / "metrics.jsonl").unlink()
    for gone in ("samples", "tensorboard"):  # pictures, and a copy of the history: whoever looks sees that they are gone
        shutil.rmtree(tmp_path / "run" / gone, ignore_errors=True)
    again = fit(eval_every=2, run=tmp_path / "run")
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "continuing from step 4; metrics.jsonl lacks 4 of the 4 records until there, and loss.png will lack them" in printed
    assert "4 records of metrics.jsonl, which wall time and loss.png may lack" in printed
    assert (again.test["nats"], again.test["records_lost"]) == (whole.test["nats"], 4)


def test_fit_refuses_what_does_not_fit():
    assert "batch_size=5 is not in 1..4" in fault(lambda: fit(batch_size=5))
    real = arjax.Arrays(X / 2, X / 2)
    assert "Categorical models symbols 0..2" in fault(lambda: arjax.fit(MODEL, real, steps=1))
