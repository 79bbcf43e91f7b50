import json

import pytest

from arjax.runs.metrics import Metrics, read_metrics

RECORDS = [
    {"step": step, "split": split, "nats": 1.0 * step, "dims": 2, "seconds": 0.5}
    for step in (1, 2, 3)
    for split in ("train", "valid")
]


def write(path, records, tail=""):
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + tail)


def test_what_is_written_can_be_read(tmp_path):
    with Metrics(tmp_path, 0) as metrics:
        for record in RECORDS:
            metrics.write(record)
        assert read_metrics(tmp_path / "metrics.jsonl") == RECORDS == metrics.records


def test_a_run_that_goes_on_forgets_what_lies_beyond_its_checkpoint(tmp_path):
    write(tmp_path / "metrics.jsonl", RECORDS, '{"step": 4, "spl')
    with Metrics(tmp_path, 2) as metrics:
        metrics.write({"step": 3, "split": "train", "nats": 0.5, "dims": 2, "seconds": 1})
    steps = [(record["step"], record["nats"]) for record in read_metrics(tmp_path / "metrics.jsonl")]
    assert steps == [(1, 1.0), (1, 1.0), (2, 2.0), (2, 2.0), (3, 0.5)]


def test_a_result_is_forgotten_when_it_is_worked_out_again(tmp_path):
    write(tmp_path / "metrics.jsonl", [*RECORDS, {"step": 2, "split": "test", "nats": 9.0, "dims": 2}])
    with Metrics(tmp_path, 3):
        pass
    assert read_metrics(tmp_path / "metrics.jsonl") == RECORDS


def test_a_last_line_cut_short_is_left_out(tmp_path):
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
        '{"step": 1, "split": "train", "dims": 2, "seconds": 1}',
        '{"step": 1, "split": "train", "nats": "low", "dims": 2, "seconds": 1}',
    ],
)
def test_any_other_line_that_is_no_record_is_named(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    write(path, [])
    path.write_text(json.dumps(RECORDS[0]) + "\n" + line + "\n" + json.dumps(RECORDS[1]) + "\n")
    with pytest.raises(ValueError, match=r"metrics\.jsonl line 2 is no record"):
        read_metrics(path)


def test_no_file_is_no_records(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []


def test_numbers_that_are_not_finite_are_not_written(tmp_path):
    with Metrics(tmp_path, 0) as metrics, pytest.raises(ValueError, match="not JSON compliant"):
        metrics.write({"step": 1, "split": "train", "nats": float("nan")})
