"""Files that come from outside, and files written whole."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from faults import fault

from arjax.errors import InputError
from arjax.files import check_file, check_output, free_stem, read_file, write_all, write_whole


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


# What is at the path, and what is said of it even where it may be overwritten.
NO_OUTPUTS = {
    "a folder": (os.mkdir, "x is there already"),
    "a pipe": (os.mkfifo, "x is there already, and is no file"),
    "a link to a device": (lambda path: path.symlink_to("/dev/null"), "x is there already, and is no file"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "x is there already, and is a link to nothing"),
    "an input": (lambda path: path.write_text("read"), "x is one of the files that are read"),
    "a link to an input": (lambda path: path.symlink_to("input"), "x is one of the files that are read"),
    "an input of two names": (lambda path: path.hardlink_to("input"), "x is one of the files that are read"),
    "a file in a folder that is an input": (lambda path: path.write_text("read"), "x is one of the files that are read"),
}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(("make", "says"), NO_OUTPUTS.values(), ids=NO_OUTPUTS)
def test_check_output_refuses_what_must_not_be_replaced(make, says, overwrite, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("input").write_text("read")
    make(Path("x"))
    with pytest.raises(InputError, match=f"{says}.*; "):
        check_output(f"../{tmp_path.name}/x", overwrite=overwrite, inputs=["no such file", "input", tmp_path / "x"])


@pytest.mark.parametrize("path", ["x" * 300, "a\0b", "file/x", "nothing/x", "none/../file", ".", "", "/"])
def test_check_output_refuses_where_no_file_can_be(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("nothing").symlink_to("nowhere")
    with pytest.raises(InputError, match="; choose another path"):
        check_output(path, overwrite=True)


def test_check_output_refuses_a_file_unless_it_may_be_overwritten(tmp_path):
    check_output(tmp_path / "new" / "x", overwrite=False)
    (tmp_path / "x").write_text("old")
    assert "x is there already; choose another path, or replace it by --overwrite" in fault(
        lambda: check_output(tmp_path / "x", overwrite=False, remedy="--overwrite")
    )
    check_output(tmp_path / "x", overwrite=True)


def test_free_stem_is_the_first_of_which_no_file_is_there(tmp_path):
    stem = tmp_path / "a.b"
    assert free_stem(stem, [".png"]) == stem
    (tmp_path / "a.b.png").symlink_to("nothing")
    (tmp_path / "a.b-2.txt").write_text("")
    assert free_stem(stem, [".png"]) == tmp_path / "a.b-2"
    assert free_stem(stem, [".png", ".txt"]) == tmp_path / "a.b-3"


def test_write_whole_replaces_a_link_and_not_what_it_leads_to(tmp_path):
    (tmp_path / "elsewhere").write_text("old")
    (tmp_path / "x").symlink_to("elsewhere")
    write_whole(tmp_path / "x", "new\n")
    assert ((tmp_path / "x").read_bytes(), (tmp_path / "elsewhere").read_text()) == (b"new\n", "old")
    write_whole(tmp_path / "deep" / ("x" * 255), b"")  # the name beside it is no longer than that


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("overwrite", [False, True])
def test_write_all_writes_nothing_where_one_file_cannot_be_written(overwrite, error, tmp_path, monkeypatch):
    (tmp_path / "c").write_text("old")
    synced = []

    def fsync(handle):
        synced.append(handle)
        if len(synced) == 2:
            raise error

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(type(error)) as info:
        write_all({tmp_path / "a": "new", tmp_path / "b": "new", tmp_path / "c": "new"}, overwrite=overwrite)
    assert isinstance(error, KeyboardInterrupt) or info.value.filename == str(tmp_path / "b")
    assert content(tmp_path) == {"c": "old"}


def test_write_all_writes_nothing_where_one_file_is_there_and_must_stay(tmp_path):
    (tmp_path / "c").write_text("old")
    with pytest.raises(InputError, match="c is there already"):
        write_all({tmp_path / "a": "new", tmp_path / "b": "new", tmp_path / "c": "new"}, overwrite=False)
    assert content(tmp_path) == {"c": "old"}
    write_all({tmp_path / "a": "new", tmp_path / "c": "new"}, overwrite=True)
    assert content(tmp_path) == {"a": "new", "c": "new"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_write_all_refuses_names_that_the_file_system_takes_for_one(overwrite, tmp_path, monkeypatch):
    replace, lstat, lexists = os.replace, os.lstat, os.path.lexists
    folded = lambda path: Path(path).with_name(Path(path).name.lower())  # noqa: E731
    monkeypatch.setattr(os, "replace", lambda old, new: replace(old, folded(new)))
    monkeypatch.setattr(os.path, "lexists", lambda path: lexists(folded(path)))
    monkeypatch.setattr(Path, "lstat", lambda path: lstat(folded(path)))
    with pytest.raises(InputError, match="A has the name of another file"):
        write_all({tmp_path / "a": "first", tmp_path / "A": "second"}, overwrite=overwrite)
    assert content(tmp_path) == ({"a": "first"} if overwrite else {})


def test_write_all_syncs_every_file_before_it_has_its_name_and_every_folder_behind(tmp_path, monkeypatch):
    events, sync, replace = [], os.fsync, os.replace

    def named(handle):
        name = os.readlink(f"/proc/self/fd/{handle}")
        return "folder" if os.path.isdir(name) else "file"

    monkeypatch.setattr(os, "fsync", lambda handle: (events.append(named(handle)), sync(handle)))
    monkeypatch.setattr(os, "replace", lambda old, new: (events.append("rename"), replace(old, new)))
    write_all({tmp_path / "a": "", tmp_path / "b" / "c": ""}, overwrite=False)
    assert events == ["file", "file", "rename", "rename", "folder", "folder"]


def test_write_all_that_is_killed_leaves_what_was_there(tmp_path):
    (tmp_path / "a").write_text("old")
    code = (
        "import os; from arjax.files import write_all; os.replace = lambda *names: os.kill(os.getpid(), 9)\n"
        f"write_all({{{str(tmp_path / 'a')!r}: 'new', {str(tmp_path / 'b')!r}: 'new'}}, overwrite=True)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert {name: text for name, text in content(tmp_path).items() if not name.endswith(".tmp")} == {"a": "old"}
