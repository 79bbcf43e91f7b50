"""`python -m arjax`: what each command prints and writes, and how wrong ones end."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from arjax.__main__ import main
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE
from arjax.orders import AnyOrder
from arjax.protocol import CondSpec, Model
from arjax.testing import lively_params
from arjax.training import Experiment
from arjax.training.checkpoints import open_checkpoints, save
from arjax.training.experiment import run_keys
from arjax.training.objective import Likelihood
from arjax.training.run_directory import write_run
from arjax.training.state import init_state

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


def write_run_of_random_parameters(run, head, **model):
    """A run directory with a small MADE of random parameters as its only checkpoint."""
    values = Threshold(7)
    experiment = Experiment(
        data=Digits(values=values), model=Model(MADE(hidden=(4,)), head, (8, 8), **model), steps=1, eval_every=1
    )
    write_run(run, experiment)
    batch = {"x": np.zeros((1, 8, 8)), "label": np.zeros(1, np.int32)}
    objective = Likelihood(experiment.model, values)
    state = init_state(objective, experiment.optimizer.build(1), run_keys(experiment).init, batch)
    with open_checkpoints(run / "checkpoints") as checkpoints:
        save(checkpoints, 1, state.replace(ema=lively_params(experiment.model, jax.random.key(0))), 50.0)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "labelled"
    write_run_of_random_parameters(run, Bernoulli(), cond=CondSpec(classes=10))
    return run


@pytest.fixture(scope="module")
def categorical(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "categorical"
    write_run_of_random_parameters(run, Categorical(2), order=AnyOrder())
    return run


def failure(capsys, *argv) -> str:
    """The one line on stderr with which a wrong command ends."""
    with pytest.raises(SystemExit) as exit:
        main([str(argument) for argument in argv])
    assert exit.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


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
    assert "baseline   18.395 nats" in printed
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
    figures = json.loads((tmp_path / "b.json").read_text())
    assert figures["parameters"] == 64 * 6 + 6 + 6 * 3 + 3 + 3 * 64 + 64
    assert "time ratio" in capsys.readouterr().out


def test_figures_draws_the_orders(tmp_path):
    main(["figures", "orders", "--out", str(tmp_path / "orders.png"), "--height", "3", "--width", "4"])
    with Image.open(tmp_path / "orders.png") as image:
        assert min(image.size) > 200


def test_a_wrong_command_ends_in_one_line_that_says_what_to_do(labelled, tmp_path, capsys):
    (tmp_path / "tiny.py").write_text(CONFIG)
    cases = [
        ((), "there is no command"),
        (("smaple",), "there is no command 'smaple'; choose bench, evaluate, sample, figures"),
        (("sample",), "RUN"),
        (("sample", tmp_path / "none"), "no run directory"),
        (("sample", labelled, "--bogus", "1"), "bogus"),
        (("sample", labelled, "--batch", "0"), "--batch 0 must be at least 1"),
        (("sample", labelled, "--label", "12"), "label must be in 0..9"),
        (("sample", labelled, "--out", tmp_path / "x.png"), "must end in .npz"),
        (("sample", labelled, "--top-k", "2"), "use a Categorical head"),
        (("evaluate", labelled, "--split", "dev"), "dev"),
        (("evaluate", labelled, "--ensemble", "4"), "needs something to average over"),
        (("bench", tmp_path / "none.py"), "there is no config"),
        (("bench", tmp_path / "tiny.py", "--model.net.width", "3"), "width"),
        (("bench", tmp_path / "tiny.py", "--runs", "0"), "--runs 0 must be at least 1"),
        (("figures", "trees"), "trees"),
    ]
    for argv, part in cases:
        assert part in failure(capsys, *argv), argv
