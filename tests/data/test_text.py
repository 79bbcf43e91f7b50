import json
import tracemalloc

import jax
import numpy as np
import pytest

from arjax.__main__ import main
from arjax.data import (
    Characters,
    Levels,
    Split,
    Splits,
    TinyShakespeare,
    alphabet,
    check_splits,
    evaluation_batches,
    training_batches,
)
from arjax.data.splits import encoded, original_bytes, shown, unit
from arjax.data.text import cut, decode, encode, windows
from arjax.heads import Categorical
from arjax.models import RNN
from arjax.protocol import Model
from arjax.runs.checkpoints import open_checkpoints, save
from arjax.runs.directory import read_run, write_run
from arjax.runs.journal import Journal
from arjax.runs.report import per_unit
from arjax.testing import lively_params
from arjax.training import Experiment
from arjax.training.experiment import run_keys
from arjax.training.objective import Score
from arjax.training.state import init_state

ONE_LINE = r"\A[^\n]+; [^\n]+\Z"  # the fault; the remedy


def put(folder, text, name="text.txt"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(folder / name)


def fault(make) -> str:
    with pytest.raises(ValueError, match=ONE_LINE) as info:
        make()
    return str(info.value)


# What the splits are


def test_every_window_of_the_training_part_and_consecutive_ones_of_the_rest(tmp_path):
    text = "".join(chr(97 + i % 26) for i in range(203))
    letters = "abcdefghijklmnopqrstuvwxyz"
    splits = Characters(put(tmp_path, text), letters, length=5, valid=0.2, test=0.1).load()
    first, second = int(203 * (1 - 0.2 - 0.1)), int(203 * 0.9)
    train, valid, test = (["".join(letters[i] for i in row) for row in split.x] for split in splits)
    assert train == [text[i : i + 5] for i in range(first - 4)]
    assert valid == [text[i : i + 5] for i in range(first, second - 4, 5)]
    assert test == [text[i : i + 5] for i in range(second, 203 - 4, 5)]
    assert all(split.label is None for split in splits)


def test_without_a_test_part_the_validation_part_is_the_test_and_the_title_says_so(tmp_path):
    data = Characters(put(tmp_path, "ab" * 500), "ab", length=10, valid=0.1, test=0)
    splits = data.load()
    np.testing.assert_array_equal(splits.valid.x, splits.test.x)
    assert len(splits.valid.x) == 10
    assert data.title == "text.txt, 2 characters, windows of 10; train the first 0.9 of it, valid the last 0.1, test = valid"
    assert Characters("a/b.txt", "xyz").title == (
        "b.txt, 3 characters, windows of 128; train the first 0.9 of it, then valid 0.05, test the last 0.05"
    )


def test_the_alphabet_is_sorted_and_that_of_the_training_part(tmp_path):
    assert alphabet(put(tmp_path, "zebra" * 18 + "Q" * 10)) == "aberz"


@pytest.mark.parametrize("text", ["naïve — café 😀\r\n", "\x00\x01 tab\t", "日本語"])
def test_any_unicode_comes_back_as_it_was(text):
    letters = "".join(sorted(set(text)))
    codes = encode(text, letters, "here")
    assert codes.dtype == np.uint8
    assert decode(codes[None], letters) == [text]
    assert [letters[code] for code in codes] == list(text)


def test_a_text_is_read_into_the_symbols_that_show_it():
    data = Characters("x", "abñ 😀")
    assert data.read("baña 😀").tolist() == [1, 0, 2, 0, 3, 4]
    assert data.show(data.read("baña 😀")[None]) == ["baña 😀"]
    assert data.read("").tolist() == []
    assert TinyShakespeare().show(TinyShakespeare().read("O, Romeo!")[None]) == ["O, Romeo!"]
    assert "the text has 'x', '\\udcff', first at character 1, which the alphabet of 5 lacks" in fault(
        lambda: data.read("a\udcffx")
    )
    assert encoded(data, "ab").tolist() == [0, 1]
    assert encoded(object(), "ab") is None


def test_more_than_256_characters_take_two_bytes():
    letters = "".join(map(chr, range(1000, 1300)))
    assert encode(letters, letters, "here").dtype == np.uint16


def test_line_ends_and_a_root_are_kept(tmp_path):
    put(tmp_path, "a\r\nb\n" * 40)
    data = Characters("text.txt", "\n\rab", length=5, root=str(tmp_path))
    assert data.show(data.load().train.x[:1]) == ["a\r\nb\n"]
    assert data == Characters("text.txt", "\n\rab", length=5)
    assert hash(data) == hash(Characters("text.txt", "\n\rab", length=5))


def test_tiny_shakespeare_is_the_published_one(data_root):
    if not (data_root / "tinyshakespeare.txt").exists():
        pytest.skip("$ARJAX_DATA has no tinyshakespeare.txt")
    text = (data_root / "tinyshakespeare.txt").read_text()
    data = TinyShakespeare(length=100, root=str(data_root))
    splits = data.load()
    assert data.alphabet == alphabet("tinyshakespeare.txt", 0.1, 0.0, str(data_root)) == "".join(sorted(set(text)))
    assert splits.train.x.shape == (1003854 - 99, 100)
    assert splits.valid.x.shape == (1115, 100)  # of the last 111540 characters 40 are left out
    assert "".join(data.show(splits.valid.x)) == text[1003854 : 1003854 + 111500]
    assert data.show(splits.train.x[[0, -1]]) == [text[:100], text[1003854 - 100 : 1003854]]
    np.testing.assert_array_equal(splits.valid.x, splits.test.x)
    assert TinyShakespeare().title.endswith("train the first 0.9 of it, valid the last 0.1, test = valid")


def test_another_file_under_the_name_of_tiny_shakespeare_is_refused(tmp_path):
    put(tmp_path, "To be", "tinyshakespeare.txt")
    assert "tinyshakespeare.txt has the wrong checksum" in fault(TinyShakespeare(root=str(tmp_path)).load)


# The bytes it stands for


@pytest.mark.parametrize("test", [0.1, 0.0])
def test_the_texts_are_utf_8_cut_at_the_same_characters(tmp_path, test):
    text = "naïve — café 😀\r\n" * 40
    data = Characters(put(tmp_path, text), "".join(sorted(set(text))), length=1, valid=0.15, test=test)
    parts, splits = data.texts(), data.load()
    for part, split in zip(parts, splits, strict=True):
        assert part.dtype == np.uint8
        assert part.tobytes().decode() == "".join(data.show(split.x))
        assert original_bytes(data, split.x).sum() == len(part)
    assert (parts.test is parts.valid) == (test == 0)
    assert np.may_share_memory(splits.valid.x, splits.test.x) == (test == 0)


def test_every_character_counts_the_bytes_it_takes():
    data = Characters("x", "aé—😀")
    assert data.bytes_per_symbol.tolist() == [1, 2, 3, 4]
    assert original_bytes(data, np.array([[0, 1, 1], [3, 2, 0]])).tolist() == [5, 8]
    assert TinyShakespeare().bytes_per_symbol.tolist() == [1] * 65


# Windows that overlap are never copied all together


def test_a_million_windows_are_loaded_checked_and_batched_in_little_memory():
    codes = np.random.default_rng(0).integers(0, 65, 1_000_000).astype(np.uint8)
    tracemalloc.start()
    splits = windows(cut(codes, 0.05, 0.05), 256, "here", "symbols")
    check_splits(splits, Levels(65), "here")
    lengths = original_bytes(TinyShakespeare(), splits.train.x)
    batch = training_batches(splits.train, 32, seed=0)[3]["x"]
    next(evaluation_batches(splits.train, 500))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert splits.train.x.size > 200e6
    assert np.shares_memory(splits.train.x, codes)
    assert peak < 60e6
    assert (lengths == 256).all()
    assert batch.shape == (32, 256)
    assert batch.flags.c_contiguous


def test_a_wrong_value_in_a_late_block_is_named_with_its_place():
    codes = np.zeros(9_000_000, np.uint8)
    codes[-2] = 7
    good = Split(np.zeros((1, 4), np.uint8))
    bad = Split(np.lib.stride_tricks.sliding_window_view(codes, 4))
    message = fault(lambda: check_splits(Splits(bad, good, good), Levels(2), "here"))
    assert f"train has the value 7 at [{9_000_000 - 5}, 3]" in message


# Wrong inputs


def test_characters_that_the_alphabet_lacks_are_named(tmp_path):
    path = put(tmp_path, "abab" * 100 + "é\tc")
    message = fault(Characters(path, "ab", length=5).load)
    assert "text.txt has '\\t', 'c', 'é', first at character 400, which the alphabet of 2 lacks" in message
    many = put(tmp_path, "".join(map(chr, range(100, 150))))
    assert "and 42 more" in fault(Characters(many, "ab", length=1).load)


@pytest.mark.parametrize(("length", "part"), [(91, "training part has 90 characters"), (6, "validation part has 5"), (5, None)])
def test_a_window_longer_than_a_part_is_refused(tmp_path, length, part):
    data = Characters(put(tmp_path, "ab" * 50), "ab", length=length)
    if part is None:
        assert [len(split.x) for split in data.load()] == [86, 1, 1]
    else:
        message = fault(data.load)
        assert part in message
        assert f"less than one window of length={length}; choose a shorter length or a longer file" in message


@pytest.mark.parametrize(
    ("content", "part"),
    [(b"", "text.txt is empty"), (b"abc\xff\xfe", "text.txt is not UTF-8: byte 3 is 0xff")],
    ids=["empty", "binary"],
)
def test_a_file_that_is_no_text_is_refused(tmp_path, content, part):
    path = put(tmp_path, content)
    assert part in fault(Characters(path, "ab").load)
    assert part in fault(lambda: alphabet(path))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "there is no file none.txt" in fault(Characters("none.txt", "ab", root=str(tmp_path)).load)
    assert "is no file" in fault(Characters(str(tmp_path), "ab").load)


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"alphabet": ""}, "alphabet='' must name at least one character, each once"),
        ({"alphabet": "aba"}, "alphabet='aba' must name at least one character, each once"),
        ({"length": 0}, "length=0 must be at least one symbol"),
        ({"valid": 0.0}, r"valid=0.0 and test=0.05 are the fractions held out"),
        ({"valid": 0.5, "test": 0.5}, r"valid=0.5 and test=0.5 are the fractions held out"),
    ],
)
def test_impossible_texts_are_refused_when_they_are_made(fields, part):
    assert part in fault(lambda: Characters(**{"path": "x", "alphabet": "ab"} | fields))


def test_a_model_with_other_symbols_is_refused():
    with pytest.raises(ValueError, match=r"gives symbols 0\.\.64, but Categorical models symbols 0\.\.1"):
        Experiment(data=TinyShakespeare(), model=Model(RNN(width=2), Categorical(2), (128,)), steps=1, eval_every=1)


# What people see


@pytest.fixture
def run(tmp_path):
    """A run directory with a small RNN of random parameters as its only checkpoint; and the text, which lies elsewhere."""
    path = put(tmp_path, "hello world\n" * 50)
    data = Characters(path, alphabet(path), length=12)
    experiment = Experiment(data=data, model=Model(RNN(width=4), Categorical(9), (12,)), steps=1, eval_every=1)
    write_run(tmp_path / "run", experiment, data.load())
    state = init_state(experiment, run_keys(experiment).init)
    with open_checkpoints(tmp_path / "run" / "checkpoints") as checkpoints:
        save(checkpoints, 1, state.replace(ema=lively_params(experiment.model, jax.random.key(0))), 50.0)
    return tmp_path / "run"


def test_sample_prints_text_without_the_data_file(run, capsys):
    (run.parent / "text.txt").unlink()
    main(["sample", str(run), "--batch", "3", "--seed", "5"])
    printed = capsys.readouterr().out
    written = (run / "samples" / "seed_5.txt").read_text()
    assert printed.startswith(written)
    texts = written.removesuffix("\n").split(f"\n{'-' * 40}\n")
    assert [len(text) for text in texts] == [12] * 3
    assert set("".join(texts)) <= set("hello world\n")


def test_sample_draws_no_picture_of_text_and_says_so(run, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        main(["sample", str(run), "--batch", "1", "--png", str(tmp_path / "x.png")])
    assert exit.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert f"--png {tmp_path / 'x.png'}: samples of {run} are no pictures; leave it out" in line
    assert not (tmp_path / "x.png").exists()
    assert not (run / "samples").exists()


def test_evaluate_reports_nats_and_bits_per_character(run, capsys):
    main(["evaluate", str(run)])
    printed = capsys.readouterr().out
    assert "nats/char = " in printed
    assert "bits/char" in printed
    assert "test split, 2 examples of 12 chars" in printed
    assert "text.txt, 9 characters, windows of 12" in printed


def test_a_run_description_holds_the_alphabet(run):
    assert json.loads((run / "run.json").read_text())["experiment"]["data"]["alphabet"] == "\n dehlorw"
    assert read_run(run).data.alphabet == "\n dehlorw"


def test_units_are_the_data_sets_own_word(run):
    experiment = read_run(run)
    assert unit(experiment.data) == "char"
    assert per_unit(experiment, 12 * np.log(2), 12) == "0.6931 nats/char = 1.0000 bits/char"
    assert unit(object()) == "dim"
    assert shown(object(), None) is None


def test_samples_of_a_training_run_are_written_and_the_first_is_printed(run, capsys):
    experiment = read_run(run)
    x = encode("hello world\nworld hello\n", experiment.data.alphabet, "here").reshape(2, 12)
    with Journal(run, experiment, 0) as journal:
        journal.samples(7, x)
        journal.valid(7, Score(12 * np.log(2), {"nats": 12 * np.log(2), "dims": 12.0}, examples=3, seconds=1.0))
    printed = capsys.readouterr().out
    assert (run / "samples" / "00000007.txt").read_text() == f"hello world\n\n{'-' * 40}\nworld hello\n\n"
    assert printed.startswith("hello world\n")
    assert "0.6931 nats/char = 1.0000 bits/char" in printed
    (events,) = (run / "tensorboard").iterdir()
    assert b"    hello world\n    \n" in events.read_bytes()
