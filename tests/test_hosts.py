import re

import pytest

from arjax.training.command_line import load_config, parse
from arjax.training.hosts import Hosts, by_first, is_first, own_directory

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
def test_processes_that_cannot_be_found_are_refused(fields, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Hosts(**fields)


def test_one_process_is_the_first_and_does_what_the_first_does(tmp_path, capsys):
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


def test_the_flags_of_hosts_are_read_before_the_config_is_executed(tmp_path, monkeypatch):
    config, met = tmp_path / "tiny.py", []
    config.write_text(TINY)
    monkeypatch.setattr("arjax.training.command_line.meet", lambda hosts: met.append((hosts, loaded[:])))
    loaded = []
    monkeypatch.setattr("arjax.training.command_line.load_config", lambda path: loaded.append(path) or load_config(path))
    parse([str(config), "--hosts.coordinator", "a:1", "--hosts.processes", "2", "--steps", "3", "--hosts.process", "1"])
    parse([str(config), "--hosts.join"])
    assert met == [(Hosts(coordinator="a:1", processes=2, process=1), []), (Hosts(join=True), [str(config)])]


def test_wrong_flags_of_hosts_are_one_line(tmp_path):
    (tmp_path / "tiny.py").write_text(TINY)
    for flags, part in ((["--hosts.processes", "two"], "two"), (["--hosts.coordinator", "a:1"], "is incomplete")):
        with pytest.raises(ValueError, match=part) as error:
            parse([str(tmp_path / "tiny.py"), *flags])
        assert "\n" not in str(error.value)
