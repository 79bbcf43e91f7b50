"""An autoencoder's run, and a run over its tokens, both by train.py: what they leave, what the commands make of them."""

import dataclasses
import re
import shutil

import jax
import numpy as np
import pytest
from trained import cells, failure, records, words

import arjax
import train as script
from arjax.__main__ import main
from arjax.data import Digits
from arjax.errors import InputError
from arjax.runs.directory import read_run, write_run
from arjax.runs.load import learn, open_run
from arjax.runs.start import taken
from arjax.training.state import abstract_state, leaves

VQ = "VQVAE(shape=(8, 8), strides=(2,), width=4, residual_width=2, blocks=0, quantizer=EMACodebook(6, 3))"
IMPORTS = """
import arjax
from arjax.data import Digits, Scaled
from arjax.heads import Categorical
from arjax.models import MADE
from arjax.tokenizers import VQVAE, EMACodebook
from arjax.training import AdamW, Autoencoding, Cosine, Experiment

settings = dict(batch_size=40, steps=4, ema=0.5, eval_every=2, log_every=2)
"""
FIRST = f"""{IMPORTS}
experiment = Experiment(
    data=Digits(values=Scaled(16)), model={VQ}, samples=5,
    task=Autoencoding(variance=0.14), optimizer=AdamW(learning_rate=1e-2, schedule=Cosine(warmup=1)), **settings,
)
"""
SECOND = f"""{IMPORTS}
experiment = Experiment(
    data=Digits(values=Scaled(16)), tokenizer={VQ}, tokenizer_from={{source!r}}, samples=4,
    model=arjax.Model(MADE(hidden=(8,)), Categorical(6), (4, 4), cond=arjax.CondSpec(classes=10)), **settings,
)
"""
X = Digits().load()  # raw values 0..16
VALID, TEST = X.valid.x / np.float32(16), X.test.x / np.float32(16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The run `first` of an autoencoder, and `second` over its tokens."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "first.py").write_text(FIRST)
    (folder / "second.py").write_text(SECOND.format(source=str(folder / "first")))
    for name in ("first", "second"):
        assert script.main([str(folder / f"{name}.py"), "--run", str(folder / name)]) == 0
    return folder


def test_taken_of_an_autoencoder_are_its_parameters_and_its_codebook(folder, tmp_path):
    experiment = dataclasses.replace(read_run(folder / "first"), params_from=str(folder / "first"))
    found = taken(experiment, abstract_state(experiment), tmp_path).arrays
    trained = open_run(folder / "first")
    assert "state.codes" in found
    assert found.keys() == leaves(trained.params, trained.state).keys()
    np.testing.assert_array_equal(found["state.codes"], trained.state["codes"])
    encoder = dataclasses.replace(experiment, params_only=("encoder",))
    assert {name.partition(".")[0] for name in taken(encoder, abstract_state(encoder), tmp_path).arrays} == {"encoder"}


@pytest.mark.slow
def test_evaluate_judges_an_autoencoder_by_its_error_and_the_use_of_its_codes(folder, capsys):
    main(["evaluate", str(folder / "first")])
    printed = words(capsys)
    model, learned = loaded = arjax.load(folder / "first")
    assert loaded.tokenizer is None
    tokens = model.encode(learned, TEST)
    errors = np.square(model.decode(learned, tokens).astype(np.float64) - TEST).mean(axis=(1, 2))
    test = records(folder / "first")[-1]
    assert test["split"] == "test"
    assert test["mse"] == pytest.approx(errors.mean(), abs=1e-5)
    assert f"{test['mse']:.5f} ± {errors.std(ddof=1) / np.sqrt(299):.5f} mean squared error" in printed
    shares = np.bincount(tokens.ravel(), minlength=6) / tokens.size
    assert test["used"] == pytest.approx((shares > 0).mean())
    assert test["perplexity"] == pytest.approx(np.exp(-sum(p * np.log(p) for p in shares if p)), rel=1e-4)
    assert f"{(shares > 0).mean():.1%} of 6 used, perplexity {test['perplexity']:.0f}" in printed
    assert "4 x 4 an image of 8 x 8" in printed
    mean = np.square(TEST - (X.train.x / 16).mean(axis=0)).mean()
    assert f"the mean image {mean:.5f} mean squared error" in printed
    assert "digits 8x8, scaled to [0, 1]" in printed


def test_evaluate_raw_judges_other_parameters_than_the_averaged_ones(folder, capsys):
    main(["evaluate", str(folder / "first"), "--raw", "--split", "valid"])
    model, learned = arjax.load(folder / "first", raw=True)
    error = np.square(model.decode(learned, model.encode(learned, VALID)).astype(np.float64) - VALID).mean()
    assert f"valid {error:.5f} ±" in words(capsys)
    assert f"{error:.5f}" != f"{records(folder / 'first')[-1]['mse']:.5f}"


def test_train_of_an_autoencoder_shows_reconstructions_and_counts_its_error_down(folder):
    run = folder / "first"
    assert not (run / "tokenizer.safetensors").exists()
    assert [path.name for path in sorted((run / "samples").iterdir())] == ["00000002.png", "00000004.png"]
    found = records(run)
    expected = [(2, "train"), (2, "valid"), (4, "train"), (4, "valid")]
    assert [(r["step"], r["split"]) for r in found[:-1]] == expected
    best = min((r for r in found if r["split"] == "valid"), key=lambda r: r["mse"])
    assert found[-1]["step"] == best["step"]
    model, learned = arjax.load(run)
    x = VALID[np.arange(5) * 299 // 5]
    shown = cells(run / "samples" / f"{best['step']:08d}.png", 4, 4)[..., 0].astype(int)
    above, below = (np.concatenate(shown[rows])[:5] for rows in ([0, 2], [1, 3]))
    assert abs(above - np.round(x * 255)).max() <= 1
    assert abs(below - np.round(model.decode(learned, model.encode(learned, x)) * 255)).max() <= 1


def test_load_of_a_run_over_tokens_gives_the_first_as_its_tokenizer(folder):
    model, learned = arjax.load(folder / "first")
    tokenizer = arjax.load(folder / "second").tokenizer
    assert tokenizer.tokenizer == model
    jax.tree.map(np.testing.assert_array_equal, tokenizer.learned, learned)
    np.testing.assert_array_equal(tokenizer.encode(TEST), model.encode(learned, TEST))


def test_evaluate_says_what_the_nats_of_a_run_over_tokens_are_of(folder, capsys):
    main(["evaluate", str(folder / "second")])
    printed = words(capsys)
    model, params = loaded = arjax.load(folder / "second")
    tokens, cond = loaded.tokenizer.encode(TEST), arjax.Cond(X.test.label.astype(np.int32))
    nats = -float(np.mean(arjax.log_prob(model, params, tokens, cond=cond)))
    test = records(folder / "second")[-1]
    assert test["nats"] == pytest.approx(nats, rel=1e-5)
    assert test["dims"] == 16
    assert "-log p(tokens | label)" in printed
    assert "nats of tokens that lose something, never to be put beside a likelihood of the data" in printed
    assert test["distortion"] == pytest.approx(records(folder / "first")[-1]["mse"], rel=1e-4)
    assert f"{test['distortion']:.5f} mean squared error of test images in [0, 1]" in printed


def test_sample_and_complete_show_tokens_as_images(folder, tmp_path):
    tokenizer, run = arjax.load(folder / "second").tokenizer, str(folder / "second")
    main(["sample", run, "--samples", "4", "--png", str(tmp_path / "s.png"), "--out", str(tmp_path / "s.npz")])
    with np.load(tmp_path / "s.npz") as arrays:
        x, tokens = arrays["x"], arrays["tokens"]
    assert tokens.shape == (4, 4, 4)
    np.testing.assert_allclose(x, tokenizer.decode(tokens), atol=1e-6)
    drawn = cells(tmp_path / "s.png", 1, 4)[..., 0].reshape(4, 8, 8).astype(int)
    assert abs(drawn - np.round(x * 255)).max() <= 1
    main(["complete", run, "--mask", "lower", "--examples", "2", "--completions", "2", "--png", str(tmp_path / "c.png")])
    truth, left, *_ = np.moveaxis(cells(tmp_path / "c.png", 2, 4)[..., 0], 1, 0)
    encoded = tokenizer.decode(tokenizer.encode(TEST[[0, 149]]))
    assert abs(truth - np.round(encoded * 255)).max() <= 1
    np.testing.assert_array_equal(left[:, 4:], 128)
    np.testing.assert_array_equal(left[:, :4], truth[:, :4])


@pytest.mark.parametrize("name", ["first", pytest.param("second", marks=pytest.mark.slow)])
def test_train_of_an_interrupted_run_ends_in_the_very_same_parameters(name, folder, tmp_path, monkeypatch):
    task = type(read_run(folder / name).task)
    validate, seen = task.validate, []

    def killed(self, *arguments, **scoring):
        seen.append(1)
        if len(seen) == 2:
            raise InterruptedError("killed")
        return validate(self, *arguments, **scoring)

    argv = [str(folder / f"{name}.py"), "--run", str(tmp_path / "run")]
    with monkeypatch.context() as patch:
        patch.setattr(task, "validate", killed)
        with pytest.raises(InterruptedError):
            script.main(argv)
    assert script.main(argv) == 0
    for raw in (False, True):
        one, other = (arjax.load(run, raw=raw).params for run in (folder / name, tmp_path / "run"))
        jax.tree.map(np.testing.assert_array_equal, one, other)
    assert records(tmp_path / "run") == records(folder / name)


def test_train_of_a_finished_run_over_tokens_tells_its_result_again(folder, capsys):
    assert script.main([str(folder / "second.py"), "--run", str(folder / "second")]) == 0
    printed = words(capsys)
    assert "is finished" in printed
    assert f"{records(folder / 'second')[-1]['nats']:.3f} ± " in printed


@pytest.mark.slow
def test_figures_draws_the_codes_of_an_autoencoder_and_the_loss_of_any_run(folder, tmp_path, capsys):
    for name, run, said in (
        ("codebook", "first", r"codebook [1-9]\d* of \d+ codes, used in \d+ images, in "),
        ("loss", "first", r"loss best 0\.\d+ mse at step \d+, in "),
        ("loss", "second", r"loss best \d+\.\d+ bits/token .*at step \d+, in "),
    ):
        path = tmp_path / f"{run}_{name}.png"
        main(["figures", name, "--run", str(folder / run), "--png", str(path)])
        assert re.fullmatch(f"{said}{re.escape(str(path))}", capsys.readouterr().out.strip())


def test_main_refuses_an_autoencoder_that_has_no_likelihood(folder, capsys):
    before = {path: path.stat().st_mtime_ns for path in (folder / "first").rglob("*")}
    for argv in (
        ("sample", folder / "first"),
        ("complete", folder / "first"),
        ("evaluate", folder / "first", "--out", folder / "x.npz"),
        ("evaluate", folder / "first", "--other-run", folder / "second"),
        ("figures", "attention", "--run", folder / "first"),
        ("bench", folder / "first.py"),
    ):
        assert "has a VQVAE, which has no probabilities; choose an arjax.Model" in failure(capsys, *argv), argv
    assert "ensemble=2 means nothing to" in failure(capsys, "evaluate", folder / "first", "--ensemble", "2")
    assert {path: path.stat().st_mtime_ns for path in (folder / "first").rglob("*")} == before


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (("--tokenizer.width", "7"), "has no such tokenizer (width: 4 there, 7 here); describe the tokenizer as it is"),
        (("--tokenizer-from", "None"), "a VQVAE is not fitted along with a model; train it by itself with train.py"),
        (("--model.site-shape", "8", "8"), "examples of shape (4, 4), but the model's are (8, 8)"),
        (
            ("--data.values.highest", "255"),
            "first is of values=Scaled(highest=16), these data have values=Scaled(highest=255.0); give both the same",
        ),
    ],
)
def test_train_refuses_what_does_not_fit_in_one_line_and_leaves_no_directory(flags, part, folder, tmp_path):
    with pytest.raises(InputError, match=r"\A[^\n]+; [^\n]+\Z") as error:
        script.main([str(folder / "second.py"), "--run", str(tmp_path / "run"), *flags])
    assert part in str(error.value)
    assert not (tmp_path / "run").exists()


def test_learn_refuses_an_autoencoder_that_has_no_checkpoint_yet(folder, tmp_path):
    shutil.copy(folder / "first" / "run.json", tmp_path)
    with pytest.raises(InputError, match=r" holds no checkpoint yet; [^\n]+\Z"):
        learn(dataclasses.replace(read_run(folder / "second"), tokenizer_from=str(tmp_path)))


def test_learn_takes_the_tokenizer_from_a_run_over_tokens_and_notices_one_that_was_trained_again(folder, tmp_path):
    second, there = read_run(folder / "second"), arjax.load(folder / "first").params

    def learned(source, run=None):
        return learn(dataclasses.replace(second, tokenizer_from=str(source)), run)

    # From the autoencoder, from a run over its tokens, and, where neither is there, from the directory's own copy
    for found in (learned(folder / "first"), learned(folder / "second"), learned(tmp_path / "gone", folder / "second")):
        jax.tree.map(np.testing.assert_array_equal, found, dict(there))
    other = {name: array + np.ones_like(array) for name, array in there.items()}
    write_run(again := tmp_path / "again", second, second.data.load(), other)
    with pytest.raises(InputError, match=r"second was begun with another tokenizer than that of .*again, which was"):
        learned(again, folder / "second")
