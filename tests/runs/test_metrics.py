"""metrics.jsonl read back, and its numbers in the unit in which people compare results."""

import dataclasses
import json
import math

import pytest

import arjax
from arjax.data import Digits, Scaled, TextFiles, WikipediaSample
from arjax.errors import InputError
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE, RNN
from arjax.runs.metrics import baselines_in, best_of, natural_unit, read_metrics
from arjax.tokenizers import BPE, FSQ, VQVAE
from arjax.training import Autoencoding, Experiment

RECORDS = [
    {"step": step, "split": split, "nats": 1.0 * step, "dims": 2, "seconds": 0.5}
    for step in (1, 2, 3)
    for split in ("train", "valid")
]
IMAGES = Experiment(data=Digits(), model=arjax.Model(MADE(hidden=(4,)), Bernoulli(), (8, 8)), steps=6, eval_every=3)


def text(data, vocab, tokenizer=None):
    model = arjax.Model(RNN(width=4), Categorical(vocab), (12,))
    return Experiment(data=data, model=model, tokenizer=tokenizer, steps=1, eval_every=1)


def write(path, records, tail=""):
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + tail)


def record(split, bits, dims=12.0, step=1, **more):
    return {"step": step, "split": split, "nats": bits * dims * math.log(2), "bits_per_dim": bits, "dims": dims, **more}


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


def test_natural_unit_is_bits_of_a_value_of_images_and_nats_where_they_are_asked_for():
    records = [record("train", 0.5, 64.0), record("valid", 0.25, 64.0)]
    unit, number = natural_unit(IMAGES, records)
    assert (unit, [number(r) for r in records]) == ("bits/dim", [0.5, 0.25])
    unit, number = natural_unit(IMAGES, records, nats=True)
    assert (unit, [number(r) for r in records]) == ("nats per example", [r["nats"] for r in records])


@pytest.mark.parametrize(
    "experiment",
    [
        text(WikipediaSample(length=12), 256),
        text(TextFiles("x.txt", alphabet="abé", length=12), 4),
        text(WikipediaSample(length=12), 300, BPE(300)),
    ],
    ids=["bytes", "characters", "tokens"],
)
def test_natural_unit_is_bits_of_a_byte_of_text(experiment):
    # A token stands for two bytes.
    records = [record("train", 5.0), record("valid", 4.0, bits_per_byte=2.0), record("train", 3.0, step=2)]
    unit, number = natural_unit(experiment, records)
    assert (unit, [number(r) for r in records]) == ("bits/byte", [2.5, 2.0, 1.5])
    # Before any record counts bytes there are values only.
    assert natural_unit(experiment, records[:1])[0] == (
        "bits/token" if experiment.tokenizer else f"bits/{experiment.data.medium.unit}"
    )


def test_natural_unit_of_another_objective_is_what_it_measures():
    other = dataclasses.replace(
        IMAGES, task=Autoencoding(), data=Digits(values=Scaled(16)), model=VQVAE((8, 8), quantizer=FSQ((3,)))
    )
    unit, number = natural_unit(other, [{"mse": 3.0}])
    assert (unit, number({"mse": 3.0})) == ("mse", 3.0)


def test_baselines_in_are_in_the_unit_of_the_result():
    records = [record("valid", 0.5), record("test", 0.25, baselines={"a table": 24 * math.log(2), "odd": None})]
    _, number = natural_unit(IMAGES, records)
    assert baselines_in(number, records, "nats") == {"a table": pytest.approx(2.0)}
    assert baselines_in(number, records[:1], "nats") == {}


def test_best_of_is_the_latest_of_equal_validations():
    records = [record("valid", bits, step=step) for step, bits in enumerate([3.0, 2.0, 2.0, 4.0])]
    assert best_of([*records, record("train", 1.0)], "nats")["step"] == 2
    assert best_of(records[:0], "nats") is None


def test_natural_unit_and_baselines_take_no_number_that_is_none():
    """As a metrics.jsonl of someone else's may have them."""
    experiment = text(TextFiles("x.txt", alphabet="abé", length=12), 4)
    many = {f"\x1b[{i}m" + "x" * 99: 1.0 for i in range(99)}
    records = [
        record("valid", 4.0, bits_per_byte=2.0),
        record("valid", 4.0, bits_per_byte="no"),
        record("test", 4.0, baselines=many),
    ]
    unit, number = natural_unit(experiment, records)
    assert (unit, [number(r) for r in records]) == ("bits/byte", [2.0, 2.0, 2.0])
    found = baselines_in(number, records, "nats")
    assert len(found) == 8
    assert all(name.isprintable() and len(name) == 60 for name in found)
    assert natural_unit(experiment, [record("valid", True)])[0] == "nats per example"
