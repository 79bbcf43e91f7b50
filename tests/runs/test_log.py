"""What a run records: metrics.jsonl, loss.png, and the lines on stdout."""

import dataclasses
import json
import os

import numpy as np
import pytest

import arjax
from arjax.data import Digits
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.runs import log as log_module
from arjax.runs.checkpoints import Restored
from arjax.runs.log import Log
from arjax.runs.metrics import read_metrics
from arjax.training import Adam, Constant, Experiment, Score

EXPERIMENT = Experiment(
    data=Digits(), model=arjax.Model(MADE(hidden=(4,)), Bernoulli(), (8, 8)), steps=6, eval_every=3, log_every=2, batch_size=10
)
RECORDS = [
    {"step": step, "split": split, "nats": 1.0 * step, "dims": 2, "seconds": 0.5}
    for step in (1, 2, 3)
    for split in ("train", "valid")
]


def write(path, records, tail=""):
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + tail)


def scored(nats, step):
    return Score(nats, {"nats": nats, "dims": 64.0}, 3, 1.0)


def update(loss, grad_norm=1.0):
    return {"loss": loss, "dims": 64.0, "grad_norm": grad_norm}


def test_log_records_the_mean_of_the_updates_between_two_records(tmp_path, capsys):
    with Log(tmp_path, EXPERIMENT, 0) as log:
        for step, loss in enumerate([4.0, 2.0, 5.0], 1):
            log.train(step, update(loss))
        log.settle()
        log.summarise()
        assert log.valid(3, scored(3.0, 3)) == 3.0
    records = read_metrics(tmp_path / "metrics.jsonl")
    assert records == log.records
    assert [(r["step"], r["split"], r["nats"]) for r in records] == [(2, "train", 3.0), (3, "train", 5.0), (3, "valid", 3.0)]
    printed = capsys.readouterr().out
    assert "step 2/6  train 3.000 nats, 0.0469 nats/dim = 0.0676 bits/dim" in printed
    assert "step 3  valid 3.000 nats" in printed


def test_log_goes_on_with_the_updates_that_no_record_told_of(tmp_path):
    with Log(tmp_path, EXPERIMENT, 0) as log:
        log.train(1, update(4.0))
        log.settle()
    with Log(tmp_path, EXPERIMENT, 1, log.updates) as log:
        log.train(2, update(2.0))
        log.settle()
    assert [record["nats"] for record in read_metrics(tmp_path / "metrics.jsonl")] == [3.0]


def test_log_forgets_what_lies_beyond_the_checkpoint_and_a_result(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, [*RECORDS, {"step": 2, "split": "test", "nats": 9.0, "dims": 2, "seconds": 1}], '{"step": 4, "spl')
    with Log(tmp_path, EXPERIMENT, 2):
        pass
    assert read_metrics(path) == RECORDS[:4]


def other(record):
    return record | {"nats": record["nats"] + 1}


@pytest.mark.parametrize(
    ("there", "says", "lost"),
    [
        (RECORDS, "", 0),
        (RECORDS[2:], "; metrics.jsonl lacks 2 of the 6 records until there, and loss.png will lack them", 2),
        (RECORDS[:2] + RECORDS[3:], "; metrics.jsonl lacks 1 of the 6 records until there, and loss.png will lack them", 1),
        (RECORDS[:-1], "; metrics.jsonl lacks 1 of the 6 records until there, and loss.png will lack them", 1),
        ([], "; metrics.jsonl lacks 6 of the 6 records until there, and loss.png will lack them", 6),
        (None, "; metrics.jsonl lacks 6 of the 6 records until there, and loss.png will lack them", 6),
        ([*RECORDS[:-1], other(RECORDS[-1])], "; metrics.jsonl is not what this run recorded until there", 0),
        (RECORDS[:1] + RECORDS, "; metrics.jsonl is not what this run recorded until there", 0),
    ],
    ids=["whole", "no beginning", "no middle", "no end", "empty", "gone", "of another run", "twice"],
)
def test_log_says_what_metrics_lack_of_what_was_recorded_and_keeps_the_rest(tmp_path, capsys, there, says, lost):
    if there is not None:
        write(tmp_path / "metrics.jsonl", there)
    for _ in range(2):  # whoever continues once more reads the same
        with Log(tmp_path, EXPERIMENT, 3) as log:
            log.begin(Restored("state", 3, 3.0, (), len(RECORDS), ()))
            assert (log.records, log.lost, log.written) == (there or [], lost, max(6, len(there or [])))
        assert capsys.readouterr().out == f"continuing from step 3{says}\n"
    assert read_metrics(tmp_path / "metrics.jsonl") == (there or [])


def test_log_says_that_it_begins_again_where_there_is_no_checkpoint(tmp_path, capsys):
    for there, says in (([], ""), (RECORDS, "starting again: metrics.jsonl went to step 3, but there is no checkpoint\n")):
        write(tmp_path / "metrics.jsonl", there)
        with Log(tmp_path, EXPERIMENT, 0) as log:
            log.begin(Restored(None, 0, np.inf, (), 0, ()))
        assert capsys.readouterr().out == says


def test_log_hands_every_record_to_the_disk_before_a_checkpoint(tmp_path, monkeypatch):
    """As a machine that crashes would leave it: what was synced."""
    synced, path, plain = [], tmp_path / "metrics.jsonl", os.fsync

    def note(number):
        synced.extend([os.fstat(number).st_size] * (os.fstat(number).st_ino == path.stat().st_ino))
        plain(number)

    with Log(tmp_path, EXPERIMENT, 0) as log:
        monkeypatch.setattr(os, "fsync", note)
        log.valid(3, scored(3.0, 3))
        assert not synced  # a line by itself is only handed to the system
        assert len(read_metrics(path)) == 1
        log.sync()
        assert synced == [path.stat().st_size]


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        (lambda log: (log.train(1, update(np.nan)), log.settle()), "the loss is nan at step 1; these are the initial parameters"),
        (lambda log: (log.train(2, update(np.nan)), log.settle()), "the loss is nan at step 2; the last checkpoint before it"),
        (lambda log: (log.train(1, update(1.0, np.inf)), log.settle()), "the gradient's norm is inf at step 1"),
        (lambda log: log.valid(1, scored(np.inf, 1)), "the validation's nats is inf at step 1"),
        (lambda log: log.test(1, scored(np.inf, 1), {}), "the test's nats is inf at step 1; under the model at least one"),
    ],
)
def test_log_refuses_what_is_not_finite_and_records_nothing(tmp_path, wrong, part):
    with Log(tmp_path, EXPERIMENT, 0) as log, pytest.raises(FloatingPointError, match=rf"\A{part}[^\n]*\Z"):
        wrong(log)
    assert read_metrics(tmp_path / "metrics.jsonl") == []


def test_log_blames_the_data_where_they_are_strange(tmp_path):
    with Log(tmp_path, EXPERIMENT, 0, doubts=["x is far"]) as log:
        log.train(2, update(np.nan))
        with pytest.raises(FloatingPointError, match=r"step 2; x is far\Z"):
            log.settle()


def test_log_times_updates_and_not_what_comes_between(tmp_path, monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(log_module.time, "monotonic", lambda: now[0])
    with Log(tmp_path, EXPERIMENT, 0) as log:
        for step, (state, seconds) in enumerate([("training", 2.0), ("validating", 50.0), ("saving", 7.0), ("training", 3.0)]):
            log.now(state)
            if state == "training":
                log.train(step + 1, update(1.0))
            now[0] += seconds
        log.settle()
        log.summarise()
    (record,) = log.records
    assert record["examples_per_second"] == 2 * EXPERIMENT.batch_size / 5.0
    assert record["seconds"] == 62.0
    said = [line for line in capsys.readouterr().out.splitlines() if line.endswith("...")]
    assert said == ["training ...", "validating ...", "saving ..."]  # each once


def test_log_records_the_learning_rate_of_the_last_update(tmp_path):
    optimizer = Adam(learning_rate=0.5, schedule=Constant(warmup=4))
    with Log(tmp_path, dataclasses.replace(EXPERIMENT, optimizer=optimizer), 0) as log:
        for step in range(1, 7):
            log.train(step, update(1.0))
        log.settle()
    # The i-th update, from 0 on, has i quarters of it.
    assert [record["learning_rate"] for record in log.records] == [0.125, 0.375, 0.5]
