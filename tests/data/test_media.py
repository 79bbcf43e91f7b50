"""What each medium answers, and which medium each data set has."""

import numpy as np
import pytest

from arjax import data
from arjax.data import Dynamic, Levels, MuLaw, Real, Scaled
from arjax.data.media import Images, Sound, Table, Text
from arjax.data.medium import MediumCapabilities

SETS = {
    data.Digits(): (Images(2), "dim", False),
    data.Digits(Scaled(16)): (Images(None), "dim", False),
    data.MNIST(Levels(256)): (Images(256), "dim", False),
    data.FashionMNIST(Dynamic()): (Images(2), "dim", False),
    data.BinarizedMNIST(): (Images(2), "dim", False),
    data.Cifar10Subset(): (Images(256), "dim", False),
    data.LowerHalf(data.Digits()): (Images(2), "dim", False),
    data.Npz("x.npz", Real()): (Images(None), "dim", False),
    data.BinaryDensity("dna"): (Table(), "dim", False),
    data.Bimodal(): (Table(), "dim", False),
    data.TextFiles("x", alphabet="ab"): (Text("ab", ends=True), "char", True),
    data.TinyShakespeare(): (Text(data.TinyShakespeare.alphabet), "char", True),
    data.TextFiles("x", "bytes", ends=False): (Text(), "byte", True),
    data.WikipediaSample(): (Text(), "byte", True),
    data.SoundFolder("x", 16000, values=MuLaw(64)): (Sound(MuLaw(64), 16000), "sample", True),
    data.SpokenDigits(): (Sound(MuLaw(256), 8000), "sample", True),
}


@pytest.mark.parametrize("each", SETS, ids=lambda each: type(each).__name__)
def test_medium_of_every_data_set_says_its_unit_and_whether_it_is_a_stream(each):
    medium, unit, stream = SETS[each]
    assert each.medium == medium
    assert (each.medium.unit, each.medium.stream, each.medium.lossless) == (unit, stream, True)
    assert hash(each.medium) == hash(medium)


def test_medium_that_declares_nothing_spells_nothing_and_ends_nothing():
    declared = MediumCapabilities.of(Table())
    assert (declared.spelling, declared.ends, declared.tokenizer_json) == (None, False, None)
    assert MediumCapabilities.of(Text("ab", ends=True)).spelling() == (b"a", b"b", None)


def test_exhibit_of_images_is_one_picture_and_of_other_arrays_rows():
    exhibit = Images(2).exhibit(np.eye(4, dtype=np.int32)[None])
    assert exhibit.picture.shape[-1] == 3
    assert {0, 255} <= set(np.unique(exhibit.picture).tolist())
    assert exhibit.texts == ()
    assert Images(2).exhibit(np.array([[0, 1, 1]])).texts == ("0,1,1",)


def test_exhibit_of_text_is_a_string_an_example():
    assert Text("abñ ").exhibit(np.array([[1, 0, 2], [3, 3, 0]])).texts == ("bañ", "  a")
    assert Text().exhibit(np.array([[97, 0xFF], [0xC3, 0xA9]])).texts == ("a\ufffd", "é")


@pytest.mark.parametrize("values", [MuLaw(64), data.Linear(64)], ids=str)
def test_exhibit_of_sound_is_what_the_symbols_stand_for_and_its_picture(values):
    x = np.arange(64).reshape(2, 32)
    exhibit = Sound(values, 16000).exhibit(x)
    np.testing.assert_array_equal(np.stack(exhibit.waveforms), values.waveform(x))
    assert exhibit.sample_rate == 16000
    assert exhibit.picture.shape[-1] == 3


def test_exhibit_of_a_table_is_a_row_an_example():
    assert Table().exhibit(np.array([[1, 0], [0, 1]])).text == "1,0\n0,1"
    assert Table().exhibit(np.array([[0.25], [1e9]], np.float32)).texts == ("0.25", "1e+09")


def test_encode_reads_line_ends_as_the_reader_of_the_alphabet_did():
    assert Text("\nab").encode("a\r\nb\r").tolist() == [1, 0, 2, 0]
    assert Text("\n\rab").encode("a\r\nb").tolist() == [2, 1, 0, 3]
    assert Text().encode("a\r\n").tolist() == [97, 13, 10]


def test_encode_is_of_text_alone():
    assert Text("ab ").encode("ba b").tolist() == [1, 0, 2, 1]
    assert Text().encode(b"a\xffb".decode(errors="surrogateescape")).tolist() == [97, 255, 98]
    for medium in (Images(2), Sound(MuLaw(4), 8000), Table()):
        with pytest.raises(ValueError, match=f"the run models {medium.noun}, which no text can begin"):
            medium.encode("text")


def test_original_bytes_are_those_of_each_character():
    x = np.array([[0, 1, 1], [3, 2, 0]])
    assert Text("aé—😀").original_bytes(x).tolist() == [5, 8]
    assert Text().original_bytes(x).tolist() == [3, 3]
    assert [medium.original_bytes(x) for medium in (Images(2), Sound(MuLaw(4), 8000), Table())] == [None] * 3


def test_original_bytes_of_overlapping_windows_take_little_memory():
    windows = np.lib.stride_tricks.sliding_window_view(np.zeros(100_000, np.uint8), 256)
    assert (Text("a").original_bytes(windows) == 256).all()
