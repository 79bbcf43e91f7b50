"""`python -m arjax`: what each command prints and writes, and how wrong ones end."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from trained import failure, write_run_of_random_parameters

import arjax
from arjax.__main__ import main
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli, Categorical
from arjax.measure.results import read_results
from arjax.models import MADE
from arjax.orders import AnyOrder
from arjax.protocol import CondSpec, Model

ROOT = Path(__file__).parents[2]
DATA = Digits(values=Threshold(7))
CONFIG = """
from arjax.data import Digits
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.protocol import Model
from arjax.training import Experiment

experiment = Experiment(
    data=Digits(), model=Model(MADE(hidden=(4,)), Bernoulli(), (8, 8)), batch_size=8, steps=10, eval_every=10
)
"""


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "labelled"
    write_run_of_random_parameters(run, DATA, Model(MADE(hidden=(4,)), Bernoulli(), (8, 8), cond=CondSpec(classes=10)))
    return run


@pytest.fixture(scope="module")
def categorical(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "categorical"
    write_run_of_random_parameters(run, DATA, Model(MADE(hidden=(4,)), Categorical(2), (8, 8), AnyOrder()))
    return run


def test_sample_writes_a_picture_and_the_arrays_with_all_labels_in_turn(labelled, tmp_path, capsys):
    main(["sample", str(labelled), "--batch", "12", "--png", str(tmp_path / "s.png"), "--out", str(tmp_path / "deep" / "s.npz")])
    assert capsys.readouterr().out.count("12 samples in") == 2
    with np.load(tmp_path / "deep" / "s.npz") as arrays:
        assert arrays["x"].shape == (12, 8, 8)
        assert set(np.unique(arrays["x"])) == {0, 1}
        assert arrays["label"].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    with Image.open(tmp_path / "s.png") as image:
        assert image.size[0] >= 4 * 8


def test_sample_is_a_function_of_its_seed_and_of_its_transforms(categorical, tmp_path):
    def drawn(*flags):
        main(
            [
                "sample",
                str(categorical),
                "--batch",
                "4",
                "--out",
                str(tmp_path / "s.npz"),
                "--png",
                str(tmp_path / "s.png"),
                *flags,
            ]
        )
        with np.load(tmp_path / "s.npz") as arrays:
            return arrays["x"]

    assert (drawn("--seed", "1") == drawn("--seed", "1")).all()
    assert (drawn("--seed", "1") != drawn("--seed", "2")).any()
    # With one symbol left at every site there is nothing left to draw.
    assert (drawn("--seed", "1", "--top-k", "1") == drawn("--seed", "2", "--top-k", "1")).all()


def test_evaluate_names_data_split_unit_and_baseline(labelled, capsys):
    main(["evaluate", str(labelled)])
    printed = capsys.readouterr().out
    assert "digits 8x8, threshold at 7" in printed
    assert "test split, 299 examples" in printed
    assert "per example given the label" in printed
    assert "independent Bernoulli" in printed
    assert "18.395 nats per example given the label" in printed
    assert "bits/dim" in printed


def test_evaluate_of_an_ensemble_says_so(categorical, capsys):
    main(["evaluate", str(categorical), "--split", "valid", "--ensemble", "3"])
    printed = capsys.readouterr().out
    assert "mixture of 3 orders" in printed
    assert "valid split" in printed


def test_bench_edits_the_config_by_flags_and_writes_json(tmp_path, capsys):
    config = tmp_path / "tiny.py"
    config.write_text(CONFIG)
    main(
        ["bench", str(config), "--batch", "2", "--runs", "1", "--json", str(tmp_path / "b.json"), "--model.net.hidden", "6", "3"]
    )
    (figures,) = read_results(tmp_path / "b.json").values()
    assert figures["parameters"] == 64 * 6 + 6 + 6 * 3 + 3 + 3 * 64 + 64
    assert "time ratio" in capsys.readouterr().out
    main(["bench", "--ratios", str(tmp_path / "b.json"), str(tmp_path / "b.json")])
    assert f"| {config} | 1.00 | 1.00 | 1.00 | 1.00 |" in capsys.readouterr().out


@pytest.mark.slow
def test_bench_of_all_configs_leaves_out_what_cannot_be_measured_and_keeps_what_was(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    for name, old, new in zip("abcd", ("8, 8", "", "size=8", "experiment"), ("8, 9", "", "size=0", "stop"), strict=True):
        (tmp_path / "configs" / f"{name}.py").write_text(CONFIG.replace(old, new))
    with (tmp_path / "configs" / "e.py").open("w") as file:
        file.write("raise KeyboardInterrupt")
    with pytest.raises(SystemExit):
        main(["bench", "--all", "--batch", "2", "--runs", "1", "--no-oracle", "--json", "b.json"])
    assert list(read_results(tmp_path / "b.json")) == ["configs/b.py"]
    printed = capsys.readouterr().out
    assert [line.split(" is left out: ")[0] for line in printed.splitlines() if " is left out: " in line] == [
        f"configs/{name}.py" for name in "acd"
    ]


@pytest.mark.parametrize(
    "what", ["orders", "masks", *(pytest.param(what, marks=pytest.mark.slow) for what in ("receptive-field", "attention"))]
)
def test_figures_draws(what, tmp_path, capsys):
    path = tmp_path / "deep" / "figure.png"
    main(["figures", what, "--out", str(path), "--height", "4", "--width", "5"])
    with Image.open(path) as image:
        assert min(image.size) > 200
    assert capsys.readouterr().out.endswith(f" in {path}\n")


def test_evaluate_gives_the_exact_mean_on_all_devices(labelled, capsys):
    # 125 examples at once cannot be shared by the eight devices of the tests.
    main(["evaluate", str(labelled), "--split", "valid"])
    model, params = arjax.load(labelled)
    valid = DATA.load().valid
    x = (valid.x > 7).astype(np.int32)
    nats = -np.mean(arjax.log_prob(model, params, x, cond=arjax.Cond(label=valid.label.astype(np.int32))))
    assert f"{nats:.3f} ± " in capsys.readouterr().out


def test_a_run_of_ones_own_classes_needs_their_module_named(labelled, tmp_path, monkeypatch, capsys):
    (tmp_path / "my_values.py").write_text(
        "from arjax.data.values import Threshold as Base\n"
        "import dataclasses\n\n\n"
        "@dataclasses.dataclass(frozen=True)\nclass Mine(Base):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run = tmp_path / "run"
    shutil.copytree(labelled, run)
    text = (run / "run.json").read_text()
    (run / "run.json").write_text(text.replace("arjax.data.values:Threshold", "my_values:Mine"))
    for command in (["evaluate", str(run)], ["sample", str(run), "--batch", "4"]):
        assert "--modules my_values" in failure(capsys, *command)
        main([*command, "--modules", "my_values"])
        assert capsys.readouterr().err == ""


def test_a_damaged_checkpoint_is_warned_of_and_where_none_is_left_one_line_says_so(labelled, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(labelled, run)
    shutil.copytree(run / "checkpoints" / "1", run / "checkpoints" / "2")
    (run / "checkpoints" / "2" / "default" / "_METADATA").unlink()
    with pytest.warns(UserWarning, match="checkpoint 2 in .* is damaged; these are the parameters of step 1"):
        _, params = arjax.load(run)
    jax.tree.map(np.testing.assert_array_equal, params, arjax.load(labelled).params)
    (run / "checkpoints" / "1" / "default" / "_METADATA").unlink()
    assert "none of the checkpoints [1, 2] in" in failure(capsys, "evaluate", run)


@pytest.mark.parametrize("command", ["figures", "evaluate"])
def test_a_reader_that_goes_away_is_not_complained_about(labelled, tmp_path, command):
    rest = {"figures": ["orders", "--out", str(tmp_path / "x.png")], "evaluate": [str(labelled)]}[command]
    # Empty is off: what was printed waits to be written until the end, as it does for most users.
    env = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}
    argv = [sys.executable, "-m", "arjax", command, *rest]
    with subprocess.Popen(argv, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_a_wrong_command_ends_in_one_line_that_says_what_to_do(labelled, tmp_path, capsys):
    (tmp_path / "tiny.py").write_text(CONFIG)
    cases = [
        ((), "there is no command"),
        (("smaple",), "there is no command 'smaple'; choose train, bench, compare, evaluate, sample"),
        (("sample", tmp_path / "none"), "no run directory"),
        (("sample", labelled, "--batch", "0"), "--batch 0 must be at least 1"),
        (("sample", labelled, "--label", "12"), "label must be in 0..9"),
        (("sample", labelled, "--label", "99999999999999999999"), "label must be in 0..9"),
        (("sample", labelled, "--out", tmp_path / "x.png"), "must end in .npz"),
        (("sample", labelled, "--png", tmp_path / "x.foo"), "x.foo must end in .png"),
        (("sample", labelled, "--png", tmp_path), "must end in .png"),
        (("sample", labelled, "--seed", "99999999999999999999"), "--seed 99999999999999999999 is not in 0..2**32-1"),
        (("sample", labelled, "--seed", "-1"), "--seed -1 is not in 0..2**32-1"),
        (("sample", labelled, "--top-k", "2"), "use a Categorical head"),
        (("evaluate", labelled, "--ensemble", "4"), "needs something to average over"),
        (("bench", tmp_path / "none.py"), "there is no config"),
        (("bench", tmp_path / "tiny.py", "--runs", "0"), "--runs 0 must be at least 1"),
        (("figures", "orders", "--out", tmp_path / "x.foo"), "x.foo must end in .png"),
    ]
    for argv, part in cases:
        assert part in failure(capsys, *argv), argv
