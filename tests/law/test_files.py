"""Files that come from outside."""

import os
import socket

import pytest
from faults import fault

from arjax.errors import InputError
from arjax.files import check_file, read_file


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


# What is at the path, and what is said of it.
NO_FILES = {
    "nothing": (lambda path: None, "there is no file"),
    "a folder": (os.mkdir, "is a folder"),
    "a pipe": (os.mkfifo, "is a pipe or a device"),  # to open it would wait for somebody to write
    "a socket": (make_socket, "is a pipe or a device"),
    "a link to a device without end": (lambda path: path.symlink_to("/dev/zero"), "is a pipe or a device"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "there is no file"),
    "a link to itself": (lambda path: path.symlink_to(path), "cannot be read"),
}


@pytest.mark.parametrize("reader", [check_file, read_file])
@pytest.mark.parametrize(("make", "says"), NO_FILES.values(), ids=NO_FILES)
def test_check_file_and_read_file_refuse_what_is_no_file_in_one_line(make, says, reader, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    make(path := tmp_path.relative_to(tmp_path) / "x")
    assert f"x {says}" in fault(reader, path) or f"{says} x" in fault(reader, path)


@pytest.mark.parametrize("path", ["x" * 300, "a\0b", "file/x"])
def test_check_file_refuses_what_is_no_path_in_one_line(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be read"):
        check_file(path)


def test_check_file_returns_the_path_of_a_file_and_of_a_link_to_one(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        assert check_file(tmp_path / name) == tmp_path / name
        assert read_file(str(tmp_path / name)) == b"content"
