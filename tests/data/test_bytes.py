"""Any file as bytes."""

import numpy as np
import pytest

from arjax.data import Bytes
from arjax.data.splits import encoded, is_stream, original_bytes, shown, unit

CONTENT = bytes(range(256)) * 2


def put(folder, content):
    (folder / "file.bin").write_bytes(content)
    return str(folder / "file.bin")


def test_every_byte_is_its_own_symbol_in_windows_by_place(tmp_path):
    train, valid, test = Bytes(put(tmp_path, CONTENT), length=7, valid=0.25, test=0.125).load()
    np.testing.assert_array_equal(train.x, [list(CONTENT[i : i + 7]) for i in range(320 - 6)])
    np.testing.assert_array_equal(valid.x, [list(CONTENT[i : i + 7]) for i in range(320, 448 - 6, 7)])
    np.testing.assert_array_equal(test.x, [list(CONTENT[i : i + 7]) for i in range(448, 512 - 6, 7)])


def test_it_says_what_it_is(tmp_path):
    data = Bytes("a/b.bin", length=9)
    assert data.title == "b.bin, bytes, windows of 9; train the first 0.9 of it, then valid 0.05, test the last 0.05"
    assert (unit(data), is_stream(data), data.values.vocab) == ("byte", True, 256)
    assert data == Bytes("a/b.bin", length=9, root="elsewhere")
    put(tmp_path, CONTENT)
    assert Bytes("file.bin", length=5, root=str(tmp_path)).load().test.x.shape == (5, 5)


@pytest.mark.parametrize("text", ["plain", "naïve — café 😀\r\n", ""])
def test_text_is_utf_8(text):
    data = Bytes("x")
    assert data.read(text).tolist() == list(text.encode())
    assert data.show(data.read(text)[None].astype(np.int32)) == [text]
    np.testing.assert_array_equal(encoded(data, text), data.read(text))


def test_what_is_no_utf_8_is_shown_replaced_and_read_as_it_was_typed():
    assert shown(Bytes("x"), np.array([[97, 0xFF, 98], [0xC3, 0xA9, 0xC3]])) == ["a\ufffdb", "é\ufffd"]
    # As Python hands over the arguments of a command line.
    assert Bytes("x").read(b"a\xffb".decode(errors="surrogateescape")).tolist() == [97, 0xFF, 98]


@pytest.mark.parametrize(
    ("content", "fields", "message"),
    [
        (b"", {}, r"file\.bin is empty; give a file"),
        (
            CONTENT,
            {"length": 27},
            r"file\.bin: its validation part has 26 bytes, less than one window of length=27; choose a shorter",
        ),
    ],
)
def test_a_file_without_a_window_is_refused(tmp_path, content, fields, message):
    with pytest.raises(ValueError, match=message):
        Bytes(put(tmp_path, content), **fields).load()


def test_impossible_fields_and_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"length=0 must be at least one symbol"):
        Bytes("x", length=0)
    with pytest.raises(ValueError, match=r"valid=0 and test=0.05 are the fractions held out"):
        Bytes("x", valid=0)
    with pytest.raises(ValueError, match=r"there is no file none.bin"):
        Bytes("none.bin", root=str(tmp_path)).load()
    with pytest.raises(ValueError, match=r"is no file"):
        Bytes(str(tmp_path)).load()


def test_the_texts_are_the_parts_as_they_lie_in_the_file(tmp_path):
    parts = Bytes(put(tmp_path, CONTENT), length=7, valid=0.25, test=0.125).texts()
    assert [part.tobytes() for part in parts] == [CONTENT[:320], CONTENT[320:448], CONTENT[448:]]
    whole = Bytes(put(tmp_path, CONTENT), length=7, valid=0.25, test=0)
    parts, splits = whole.texts(), whole.load()
    assert parts.test is parts.valid
    assert np.may_share_memory(splits.valid.x, splits.test.x)
    assert original_bytes(whole, splits.valid.x).tolist() == [7] * 18
    assert original_bytes(object(), splits.valid.x) is None
