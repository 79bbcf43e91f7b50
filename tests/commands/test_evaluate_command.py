"""`python -m arjax evaluate`: every example's own, other data under the model, another run on the same examples."""

import json
import re
import shutil

import jax
import numpy as np
import pytest
from PIL import Image
from shared_runs import DIGITS
from trained import write_run_of_random_parameters

import arjax
from arjax import pictures
from arjax.__main__ import main
from arjax.data import Dynamic, Levels, Npz
from arjax.heads import Bernoulli
from arjax.models import MADE, Histogram
from arjax.protocol import Model

OTHER = """
import arjax
from arjax.data import Npz, Threshold
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.training import Experiment

experiment = Experiment(
    data=Npz({path!r}, Threshold(0.5)), model=arjax.Model(MADE(hidden=(2,)), Bernoulli(), (8, 8)), batch_size=2, steps=1,
    eval_every=1,
)
"""


def table(capsys, *argv) -> dict[str, str]:
    """The rows of the table that a command prints, each on one line."""
    main(["evaluate", *map(str, argv)])
    rows, name = {}, None
    for line in capsys.readouterr().out.splitlines():
        if line.startswith("│"):
            first, second = (part.strip() for part in line.strip("│").split("│"))
            name = first or name
            rows[name] = f"{rows.get(name, '')} {second}".strip()
    return rows


def log_probs(run, split="test"):
    """log p of the digits' examples, float64 [N], not by the command."""
    (model, params), part = arjax.load(run), getattr(DIGITS.load(), split)
    cond = arjax.Cond(label=part.label.astype(np.int32)) if model.cond.classes else None
    return np.asarray(arjax.log_prob(model, params, part.x > 7, cond=cond), np.float64)


@pytest.mark.slow
def test_evaluate_out_holds_what_every_example_scored_and_what_it_takes_to_pair_two_runs(runs, tmp_path, capsys):
    held = []
    for name in ("digits", "labelled"):
        main(["evaluate", str(runs(name)), "--split", "valid", "--out", str(tmp_path / "deep" / f"{name}.npz")])
        with np.load(tmp_path / "deep" / f"{name}.npz") as arrays:
            held.append(dict(arrays))
        np.testing.assert_allclose(held[-1]["log_prob"], log_probs(runs(name), "valid"), rtol=1e-5)
        assert (held[-1]["counts"] == 64).all()
        np.testing.assert_array_equal(held[-1]["label"], DIGITS.load().valid.label)
        assert str(held[-1]["run"]) == str(runs(name))
        assert str(held[-1]["split"]) == "valid"
    marks = json.loads((runs("digits") / "run.json").read_text())["data"]
    assert str(held[0]["x"]) == str(held[1]["x"]) == marks["valid.x"] != marks["test.x"]
    assert "299 examples in" in capsys.readouterr().out


def test_evaluate_counts_in_no_example_what_does_not_count(runs, tmp_path, capsys, monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, "histograms", lambda sets, *labels: drawn.extend(sets) or np.zeros((2, 2, 3), np.uint8))
    rows = table(capsys, runs("sound"), "--out", tmp_path / "x.npz", "--png", tmp_path / "x.png")
    with np.load(tmp_path / "x.npz") as arrays:
        # Two recordings of 50 and 20 samples, each counted once.
        assert arrays["counts"].tolist() == [32, 18, 20]
        assert "label" not in arrays
        bits = -arrays["log_prob"].sum(dtype=np.float64) / np.log(2) / 70
    # The picture and the table give one mean, that over all samples that count.
    _, values, weights = drawn[0]
    assert np.average(values, weights=weights) == pytest.approx(bits)
    assert rows["test"].endswith(f"= {bits:.4f} bits/sample")


def test_evaluate_names_data_split_unit_and_baseline(runs, capsys):
    rows = table(capsys, runs("labelled"), "--split", "test")
    name, result = next(iter(rows.items()))
    nats = -log_probs(runs("labelled")).mean()
    assert (name, result) == ("test", f"{nats / 64:.4f} nats/dim = {nats / 64 / np.log(2):.4f} bits/dim")
    assert rows["data, split"].startswith("digits 8x8, threshold at 7")
    assert rows["scored"].startswith("test split, 299 examples")
    assert rows["independent Bernoulli"] == "0.2875 nats/dim = 0.4147 bits/dim; 18.398 nats per example given the label"
    # 125 examples at once cannot be shared by the eight devices of the tests.
    assert rows["-log p(x | label)"].startswith(f"{nats:.3f} ± ")


def test_evaluate_of_an_ensemble_says_so(runs, capsys):
    rows = table(capsys, runs("digits"), "--split", "valid", "--ensemble", "3")
    assert "mixture of 3 orders" in rows["ensemble"]


def test_evaluate_names_the_weights_and_the_rate(runs, capsys):
    rows = table(capsys, runs("digits"))
    assert rows["weights"] == "the moving average of the parameters (EMA, decay 0.999)"
    assert re.fullmatch(r"[\d,]+ examples/s behind the first 125, which took [\d.]+ s with compilation", rows["rate"])
    assert table(capsys, runs("digits"), "--raw")["weights"] == "the parameters as trained"


def test_evaluate_tells_other_data_apart_by_their_likelihood(runs, tmp_path, capsys):
    noise = np.random.default_rng(1).random((7, 8, 8))
    np.savez(tmp_path / "noise.npz", train=noise, valid=noise, test=noise)
    (tmp_path / "noise.py").write_text(OTHER.format(path=str(tmp_path / "noise.npz")))
    out, png = tmp_path / "x.npz", tmp_path / "x.png"
    rows = table(capsys, runs("digits"), "--other-data", tmp_path / "noise.py", "--out", out, "--png", png)
    inside, (model, params) = log_probs(runs("digits")), arjax.load(runs("digits"))
    outside = np.asarray(arjax.log_prob(model, params, noise > 0.5), np.float64)
    area = np.mean([(b < a) + (b == a) / 2 for a in inside for b in outside])
    assert rows["AUROC"].startswith(f"{area:.4f} of -log p per dim")
    error = outside.std(ddof=1) / np.sqrt(7)
    assert rows["-log p of these"].startswith(
        f"{-outside.mean():.3f} ± {error:.3f} nats per example = {-outside.mean() / 64:.4f}"
    )
    assert rows["other data"] == "noise.npz, threshold at 0.5, train / valid / test as in the file; test split, 7 examples"
    with np.load(out) as arrays:
        np.testing.assert_allclose(arrays["other_log_prob"], outside, rtol=1e-5)
        assert len(arrays["log_prob"]) == 299
    with Image.open(png) as picture:
        assert min(picture.size) > 300


def test_evaluate_takes_the_data_of_a_run_as_other_data_and_its_own_as_no_others(runs, capsys):
    rows = table(capsys, runs("digits"), "--other-data", runs("labelled"))
    assert rows["AUROC"].startswith("0.5000 of")


def test_evaluate_holds_another_run_against_this_one_example_by_example(runs, tmp_path, capsys):
    rows = table(capsys, runs("digits"), "--other-run", runs("labelled"), "--out", tmp_path / "x.npz")
    here, there = log_probs(runs("digits")), log_probs(runs("labelled"))
    each = here - there
    # A long path is folded in its cell.
    assert rows["other run"].replace(" ", "").startswith(f"{runs('labelled')}:{-there.mean():.3f}±")
    difference, low, high = (float(part) for part in re.findall(r"[+-]?\d+\.\d+", rows["this - other"])[:3])
    assert difference == pytest.approx(-each.mean(), abs=6e-4)
    error = each.std(ddof=1) / np.sqrt(len(each))
    np.testing.assert_allclose([low, high], -each.mean() + 1.96 * error * np.array([-1, 1]), atol=0.15 * error)
    assert rows["likelier"].startswith(f"{(each > 0).mean():.1%} of the examples under this run, {(each < 0).mean():.1%} under")
    with np.load(tmp_path / "x.npz") as arrays:
        np.testing.assert_allclose(arrays["log_prob"] - arrays["other_run_log_prob"], each, atol=2e-3)


def test_evaluate_draws_random_values_alike_for_both_runs_whatever_their_seeds(tmp_path, capsys):
    x = np.random.default_rng(2).integers(0, 256, (50, 3, 3)).astype(np.uint8)
    np.savez(tmp_path / "x.npz", train=x, valid=x, test=x)
    model = Model(MADE(hidden=(4,)), Bernoulli(), (3, 3))
    write_run_of_random_parameters(tmp_path / "one", Npz(str(tmp_path / "x.npz"), Dynamic()), model)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    described = json.loads((tmp_path / "two" / "run.json").read_text())
    described["experiment"]["seed"] = 5
    (tmp_path / "two" / "run.json").write_text(json.dumps(described))
    jax.tree.map(np.testing.assert_array_equal, *(arjax.load(tmp_path / name).params for name in ("one", "two")))
    rows = table(capsys, tmp_path / "one", "--other-run", tmp_path / "two")
    assert rows["likelier"] == "0.0% of the examples under this run, 0.0% under the other"


def test_evaluate_says_that_the_files_of_its_split_have_changed(tmp_path, capsys):
    x = np.random.default_rng(0).integers(0, 2, (6, 4)).astype(np.uint8)
    np.savez(tmp_path / "x.npz", train=x, valid=x, test=x)
    data = Npz(str(tmp_path / "x.npz"), Levels(2))
    write_run_of_random_parameters(tmp_path / "run", data, Model(Histogram(), Bernoulli(), (4,)))
    main(["evaluate", str(tmp_path / "run")])
    assert "note:" not in capsys.readouterr().out
    np.savez(tmp_path / "x.npz", train=x, valid=x, test=1 - x)
    main(["evaluate", str(tmp_path / "run")])
    assert capsys.readouterr().out.startswith("note: the test split is not the one of the run: its files have changed, training ")
