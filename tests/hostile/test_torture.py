"""A run that is killed, interrupted, damaged and run twice at once ends as the one that was left alone: the same records, the
same bits. `make torture` runs these, as does `make test-slow` with fewer kills."""

import os
import shutil
import signal
import time

import numpy as np
import pytest
from processes import assert_same, checkpoints, ended, half_written, more, progress, started, train, undisturbed_run, wait_until

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("ARJAX_TORTURE_KILLS", "50"))
LONG = ("--steps", 12 * KILLS + 100)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return undisturbed_run(tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="module")
def undisturbed_long(tmp_path_factory):
    return undisturbed_run(tmp_path_factory.mktemp("undisturbed_long"), *LONG)


def test_a_run_killed_at_any_moment_again_and_again_ends_the_same(undisturbed_long, tmp_path):
    rng = np.random.default_rng(0)
    while_writing = 0
    for kill in range(KILLS):
        with started(tmp_path, *LONG) as run:
            if kill % 5 == 0:
                # As it starts: imports, run.json, reading the checkpoint, the first step.
                time.sleep(rng.uniform(0, 6))
            else:
                lines = rng.integers(1, 6)
                wait_until(run, lambda run=run, lines=lines: progress(run) >= lines)
                if kill % 5 < 4:
                    wait_until(run, lambda: half_written(tmp_path))
                time.sleep(rng.uniform(0, 0.04))
            run.process.kill()
            assert ended(run).code == -signal.SIGKILL, "it was done before the last kill: give it more steps"
        while_writing += kill % 5 != 0 and bool(half_written(tmp_path))
    assert while_writing >= KILLS // 4
    print(f"{while_writing} of {KILLS} kills while a checkpoint was written")
    assert train(tmp_path, *LONG).code == 0
    assert half_written(tmp_path) == []
    assert_same(tmp_path, undisturbed_long)


def test_a_run_interrupted_again_and_again_says_how_to_continue_and_ends_the_same(undisturbed_long, tmp_path):
    rng = np.random.default_rng(1)
    saved = []
    for number, status in 4 * [(signal.SIGTERM, 143), (signal.SIGINT, 130)]:
        with started(tmp_path, *LONG) as run:
            lines = rng.integers(1, 6)
            wait_until(run, lambda run=run, lines=lines: progress(run) >= lines)
            time.sleep(rng.uniform(0, 0.1))
            run.process.send_signal(number)
            code, out, err = ended(run)
        assert (code, err) == (status, "")
        assert (f"continuing from step {saved[-1]}\n" if saved else "continuing") in out or not saved
        last = out.splitlines()[-1]
        assert last.startswith("interrupted and saved at step ")
        assert "; to continue: python train.py " in last
        saved.append(int(last.split("step ")[1].split(";")[0]))
        assert checkpoints(tmp_path)[-1] == saved[-1]
    # Where neither a record nor a validation was due, what the updates gave must be carried over.
    assert any(step % 4 and step % 6 for step in saved), saved
    done = train(tmp_path, *LONG)
    assert (done.code, done.err) == (0, "")
    assert f"continuing from step {saved[-1]}\n" in done.out
    assert_same(tmp_path, undisturbed_long)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A run with two checkpoints or three, interrupted."""
    folder = tmp_path_factory.mktemp("interrupted")
    with started(folder) as run:
        wait_until(run, lambda: len(checkpoints(folder)) > 1 if (folder / "run" / "checkpoints").exists() else False)
        run.process.terminate()
        assert ended(run).code == 143
    return folder


def largest(folder):
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("find", "damage"),
    [
        (lambda latest: largest(latest / "default" / "ocdbt.process_0" / "d"), flip),
        more(lambda latest: largest(latest / "default" / "ocdbt.process_0" / "d"), lambda path: path.unlink()),
        more(lambda latest: largest(latest / "default" / "d"), halve),
        more(lambda latest: latest / "default" / "manifest.ocdbt", flip),
        more(lambda latest: latest / "default" / "_METADATA", lambda path: path.write_bytes(b"")),
        (lambda latest: latest / "metrics" / "metrics", lambda path: path.unlink()),
    ],
    ids=["flipped-array", "missing-array", "half-index", "flipped-manifest", "empty-metadata", "missing-note"],
)
def test_a_run_whose_last_checkpoint_is_damaged_continues_from_the_one_before(undisturbed, interrupted, tmp_path, find, damage):
    shutil.copytree(interrupted, tmp_path, dirs_exist_ok=True)
    *_, before, last = checkpoints(tmp_path)
    damage(find(tmp_path / "run" / "checkpoints" / str(last)))
    done = train(tmp_path)
    assert done.code == 0  # orbax logs what it could not read
    assert f"continuing from step {before}; checkpoint {last} is damaged and set aside\n" in done.out
    assert (tmp_path / "run" / "checkpoints" / f"damaged.{last}").is_dir()
    assert_same(tmp_path, undisturbed)


def refused(done, holder):
    """Is this how a run ends whose directory the process `holder` writes?"""
    return (
        (done.code, done.out) == (2, "")
        and done.err.startswith("error: ")
        and f"/run is being written by process {holder} on " in done.err
        and done.err.count("\n") == 1
    )


def test_a_second_run_in_one_directory_is_refused_and_does_not_disturb_the_first(undisturbed_long, tmp_path):
    with started(tmp_path, *LONG, name="first") as first:
        wait_until(first, lambda: progress(first) >= 1)
        # So that it is not done too soon; what holds the directory is the process, at work or not.
        first.process.send_signal(signal.SIGSTOP)
        for _ in range(2):
            second = train(tmp_path, *LONG, name="second")
            assert refused(second, first.process.pid), second
        first.process.send_signal(signal.SIGCONT)
        done = ended(first)
    assert (done.code, done.err) == (0, "")
    assert_same(tmp_path, undisturbed_long)


@pytest.mark.torture
def test_of_runs_started_at_the_same_instant_in_a_new_directory_exactly_one_goes_on(undisturbed, tmp_path):
    with started(tmp_path, name="one") as one, started(tmp_path, name="two") as two, started(tmp_path, name="three") as three:
        runs = [one, two, three]
        ends = [ended(run) for run in runs]
    (winner,) = [run.process.pid for run, end in zip(runs, ends, strict=True) if end.code == 0]
    assert sum(refused(end, winner) for end in ends) == 2, ends
    assert_same(tmp_path, undisturbed)
