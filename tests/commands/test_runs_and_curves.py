"""`python -m arjax runs` and `curves`."""

import dataclasses
import json
import math

import pytest
from PIL import Image
from shared_runs import DIGITS
from trained import failure, stream

import arjax
from arjax.__main__ import main
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE, RNN
from arjax.runs.directory import write_run
from arjax.training import Experiment

EXPERIMENT = Experiment(data=DIGITS, model=arjax.Model(MADE(hidden=(4,)), Bernoulli(), (8, 8)), steps=60, eval_every=3)


def record(step, split, bits, **more):
    return {
        "step": step,
        "split": split,
        "nats": 64 * bits * math.log(2),
        "dims": 64.0,
        "bits_per_dim": bits,
        "seconds": 1.0,
    } | more


def write(run, experiment, *records):
    write_run(run, experiment, experiment.data.load())
    (run / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("R")
    baselines = {"baselines": {"a table": 64 * 0.5 * math.log(2)}}
    for seed, bits in ((1, 0.4), (2, 0.3)):
        valid = [record(20, "valid", 0.6), record(40, "valid", bits), record(60, "valid", 0.5)]
        test = record(40, "test", bits + 0.01, standard_error=64 * 0.02 * math.log(2), **baselines)
        write(folder / f"seed{seed}", dataclasses.replace(EXPERIMENT, seed=seed), *valid, test)
    (folder / "notes.txt").write_text("no run")
    return folder


def test_runs_prints_a_table_of_what_differs_the_best_first(folder, tmp_path, capsys):
    main(["runs", *map(str, sorted(folder.iterdir())), "--json", str(tmp_path / "runs.json")])
    head, _, *rows, left_out = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, *rows)]
    assert cells == [
        ["run", "seed", "steps", "best valid", "at step", "test", "unit"],
        [str(folder / "seed2"), "2", "60 of 60", "0.3000", "40", "0.3100 ± 0.0200", "bits/dim"],
        [str(folder / "seed1"), "1", "60 of 60", "0.4000", "40", "0.4100 ± 0.0200", "bits/dim"],
    ]
    assert left_out == f"left out: {folder / 'notes.txt'}: no run directory; give those that train.py wrote"
    figures = json.loads((tmp_path / "runs.json").read_text())
    assert [(each["differs"], each["best_step"]) for each in figures["runs"]] == [({"seed": "2"}, 40), ({"seed": "1"}, 40)]
    assert figures["runs"][0]["test"] == pytest.approx(0.31)


def test_curves_draws_all_that_can_be_read(folder, tmp_path, capsys):
    main(["curves", *map(str, sorted(folder.iterdir())), "--png", str(tmp_path / "curves.png")])
    assert capsys.readouterr().out.startswith(f"2 runs drawn in {tmp_path / 'curves.png'}\nleft out: ")
    with Image.open(tmp_path / "curves.png") as picture:
        assert min(picture.size) > 400


def test_runs_and_curves_refuse_in_one_line(folder, tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("hello world\n" * 50)
    model = arjax.Model(RNN(width=4), Categorical(256), (8,))
    write(
        tmp_path / "text",
        Experiment(data=stream(str(text), "bytes", length=8), model=model, steps=1, eval_every=1),
        record(1, "valid", 1.0),
    )
    write(tmp_path / "begun", EXPERIMENT)
    for argv, part in [
        (["runs"], "no run to show"),
        (
            ["runs", folder / "notes.txt", folder / "none"],
            "notes.txt: no run directory; give those that train.py wrote; 1 more cannot be read",
        ),
        (["curves", folder / "seed1", tmp_path / "text"], "these runs are in bits/byte and bits/dim, which cannot share an axis"),
        (["curves", tmp_path / "begun"], "has no validation yet"),
        (["curves", folder / "seed1", "--png", tmp_path / "x.jpg"], "must end in .png"),
        (["runs", folder / "seed1", "--json", text], "is there already"),
    ]:
        assert part in failure(capsys, *argv)
