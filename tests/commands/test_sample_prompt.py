"""`python -m arjax sample RUN --prompt`: what it prints and writes, and how wrong ones end."""

import jax
import numpy as np
import pytest
from trained import failure, write_run_of_random_parameters

import arjax
from arjax.__main__ import main
from arjax.data import Bytes, Characters, Digits, Threshold
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE, RNN
from arjax.protocol import Model
from arjax.sampling import MinP, Temperature, TopK, generate

T = 32


def text_run(folder, data_of, vocab):
    (folder / "text.txt").write_text("hello wörld\n" * 60)
    write_run_of_random_parameters(
        folder / "run", data_of(str(folder / "text.txt")), Model(RNN(width=4), Categorical(vocab), (T,))
    )
    return folder / "run"


@pytest.fixture(scope="module")
def characters(tmp_path_factory):
    return text_run(tmp_path_factory.mktemp("characters"), lambda path: Characters(path, "\n dehlorwö", length=T), 10)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return text_run(tmp_path_factory.mktemp("bytes"), lambda path: Bytes(path, length=T), 256)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    run = tmp_path_factory.mktemp("images") / "run"
    write_run_of_random_parameters(run, Digits(values=Threshold(7)), Model(MADE(hidden=(2,)), Bernoulli(), (8, 8)))
    return run


def sample(capsys, run, *flags):
    """(what is printed above the last line, the last line, the file's text)"""
    main(["sample", str(run), *flags])
    *printed, last = capsys.readouterr().out.removesuffix("\n").rsplit("\n", 1)
    (path,) = (run / "samples").iterdir()
    text = path.read_bytes().decode()
    path.unlink()
    return printed[0] + "\n", last, text


def test_the_prompt_and_its_continuation_are_printed_and_written(characters, capsys):
    printed, last, text = sample(capsys, characters, "--prompt", "wörld", "--tokens", "20", "--seed", "5")
    assert printed == text
    assert last == f"1 continuations in {characters}/samples/seed_5.txt"
    model, params = arjax.load(characters)
    prompt = ["\n dehlorwö".index(letter) for letter in "wörld"]
    x, length = generate(model, params, jax.random.key(5), [prompt], tokens=20)
    assert length.tolist() == [25]
    assert text == "".join("\n dehlorwö"[symbol] for symbol in x[0]) + "\n"


def test_by_default_a_continuation_is_as_long_as_fits(characters, capsys):
    _, _, text = sample(capsys, characters, "--prompt", "hello")
    assert len(text) == T + 1


def test_several_continuations_differ_with_a_rule_between_them(characters, capsys, tmp_path):
    out = tmp_path / "s.npz"
    flags = ("--prompt", "he", "--tokens", "9", "--batch", "3", "--stop", "o", "--out", str(out))
    printed, last, text = sample(capsys, characters, *flags)
    assert last.startswith("3 continuations in ")
    assert printed == f"{text}3 samples in {out}\n"
    texts = text.removesuffix("\n").split(f"\n{'-' * 40}\n")
    assert len(set(texts)) == 3
    for row in texts:
        assert row.startswith("he")
        assert len(row) == 11 or row.index("o") == len(row) - 1
    with np.load(out) as arrays:
        assert arrays["length"].tolist() == [len(row) for row in texts]
        assert arrays["x"].shape == (3, 11)


def test_flags_are_the_transforms_of_their_name(characters, capsys):
    model, params = arjax.load(characters)
    for flags, transforms in (
        (("--temperature", "0"), (Temperature(0),)),
        (("--temperature", "2", "--min-p", "0.3"), (Temperature(2.0), MinP(0.3))),
        (("--top-k", "2"), (TopK(2),)),
    ):
        _, _, text = sample(capsys, characters, "--prompt", "he", *flags)
        x = generate(model, params, jax.random.key(0), [[4, 3]], tokens=30, transforms=transforms).x
        assert text == "".join("\n dehlorwö"[symbol] for symbol in x[0]) + "\n", flags
    # Without a prompt, too; and greedy is the same for every seed.
    first, again = (sample(capsys, characters, "--batch", "1", "--temperature", "0", "--seed", seed)[2] for seed in "12")
    assert first == again


def test_bytes_are_printed_once_they_are_whole_characters(raw, capsys):
    printed, _, text = sample(capsys, raw, "--prompt", "wörld 😀")
    assert printed == text
    assert text.startswith("wörld 😀")
    assert "\N{REPLACEMENT CHARACTER}" in text, "random bytes are hardly ever UTF-8"


def test_the_prompt_is_seen_before_anything_is_drawn(characters, capsys, monkeypatch):
    def stream(*_, **__):
        assert capsys.readouterr().out == "hello"
        raise RuntimeError("far enough")
        yield

    monkeypatch.setattr("arjax.commands.sample.stream", stream)

    with pytest.raises(RuntimeError, match="far enough"):
        main(["sample", str(characters), "--prompt", "hello"])


def test_a_wrong_prompt_ends_in_one_line_and_nothing_is_written(characters, images, capsys, tmp_path):
    out = tmp_path / "x.npz"
    cases = [
        ((characters, "--prompt", ""), "--prompt is empty; leave it out to sample from the start"),
        ((characters, "--prompt", "hexy\udcff"), "has 'x', 'y', '\\udcff', first at character 2, which the alphabet of 10 lacks"),
        ((characters, "--prompt", "h" * 33), "of 33 symbols is longer than the model's 32 sites; shorten it"),
        ((characters, "--prompt", "h" * 32), "of 32 symbols and tokens=1 make 33, past the model's 32 sites"),
        ((characters, "--prompt", "h" * 12, "--tokens", "21"), "of 12 symbols and tokens=21 make 33, past the model's 32 sites"),
        ((characters, "--prompt", "h", "--tokens", "0"), "tokens=0 must be at least 1"),
        ((characters, "--prompt", "h", "--batch", "0"), "--batch 0 must be at least 1"),
        ((characters, "--prompt", "h", "--stop", "lo"), "--stop 'lo' is 2 symbols; choose one"),
        ((characters, "--prompt", "h", "--stop", ""), "--stop '' is 0 symbols; choose one"),
        ((characters, "--prompt", "h", "--stop", "x"), "has 'x', first at character 0"),
        ((characters, "--prompt", "h", "--temperature", "-1"), "Temperature(-1.0) must not be below 0"),
        ((characters, "--prompt", "h", "--min-p", "2"), "MinP(2.0) is not in [0, 1]"),
        ((characters, "--prompt", "h", "--png", "x.png"), "--png x.png: continuations of text are no pictures"),
        ((characters, "--tokens", "3"), "--tokens and --stop belong to --prompt"),
        ((characters, "--stop", "h"), "--tokens and --stop belong to --prompt"),
        ((images, "--prompt", "h"), "the run models images, which no text can begin; leave --prompt out"),
    ]
    for flags, part in cases:
        assert part in failure(capsys, "sample", *flags, "--out", out), flags
        assert capsys.readouterr().out == ""
    assert not out.exists()
    assert not (characters / "samples").exists() or not list((characters / "samples").iterdir())
    assert not (images / "samples").exists()
