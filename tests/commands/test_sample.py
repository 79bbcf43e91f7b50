"""`python -m arjax sample`: what it prints and writes, with a prompt and without."""

import io
import json
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from shared_runs import ALPHABET, LENGTH
from trained import failure

import arjax
from arjax.__main__ import main
from arjax.commands.continuing import Writer, continue_prompts
from arjax.data.media import Text
from arjax.data.sound_files import read_sound
from arjax.data.waveforms import MuLaw
from arjax.errors import KEPT, printable
from arjax.protocol import Cond
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
    flags = ["--samples", "12", "--png", str(tmp_path / "s.png"), "--out", str(tmp_path / "deep" / "s.npz")]
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
        main(["sample", str(runs("digits")), "--samples", "4", "--overwrite", "--out", str(tmp_path / "s.npz"), *flags])
        with np.load(tmp_path / "s.npz") as arrays:
            return arrays["x"]

    one = drawn("--seed", "1")
    assert (one == drawn("--seed", "1")).all()
    assert (one != drawn("--seed", "2")).any()
    # With one symbol left at every site there is nothing left to draw.
    assert (drawn("--seed", "1", "--top-k", "1") == drawn("--seed", "2", "--top-k", "1")).all()


def test_sample_writes_what_the_medium_shows(runs, capsys):
    main(["sample", str(runs("rows")), "--samples", "3"])
    *rows, last = capsys.readouterr().out.splitlines()
    path = runs("rows") / "samples" / "seed_0.txt"
    assert last == f"3 samples in {path}"
    assert path.read_text().splitlines() == rows
    assert all(len(row.split(",")) == 6 for row in rows)
    main(["sample", str(runs("sound")), "--samples", "2"])
    stem = runs("sound") / "samples" / "seed_0"
    assert capsys.readouterr().out == f"2 samples in {stem}_0.wav to seed_0_1.wav, drawn in {stem}.png\n"
    model, params = arjax.load(runs("sound"))
    x = arjax.sample(model, params, jax.random.key(0), 2)
    np.testing.assert_array_equal(MuLaw(16)(None, read_sound(stem.with_name("seed_0_1.wav"), 8000)), x[1])


def test_sample_leaves_what_is_there_and_finds_another_name_unless_it_is_to_overwrite(runs, capsys):
    folder = runs("rows") / "samples"

    def said(*flags):
        main(["sample", str(runs("rows")), "--samples", "1", "--seed", "31", *flags])
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
    flags = ("--prompt", "he", "--tokens", "9", "--samples", "3", "--stop", "o", "--out", str(out))
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
    first, again = (
        sample(capsys, runs("characters"), "--samples", "1", "--temperature", "0", "--seed", seed)[2] for seed in "12"
    )
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

    monkeypatch.setattr("arjax.commands.continuing.stream", stream)
    with pytest.raises(RuntimeError, match="far enough"):
        main(["sample", str(runs("characters")), "--prompt", "hello"])


def test_sample_names_what_the_command_line_could_not_decode(runs, capsys):
    line = failure(capsys, "sample", runs("characters"), "--prompt", "hexy\udcff")
    assert "has 'x', 'y', '\\udcff', first at character 2, which the alphabet of 10 lacks" in line


# Texts without an end


def test_sample_slides_past_the_window_says_so_and_ends_behind_a_stop(runs, capsys, tmp_path):
    run, out = runs("characters"), tmp_path / "s.jsonl"
    flags = ("--seed", "5", "--tokens", "90", "--keep", "20", "--samples", "2", "--stop", r"\nh", "--stop", "lod")
    main(["sample", str(run), *flags, "--out", str(out), "--overwrite"])
    printed, said = capsys.readouterr()
    model, params = arjax.load(run)
    stops = tuple([ALPHABET.index(letter) for letter in stop] for stop in ("\nh", "lod"))
    x, length = generate(model, params, jax.random.key(5), [[], []], tokens=90, keep=20, stop=stops)
    texts = [spelled(row[:end]) for row, end in zip(x, length, strict=True)]
    assert max(map(len, texts)) > LENGTH
    assert min(map(len, texts)) < 90, "choose another seed: nothing stops early here"
    assert printed.startswith(f"\n{'-' * 40}\n".join(texts) + "\n")
    assert said == "the window of 32 chars slides along 90: beyond it each char is drawn given 20 to 31 before it (--keep)\n"
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    ends = [next((stop for stop in ("\nh", "lod") if text.endswith(stop)), None) for text in texts]
    assert lines == [
        {"prompt": "", "text": text, "tokens": len(text), "stop": stop, "ended": stop is not None, "sample": i}
        for i, (text, stop) in enumerate(zip(texts, ends, strict=True))
    ]


def test_sample_continues_the_prompts_of_a_file_or_of_standard_input(runs, capsys, tmp_path, monkeypatch):
    run, out = runs("characters"), tmp_path / "s.jsonl"
    prompts = ["hello wörld", "", "he", "o" * 50]
    lines = "\n".join(json.dumps({"prompt": prompt, "name": i}) for i, prompt in enumerate(prompts)) + "\n\n"
    (tmp_path / "p.jsonl").write_text(lines)
    command = ["sample", str(run), "--tokens", "5", "--samples", "2", "--out", str(out), "--overwrite", "--prompt-file"]
    main([*command, str(tmp_path / "p.jsonl")])
    written = out.read_bytes()
    records = [json.loads(line) for line in written.splitlines()]
    assert [(line["prompt"], line["name"], line["sample"]) for line in records] == [
        (prompt, name, sample) for name, prompt in enumerate(prompts) for sample in (0, 1)
    ]
    whole = [line["prompt"] + line["text"] for line in records]
    assert [len(text) for text in whole] == [len(prompt) + 5 for prompt in prompts for _ in range(2)]
    assert f"\n{'-' * 40}\n".join(whole) in capsys.readouterr().out
    # What was drawn at once is one batch, the shortest first.
    model, params = arjax.load(run)
    order = [1, 2, 0, 3]
    symbols = [[ALPHABET.index(letter) for letter in prompts[i]] for i in order for _ in range(2)]
    x, length = generate(model, params, jax.random.key(0), symbols, tokens=5)
    assert [spelled(row[:end]) for row, end in zip(x, length, strict=True)] == [whole[2 * i + k] for i in order for k in (0, 1)]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    main([*command, "-"])
    assert out.read_bytes() == written
    # Any other file is one prompt.
    (tmp_path / "p.txt").write_text("hello\nhello\n")
    main([*command[:-1], "--prompt-file", str(tmp_path / "p.txt")])
    assert {json.loads(line)["prompt"] for line in out.read_text().splitlines()} == {"hello\nhello"}


def test_sample_draws_many_prompts_in_batches_of_their_own_noise(runs, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("arjax.commands.continuing._ROWS", 8)
    (tmp_path / "p.jsonl").write_text('{"prompt": "he"}\n' * 11)
    out = tmp_path / "s.jsonl"
    main(["sample", str(runs("characters")), "--prompt-file", str(tmp_path / "p.jsonl"), "--tokens", "9", "--out", str(out)])
    texts = [json.loads(line)["text"] for line in out.read_text().splitlines()]
    assert len(texts) == 11
    model, params = arjax.load(runs("characters"))
    for key, part in ((jax.random.key(0), texts[:8]), (jax.random.fold_in(jax.random.key(0), 2**32 - 1), texts[8:])):
        x = generate(model, params, key, [[ALPHABET.index(letter) for letter in "he"]] * 8, tokens=9).x
        assert [spelled(row[2:]) for row in x[: len(part)]] == part


def test_continue_prompts_ends_a_text_at_the_symbol_that_ends_it(runs, capsys):
    model, params = arjax.load(runs("characters"))
    # The last of the alphabet ends a text here.
    medium, end = Text(ALPHABET[:-1], ends=True), len(ALPHABET) - 1
    writer = Writer(model, params, medium, lambda _: Cond(), (), tokens=50)
    (text,), symbols, _ = continue_prompts(writer, jax.random.key(0), ["hello"], 1)
    x, length = generate(model, params, jax.random.key(0), [medium.encode("hello")], tokens=50, stop=end)
    assert x[0, length[0] - 1] == end, "choose another key: nothing ends here"
    assert text.whole == spelled(x[0, : length[0] - 1]) == capsys.readouterr().out.removesuffix("\n")
    assert (text.text, text.tokens, text.stop, text.ended) == (text.whole[5:], length[0] - 5, None, True)
    np.testing.assert_array_equal(symbols.x, x)


def test_sample_continues_every_line_that_is_typed_until_no_more_come(runs, capsys, monkeypatch):
    run, key = runs("characters"), jax.random.key(0)
    monkeypatch.setattr("sys.stdin", io.StringIO("hello\nexit\n\nhello"))
    main(["sample", str(run), "--interactive", "--tokens", "5"])
    printed, said = capsys.readouterr()
    model, params = arjax.load(run)
    hello = [ALPHABET.index(letter) for letter in "hello"]
    keys = [key, jax.random.fold_in(key, 2**32 - 2), jax.random.fold_in(key, 2**32 - 3)]
    drawn = [generate(model, params, key, [prompt], tokens=5).x for key, prompt in zip(keys, (hello, [], hello), strict=True)]
    assert printed == "".join(spelled(x[0]) + "\n" for x in drawn)
    assert said.startswith("error: the text has 'i', 't', 'x', first at character 1, which the alphabet of 10 lacks;")
    assert said.count("\n") == 1


def test_sample_ends_in_order_when_it_is_interrupted(runs, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    assert main(["sample", str(runs("characters")), "--interactive"]) is None
    assert capsys.readouterr() == ("", "")


def test_sample_stops_within_a_token_and_cuts_the_text_there(runs, capsys):
    run = runs("tokens")
    flags = ("--prompt", "hello ", "--tokens", "40", "--temperature", "3", "--seed", "2")
    whole = sample(capsys, run, *flags)[2].removesuffix("\n")
    drawn = whole.removeprefix("hello ")
    stop = drawn[9:11]
    cut = sample(capsys, run, *flags, "--stop", stop)[2].removesuffix("\n")
    assert cut == whole[: 6 + drawn.index(stop) + len(stop)]
