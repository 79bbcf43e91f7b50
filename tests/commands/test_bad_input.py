"""Wrong commands, configs, files and arrays: each is answered with one line and status 2, and leaves everything as it was.

The rows lie in bad_flags.py, bad_data.py and bad_runs.py. They are run in this process, which takes less time, with
warnings as errors; a few also as users run them, to show that it makes no difference.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pooch
import pytest
from bad_data import BAD_DATA
from bad_flags import BAD_CONFIGS, BAD_FLAGS
from bad_input import Bad, write_folder
from bad_runs import BAD_COMMANDS, BAD_RUNS

import train as script
from arjax.__main__ import main
from arjax.errors import one_line_errors

ROOT = Path(__file__).parents[2]
ROWS = [*BAD_CONFIGS, *BAD_FLAGS, *BAD_DATA, *BAD_RUNS, *BAD_COMMANDS]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The folder of bad_input.py, in which nothing is wrong yet."""
    folder, before = tmp_path_factory.mktemp("good"), Path.cwd()
    os.chdir(folder)
    try:
        write_folder()
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(good, request, tmp_path, monkeypatch):
    """That folder, or where a row spoils something a copy of it: the current folder and that of downloaded data. There is no
    network."""
    row = request.node.callspec.params.get("row")
    folder = good if isinstance(row, Bad) and row.spoil is None else shutil.copytree(good, tmp_path / "here")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ARJAX_DATA", str(folder))
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", no_network)
    # Where it is set in the environment of the tests, a cache of a config's bytecode would be overlooked.
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return folder


def no_network(*_, **__):
    raise OSError("no network")


def tree(folder):
    """Every path below the folder, with its size and the time it was changed."""
    return {path: (path.is_dir() or path.lstat().st_size, path.lstat().st_mtime_ns) for path in (folder, *folder.rglob("*"))}


def run_here(argv, monkeypatch, capfd):
    """(status, stdout, stderr) of `python ARGV`, run in this process."""
    capfd.readouterr()
    start, *rest = argv
    with monkeypatch.context() as patch:
        # As the interpreter names the script: errors that its own lines raise are told by it.
        patch.setattr(sys, "argv", [str(ROOT / "train.py"), *rest])
        status = None
        try:
            if start == "train.py":
                with one_line_errors():
                    status = script.main(rest)
            else:
                assert argv[:2] == ["-m", "arjax"]
                status = main(rest[1:])
        except SystemExit as end:
            status = end.code
    return status, *capfd.readouterr()


def run_apart(argv, folder):
    """The same as a process of its own, which sees eight devices as the tests do."""
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONDONTWRITEBYTECODE", "JAX_PLATFORMS")}
    env |= {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), "XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    script = [str(ROOT / argv[0]), *argv[1:]] if argv[0] == "train.py" else argv
    done = subprocess.run(
        [sys.executable, *script], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout, done.stderr


def check_refused(outcome, says):
    status, out, err = outcome
    assert (status, out) == (2, ""), outcome
    if err.startswith("╭"):  # tyro frames what it says of flags
        err = " ".join(err.translate(dict.fromkeys(map(ord, "╭╮╰╯│─"), " ")).split())
    else:
        assert err.startswith("error: "), err
        assert err.endswith("\n"), err
        assert err.count("\n") == 1, err
        # What to do comes behind what is wrong.
        assert "; " in err or "the config bad.py fails" in err, err
    assert says in err, err


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.argv}: {row.says}")
def test_main_refuses_bad_input_in_one_line_and_writes_nothing(row, here, monkeypatch, capfd):
    if row.spoil:
        row.spoil()
    before = tree(here)
    check_refused(run_here(shlex.split(row.argv), monkeypatch, capfd), row.says)
    assert tree(here) == before


@pytest.mark.parametrize("row", [BAD_CONFIGS[0], BAD_FLAGS[0], BAD_COMMANDS[0]], ids=lambda row: row.argv)
def test_main_in_a_process_of_its_own_says_the_same(row, here, monkeypatch, capfd):
    before, argv = tree(here), shlex.split(row.argv)
    apart = run_apart(argv, here)
    assert tree(here) == before
    assert apart == run_here(argv, monkeypatch, capfd)


@pytest.mark.parametrize(
    "argv",
    [
        "-m arjax evaluate classes --ensemble 2",
        "-m arjax sample text --prompt hello",
        "-m arjax evaluate palette",
    ],
)
def test_main_refuses_nothing_where_nothing_is_spoiled(argv, here, monkeypatch, capfd):
    status, out, err = run_here(shlex.split(argv), monkeypatch, capfd)
    assert (status or 0, err) == (0, "")
    assert out
