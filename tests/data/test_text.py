"""Texts and other files as streams, cut by place into parts, and these into windows."""

import bz2
import tracemalloc

import numpy as np
import pytest
from faults import fault
from named_files import real

from arjax.data import (
    Bytes,
    Characters,
    Levels,
    TinyShakespeare,
    WikipediaSample,
    alphabet,
    check_splits,
    evaluation_batches,
    training_batches,
)
from arjax.data.characters import decode
from arjax.data.splits import cut
from arjax.data.text import windows

LETTERS = "abcdefghijklmnopqrstuvwxyz"
CONTENT = bytes(range(256)) * 2


def put(folder, content, name="text.txt"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(folder / name)


def test_characters_train_on_every_window_and_hold_out_consecutive_ones(tmp_path):
    text = "".join(LETTERS[i % 26] for i in range(203))
    splits = Characters(put(tmp_path, text), LETTERS, length=5, valid=0.2, test=0.1).load()
    first, second = int(203 * (1 - 0.2 - 0.1)), int(203 * 0.9)
    train, valid, test = (decode(split.x, LETTERS) for split in splits)
    assert train == [text[i : i + 5] for i in range(first - 4)]
    assert valid == [text[i : i + 5] for i in range(first, second - 4, 5)]
    assert test == [text[i : i + 5] for i in range(second, 203 - 4, 5)]
    assert all(split.label is None for split in splits)


def test_bytes_are_their_own_symbols_in_the_same_windows(tmp_path):
    data = Bytes(put(tmp_path, CONTENT), length=7, valid=0.25, test=0.125)
    train, valid, test = data.load()
    np.testing.assert_array_equal(train.x, [list(CONTENT[i : i + 7]) for i in range(320 - 6)])
    np.testing.assert_array_equal(valid.x, [list(CONTENT[i : i + 7]) for i in range(320, 448 - 6, 7)])
    np.testing.assert_array_equal(test.x, [list(CONTENT[i : i + 7]) for i in range(448, 512 - 6, 7)])
    assert [part.tobytes() for part in data.texts()] == [CONTENT[:320], CONTENT[320:448], CONTENT[448:]]


@pytest.mark.parametrize("test", [0.1, 0.0])
def test_texts_are_utf_8_cut_at_the_same_characters(tmp_path, test):
    text = "naïve — café 😀\r\n" * 40
    data = Characters(put(tmp_path, text), "".join(sorted(set(text))), length=1, valid=0.15, test=test)
    parts, splits = data.texts(), data.load()
    for part, split in zip(parts, splits, strict=True):
        assert part.dtype == np.uint8
        assert part.tobytes().decode() == "".join(decode(split.x, data.alphabet))
    assert (parts.test is parts.valid) == (test == 0)
    assert np.may_share_memory(splits.valid.x, splits.test.x) == (test == 0)


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (Characters("a/b.txt", "xyz"), "b.txt, 3 characters, windows of 128; train the first 0.9 of it, then valid 0.05, test "),
        (Characters("x", "ab", 10, 0.1, 0), "x, 2 characters, windows of 10; train the first 0.9 of it, valid the last 0.1, te"),
        (Bytes("b.bin", 9), "b.bin, bytes, windows of 9; train the first 0.9 of it, then valid 0.05, test the last 0.05"),
        (WikipediaSample(64), "English Wikipedia sample (not enwik8), bytes, windows of 64; train the first 0.9"),
        (TinyShakespeare(), "tinyshakespeare, 65 characters, windows of 128; train the first 0.9 of it, valid the last 0.1"),
    ],
)
def test_title_says_symbols_windows_and_parts(data, title):
    assert data.title.startswith(title)


def test_root_finds_a_file_and_is_no_part_of_the_identity(tmp_path):
    put(tmp_path, "a\r\nb\n" * 40)
    data = Characters("text.txt", "\n\rab", length=5, root=str(tmp_path))
    assert decode(data.load().train.x[:1], data.alphabet) == ["a\r\nb\n"]  # line ends are kept
    assert data == Characters("text.txt", "\n\rab", length=5)
    assert hash(data) == hash(Characters("text.txt", "\n\rab", length=5))
    assert Bytes("text.txt", length=5, root=str(tmp_path)).load().test.x.shape == (2, 5)


def test_alphabet_is_sorted_and_that_of_the_training_part(tmp_path):
    assert alphabet(put(tmp_path, "zebra" * 18 + "Q" * 10)) == "aberz"


# Windows that overlap are never copied all together


def test_windows_are_loaded_checked_and_batched_in_little_memory():
    codes = np.random.default_rng(0).integers(0, 65, 1_000_000).astype(np.uint8)
    tracemalloc.start()
    splits = windows(cut(codes, 0.05, 0.05), 256, "here", "symbols")
    check_splits(splits, Levels(65), "here")
    batch = training_batches(splits.train, 32, seed=0)[3]["x"]
    next(evaluation_batches(splits.train, 500))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert splits.train.x.size > 200e6
    assert np.shares_memory(splits.train.x, codes)
    assert peak < 60e6
    assert batch.shape == (32, 256)
    assert batch.flags.c_contiguous


# Wrong inputs


@pytest.mark.parametrize(
    ("content", "length", "says"),
    [
        ("abab" * 100 + "é\tc", 5, "text.txt has '\\t', 'c', 'é', first at character 400, which the alphabet of 2 lacks"),
        ("ab" * 50, 91, "training part has 90 characters, less than one window of length=91; choose a shorter length"),
        ("ab" * 50, 6, "validation part has 5 characters, less than one window of length=6"),
        (b"", 1, "text.txt is empty; give a file"),
        (b"abc\xff\xfe", 1, "text.txt is not UTF-8: byte 3 is 0xff"),
    ],
)
def test_characters_refuse_a_file_that_does_not_fit(tmp_path, content, length, says):
    path = put(tmp_path, content)
    assert says in fault(Characters(path, "ab", length).load)
    if "UTF-8" in says:
        assert says in fault(lambda: alphabet(path))


def test_windows_may_be_as_long_as_a_part(tmp_path):
    assert [len(split.x) for split in Characters(put(tmp_path, "ab" * 50), "ab", length=5).load()] == [86, 1, 1]


def test_load_refuses_a_missing_file_and_a_folder(tmp_path):
    assert "there is no file none.txt" in fault(Bytes("none.txt", root=str(tmp_path)).load)
    assert "is a folder, no file; give a file" in fault(Characters(str(tmp_path), "ab").load)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"alphabet": "aba"}, "alphabet='aba' must name at least one character, each once"),
        ({"alphabet": "a\udcff"}, "names half of a character, a surrogate"),
        ({"length": 0}, "length=0 must be at least one symbol"),
        ({"valid": 0.0}, "valid=0.0 and test=0.05 are the fractions held out"),
        ({"valid": 0.5, "test": 0.5}, "valid=0.5 and test=0.5 are the fractions held out"),
    ],
)
def test_texts_refuse_impossible_fields_when_they_are_made(fields, says):
    assert says in fault(lambda: Characters(**{"path": "x", "alphabet": "ab"} | fields))
    if "alphabet" not in fields:
        assert says in fault(lambda: Bytes("x", **fields))


# The named texts


def test_tiny_shakespeare_is_the_published_one():
    root = real("tinyshakespeare.txt")
    with open(f"{root}/tinyshakespeare.txt") as file:
        text = file.read()
    data = TinyShakespeare(length=100, root=root)
    splits = data.load()
    assert data.alphabet == alphabet("tinyshakespeare.txt", 0.1, 0.0, root) == "".join(sorted(set(text)))
    assert splits.train.x.shape == (1003854 - 99, 100)
    assert splits.valid.x.shape == (1115, 100)  # of the last 111540 characters 40 are left out
    assert "".join(decode(splits.valid.x, data.alphabet)) == text[1003854 : 1003854 + 111500]
    assert decode(splits.train.x[[0, -1]], data.alphabet) == [text[:100], text[1003854 - 100 : 1003854]]
    np.testing.assert_array_equal(splits.valid.x, splits.test.x)


def test_wikipedia_sample_is_nine_tenths_and_twice_a_twentieth_of_the_published_file():
    root = real("enwiki_sample.xml.bz2")
    with bz2.open(f"{root}/enwiki_sample.xml.bz2") as file:
        content = file.read()
    data = WikipediaSample(length=512, root=root)
    parts, splits = data.texts(), data.load()
    assert b"".join(part.tobytes() for part in parts) == content
    assert [len(part) for part in parts] == [5_480_771, 304_487, 304_488]
    assert splits.train.x.shape == (5_480_771 - 511, 512)
    np.testing.assert_array_equal(splits.test.x.ravel(), parts.test[: 304_488 // 512 * 512])
    assert splits.train.x[0].tobytes().startswith(b"<mediawiki")


def test_characters_have_no_byte_order_mark_and_bytes_keep_it(tmp_path):
    (tmp_path / "x.txt").write_bytes(b"\xef\xbb\xbf" + b"abba" * 30)
    path = str(tmp_path / "x.txt")
    assert alphabet(path) == "ab"
    data = Characters(path, "ab", 4)
    assert data.load().train.x[0].tolist() == [0, 1, 1, 0]
    assert data.texts().train[:2].tobytes() == b"ab"
    assert Bytes(path, 4).load().train.x[0].tolist() == [0xEF, 0xBB, 0xBF, ord("a")]
    for medium in (data.medium, Bytes(path).medium):
        np.testing.assert_array_equal(medium.encode("\ufeffab"), medium.encode("ab"))
