"""Runs over the tokens of images and of text: what a run holds, what is read back, and what ends them in one line."""

import dataclasses
import itertools
import json
import math
import re
import shutil

import jax
import numpy as np
import pytest
import safetensors.numpy
from trained import failure, words, write_run_of_random_parameters

import arjax
import train as script
from arjax.__main__ import main
from arjax.data import Levels, Npz, WikipediaSample
from arjax.errors import InputError
from arjax.heads import Categorical
from arjax.models import RNN
from arjax.runs.config import load_config
from arjax.runs.directory import check_run, read_run, read_tokenizer, write_run
from arjax.runs.load import learn
from arjax.runs.report import rows_of
from arjax.sampling import generate
from arjax.tokenizers import Palette
from arjax.training import Experiment

CONFIG = """
import arjax
from arjax.data import *
from arjax.heads import Categorical
from arjax.models import MADE, RNN
from arjax.tokenizers import *
from arjax.training import Experiment

experiment = Experiment(data={data}, tokenizer={tokenizer}, model={model}, steps=1, eval_every=1, eval_batch_size=125)
"""
MADE = "arjax.Model(MADE(hidden=(4,)), Categorical({}), (6, 4), cond=arjax.CondSpec(classes=2))"
WORDS = ("the", "quick", "brown", "fox", "jumps", "naïve", "café", "日本", "over", "dogs,\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs of random parameters, of a palette and of a text's byte-pair tokens; and a config of the upper bits."""
    folder, rng = tmp_path_factory.mktemp("runs"), np.random.default_rng(0)
    # Dark in one half and bright in the other, with labels.
    x = (rng.integers(0, 64, (40, 6, 4)) + 128 * (np.arange(6)[:, None] > 2)).astype(np.uint8)
    labels = {f"{part}_label": np.arange(n) % 2 for part, n in (("train", 24), ("valid", 8), ("test", 8))}
    np.savez(folder / "images.npz", train=x[:24], valid=x[24:32], test=x[32:], **labels)
    images = f"Npz({str(folder / 'images.npz')!r}, Levels(256))"
    text = " ".join(np.random.default_rng(0).choice(WORDS, 800))
    (folder / "text.txt").write_bytes(text.encode() + b"\xff\xfe")  # and what is no UTF-8
    data = f"TextFiles({str(folder / 'text.txt')!r}, 'bytes', length=12, valid=0.1, test=0.2, ends=False, held_out='place')"
    for name, *parts in (
        ("palette", images, "Palette(5)", MADE.format(5)),
        ("bits", images, "Bits(3)", MADE.format(8)),
        ("bpe", data, "BPE(272)", "arjax.Model(RNN(width=4), Categorical(272), (12,))"),
    ):
        (folder / f"{name}.py").write_text(CONFIG.format(**dict(zip(("data", "tokenizer", "model"), parts, strict=True))))
        if name != "bits":
            experiment = load_config(str(folder / f"{name}.py"))
            write_run_of_random_parameters(folder / name, experiment.data, experiment.model, experiment.tokenizer)
    return folder


def again(folder, name, run):
    """What train.py is given to go on with `run`, or to begin it."""
    return [str(folder / f"{name}.py"), "--run", str(run)]


@pytest.fixture
def run(folder, tmp_path):
    """A copy of the run of the palette, that may be damaged."""
    return shutil.copytree(folder / "palette", tmp_path / "run")


# What a run holds


def test_write_run_keeps_a_tokenizer_and_its_sha256_in_run_json(folder):
    for name, learned in (("palette", "colours"), ("bpe", "json")):
        assert safetensors.numpy.load_file(folder / name / "tokenizer.safetensors").keys() == {learned}
    sums = [json.loads((folder / name / "run.json").read_text())["tokenizer"] for name in ("palette", "bpe")]
    assert all(re.fullmatch("[0-9a-f]{64}", sum) for sum in sums)
    assert sums[0] != sums[1]


def test_write_run_keeps_that_nothing_was_learned(folder, tmp_path):
    experiment = load_config(str(folder / "bits.py"))
    write_run(tmp_path / "run", experiment, experiment.data.load(), learn(experiment))
    assert read_tokenizer(tmp_path / "run", experiment) == {}


def test_load_gives_the_tokenizer_that_a_run_was_trained_with(folder):
    data = Npz(str(folder / "images.npz"), Levels(256))
    model, params = run = arjax.load(folder / "palette")
    loaded = run.tokenizer
    assert loaded.tokenizer == Palette(5)
    x, colours = data.load().test.x, Palette(5).fit(data)["colours"]
    np.testing.assert_array_equal(loaded.learned["colours"], colours)
    tokens = np.argmin(abs(x[..., None] - colours[:, 0].astype(np.float64)), axis=-1)
    np.testing.assert_array_equal(loaded.encode(x), tokens)
    np.testing.assert_array_equal(loaded.decode(tokens), np.round(colours[:, 0])[tokens])
    assert arjax.log_prob(model, params, tokens, cond=arjax.Cond(np.zeros(8, np.int32))).shape == (8,)


# Text


def test_evaluate_scores_tokens_of_text_in_bits_for_each_byte_of_it(folder, capsys):
    main(["evaluate", str(folder / "bpe")])
    printed = words(capsys)
    model, params = loaded = arjax.load(folder / "bpe")
    tokenizer = loaded.tokenizer
    content = np.frombuffer((folder / "text.txt").read_bytes(), np.uint8)
    np.testing.assert_array_equal(tokenizer.decode(tokenizer.encode(content)), content)
    tokens = tokenizer.encode(content[round(0.8 * len(content)) :])
    x = tokens[: len(tokens) // 12 * 12].reshape(-1, 12)
    nats = -np.asarray(arjax.log_prob(model, params, x), np.float64)
    sizes = [len(tokenizer.decode(row)) for row in x]
    assert min(sizes) < max(sizes), "windows are of different numbers of bytes"
    assert f"in bytes {nats.sum() / math.log(2) / sum(sizes):.4f} bits per byte of the original" in printed
    assert f"{nats.mean():.3f} ± " in printed
    assert f"{nats.mean() / 12:.4f} nats/token" in printed
    assert "text.txt, BPE of 272 tokens, windows of 12" in printed
    # Nothing is lost, so that this is a likelihood of the text.
    assert "never to be put beside" not in printed
    assert "distortion" not in printed


def test_rows_of_say_the_bits_of_bytes_once():
    model = arjax.Model(RNN(width=4), Categorical(256), (12,))
    experiment = Experiment(data=WikipediaSample(length=12), model=model, steps=1, eval_every=1)
    record = {"nats": 24 * math.log(2), "dims": 12.0, "standard_error": 0.5, "bits_per_byte": 2.0}
    rows = rows_of(experiment.task, experiment, "test", record)
    assert "in bytes" not in rows
    assert next(iter(rows.items())) == ("test", f"{2 * math.log(2):.4f} nats/byte = 2.0000 bits/byte")


def test_sample_continues_a_prompt_token_by_token(folder, capsys):
    main(["sample", str(folder / "bpe"), "--prompt", "the café", "--tokens", "4", "--seed", "3"])
    printed = capsys.readouterr().out
    model, params = loaded = arjax.load(folder / "bpe")
    tokenizer = loaded.tokenizer
    prompt = tokenizer.encode(np.frombuffer("the café".encode(), np.uint8))
    assert len(prompt) < len("the café".encode())
    x, length = generate(model, params, jax.random.key(3), [prompt], tokens=4)
    assert length.tolist() == [len(prompt) + 4]
    text = tokenizer.decode(x[0, : len(prompt) + 4]).tobytes().decode(errors="replace")
    assert text.startswith("the café")
    path = folder / "bpe" / "samples" / "seed_3.txt"
    assert path.read_bytes().decode() == text + "\n"
    assert printed == f"{text}\n1 continuations in {path}\n"


def test_complete_refuses_what_is_not_for_tokens_of_text(folder, capsys):
    run = folder / "bpe"
    assert "models texts; leave it out" in failure(capsys, "complete", run, "--text", "the ____")


# Damage


CHANGED = "is not the tokenizer that this run was trained with"
DAMAGES = {
    "another": (lambda path: safetensors.numpy.save_file({"colours": np.arange(5, dtype=np.float32)[:, None]}, path), CHANGED),
    "truncate": (lambda path: path.write_bytes(path.read_bytes()[:-3]), "cannot be read"),
    "replace by a folder": (lambda path: (path.unlink(), path.mkdir()), "is missing, or no file"),
    "remove": (lambda path: path.unlink(), "is missing, or no file"),
    "forget": (lambda path: forget(path.with_name("run.json")), CHANGED),
}


def forget(path):
    path.write_text(path.read_text().replace('"tokenizer": "', '"another": "'))


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES)
def test_read_tokenizer_refuses_a_damaged_one_in_one_line_whoever_reads(damage, said, folder, run, capsys):
    damage(run / "tokenizer.safetensors")
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    message = rf"\A{re.escape(str(run))}/tokenizer.safetensors {said}[^\n]*; restore it, or train again elsewhere\Z"
    with pytest.raises(InputError, match=message):
        arjax.load(run)
    with pytest.raises(InputError, match=message):
        script.main(again(folder, "palette", run))
    for command in ("evaluate", "sample", "complete"):
        assert said in failure(capsys, command, run)
    with pytest.raises(InputError, match=message):
        script.main([*again(folder, "palette", run.with_name("other")), "--tokenizer-from", str(run)])
    assert not run.with_name("other").exists()
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_read_tokenizer_finds_whichever_byte_of_the_file_is_another_or_it_changes_nothing(run):
    path = run / "tokenizer.safetensors"
    content, colours = path.read_bytes(), safetensors.numpy.load_file(path)["colours"]
    experiment = read_run(run)
    for place, bit in itertools.product(range(len(content)), (1, 32)):
        path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        try:
            read = read_tokenizer(run, experiment)
        except InputError as error:
            assert re.fullmatch(rf"{re.escape(str(path))}[^\n]+", str(error))  # noqa: PT017
        else:
            np.testing.assert_array_equal(read["colours"], colours)


# Where a tokenizer comes from


def test_learn_never_learns_again_what_a_run_holds(folder, run, monkeypatch):
    experiment, colours = load_config(str(folder / "palette.py")), arjax.load(run).tokenizer.learned["colours"]
    monkeypatch.setattr(Palette, "fit", lambda *_: pytest.fail("the tokenizer was learned again"))
    np.testing.assert_array_equal(learn(experiment, run)["colours"], colours)


def test_learn_takes_a_tokenizer_from_another_run_for_other_data(folder, run):
    experiment = load_config(str(folder / "palette.py"))
    # Of these images alone another palette would be learned.
    x = np.random.default_rng(1).integers(0, 256, (30, 6, 4)).astype(np.uint8)
    np.savez(folder / "other.npz", train=x, valid=x, test=x)
    there = dataclasses.replace(experiment, data=Npz(str(folder / "other.npz"), Levels(256)), tokenizer_from=str(run))
    np.testing.assert_array_equal(learn(there)["colours"], arjax.load(run).tokenizer.learned["colours"])


def test_learn_takes_a_tokenizer_of_ones_own_class_from_another_run(folder, tmp_path, monkeypatch):
    (tmp_path / "my_tokenizers.py").write_text(
        "import dataclasses\n\nfrom arjax.tokenizers import Palette\n\n\n"
        "@dataclasses.dataclass(frozen=True)\nclass Mine(Palette):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import my_tokenizers

    experiment = dataclasses.replace(load_config(str(folder / "palette.py")), tokenizer=my_tokenizers.Mine(5))
    write_run_of_random_parameters(tmp_path / "run", experiment.data, experiment.model, experiment.tokenizer)
    learned = learn(dataclasses.replace(experiment, tokenizer_from=str(tmp_path / "run")))
    np.testing.assert_array_equal(learned["colours"], Palette(5).fit(experiment.data)["colours"])


def test_check_run_refuses_another_tokenizer_and_passes_over_what_was_killed_before_it_had_a_run_json(folder, run):
    experiment = load_config(str(folder / "palette.py"))
    with pytest.raises(InputError, match=r"holds a different experiment \(tokenizer\.seed: 0 there, 1 here\)"):
        check_run(run, dataclasses.replace(experiment, tokenizer=Palette(5, seed=1)))
    begun = run.with_name("begun")
    begun.mkdir()
    (begun / "tokenizer.safetensors").write_bytes(b"whole")
    (begun / ".run.json.77.tmp").write_bytes(b"half a fi")
    check_run(begun, experiment)


FROM_PALETTE = ("--tokenizer-from", "palette")


@pytest.mark.parametrize(
    ("name", "flags", "part"),
    [
        ("palette", ("--model.head.vocab", "4"), "gives symbols 0..4, but Categorical models symbols 0..3; change one of them"),
        ("palette", ("--model.site-shape", "4", "6"), "examples of shape (6, 4), but the model's are (4, 6)"),
        ("palette", ("--tokenizer-from", "nowhere"), "nowhere is no run directory"),
        ("palette", ("--data.values.count", "255"), "does not have 256 values a pixel"),
        (
            "palette",
            ("--tokenizer.seed", "1", *FROM_PALETTE),
            "the run palette has no such tokenizer (seed: 0 there, 1 here); describe the tokenizer as it is there, or",
        ),
        ("bits", FROM_PALETTE, "has no such tokenizer (Palette(colours=5) there, Bits(bits=3) here); describe the tokenizer as"),
        ("bpe", ("--tokenizer.vocab", "5000", "--model.head.vocab", "5000"), ", or --tokenizer.vocab "),
        ("bpe", ("--tokenizer.file", "none.json"), "there is no file none.json"),
        ("bpe", ("--data.length", "13"), "examples of shape (13,), but the model's are (12,)"),
    ],
)
def test_train_refuses_what_does_not_fit_in_one_line_and_leaves_no_directory(name, flags, part, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match=r"\A[^\n]+; [^\n]+\Z") as error:
        script.main([*again(folder, name, tmp_path / "run"), *flags])
    assert part in str(error.value)
    assert not (tmp_path / "run").exists()
