"""Streams cut by place into parts, and these into windows; the named texts."""

import bz2
import tracemalloc

import numpy as np
import pytest
from faults import fault
from named_files import real

from arjax.data import Levels, TinyShakespeare, WikipediaSample, check_splits, evaluation_batches, training_batches
from arjax.data.characters import decode
from arjax.data.splits import cut
from arjax.data.text import windows


def test_windows_are_all_of_a_training_part_and_consecutive_ones_of_what_is_held_out():
    train, valid, test = windows(cut(np.arange(203), 0.2, 0.1), 5, "here", "numbers")
    first, second = int(203 * (1 - 0.2 - 0.1)), int(203 * 0.9)
    np.testing.assert_array_equal(train.x, [range(i, i + 5) for i in range(first - 4)])
    np.testing.assert_array_equal(valid.x, [range(i, i + 5) for i in range(first, second - 4, 5)])
    np.testing.assert_array_equal(test.x, [range(i, i + 5) for i in range(second, 203 - 4, 5)])
    assert [len(split.x) for split in windows(cut(np.arange(100), 0.05, 0.05), 5, "here", "numbers")] == [86, 1, 1]


@pytest.mark.parametrize(
    ("length", "says"),
    [
        (91, "here: its training split has 90 characters, less than one window of length=91; choose a shorter length"),
        (6, "its validation split has 5 characters, less than one window of length=6"),
    ],
)
def test_windows_refuse_a_part_that_is_shorter_than_one(length, says):
    assert says in fault(lambda: windows(cut(np.arange(100), 0.05, 0.05), length, "here", "characters"))


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


# The named texts


def test_tiny_shakespeare_is_the_published_one():
    root = real("tinyshakespeare.txt")
    with open(f"{root}/tinyshakespeare.txt") as file:
        text = file.read()
    data = TinyShakespeare(length=100, root=root)
    splits = data.load()
    assert data.alphabet == "".join(sorted(set(text)))
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


def test_named_texts_say_symbols_windows_and_parts_and_refuse_windows_of_nothing():
    assert TinyShakespeare().title == (
        "tinyshakespeare, 65 characters, windows of 128; train the first 0.9 of it, valid the last 0.1, test = valid"
    )
    assert WikipediaSample(64).title.startswith("English Wikipedia sample (not enwik8), bytes, windows of 64; ")
    for kind in (TinyShakespeare, WikipediaSample):
        assert "length=0 must be at least one symbol" in fault(lambda kind=kind: kind(0))
