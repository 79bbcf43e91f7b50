"""Runs over the byte-pair tokens of a text: bits per byte, prompts, and how wrong ones end."""

import json
import math
import shutil

import jax
import numpy as np
import pytest
from trained import failure, write_run_of_random_parameters

import arjax
import train as script
from arjax.__main__ import main
from arjax.data import Bytes
from arjax.heads import Categorical
from arjax.models import RNN
from arjax.sampling import generate
from arjax.tokenizers import BPE

WORDS = ("the", "quick", "brown", "fox", "jumps", "naïve", "café", "日本", "over", "dogs,\n")
CONFIG = """
import arjax
from arjax.data import Bytes
from arjax.heads import Categorical
from arjax.models import RNN
from arjax.tokenizers import BPE
from arjax.training import Experiment

experiment = Experiment(
    data=Bytes({path!r}, length=12, valid=0.1, test=0.2), tokenizer=BPE(272),
    model=arjax.Model(RNN(width=8), Categorical(272), (12,)),
    batch_size=8, steps=4, eval_every=2, log_every=2, eval_batch_size=8, samples=2,
)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two runs on one file: of its byte-pair tokens, finished by train.py, and of its bytes."""
    folder = tmp_path_factory.mktemp("runs")
    text = " ".join(np.random.default_rng(0).choice(WORDS, 800))
    (folder / "text.txt").write_bytes(text.encode() + b"\xff\xfe")  # and what is no UTF-8
    (folder / "bpe.py").write_text(CONFIG.format(path=str(folder / "text.txt")))
    assert script.main([str(folder / "bpe.py"), "--run", str(folder / "bpe")]) == 0
    data = Bytes(str(folder / "text.txt"), length=12, valid=0.1, test=0.2)
    write_run_of_random_parameters(folder / "bytes", data, arjax.Model(RNN(width=8), Categorical(256), (12,)))
    return folder


def held_out(folder):
    """The bytes of the last fifth of the file."""
    content = (folder / "text.txt").read_bytes()
    return np.frombuffer(content[round(0.8 * len(content)) :], np.uint8)


def words(capsys) -> str:
    """All that was printed on one line, out of the cells of its table."""
    return " ".join(capsys.readouterr().out.replace("│", " ").split())


def last(run):
    return json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])


def test_a_run_over_tokens_is_scored_in_bits_for_each_byte_of_the_text(folder, capsys):
    main(["evaluate", str(folder / "bpe")])
    printed = words(capsys)
    loaded = arjax.load(folder / "bpe")
    model, params = loaded
    tokens = loaded.tokenizer.encode(held_out(folder))
    x = tokens[: len(tokens) // 12 * 12].reshape(-1, 12)
    nats = -np.asarray(arjax.log_prob(model, params, x), np.float64)
    sizes = [len(loaded.tokenizer.decode(row)) for row in x]
    assert min(sizes) < max(sizes), "windows are of different numbers of bytes"
    bits = nats.sum() / math.log(2) / sum(sizes)
    record = last(folder / "bpe")
    assert record["bits_per_byte"] == pytest.approx(bits, rel=1e-5)
    assert record["nats"] == pytest.approx(nats.mean(), rel=1e-5)
    assert f"in bytes {record['bits_per_byte']:.4f} bits per byte of the original" in printed
    assert f"{nats.mean() / 12:.4f} nats/token" in printed
    assert "text.txt, BPE of 272 tokens, windows of 12" in printed
    # Nothing is lost, so that this is a likelihood of the text.
    assert "never to be put beside" not in printed
    assert "distortion" not in printed


def test_of_bytes_bits_are_said_once(folder, capsys):
    main(["evaluate", str(folder / "bytes")])
    printed = words(capsys)
    assert "bits per byte of the original" not in printed
    assert "test -log p(x)" in printed
    model, params = arjax.load(folder / "bytes")
    content = held_out(folder)
    nats = -np.asarray(arjax.log_prob(model, params, content[: len(content) // 12 * 12].reshape(-1, 12).astype(np.int32)))
    assert f"= {nats.mean() / 12 / math.log(2):.4f} bits/byte" in printed


def test_every_byte_of_the_text_comes_back_through_the_loaded_tokenizer(folder):
    tokenizer, content = arjax.load(folder / "bpe").tokenizer, np.frombuffer((folder / "text.txt").read_bytes(), np.uint8)
    tokens = tokenizer.encode(content)
    assert tokens.max() > 255
    assert len(tokens) < len(content)
    np.testing.assert_array_equal(tokenizer.decode(tokens), content)
    assert arjax.load(folder / "bytes").tokenizer is None


def test_samples_are_text(folder, capsys):
    main(["sample", str(folder / "bpe"), "--batch", "3", "--out", str(folder / "s.npz")])
    assert capsys.readouterr().out.endswith(f"3 samples in {folder}/bpe/samples/seed_0.txt\n")
    loaded = arjax.load(folder / "bpe")
    with np.load(folder / "s.npz") as arrays:
        texts = [loaded.tokenizer.decode(row).tobytes().decode(errors="replace") for row in arrays["x"]]
    rule = f"\n{'-' * 40}\n"
    assert (folder / "bpe" / "samples" / "seed_0.txt").read_bytes().decode() == rule.join(texts) + "\n"


def test_a_prompt_is_continued_token_by_token(folder, capsys):
    main(["sample", str(folder / "bpe"), "--prompt", "the café", "--tokens", "4", "--seed", "3"])
    printed = capsys.readouterr().out
    loaded = arjax.load(folder / "bpe")
    model, params = loaded
    prompt = loaded.tokenizer.encode(np.frombuffer("the café".encode(), np.uint8))
    assert len(prompt) < len("the café".encode())
    x, length = generate(model, params, jax.random.key(3), [prompt], tokens=4)
    assert length.tolist() == [len(prompt) + 4]
    text = loaded.tokenizer.decode(x[0, : len(prompt) + 4]).tobytes().decode(errors="replace")
    assert text.startswith("the café")
    path = folder / "bpe" / "samples" / "seed_3.txt"
    assert path.read_bytes().decode() == text + "\n"
    assert printed == f"{text}\n1 continuations in {path}\n"


def test_wrong_commands_end_in_one_line(folder, capsys):
    run = folder / "bpe"
    for argv, part in (
        (("sample", run, "--prompt", "the " * 40), "is longer than the model's 12 sites; shorten it"),
        (("sample", run, "--prompt", ""), "--prompt is empty"),
        (("sample", run, "--prompt", "the", "--stop", "xyz"), "--stop 'xyz' is 3 symbols; choose one"),
        (("sample", run, "--png", folder / "x.png"), "are no pictures; leave it out"),
        (("complete", run, "--text", "the ____"), "is of symbols that are no characters; choose a run of characters or bytes"),
    ):
        assert part in failure(capsys, *argv), argv


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (("--tokenizer.vocab", "5000", "--model.head.vocab", "5000"), "; set --tokenizer.vocab "),
        (("--tokenizer.vocab", "300"), "gives symbols 0..299, but Categorical models symbols 0..271; change one of them"),
        (("--tokenizer.vocab", "255"), "vocab=255 is fewer than the 256 bytes"),
        (("--tokenizer.file", "none.json"), "there is no file none.json"),
        (("--data.length", "13"), "examples of shape (13,), but the model's are (12,)"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_no_directory(flags, part, folder, tmp_path):
    with pytest.raises((ValueError, SystemExit), match=r"\A[^\n]+; [^\n]+\Z") as error:
        script.main([str(folder / "bpe.py"), "--run", str(tmp_path / "run"), *flags])
    assert part in str(error.value)
    assert not (tmp_path / "run").exists()


def test_merges_that_were_changed_are_one_line(folder, tmp_path, capsys):
    run = shutil.copytree(folder / "bpe", tmp_path / "run")
    path = run / "tokenizer.safetensors"
    content = path.read_bytes()
    assert content.count(b'"the"') >= 1
    path.write_bytes(content.replace(b'"the"', b'"teh"'))
    for command in ("evaluate", "sample"):
        assert "is not the tokenizer that this run was trained with" in failure(capsys, command, run)
    path.write_bytes(content[: len(content) // 2])
    assert "cannot be read" in failure(capsys, "evaluate", run)
    with pytest.raises(ValueError, match="cannot be read"):
        script.main([str(folder / "bpe.py"), "--run", str(run)])


def test_a_finished_run_tells_its_result_again_without_its_text(folder, tmp_path, capsys, monkeypatch):
    run = shutil.copytree(folder / "bpe", tmp_path / "run")
    monkeypatch.setattr(BPE, "fit", lambda *_: pytest.fail("the tokenizer was learned again"))
    assert script.main([str(folder / "bpe.py"), "--run", str(run)]) == 0
    printed = words(capsys)
    assert "is finished" in printed
    assert f"{last(run)['bits_per_byte']:.4f} bits per byte of the original" in printed
