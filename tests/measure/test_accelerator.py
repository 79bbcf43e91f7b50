"""`make gpu` runs on a CPU at tiny sizes, goes on where it stopped, and survives parts that fail or hang."""

import functools
import json
import multiprocessing
import os
import time
from pathlib import Path

import jax.numpy as jnp
import pytest
from linear import Linear, T

import arjax
from arjax.errors import InputError
from arjax.heads import Bernoulli, Categorical
from arjax.measure.results import overview
from benchmarks.accelerator import contract, part, speed, trained
from benchmarks.accelerator.__main__ import PARTS, main
from benchmarks.accelerator.part import Part, Row, Setting

FIGURES = {"sites": 4, "time_ratio": 1.5}


def good(setting):
    return [Row("first", functools.partial(dict, FIGURES))]


def broken(setting):
    return [Row("divides", functools.partial(divmod, 1, 0)), *good(setting)]


def dying(setting):
    return [*good(setting), Row("dies", functools.partial(os._exit, 3))]


def hanging(setting):
    return [*good(setting), Row("hangs", functools.partial(time.sleep, 1000))]


def noted(setting):
    return [Row("notes", functools.partial(note_and_hang, setting.path("pid")))]


def note_and_hang(path):
    path.write_text(str(os.getpid()))
    time.sleep(1000)


def shared(setting):
    return [Row(str(i), functools.partial(dict, FIGURES)) for i in range(3)]


def run(rows, tmp_path, limit=60.0, platform="cpu", seconds=60.0, workers=1):
    """(the result of a part with these rows, its JSON)."""
    setting = Setting(True, tmp_path, platform)
    result = part.run(Part("part", rows, overview, limit, workers), setting, seconds)
    return result, setting.path("part.json")


def test_main_without_an_accelerator_is_one_line_and_status_2(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("benchmarks.accelerator.__main__.backend", lambda: "cpu")
    assert main(["--out", str(tmp_path)]) == 2
    assert capsys.readouterr().out.startswith("no accelerator: ")
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_main_dry_run_measures_every_part_within_a_minute_of_processor_time_and_then_none(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    before = os.times()
    assert main(["--tiny", "--out", str(tmp_path)]) == 0
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 60
    printed = capsys.readouterr().out
    results = {each.name: json.loads((tmp_path / f"tiny-{each.name}.json").read_text()) for each in PARTS}
    assert {result["state"] for result in results.values()} == {"done"}
    assert (tmp_path / "tiny-report.md").read_text() in printed
    check_figures({name: result["rows"] for name, result in results.items()})

    monkeypatch.setattr(part, "run", None)  # nothing is called
    assert main(["--tiny", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out in printed


def check_figures(rows):
    assert rows["ceilings"]["device"]["read"] > 1e8
    assert rows["ceilings"]["device"]["bfloat16"] > 1e8
    for figures in rows["contract"].values():
        assert figures["tolerance_float32"] <= 1e-5
        assert figures["parted_float32"] == 0
    for figures in rows["families"].values():
        assert 0 < figures["train_flops_utilisation"] < 1
        assert figures["sample_bandwidth_utilisation"] > 0
    decode = [rows["gpt2"][f"decode, batch {batch}"] for batch in (1, 2)]
    assert all(0 < figures["bandwidth_utilisation"] < 1 for figures in decode)
    assert decode[0]["weight_bytes_a_token"] == 2 * (2 * 12 * 32**2 + 64 * 32)
    assert decode[1]["cache_bytes_a_token"] == 2 * 2 * 2 * (2 * 32) * 8.5  # examples, layers, bytes; keys and values of 1 to 16
    assert 0 < rows["gpt2"]["train"]["flops_utilisation"] < 1
    for figures in (rows["shakespeare"]["shakespeare_gpt"], rows["mnist"]["mnist_gated_pixelcnn"]):
        assert figures["steps"] == 4
        assert figures["test_nats"] > 0
        assert figures["seconds_to_target"] is None
    assert rows["shakespeare"]["shakespeare_gpt"]["test_nats"] < 10  # of a character, of which a window has 16


@pytest.mark.slow
def test_run_leaves_the_error_of_a_row_in_its_place_and_goes_on(tmp_path):
    result, path = run(broken, tmp_path)
    assert result["state"] == "failed in divides"
    assert "ZeroDivisionError" in result["rows"]["divides"]["error"]
    assert result["rows"]["first"] == FIGURES
    assert json.loads(path.read_text()) == result


@pytest.mark.slow
def test_run_says_that_a_process_died_and_keeps_the_rows_before(tmp_path):
    result, path = run(dying, tmp_path)
    assert result["state"].startswith("failed with exit status 3")
    assert result["rows"] == {"first": FIGURES}
    assert json.loads(path.read_text()) == result


@pytest.mark.slow
def test_run_ends_a_part_at_its_limit_and_keeps_the_rows_before(tmp_path):
    began = time.monotonic()
    result, path = run(hanging, tmp_path, limit=8, seconds=8)
    assert time.monotonic() - began < 15
    assert result["state"] == "out of time: its limit is 8 s"
    assert result["rows"] == {"first": FIGURES}
    assert json.loads(path.read_text()) == result


@pytest.mark.slow
def test_run_goes_on_behind_the_rows_of_a_part_that_the_whole_had_no_time_for(tmp_path):
    result, path = run(hanging, tmp_path, seconds=8)
    assert result is None
    assert not path.exists()
    rows = tmp_path / "tiny-part.jsonl"
    rows.write_text(rows.read_text().replace("1.5", "2.5") + '["cut sho')
    assert run(good, tmp_path)[0]["rows"] == {"first": FIGURES | {"time_ratio": 2.5}}


@pytest.mark.slow
def test_run_measures_rows_side_by_side_on_a_gpu(tmp_path):
    result, _ = run(shared, tmp_path, platform="gpu", workers=2)
    assert result["state"] == "done"
    assert result["rows"] == {str(i): FIGURES for i in range(3)}


@pytest.mark.slow
def test_a_part_ends_with_the_script_that_began_it(tmp_path):
    script = multiprocessing.get_context("spawn").Process(target=run, args=(noted, tmp_path))
    script.start()
    pid = tmp_path / "tiny-pid"
    while not (pid.exists() and pid.read_text()):
        time.sleep(0.1)
    script.kill()
    script.join()
    until = time.monotonic() + 20
    while is_running(int(pid.read_text())) and time.monotonic() < until:
        time.sleep(0.1)
    assert not is_running(int(pid.read_text()))


def is_running(pid):
    """A process that ended and that nobody waited for is a zombie, Z."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_main_goes_on_behind_a_part_that_fails_and_says_what_is_missing(tmp_path, capsys):
    parts = (Part("one", broken, overview, 60), Part("two", good, overview, 60))
    assert main(["--tiny", "--out", str(tmp_path)], parts) == 1
    printed = capsys.readouterr().out
    assert "failed in divides" in printed
    assert "- divides: ZeroDivisionError" in printed
    assert json.loads((tmp_path / "tiny-two.json").read_text())["state"] == "done"
    assert main(["--tiny", "--out", str(tmp_path), "--parts", "two"], parts) == 0
    assert main(["--tiny", "--out", str(tmp_path / "other"), "--limit", "0"], parts) == 1
    assert "not done yet" in capsys.readouterr().out


def forgets(net, cache, x, t, order):
    return cache, jnp.broadcast_to(net.c[order[t]], (len(x), 1))


@pytest.mark.slow
def test_law_names_what_a_broken_net_breaks(monkeypatch):
    monkeypatch.setitem(contract.ZOO, "broken", arjax.Model(Linear(one=forgets), Bernoulli(), (T,)))
    figures = contract.law("broken")
    assert "check_step: step and call disagree at site t=1" in figures["error"]
    assert "by default steps agree within" in figures["error"]
    assert "of the cached samples" in figures["error"]
    assert figures["parted_float32"] > 0
    cells = contract.report({"row": figures}).splitlines()[2].split("|")
    assert [cell.strip() for cell in cells[1:3]] == ["row", "broken"]


@pytest.mark.slow
def test_train_of_gpt2_takes_the_largest_batch_that_memory_holds(monkeypatch):
    net, vocab, sites = speed.TINY_GPT2
    tried = []

    def out_of_memory_above_two(experiment, split, runs):
        tried.append(experiment.batch_size)
        if experiment.batch_size > 2:
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return 1.0, 0.5

    monkeypatch.setattr(speed, "time_training", out_of_memory_above_two)
    figures = speed._train(arjax.Model(net, Categorical(vocab), (sites,)), (8, 4, 2, 1))
    assert tried == [8, 4, 2]
    assert figures["batch"] == 2
    assert figures["tokens_per_second"] == 2 * 16 / 0.5
    with pytest.raises(RuntimeError, match="RESOURCE_EXHAUSTED"):
        speed._train(arjax.Model(net, Categorical(vocab), (sites,)), (8, 4))


def test_a_training_without_its_data_is_skipped(monkeypatch, tmp_path):
    def missing(experiment):
        raise InputError("binarized_mnist.npz is not in /data")

    monkeypatch.setattr(trained, "prepare", missing)
    (row,) = trained.mnist(Setting(True, tmp_path, "cpu"))
    assert row.measure() == {"skipped": "InputError: binarized_mnist.npz is not in /data"}
