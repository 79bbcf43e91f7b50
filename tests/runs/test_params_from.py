"""Runs that start from the parameters of another, or of a Hugging Face folder."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from faults import fault
from huggingface_folders import GPT2, tensors_of, write_folder
from trained import stream, write_random_run

import arjax
from arjax.data import Digits, TextFiles, Threshold
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE, Histogram, Transformer
from arjax.protocol import CondSpec
from arjax.runs import start
from arjax.runs.directory import write_run
from arjax.runs.load import learn
from arjax.runs.start import settled
from arjax.training import Adam, Experiment, Mesh, ModelFor
from arjax.training.mesh import over_state
from arjax.training.state import abstract_state, draw_state, leaves

DIGITS = Digits(values=Threshold(7))
NET = Transformer(width=6, layers=2, heads=3, activation="gelu_tanh", tied=True, bos=10)
KEY = jax.random.key(0)


def experiment_of(model, data=DIGITS, **fields):
    return Experiment(data=data, model=model, **({"steps": 1, "eval_every": 1, "eval_batch_size": 125} | fields))


EXPERIMENT = experiment_of(arjax.Model(MADE(hidden=(8, 8)), Bernoulli(), (8, 8)))
GIVEN_THE_CLASS = experiment_of(arjax.Model(MADE(hidden=(8, 8)), Bernoulli(), (8, 8), cond=CondSpec(classes=10)))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The run of EXPERIMENT that others start from."""
    folder = tmp_path_factory.mktemp("start") / "source"
    write_random_run(folder, EXPERIMENT)
    return folder


def taken(experiment, run, **fields):
    """What the same experiment with these fields takes over, in the directory `run`."""
    experiment = dataclasses.replace(experiment, **fields)
    return start.taken(experiment, abstract_state(experiment), run)


def text(length, alphabet="\nabcdefghij"):
    return stream("text.txt", alphabet=alphabet, length=length)


def test_fit_starts_from_a_runs_best_parameters_and_notes_their_digest(tmp_path, capsys):
    model, x = arjax.Model(Histogram(), Categorical(3), (2,)), np.array([[0, 1], [0, 2], [0, 1], [1, 1]])
    source, run = tmp_path / "source", tmp_path / "run"
    write_random_run(source, experiment_of(model, arjax.Arrays(x, x)))
    options = {"steps": 1, "batch_size": 4, "ema": 0.0, "mesh": Mesh(1), "optimizer": Adam(1e-9), "samples": 0}
    fitted = arjax.fit(model, arjax.Arrays(x, x), run=run, params_from=str(source), **options)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-7), fitted.params, arjax.load(source).params)
    assert f"starting from {source}: 6 of 6 numbers\n" in capsys.readouterr().out
    held, before = (json.loads((run / "run.json").read_text()) for run in (run, source))
    assert held["experiment"]["params_from"] == str(source)
    assert len(held["params"]) == 64
    assert "params" not in before


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ((), {"b0", "b1", "c", "v", "w0", "w1"}),
        (("w", "c"), {"c", "w0", "w1"}),
        (("w1",), {"w1"}),
    ],
)
def test_taken_are_those_whose_names_begin_as_params_only_says(only, names, source, tmp_path):
    found = taken(EXPERIMENT, tmp_path, params_from=str(source), params_only=only).arrays
    params = leaves(arjax.load(source).params, ())
    assert set(found) == names
    for name in found:
        np.testing.assert_array_equal(found[name], params[name])


def test_begin_draws_what_is_not_taken_and_lays_all_over_the_devices(source, tmp_path):
    mesh = Mesh(data=2, fsdp=4).build()
    abstract = over_state(abstract_state(EXPERIMENT), mesh, EXPERIMENT.model)
    given = taken(EXPERIMENT, tmp_path, params_from=str(source), params_only=("w",))
    state, drawn = start.begin(EXPERIMENT, abstract, KEY, given, tmp_path), draw_state(EXPERIMENT, abstract, KEY)
    begun = leaves(state.params, state.state)
    for name, leaf in leaves(drawn.params, drawn.state).items():
        np.testing.assert_array_equal(begun[name], given.arrays.get(name, leaf))
        assert begun[name].sharding == leaf.sharding
    jax.tree.map(np.testing.assert_array_equal, state.ema, state.params)
    jax.tree.map(np.testing.assert_array_equal, state.opt_state, drawn.opt_state)


def test_taken_names_what_does_not_fit_and_what_does(source, tmp_path):
    wide = dataclasses.replace(EXPERIMENT, model=arjax.Model(MADE(hidden=(8, 9)), Bernoulli(), (8, 8)))
    said = fault(lambda: taken(wide, tmp_path, params_from=str(source)))
    assert f"the parameters of {source} do not fit this model (there -> here): b1 float32[8] -> float32[9], " in said
    assert said.endswith("; take those that fit, and draw the rest, by --params-only c, or change the model")
    said = fault(lambda: taken(GIVEN_THE_CLASS, tmp_path, params_from=str(source)))
    assert "label_b0 absent -> float32[10, 8], " in said
    fits = said.partition("--params-only ")[2].partition(",")[0].split()
    assert taken(GIVEN_THE_CLASS, tmp_path, params_from=str(source), params_only=tuple(fits)).arrays


def test_taken_says_where_symbols_mean_something_else(source, tmp_path, capsys):
    letters = experiment_of(arjax.Model(MADE(hidden=(8, 8)), Bernoulli(), (64,)), text(64, "ab"))
    assert taken(letters, tmp_path, params_from=str(source)).arrays
    assert f"note: {source} has other symbols than these data; " in capsys.readouterr().out


def test_taken_of_a_run_that_goes_on_needs_its_source_no_more_and_finds_another(source, tmp_path, capsys):
    moved, run = shutil.copytree(source, tmp_path / "source"), tmp_path / "run"
    experiment = dataclasses.replace(EXPERIMENT, params_from=str(moved))
    digest = taken(experiment, run).digest
    write_run(run, experiment, DIGITS.load(), params=digest)
    capsys.readouterr()
    again = taken(experiment, run)
    assert again.digest == digest
    assert again.arrays is not None
    assert not capsys.readouterr().out
    assert f"{run} was begun from other parameters than {moved} holds now; " in fault(
        lambda: taken(experiment, run, params_only=("w",))
    )
    for gone in (None, str(tmp_path / "nowhere")):
        given = taken(experiment, run, params_from=gone)
        assert given == (None, digest)
        assert "has no checkpoint yet, and begins with other parameters; name them" in fault(
            lambda given=given: start.begin(experiment, abstract_state(experiment), KEY, given, run)
        )
    assert fault(lambda: taken(experiment, source, params_from=str(moved))).endswith("choose another directory with --run")


def test_taken_of_a_folder_are_the_weights_of_gpt2_as_far_as_the_windows_reach(tmp_path):
    tensors = tensors_of(GPT2)
    folder = str(write_folder(tmp_path / "gpt2", GPT2, tensors))
    whole = experiment_of(arjax.Model(NET, Categorical(11), (6,)), text(6), params_from=folder)
    found = taken(whole, tmp_path / "run").arrays
    np.testing.assert_array_equal(found["next.table"], tensors["wpe.weight"])
    np.testing.assert_array_equal(found["blocks_1.w_up"], tensors["h.1.mlp.c_fc.weight"])
    short = experiment_of(arjax.Model(NET, Categorical(11), (4,)), text(4), params_from=folder)
    np.testing.assert_array_equal(taken(short, tmp_path / "run").arrays["next.table"], tensors["wpe.weight"][:4])
    long = experiment_of(arjax.Model(NET, Categorical(11), (7,)), text(7), params_from=folder)
    assert "next.table float32[6, 6] -> float32[7, 6]; take those that fit" in fault(lambda: taken(long, tmp_path / "run"))


@pytest.mark.parametrize("symbols", ["characters", "bpe"])
def test_settled_has_the_symbols_of_the_run_that_all_parameters_are_from(symbols, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.txt").write_text("the quick brown fox\n" * 200)
    (tmp_path / "second.txt").write_text("the box\n" * 200)
    net, source, run = ModelFor(Transformer(6, 1, 2, bos=-1)), tmp_path / "source", tmp_path / "run"
    vocab = 270 if symbols == "bpe" else None
    first = settled(experiment_of(net, TextFiles("first.txt", symbols=symbols, vocab=vocab)), source)
    write_random_run(source, first)
    unsettled = experiment_of(net, TextFiles("second.txt", symbols=symbols), params_from=str(source))
    second = settled(unsettled, run)
    assert (second.data.alphabet, second.data.vocab) == (first.data.alphabet, first.data.vocab)
    assert second.model == first.model
    assert second.tokenizer_from == (str(source) if symbols == "bpe" else None)
    assert start.taken(second, abstract_state(second), run, learn(second)).arrays
    assert "note: " not in capsys.readouterr().out.partition("starting from")[2]
    # Of parts of it nothing is the same but these.
    alone = settled(dataclasses.replace(unsettled, params_only=("blocks",)), run)
    assert alone.tokenizer_from is None
    assert (alone.data.alphabet, alone.data.vocab) == (("\n behotx", None) if symbols == "characters" else (None, 300))
    # What was begun needs the source no more.
    write_run(run, second, DIGITS.load(), learn(second), "0" * 64)
    shutil.rmtree(source)
    assert settled(unsettled, run) == settled(dataclasses.replace(unsettled, params_from=None), run) == second
