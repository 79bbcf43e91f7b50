"""A run or a command on a disk that is full ends in one line, whichever file it was writing, and goes on once there is room."""

import contextlib
import os
import shutil
import subprocess

import numpy as np
import pytest
from processes import assert_same, checkpoints, ended, more, progress, started, train, undisturbed_run, wait_until
from trained import failure, write_run_of_random_parameters

from arjax.__main__ import main
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.protocol import Model

pytestmark = pytest.mark.slow
FLAGS = ("--samples", 4)


@contextlib.contextmanager
def disk(folder, size):
    """A small disk mounted on `folder`/run. Skips where that is not allowed."""
    run = folder / "run"
    run.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", run], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield run
    finally:
        subprocess.run(["umount", "--lazy", run], check=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return undisturbed_run(tmp_path_factory.mktemp("undisturbed"), *FLAGS)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    run = tmp_path_factory.mktemp("digits")
    write_run_of_random_parameters(run, Digits(Threshold(8)), Model(MADE(hidden=(4,)), Bernoulli(), (8, 8)))
    return run


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# What is written, with room for a part of it.
@pytest.mark.parametrize(
    "argv",
    [
        ("decompress", "{run}", "{made}/x.arj", "-o", "{disk}", "--overwrite"),
        ("sample", "{run}", "--samples", "1000", "--out", "{disk}/x.npz", "--png", "{disk}/x.png", "--overwrite"),
        ("evaluate", "{run}", "--out", "{disk}/x.npz", "--png", "{disk}/x.png", "--overwrite"),
        ("compress", "{run}", "{made}/0.npy", "{made}/1.npy", "-o", "{disk}/x.arj", "--overwrite"),
    ],
    ids=lambda argv: argv[0],
)
def test_commands_on_a_full_disk_end_in_one_line_and_leave_what_was_there(argv, digits, tmp_path, capsys):
    made = [tmp_path / f"{i}.npy" for i in range(2)]
    for path in made:
        np.save(path, np.random.default_rng(0).integers(0, 2, (300, 8, 8)).astype(np.uint8))
    main(["compress", str(digits), *map(str, made), "-o", str(tmp_path / "x.arj")])
    with disk(tmp_path, "100k") as folder:
        for name in ("x.npz", "x.arj", "0.npy"):
            (folder / name).write_bytes(b"old")
        fill(folder / "ballast", 24576 if argv[0] == "decompress" else 4096)
        before = content(folder)
        line = failure(capsys, *(word.format(run=digits, made=tmp_path, disk=folder) for word in argv))
        assert "No space left on device" in line
        assert content(folder) == before
        (folder / "ballast").unlink()
        main([word.format(run=digits, made=tmp_path, disk=folder) for word in argv])
        assert len(content(folder)) > 2


def assert_told_of_a_full_disk(done):
    assert done.code == 2, done
    # TensorStore's own threads print what they could not hand to a loop that is closed; one line is ours.
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert "No space left on device" in line
    print(line)


# What does not fit any more: run.json, TensorBoard's file, metrics.jsonl, a picture of samples, a checkpoint; the last three hold
# one, or some.
@pytest.mark.parametrize("size", [more("4k"), "8k", more("12k"), more("16k"), "64k"])
def test_a_run_on_a_disk_too_small_ends_in_one_line_and_continues_on_a_larger_one(undisturbed, tmp_path, size):
    with disk(tmp_path, size) as run:
        assert_told_of_a_full_disk(train(tmp_path, *FLAGS))
        subprocess.run(["mount", "-o", "remount,size=100m", run], check=True)
        assert train(tmp_path, *FLAGS).code == 0
        assert_same(tmp_path, undisturbed)


def fill(path, left):
    """Take all the room there is, but for `left` bytes."""
    room = os.statvfs(path.parent)
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        for _ in range(room.f_bavail - left // room.f_frsize):
            file.write(bytes(room.f_frsize))


@pytest.mark.parametrize("left", [more(0), 40960])
def test_a_run_whose_disk_fills_up_under_way_ends_in_one_line_and_continues_when_there_is_room(undisturbed, tmp_path, left):
    with disk(tmp_path, "20m") as run:
        with started(tmp_path, *FLAGS) as filled:
            wait_until(filled, lambda: progress(filled) >= 4 and checkpoints(tmp_path))
            fill(run / "ballast", left)
            done = ended(filled)
        assert_told_of_a_full_disk(done)
        (run / "ballast").unlink()
        done = train(tmp_path, *FLAGS)
        assert done.code == 0
        assert "continuing from step " in done.out
        assert_same(tmp_path, undisturbed)
