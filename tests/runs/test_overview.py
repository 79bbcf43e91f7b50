"""Runs side by side: what differs in their configs, and in which order they stand."""

import dataclasses
import json
import math

import pytest

import arjax
from arjax.data import Digits
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.runs.directory import write_run
from arjax.runs.overview import read_runs
from arjax.training import Experiment

EXPERIMENT = Experiment(data=Digits(), model=arjax.Model(MADE(hidden=(4,)), Bernoulli(), (8, 8)), steps=60, eval_every=3)
DIMS = 64.0


def other(**fields):
    return dataclasses.replace(EXPERIMENT, **fields)


def record(step, split, bits):
    nats = bits * DIMS * math.log(2)
    return {
        "step": step,
        "split": split,
        "nats": nats,
        "dims": DIMS,
        "bits_per_dim": bits,
        "standard_error": nats / 10,
        "seconds": 1.0,
    }


@pytest.fixture
def made(tmp_path):
    """A function that writes a run with these records into a directory of this name."""
    splits = Digits().load()

    def write(name, experiment, *records):
        write_run(tmp_path / name, experiment, splits)
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
        return str(tmp_path / name)

    return write


def test_read_runs_orders_them_by_the_test_else_the_validation_and_the_unfinished_last(made):
    valid = [record(step, "valid", bits) for step, bits in ((20, 0.5), (40, 0.4), (60, 0.45))]
    runs = [
        made("worse", other(seed=1), *valid, record(40, "test", 0.46)),
        made("begun", other(seed=2), record(10, "train", 0.1)),
        made("going", other(seed=3), *valid[:2]),
        made("better", other(seed=4), *valid, record(40, "test", 0.3)),
        made("nothing", other(seed=5)),
    ]
    found, refused = read_runs(runs)
    assert refused == []
    assert [each.label for each in found] == [f"seed={seed}" for seed in (4, 3, 1, 2, 5)]
    assert [each.steps for each in found] == [60, 40, 60, 10, 0]
    best = found[0]
    assert (best.unit, best.best["step"], best.number(best.best), best.number(best.test)) == ("bits/dim", 40, 0.4, 0.3)
    assert [each.test is None for each in found] == [False, True, False, True, True]
    nats, _ = read_runs(runs[:1], nats=True)
    assert (nats[0].unit, nats[0].number(nats[0].best)) == ("nats per example", record(0, "", 0.4)["nats"])


def test_read_runs_names_what_cannot_be_read_and_reads_the_rest(made, tmp_path):
    damaged = made("damaged", EXPERIMENT)
    (tmp_path / "damaged" / "metrics.jsonl").write_text("{\n{}\n")
    (tmp_path / "file").write_text("")
    found, refused = read_runs([str(tmp_path / "file"), damaged, str(tmp_path / "none"), made("good", EXPERIMENT)])
    assert [each.label for each in found] == ["good"]
    assert len(refused) == 3
    for line, name in zip(refused, ("file: no run directory", "metrics.jsonl line 1", "none is no run"), strict=True):
        assert name in line
