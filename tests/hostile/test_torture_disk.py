"""A run on a disk that is full ends in one line, whichever file it was writing, and goes on once there is room."""

import contextlib
import os
import shutil
import subprocess

import pytest
from processes import assert_same, checkpoints, ended, more, progress, started, train, undisturbed_run, wait_until

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


def assert_told_of_a_full_disk(done):
    assert done.code == 2, done
    # Orbax logs what its threads could not write; the last line of ours says it.
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
