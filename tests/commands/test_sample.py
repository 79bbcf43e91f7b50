"""`python -m arjax sample`: what it prints and writes, with a prompt and without."""

from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from shared_runs import ALPHABET, LENGTH
from trained import failure

import arjax
from arjax.__main__ import main
from arjax.data.sound_files import read_sound
from arjax.data.waveforms import MuLaw
from arjax.errors import KEPT, printable
from arjax.sampling import MinP, Temperature, TopK, generate


def sample(capsys, run, *flags):
    """(what is printed above the last line, the last line, the file's text)"""
    main(["sample", str(run), *flags])
    *printed, last = capsys.readouterr().out.removesuffix("\n").rsplit("\n", 1)
    path = Path(last.rpartition(" in ")[2])
    text = path.read_bytes().decode()
    path.unlink()
    return printed[0] + "\n", last, text


def spelled(row) -> str:
    return "".join(ALPHABET[symbol] for symbol in row)


def test_sample_writes_a_picture_and_the_arrays_with_all_labels_in_turn(runs, tmp_path, capsys):
    flags = ["--batch", "12", "--png", str(tmp_path / "s.png"), "--out", str(tmp_path / "deep" / "s.npz")]
    main(["sample", str(runs("labelled")), *flags])
    assert capsys.readouterr().out.count("12 samples in") == 2
    with np.load(tmp_path / "deep" / "s.npz") as arrays:
        assert arrays["x"].shape == (12, 8, 8)
        assert set(np.unique(arrays["x"])) == {0, 1}
        assert arrays["label"].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    with Image.open(tmp_path / "s.png") as image:
        assert image.size[0] >= 4 * 8


def test_sample_is_a_function_of_its_seed_and_of_its_transforms(runs, tmp_path):
    def drawn(*flags):
        main(["sample", str(runs("digits")), "--batch", "4", "--overwrite", "--out", str(tmp_path / "s.npz"), *flags])
        with np.load(tmp_path / "s.npz") as arrays:
            return arrays["x"]

    one = drawn("--seed", "1")
    assert (one == drawn("--seed", "1")).all()
    assert (one != drawn("--seed", "2")).any()
    # With one symbol left at every site there is nothing left to draw.
    assert (drawn("--seed", "1", "--top-k", "1") == drawn("--seed", "2", "--top-k", "1")).all()


def test_sample_writes_what_the_medium_shows(runs, capsys):
    main(["sample", str(runs("rows")), "--batch", "3"])
    *rows, last = capsys.readouterr().out.splitlines()
    path = runs("rows") / "samples" / "seed_0.txt"
    assert last == f"3 samples in {path}"
    assert path.read_text().splitlines() == rows
    assert all(len(row.split(",")) == 6 for row in rows)
    main(["sample", str(runs("sound")), "--batch", "2"])
    stem = runs("sound") / "samples" / "seed_0"
    assert capsys.readouterr().out == f"2 samples in {stem}_0.wav to seed_0_1.wav, the first 8 drawn in {stem}.png\n"
    model, params = arjax.load(runs("sound"))
    x = arjax.sample(model, params, jax.random.key(0), 2)
    np.testing.assert_array_equal(MuLaw(16)(None, read_sound(stem.with_name("seed_0_1.wav"), 8000)), x[1])


def test_sample_leaves_what_is_there_and_finds_another_name_unless_it_is_to_overwrite(runs, capsys):
    folder = runs("rows") / "samples"

    def said(*flags):
        main(["sample", str(runs("rows")), "--batch", "1", "--seed", "31", *flags])
        return capsys.readouterr().out.splitlines()[-1]

    assert said() == f"1 samples in {folder}/seed_31.txt"
    first = (folder / "seed_31.txt").read_bytes()
    (folder / "seed_31.txt").write_text("mine")
    assert said() == f"1 samples in {folder}/seed_31-2.txt"
    assert (folder / "seed_31.txt").read_text() == "mine"
    assert said("--overwrite") == f"1 samples in {folder}/seed_31.txt"
    assert [(folder / name).read_bytes() for name in ("seed_31.txt", "seed_31-2.txt")] == [first] * 2


def test_sample_prints_and_writes_the_prompt_and_its_continuation(runs, capsys):
    run = runs("characters")
    printed, last, text = sample(capsys, run, "--prompt", "wörld", "--tokens", "20", "--seed", "5")
    assert printed == text
    assert last == f"1 continuations in {run}/samples/seed_5.txt"
    model, params = arjax.load(run)
    x, length = generate(model, params, jax.random.key(5), [[ALPHABET.index(letter) for letter in "wörld"]], tokens=20)
    assert length.tolist() == [25]
    assert text == spelled(x[0]) + "\n"
    # By default a continuation is as long as fits.
    assert len(sample(capsys, run, "--prompt", "hello")[2]) == LENGTH + 1


def test_sample_puts_a_rule_between_several_continuations(runs, capsys, tmp_path):
    out = tmp_path / "s.npz"
    flags = ("--prompt", "he", "--tokens", "9", "--batch", "3", "--stop", "o", "--out", str(out))
    printed, last, text = sample(capsys, runs("characters"), *flags)
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


@pytest.mark.parametrize(
    ("flags", "transforms"),
    [(("--temperature", "2", "--min-p", "0.3"), (Temperature(2.0), MinP(0.3))), (("--top-k", "2"), (TopK(2),))],
)
def test_sample_makes_flags_the_transforms_of_their_name(runs, capsys, flags, transforms):
    model, params = arjax.load(runs("characters"))
    _, _, text = sample(capsys, runs("characters"), "--prompt", "he", *flags)
    prompt = [ALPHABET.index(letter) for letter in "he"]
    x = generate(model, params, jax.random.key(0), [prompt], tokens=LENGTH - 2, transforms=transforms).x
    assert text == spelled(x[0]) + "\n"


def test_sample_is_greedy_at_temperature_0_whatever_the_seed(runs, capsys):
    first, again = (sample(capsys, runs("characters"), "--batch", "1", "--temperature", "0", "--seed", seed)[2] for seed in "12")
    assert first == again


def test_sample_prints_bytes_once_they_are_whole_characters(runs, capsys):
    printed, _, text = sample(capsys, runs("bytes"), "--prompt", "wörld 😀")
    assert printed == printable(text, KEPT)
    assert text.startswith("wörld 😀")
    assert "\N{REPLACEMENT CHARACTER}" in text, "random bytes are hardly ever UTF-8"


def test_sample_shows_the_prompt_before_anything_is_drawn(runs, capsys, monkeypatch):
    def stream(*_, **__):
        assert capsys.readouterr().out == "hello"
        raise RuntimeError("far enough")
        yield

    monkeypatch.setattr("arjax.commands.sample.stream", stream)
    with pytest.raises(RuntimeError, match="far enough"):
        main(["sample", str(runs("characters")), "--prompt", "hello"])


def test_sample_names_what_the_command_line_could_not_decode(runs, capsys):
    line = failure(capsys, "sample", runs("characters"), "--prompt", "hexy\udcff")
    assert "has 'x', 'y', '\\udcff', first at character 2, which the alphabet of 10 lacks" in line
