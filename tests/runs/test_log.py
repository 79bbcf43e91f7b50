"""What a run tells: metrics.jsonl, TensorBoard's file, and the lines on stdout."""

import builtins
import json
import os
import struct

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

import arjax
from arjax.data import Digits
from arjax.data.media import Exhibit
from arjax.errors import InputError
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.runs.checkpoints import Restored
from arjax.runs.log import Log, read_metrics
from arjax.training import Experiment, Score

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


def test_log_needs_no_tensorboard(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with Log(tmp_path, EXPERIMENT, 0) as log:
        log.valid(3, scored(3.0, 3))
        log.exhibit(3, {"samples": Exhibit(texts=("one", "two"))})
    assert not (tmp_path / "tensorboard").exists()
    assert (tmp_path / "samples" / "00000003.txt").is_file()
    assert capsys.readouterr().out.count("pip install 'arjax[tensorboard]'") == 1


def test_read_metrics_leaves_out_a_last_line_cut_short(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []
    write(tmp_path / "metrics.jsonl", RECORDS, '{"step": 4, "spl')
    assert read_metrics(tmp_path / "metrics.jsonl") == RECORDS


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "3",
        "{}",
        '{"step": "1", "split": "train", "nats": 1, "dims": 2, "seconds": 1}',
        '{"step": 1, "split": "train", "nats": 1, "dims": 2}',
        '{"step": 1, "split": "train", "nats": "low", "dims": 2, "seconds": 1}',
        '{"step": 1, "split": "train", "nats": NaN, "dims": 2, "seconds": 1}',
    ],
)
def test_read_metrics_names_any_other_line_that_is_no_record(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps(RECORDS[0]) + "\n" + line + "\n" + json.dumps(RECORDS[1]) + "\n")
    with pytest.raises(InputError, match=r"metrics\.jsonl line 2 is no record"):
        read_metrics(path)


def events(path):
    """The events of a file of TensorBoard's: length (8 bytes), its checksum (4), event, its checksum (4)."""
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        found.append(Event.FromString(content[12 : 12 + length]))
        content = content[16 + length :]
    return found


def test_log_shows_tensorboard_scalars_texts_and_pictures_at_once(tmp_path):
    with Log(tmp_path, EXPERIMENT, 3) as log:
        log.valid(4, scored(2.5, 4))
        log.exhibit(4, {"samples": Exhibit(np.zeros((4, 4, 3), np.uint8), ("hello\nworld",))})
        (path,) = (tmp_path / "tensorboard").iterdir()
        version, start, *rest = events(path)
    assert version.file_version == "brain.Event:2"
    # TensorBoard forgets what earlier files hold from there on.
    assert (start.step, start.session_log.status) == (4, 1)
    values = {event.summary.value[0].tag: event.summary.value[0] for event in rest}
    assert values["valid/nats"].simple_value == 2.5
    assert {event.step for event in rest} == {4}
    assert values["samples/text_summary"].tensor.string_val == [b"    hello\n    world"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it is closed once more when it is let go
def test_log_raises_where_a_file_cannot_be_written(tmp_path, monkeypatch):
    plain = builtins.open
    full = lambda path, *rest: plain("/dev/full" if "tfevents" in str(path) else path, *rest)  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", full)
        with pytest.raises(OSError, match="No space left on device"):
            Log(tmp_path, EXPERIMENT, 0).__enter__()
