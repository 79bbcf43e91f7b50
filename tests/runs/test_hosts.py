import os
import re
import socket
import subprocess
import sys

import pytest

from arjax.runs.config import load_config, parse
from arjax.runs.hosts import Hosts, by_first, is_first, own_directory

TINY = """
import arjax
from arjax.data import Digits
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.training import Experiment

experiment = Experiment(data=Digits(), model=arjax.Model(MADE(hidden=(4,)), Bernoulli(), (8, 8)), steps=1, eval_every=1)
"""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"coordinator": "a:1"}, "is incomplete; give coordinator, processes and process, or join alone"),
        ({"processes": 2, "process": 0}, "is incomplete; give coordinator"),
        ({"join": True, "coordinator": "a:1", "processes": 2, "process": 0}, "is incomplete; give coordinator"),
        ({"coordinator": "a", "processes": 2, "process": 0}, "coordinator='a' is no HOST:PORT; give where"),
        ({"coordinator": "a:b", "processes": 2, "process": 0}, "coordinator='a:b' is no HOST:PORT"),
        ({"coordinator": "a:1", "processes": 2, "process": 2}, "process=2 is not in 0..1; give this process's own number"),
        ({"coordinator": "a:1", "processes": 0, "process": 0}, "process=0 is not in 0..-1"),
    ],
)
def test_hosts_refuses_processes_that_cannot_be_found(fields, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Hosts(**fields)


def test_by_first_of_one_process_does_it_here(tmp_path, capsys):
    done = []
    by_first(lambda: done.append(1))
    assert done == [1]
    with pytest.raises(KeyError):
        by_first(lambda: {}["gone"])
    assert is_first()
    with own_directory(tmp_path) as folder:
        print("said")
    assert folder == tmp_path
    assert capsys.readouterr().out == "said\n"


def test_parse_reads_the_flags_of_hosts_before_it_executes_the_config(tmp_path, monkeypatch):
    config, met = tmp_path / "tiny.py", []
    config.write_text(TINY)
    monkeypatch.setattr("arjax.runs.config.meet", lambda hosts: met.append((hosts, loaded[:])))
    loaded = []
    monkeypatch.setattr("arjax.runs.config.load_config", lambda path: loaded.append(path) or load_config(path))
    parse([str(config), "--hosts.coordinator", "a:1", "--hosts.processes", "2", "--steps", "3", "--hosts.process", "1"])
    parse([str(config), "--hosts.join"])
    assert met == [(Hosts(coordinator="a:1", processes=2, process=1), []), (Hosts(join=True), [str(config)])]


def test_parse_ends_with_status_2_for_wrong_flags_of_hosts(tmp_path, capsys):
    (tmp_path / "tiny.py").write_text(TINY)
    for flags, part in ((["--hosts.processes", "two"], "two"), (["--hosts.coordinator", "a:1"], "is incomplete")):
        with pytest.raises(SystemExit) as end:
            parse([str(tmp_path / "tiny.py"), *flags])
        assert end.value.code == 2
        assert part in capsys.readouterr().err


MEET = """
import jax
from arjax.errors import one_line_errors
from arjax.runs.hosts import Hosts, by_first, meet
with one_line_errors():
    meet(Hosts(join=True))
    by_first(lambda: print("first is", jax.process_index()))
    print(jax.process_index(), "of", jax.process_count())
"""


def meeting(env: dict):
    env = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")} | {"JAX_PLATFORMS": "cpu"} | env
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", MEET], env=env, **streams)


@pytest.mark.slow
def test_meet_joins_the_processes_of_a_slurm_job_without_a_flag():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    job = {"SLURM_JOB_ID": "7", "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2", "SLURM_STEP_NUM_NODES": "1"}
    job |= {"JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo", "JAX_COORDINATOR_PORT": str(port)}
    processes = [meeting(job | {"SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)}) for i in range(2)]
    try:
        ends = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    said = [[line for line in out.splitlines() if "Gloo" not in line] for out, _ in ends]
    assert said == [["first is 0", "0 of 2"], ["1 of 2"]], ends
    assert [process.returncode for process in processes] == [0, 0]


@pytest.mark.slow
def test_meet_says_in_one_line_that_there_is_no_job_to_join():
    alone = meeting({})
    out, err = alone.communicate(timeout=120)
    assert (alone.returncode, out) == (2, "")
    assert err.startswith("error: the other processes cannot be joined (")
    assert err.count("\n") == 1
