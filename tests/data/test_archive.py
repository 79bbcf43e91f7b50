"""Archives of arrays, which may come from anyone."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from faults import fault

from arjax.data import Levels, Npz, TextFiles, archive
from arjax.data.archive import parse_array, read_arrays
from arjax.errors import brief, one_line

ARRAYS = {
    "rows": np.arange(12, dtype=">i2").reshape(3, 4),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "none": np.zeros((0, 3), bool),
    "one": np.float32(2),
}


def saved(save=np.savez, **arrays) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def refusal(file, *names) -> str:
    line = fault(read_arrays, file, "the file", names or ("x",))
    assert line.startswith("the file is not a readable .npz")
    return line


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_read_arrays_reads_what_numpy_saves_as_numpy_does(save, tmp_path):
    (tmp_path / "file.npz").write_bytes(saved(save, **ARRAYS))
    for file in (tmp_path / "file.npz", (tmp_path / "file.npz").read_bytes()):
        found = read_arrays(file, "the file", [*ARRAYS, "absent"])
        assert list(found) == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert found[name].dtype == array.dtype.newbyteorder("=")
            np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_read_arrays_reads_an_array_longer_than_a_chunk_whole(save, monkeypatch):
    monkeypatch.setattr(archive, "_CHUNK", 7)
    x = np.random.default_rng(0).integers(0, 256, 100, np.uint8)
    np.testing.assert_array_equal(read_arrays(saved(save, x=x), "the file", ["x"])["x"], x)


def test_read_arrays_bounds_compressed_arrays_together_and_stored_ones_by_the_file(monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 4000)
    x = np.arange(1000, dtype=np.uint16)
    assert "take 4256 bytes, more than 4000" in refusal(saved(np.savez_compressed, x=x, y=x * 0), "x", "y")
    assert len(read_arrays(saved(np.savez_compressed, x=x, y=x * 0), "the file", ["x"])) == 1
    assert len(read_arrays(saved(x=x, y=x * 0), "the file", ["x", "y"])) == 2


def test_read_arrays_refuses_other_compression_than_numpys():
    for method, number in ((zipfile.ZIP_BZIP2, 12), (zipfile.ZIP_LZMA, 14)):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as zipped:
            zipped.writestr("x.npy", b"\x93NUMPY")
        assert f"compressed by method {number}" in refusal(file.getvalue())


def test_read_arrays_refuses_pickled_arrays():
    class Bomb:
        def __reduce__(self):
            return (os.abort, ())

    assert "Python objects" in refusal(saved(x=np.array([Bomb()], object)))
    assert "File is not a zip file" in refusal(pickle.dumps(ARRAYS))


def test_read_arrays_and_read_file_do_not_open_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # to open it would wait for somebody to write
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        fault(read_arrays, path, "the file", ["x"])
        for data in (TextFiles(str(path), alphabet="a"), Npz(str(path), Levels(2))):
            fault(data.load)


def test_one_line_and_brief_let_no_file_steer_a_terminal():
    assert one_line(OSError("\x1b]0;title\x07 \u202e")) == r"OSError: \x1b]0;title\x07 \u202e"
    assert brief("\x1b[31m") == r"'\x1b[31m'"
    assert len(brief("x" * 10**6)) < 200


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def header(text: str, content=bytes(24), version=1) -> bytes:
    """An .npy whose header is this text."""
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode("latin1") + content


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_parse_array_reads_what_numpy_saves_in_the_byte_order_of_the_machine_or_as_it_is(array):
    for as_stored in (False, True):
        found = parse_array(npy(array), "x", as_stored)
        np.testing.assert_array_equal(found, array)
        assert found.dtype == (array.dtype if as_stored else array.dtype.newbyteorder("="))
        assert found.flags.f_contiguous == np.asarray(array).flags.f_contiguous


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (npy(np.zeros(3, complex)), "it holds complex128, not booleans, whole or real numbers of at most 64 bits"),
        (npy(np.zeros(3, "M8[s]")), "it holds datetime64[s]"),
        (npy(np.zeros(3, [("a", "i4")])), "it holds [('a', '<i4')]"),
        (npy(np.zeros(3, "V4")), "it holds |V4"),
        (npy(np.array(["a"])), "it holds <U1"),
        (npy(np.zeros(3, np.longdouble)), "it holds "),
        (npy(np.array([{}], object)), "it holds Python objects, and these are pickled"),
        (npy(np.zeros(3)) * 2, "24 bytes, and 176 are there"),
        (npy(np.zeros(3))[:-1], "24 bytes, and 23 are there"),
        (b"PK\x03\x04" + bytes(30), "x cannot be read as an array"),
        (b"", "x cannot be read as an array"),
        *((header(text), "x cannot be read as an array") for text in (
            "{", "{'descr': '<f8", "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }}", "(" * 9000, "-" * 9000 + "1",
            "[" * 90 + "]" * 90, "'" * 3, "{'descr': '|u1', 'fortran_order': 3, 'shape': (24,)}", "\\d", "b'\\xff",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (-1, -24)}", "x" * 11000, "{'descr': [], 'fortran_order': False,"
            "'shape': ()}", "{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775808, 0)}",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (10000000000000, 4)}",
        )),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (3L,)", version=2), "x cannot be read as an array"),
        (header("{}", version=9), "x cannot be read as an array"),
    ],
)  # fmt: skip
def test_parse_array_and_read_arrays_refuse_what_is_no_array_of_numbers_in_one_line(content, says, recwarn):
    assert says in fault(parse_array, content, "x")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("x.npy", content)
    refusal(file.getvalue())
    assert not recwarn.list
