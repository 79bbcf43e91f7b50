"""Runs that go on for more steps, that stop early, and that keep more checkpoints."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from trained import records, words

import arjax
from arjax.__main__ import main
from arjax.data import Npz, Threshold
from arjax.errors import InputError
from arjax.heads import Bernoulli
from arjax.models import Histogram
from arjax.runs import checkpoints, directory
from arjax.runs.checkpoints import steps_in
from arjax.runs.load import open_run
from arjax.runs.loop import train
from arjax.training import Adam, Constant, Experiment, Likelihood, Mesh, WarmupStableDecay
from arjax.training.objective import Score


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """Of 20 steps with a constant learning rate, in the current directory."""
    monkeypatch.chdir(tmp_path)
    rows = {name: np.eye(3)[np.arange(16) % 3] for name in ("train", "valid", "test")}
    np.savez("mine.npz", **rows)
    return Experiment(
        data=Npz("mine.npz", Threshold(0)),
        model=arjax.Model(Histogram(), Bernoulli(), (3,)),
        optimizer=Adam(1e-2, Constant(warmup=3)),
        mesh=Mesh(1),
        batch_size=8,
        steps=20,
        eval_every=5,
        eval_batch_size=16,
        samples=0,
    )


def run(experiment, name, **fields):
    folder = Path(name)
    assert train(dataclasses.replace(experiment, **fields), folder, again="the same") == 0
    return folder


def scheduled(experiment, schedule):
    return dataclasses.replace(experiment, optimizer=Adam(1e-2, schedule))


def assert_same_parameters(one, other, **options):
    for raw in (False, True):
        jax.tree.map(np.testing.assert_array_equal, *(arjax.load(folder, raw=raw, **options).params for folder in (one, other)))


def described(folder):
    return json.loads((folder / "run.json").read_text())


def test_train_of_more_steps_with_a_constant_learning_rate_is_one_run_of_all_of_them(experiment, capsys):
    longer, before = run(experiment, "longer"), described(run(experiment, "longer"))
    run(experiment, "longer", steps=40)
    assert "longer was begun for 20 steps, and goes on from step 20 to 40" in capsys.readouterr().out
    whole = run(experiment, "whole", steps=40)
    assert records(longer) == records(whole)
    assert [record["split"] for record in records(longer)].count("test") == 1
    assert_same_parameters(longer, whole)
    after = described(longer)
    assert after["experiment"]["steps"] == 40
    assert after == before | {"experiment": before["experiment"] | {"steps": 40}}
    run(experiment, "longer", steps=40)
    assert "longer is finished" in capsys.readouterr().out
    # On other data it is refused, and stays as it is.
    np.savez("mine.npz", **dict.fromkeys(("train", "valid", "test"), np.ones((16, 3))))
    with pytest.raises(InputError, match="was begun on other data"):
        run(experiment, "longer", steps=60)
    assert records(longer) == records(whole)


@pytest.mark.slow
def test_train_of_more_steps_goes_on_from_before_the_decay(experiment, capsys):
    experiment = scheduled(experiment, WarmupStableDecay(warmup=2, decay=0.4))
    longer, whole = run(experiment, "longer"), run(experiment, "whole", steps=40)
    # The learning rate falls from step 12 on, which is no multiple of 5.
    assert set(steps_in(longer / "checkpoints")) == {12, 15, 20}
    run(experiment, "longer", steps=40)
    assert "goes on from step 12 to 40" in capsys.readouterr().out
    assert {path.name for path in (longer / "checkpoints").iterdir()} == {"24", "35", "40", "ended.15", "ended.20"}
    assert_same_parameters(longer, whole)
    assert [record for record in records(longer) if record["step"] > 15] == [r for r in records(whole) if r["step"] > 15]


@pytest.mark.slow
def test_train_that_was_killed_as_a_run_was_made_longer_goes_on_with_either_command(experiment, monkeypatch):
    experiment = scheduled(experiment, WarmupStableDecay(decay=0.4))
    finished, whole = run(experiment, "finished"), run(experiment, "whole", steps=40)
    shutil.copytree(finished, "killed")
    with monkeypatch.context() as patch:
        patch.setattr(directory, "_write_json", lambda *_: (_ for _ in ()).throw(InterruptedError))
        with pytest.raises(InterruptedError):
            run(experiment, "killed", steps=40)
    shutil.copytree("killed", "other")
    assert_same_parameters(run(experiment, "killed", steps=40), whole)
    assert_same_parameters(run(experiment, "other"), finished)


@pytest.fixture
def worse(monkeypatch):
    """Validations of which the second is the best: a list of steps, as they are made."""
    made = []

    def validate(self, experiment, params, state, split, **_):
        made.append(1)
        loss = {1: 3.0, 2: 1.0}.get(len(made), 2.0)
        return Score(loss, {"nats": loss, "dims": 3.0}, 16, 1.0)

    monkeypatch.setattr(Likelihood, "validate", validate)
    return made


def test_train_stops_after_as_many_validations_without_a_better_one_as_patience(experiment, worse, capsys):
    folder = run(experiment, "run", steps=100, patience=3)
    test = records(folder)[-1]
    assert (len(worse), test["split"], test["step"], test["stopped"]) == (5, "test", 10, 25)
    printed = capsys.readouterr().out
    assert "stopped at step 25: the last 3 validations found nothing better" in printed
    assert "step 10 of 25" in printed
    run(experiment, "run", steps=100, patience=3)
    assert "run is finished" in capsys.readouterr().out
    # With more patience it goes on, and has waited already.
    run(experiment, "run", steps=100, patience=5)
    assert (len(worse), records(folder)[-1]["stopped"]) == (7, 35)


def test_train_with_patience_counts_on_after_it_was_killed(experiment, worse, monkeypatch):
    def save(writer, step, *arguments):
        if step == 20:
            raise InterruptedError
        return saved(writer, step, *arguments)

    saved = checkpoints.save
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", save)
        with pytest.raises(InterruptedError):
            run(experiment, "run", steps=100, patience=3)
    folder = run(experiment, "run", steps=100, patience=3)
    assert records(folder)[-1]["stopped"] == 25


@pytest.mark.slow
def test_train_keeps_more_checkpoints_which_are_loaded_by_their_steps(experiment, capsys):
    folder = run(experiment, "run", keep_every=4)
    assert set(steps_in(folder / "checkpoints")) == {4, 8, 12, 16, 20}
    kept = arjax.load(folder, step=8, raw=True).params
    jax.tree.map(np.testing.assert_array_equal, kept, open_run(folder, step=8, raw=True).params)
    jax.tree.map(np.testing.assert_array_equal, kept, arjax.load(run(experiment, "short", steps=8), raw=True, step=8).params)
    main(["evaluate", "run", "--step", "8"])
    assert "of step 8" in words(capsys)
    with pytest.raises(InputError, match=re.escape("keeps no checkpoint of step 7, but of 4, 8, 12, 16, 20; choose one of")):
        arjax.load(folder, step=7)
