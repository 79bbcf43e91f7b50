"""Runs over the tokens of images, from train.py to what is read back, and what ends them in one line."""

import dataclasses
import json
import re
import shutil

import jax
import numpy as np
import pytest
import safetensors.numpy
from PIL import Image
from trained import failure, write_run_of_random_parameters

import arjax
import train as script
from arjax.__main__ import main
from arjax.data import Levels, Npz
from arjax.runs.config import load_config
from arjax.runs.directory import check_run
from arjax.runs.load import learn
from arjax.runs.tokenization import read_learned
from arjax.tokenizers import Palette
from arjax.training import Likelihood

CONFIG = """
import arjax
from arjax.data import Levels, Npz
from arjax.heads import Categorical
from arjax.models import MADE
from arjax.tokenizers import {tokenizer_class}
from arjax.training import Experiment

experiment = Experiment(
    data=Npz({path!r}, Levels({levels})), tokenizer={tokenizer},
    model=arjax.Model(MADE(hidden=(8,), dropout=0.1), Categorical({vocab}), (6, 4), cond=arjax.CondSpec(classes=2)),
    batch_size=8, steps=4, eval_every=2, eval_batch_size=16, log_every=1, samples=4,
)
"""


def write(folder, name, tokenizer, vocab, levels):
    """A config and its data: images that are dark in one half and bright in the other."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, levels // 4, (40, 6, 4)) + levels // 2 * (np.arange(6)[:, None] > 2)
    arrays = {"train": x[:24], "valid": x[24:32], "test": x[32:]}
    labels = {f"{part}_label": np.arange(len(a)) % 2 for part, a in arrays.items()}
    path = folder / f"{name}.npz"
    np.savez(path, **{part: a.astype(np.uint8) for part, a in arrays.items()}, **labels)
    config = folder / f"{name}.py"
    settings = {"tokenizer": tokenizer, "tokenizer_class": tokenizer.split("(")[0], "vocab": vocab, "levels": levels}
    config.write_text(CONFIG.format(path=str(path), **settings))
    return config


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two runs: of a palette, finished by train.py, and of all bits of 16 levels, which lose nothing."""
    folder = tmp_path_factory.mktemp("runs")
    assert script.main([str(write(folder, "palette", "Palette(5)", 5, 256)), "--run", str(folder / "palette")]) == 0
    experiment = load_config(str(write(folder, "bits", "Bits(4, 16)", 16, 16)))
    write_run_of_random_parameters(folder / "bits", experiment.data, experiment.model, experiment.tokenizer)
    return folder


def again(folder, name, run):
    """What train.py is given to go on with `run`, or to begin it."""
    return [str(folder / f"{name}.py"), "--run", str(run)]


@pytest.fixture
def run(folder, tmp_path):
    """A copy of the run of the palette, that may be damaged."""
    return shutil.copytree(folder / "palette", tmp_path / "run")


def test_a_run_holds_its_tokenizer_and_run_json_its_sha256(folder):
    for name, size in (("palette", 1), ("bits", 0)):
        learned = safetensors.numpy.load_file(folder / name / "tokenizer.safetensors")
        assert len(learned) == size
        assert re.fullmatch("[0-9a-f]{64}", json.loads((folder / name / "run.json").read_text())["tokenizer"])
    digests = {json.loads((folder / name / "run.json").read_text())["tokenizer"] for name in ("palette", "bits")}
    assert len(digests) == 2


def test_what_was_trained_is_loaded_with_the_tokenizer_that_it_was_trained_with(folder):
    data = Npz(str(folder / "palette.npz"), Levels(256))
    loaded = arjax.load(folder / "palette")
    model, params = loaded
    assert loaded.tokenizer.tokenizer == Palette(5)
    x, colours = data.load().test.x, Palette(5).fit(data)["colours"]
    np.testing.assert_array_equal(loaded.tokenizer.learned["colours"], colours)
    tokens = np.argmin(abs(x[..., None] - colours[:, 0].astype(np.float64)), axis=-1)
    np.testing.assert_array_equal(loaded.tokenizer.encode(x), tokens)
    np.testing.assert_array_equal(loaded.tokenizer.decode(tokens), np.round(colours[:, 0])[tokens])
    assert arjax.log_prob(model, params, tokens, cond=arjax.Cond(np.zeros(8, np.int32))).shape == (8,)
    lossless = arjax.load(folder / "bits").tokenizer
    x = Npz(str(folder / "bits.npz"), Levels(16)).load().test.x
    np.testing.assert_array_equal(lossless.decode(lossless.encode(x)), x)


def words(capsys) -> str:
    """All that was printed on one line, out of the cells of its table."""
    return " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_the_result_is_the_likelihood_of_the_tokens_and_says_what_they_lost(folder, capsys):
    main(["evaluate", str(folder / "palette")])
    printed = words(capsys)
    (model, params), tokenizer = arjax.load(folder / "palette"), arjax.load(folder / "palette").tokenizer
    test = Npz(str(folder / "palette.npz"), Levels(256)).load().test
    tokens = np.asarray(tokenizer.encode(test.x))
    nats = -float(np.mean(arjax.log_prob(model, params, tokens, cond=arjax.Cond(test.label.astype(np.int32)))))
    record = json.loads((folder / "palette" / "metrics.jsonl").read_text().splitlines()[-1])
    assert record["nats"] == pytest.approx(nats, rel=1e-5)
    assert f"{nats:.3f} ± " in printed
    assert "nats/token" in printed
    assert "nats of tokens (palette of 5 colours), never to be put beside a likelihood of the data" in printed
    error = np.square((np.asarray(tokenizer.decode(tokens), np.float64) - test.x) / 255).mean()
    assert record["distortion"] == pytest.approx(error, rel=1e-5)
    assert f"{error:.5f} mean squared error of test images in [0, 1]" in printed
    main(["evaluate", str(folder / "bits")])
    assert "nats of tokens" not in words(capsys)


def picture_of(path, rows, columns):
    """uint8 [rows, columns, 6, 4] out of a grey picture of them."""
    with Image.open(path) as image:
        picture = np.asarray(image)
    scale = picture.shape[0] // (rows * 7 + 1)
    assert picture.shape == (scale * (rows * 7 + 1), scale * (columns * 5 + 1), 3)
    return picture[::scale, ::scale, 0][1:, 1:].reshape(rows, 7, columns, 5)[:, :-1, :, :-1].swapaxes(1, 2)


def test_samples_and_completions_are_seen_as_images(folder, tmp_path):
    run, tokenizer = str(folder / "palette"), arjax.load(folder / "palette").tokenizer
    main(["sample", run, "--batch", "4", "--png", str(tmp_path / "s.png"), "--out", str(tmp_path / "s.npz")])
    with np.load(tmp_path / "s.npz") as arrays:
        x, tokens = arrays["x"], arrays["tokens"]
    assert tokens.max() < 5
    np.testing.assert_array_equal(x, tokenizer.decode(tokens))
    np.testing.assert_array_equal(picture_of(tmp_path / "s.png", 2, 2).reshape(4, 6, 4), x)
    main(["complete", run, "--images", "2", "--completions", "3", "--png", str(tmp_path / "c.png")])
    truth, left, *drawn = np.moveaxis(picture_of(tmp_path / "c.png", 2, 5), 1, 0)
    test = Npz(str(folder / "palette.npz"), Levels(256)).load().test.x[[0, 4]]
    np.testing.assert_array_equal(truth, tokenizer.decode(tokenizer.encode(test)))
    np.testing.assert_array_equal(left[:, 3:], 128)
    for cell in (left, *drawn):
        np.testing.assert_array_equal(cell[:, :3], truth[:, :3])
    assert {int(value) for cell in drawn for value in cell.ravel()} <= set(
        np.asarray(tokenizer.decode(np.arange(5)[None, None])).flat
    )


def same_parameters(one, other):
    for raw in (False, True):
        jax.tree.map(np.testing.assert_array_equal, *(arjax.load(run, raw=raw).params for run in (one, other)))


def records(run):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    # Times differ from run to run; nothing else does.
    return [{k: v for k, v in json.loads(line).items() if k not in ("seconds", "examples_per_second")} for line in lines]


def begin(folder, run, monkeypatch):
    """Begin the palette's run anew, and end it at its second validation as if it were killed."""
    validate, seen = Likelihood.validate, []

    def killed(self, *arguments, **scoring):
        seen.append(1)
        if len(seen) == 2:
            raise InterruptedError("killed")
        return validate(self, *arguments, **scoring)

    with monkeypatch.context() as patch:
        patch.setattr(Likelihood, "validate", killed)
        with pytest.raises(InterruptedError):
            script.main(again(folder, "palette", run))


def flip(run):
    content = bytearray((run / "tokenizer.safetensors").read_bytes())
    content[-1] ^= 1
    (run / "tokenizer.safetensors").write_bytes(content)


def another(run):
    colours = np.arange(5, dtype=np.float32)[:, None]
    Palette(5).check({"colours": colours})
    safetensors.numpy.save_file({"colours": colours}, run / "tokenizer.safetensors")


def truncate(run):
    path = run / "tokenizer.safetensors"
    path.write_bytes(path.read_bytes()[:-3])


def replace_by_folder(run):
    remove(run)
    (run / "tokenizer.safetensors").mkdir()


def remove(run):
    (run / "tokenizer.safetensors").unlink()


def forget(run):
    described = json.loads((run / "run.json").read_text())
    del described["tokenizer"]
    (run / "run.json").write_text(json.dumps(described))


DAMAGES = {
    flip: "is not the tokenizer that this run was trained with",
    another: "is not the tokenizer that this run was trained with",
    truncate: "cannot be read",
    replace_by_folder: "cannot be read",
    remove: "is missing",
    forget: "is not the tokenizer that this run was trained with",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_tokenizer_is_one_line_for_whoever_reads_the_run(damage, folder, run, capsys):
    damage(run)
    message = rf"\A{re.escape(str(run))}/tokenizer.safetensors {DAMAGES[damage]}[^\n]*; restore it, or train again elsewhere\Z"
    with pytest.raises(ValueError, match=message):
        arjax.load(run)
    with pytest.raises(ValueError, match=message):
        script.main(again(folder, "palette", run))
    for command in ("evaluate", "sample", "complete"):
        assert DAMAGES[damage] in failure(capsys, command, run)
    with pytest.raises(ValueError, match=message):
        script.main([*again(folder, "palette", run.with_name("other")), "--tokenizer-from", str(run)])
    assert not run.with_name("other").exists()


def test_an_interrupted_run_goes_on_with_its_own_tokens_alone_to_the_same_parameters(folder, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    begin(folder, run, monkeypatch)
    whole = (run / "tokenizer.safetensors").read_bytes()
    flip(run)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    with pytest.raises(ValueError, match="is not the tokenizer that this run was trained with"):
        script.main(again(folder, "palette", run))
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
    (run / "tokenizer.safetensors").write_bytes(whole)
    with monkeypatch.context() as patch:
        patch.setattr(Palette, "fit", lambda *_: pytest.fail("the tokenizer was learned again"))
        assert script.main(again(folder, "palette", run)) == 0
    assert "continuing from step 2" in capsys.readouterr().out
    same_parameters(folder / "palette", run)
    assert records(run) == records(folder / "palette")


def test_whichever_byte_of_the_file_is_another_it_is_found_or_changes_nothing(run):
    path = run / "tokenizer.safetensors"
    content, colours = path.read_bytes(), safetensors.numpy.load_file(path)["colours"]
    sha256 = json.loads((run / "run.json").read_text())["tokenizer"]
    lines = set()
    for place in range(len(content)):
        for bit in (1, 32):
            damaged = bytearray(content)
            damaged[place] ^= bit
            path.write_bytes(damaged)
            try:
                read = read_learned(run, Palette(5), sha256)
            except ValueError as error:
                lines.add(str(error))
            else:
                np.testing.assert_array_equal(read["colours"], colours)
    assert lines
    assert all(line.startswith(str(path)) and "\n" not in line for line in lines)


def test_a_tokenizer_is_taken_from_another_run_and_kept(folder, tmp_path):
    source = shutil.copytree(folder / "palette", tmp_path / "source")
    # Of these images alone another palette would be learned.
    x = np.random.default_rng(1).integers(0, 256, (30, 6, 4)).astype(np.uint8)
    labels = {f"{part}_label": np.arange(30) % 2 for part in ("train", "valid", "test")}
    np.savez(tmp_path / "palette.npz", train=x, valid=x, test=x, **labels)
    argv = [*again(folder, "palette", tmp_path / "run"), "--data.path", str(tmp_path / "palette.npz")]
    argv += ["--steps", "2", "--samples", "0"]
    assert script.main([*argv, "--tokenizer-from", str(source)]) == 0
    shutil.rmtree(source)
    one, other = (arjax.load(path).tokenizer.learned["colours"] for path in (folder / "palette", tmp_path / "run"))
    np.testing.assert_array_equal(one, other)
    # The directory has its own, wherever it came from.
    assert script.main([*argv, "--tokenizer-from", str(source)]) == 0
    assert script.main(argv) == 0


def test_a_run_of_ones_own_classes_gives_its_tokenizer_to_another_of_them(folder, tmp_path, monkeypatch):
    (tmp_path / "my_tokenizers.py").write_text(
        "import dataclasses\n\nfrom arjax.tokenizers import Palette\n\n\n"
        "@dataclasses.dataclass(frozen=True)\nclass Mine(Palette):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    experiment = load_config(str(folder / "palette.py"))
    import my_tokenizers

    experiment = dataclasses.replace(experiment, tokenizer=my_tokenizers.Mine(5))
    write_run_of_random_parameters(tmp_path / "run", experiment.data, experiment.model, experiment.tokenizer)
    learned = learn(dataclasses.replace(experiment, tokenizer_from=str(tmp_path / "run")))
    np.testing.assert_array_equal(learned["colours"], Palette(5).fit(experiment.data)["colours"])


def test_what_was_killed_before_it_had_a_run_json_does_not_stand_in_the_way(folder, tmp_path):
    (tmp_path / "tokenizer.safetensors").write_bytes(b"half a fi")
    (tmp_path / ".run.json").write_text("{")
    experiment = load_config(str(folder / "palette.py"))
    check_run(tmp_path, experiment)
    write_run_of_random_parameters(tmp_path, experiment.data, experiment.model, experiment.tokenizer)
    assert arjax.load(tmp_path).tokenizer.learned["colours"].shape == (5, 1)
    (tmp_path / "run.json").unlink()
    with pytest.raises(ValueError, match=r"is not empty and holds no run\.json; choose another"):
        check_run(tmp_path, experiment)


@pytest.mark.parametrize(
    ("name", "flags", "part"),
    [
        ("palette", ("--tokenizer.seed", "1"), "tokenizer (seed: 0 there, 1 here); describe the tokenizer as it is there"),
        ("palette", ("--tokenizer.colours", "6", "--model.head.vocab", "6"), "tokenizer (colours: 5 there, 6 here); "),
        ("bits", (), "tokenizer (Palette there, Bits here); describe the tokenizer as it is there, or name another run with "),
    ],
)
def test_a_run_with_another_tokenizer_is_no_source(name, flags, part, folder, tmp_path):
    argv = [*again(folder, name, tmp_path / "run"), *flags, "--tokenizer-from", str(folder / "palette")]
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z") as error:
        script.main(argv)
    assert f"the run {folder / 'palette'} has no such {part}" in str(error.value)
    assert not (tmp_path / "run").exists()


def test_another_tokenizer_is_another_experiment(folder):
    with pytest.raises(ValueError, match=r"holds a different experiment \(tokenizer\.seed: 0 there, 1 here\)"):
        script.main([*again(folder, "palette", folder / "palette"), "--tokenizer.seed", "1"])


@pytest.mark.parametrize(
    ("name", "flags", "part"),
    [
        ("palette", ("--model.head.vocab", "4"), "gives symbols 0..4, but Categorical models symbols 0..3; change one of them"),
        ("palette", ("--model.site-shape", "4", "6"), "examples of shape (6, 4), but the model's are (4, 6)"),
        ("palette", ("--tokenizer-from", "nowhere"), "nowhere is no run directory"),
        ("palette", ("--data.values.count", "255"), "does not have 256 values a pixel"),
        ("bits", ("--tokenizer.levels", "32"), "does not have 32 values a pixel"),
        ("palette", ("--tokenizer.colours", "200", "--model.head.vocab", "200"), "different colours, fewer than the 200"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_no_directory(name, flags, part, folder, tmp_path):
    with pytest.raises(ValueError, match=r"\A[^\n]+; [^\n]+\Z") as error:
        script.main([*again(folder, name, tmp_path / "run"), *flags])
    assert part in str(error.value)
    assert not (tmp_path / "run").exists()
