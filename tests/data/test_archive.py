"""Archives of arrays, which may come from anyone."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from faults import fault

from arjax.data import Bytes, Characters, Levels, Npz, archive
from arjax.data.archive import read_arrays
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
            assert found[name].dtype == array.dtype
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
        refusal(path)
        for data in (Bytes(str(path)), Characters(str(path), "a"), Npz(str(path), Levels(2))):
            fault(data.load)


def test_one_line_and_brief_let_no_file_steer_a_terminal():
    assert one_line(OSError("\x1b]0;title\x07 \u202e")) == r"OSError: \x1b]0;title\x07 \u202e"
    assert brief("\x1b[31m") == r"'\x1b[31m'"
    assert len(brief("x" * 10**6)) < 200
