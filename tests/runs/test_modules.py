"""Modules of a user's own: found as a script finds them, and trusted by name."""

import sys
from pathlib import Path

import pytest
from faults import fault

from arjax.runs.config import load_config
from arjax.runs.directory import read_run, write_run
from arjax.runs.modules import trusted

NET = """
import flax.linen as nn
import jax.numpy as jnp

import arjax


class Fair(nn.Module):
    weight: float = 0.5
    spec: arjax.Spec | None = None

    def __call__(self, x, order, cond=None, *, key=None):
        return jnp.zeros((*x.shape, 1))
"""
CONFIG = """
import numpy as np
from arjax.heads import Bernoulli
from arjax.training import Experiment

x = np.eye(4, 3, dtype=int)
experiment = Experiment(
    data=arjax.Arrays(x, x), model=arjax.Model(Fair(), Bernoulli(), (3,)), batch_size=4, steps=1, eval_every=1
)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder of a user's own, in which nothing has been imported yet; the current directory is another."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    return folder


def test_load_config_imports_what_lies_beside_the_config(mine):
    (mine / "my_nets.py").write_text(NET)
    (mine / "config.py").write_text("import arjax\nfrom my_nets import Fair\n" + CONFIG)
    assert load_config(mine / "config.py").model.net.weight == 0.5


def test_load_config_imports_what_lies_in_the_current_directory(mine):
    Path("my_nets.py").write_text(NET)
    (mine / "config.py").write_text("import arjax\nfrom my_nets import Fair\n" + CONFIG)
    assert load_config(mine / "config.py").model.net.weight == 0.5


def test_load_config_says_what_to_do_about_a_module_that_is_not_there(mine):
    (mine / "config.py").write_text("import arjax\nfrom my_nets import Fair\n" + CONFIG)
    line = fault(load_config, mine / "config.py")
    assert "fails in line 2: No module named 'my_nets'; install it, put it beside the config, or put its folder on" in line


@pytest.fixture
def run(mine):
    """A run of a net that its config file defines, as a process finds it that has not executed the config."""
    (mine / "config.py").write_text(NET + CONFIG)
    experiment = load_config(mine / "config.py")
    write_run(mine / "run", experiment, experiment.data.load())
    del sys.modules["mine.config"]
    sys.path.remove(str(mine))
    return mine / "run"


def test_read_run_takes_the_file_that_defines_a_net(run):
    file = str(run.parent / "config.py")
    net = read_run(run, (file,)).model.net
    assert (type(net).__name__, net.weight) == ("Fair", 0.5)
    # Once executed it is the same module.
    assert type(read_run(run, (file,)).model.net) is type(net)


def test_read_run_takes_the_file_of_a_net_that_the_config_imported_from_beside_it(mine):
    (mine / "my_nets.py").write_text(NET)
    (mine / "config.py").write_text("import arjax\nfrom my_nets import Fair\n" + CONFIG)
    experiment = load_config(mine / "config.py")
    write_run(mine / "run", experiment, experiment.data.load())
    del sys.modules["mine.config"], sys.modules["my_nets"]
    sys.path.remove(str(mine))
    net = read_run(mine / "run", (str(mine / "my_nets.py"),)).model.net
    assert (type(net).__module__, net.weight) == ("my_nets", 0.5)


def test_trusted_takes_no_name_that_another_module_has(mine):
    (mine / "json.py").write_text("")
    assert trusted((str(mine / "json.py"),)) == ("mine.json",)


def test_read_run_trusts_the_modules_of_the_environment(run, monkeypatch):
    assert "or in $ARJAX_MODULES" in fault(read_run, run)
    monkeypatch.setenv("ARJAX_MODULES", f"json,{run.parent / 'config.py'}")
    assert read_run(run).model.net.weight == 0.5
    assert trusted(()) == ("json", "mine.config", "config")


def test_read_run_says_where_a_module_that_is_not_there_could_be_put(run):
    line = fault(read_run, run, ("mine.config",))
    assert "put its folder on PYTHONPATH, or name its file: --modules FILE.py" in line


def test_trusted_refuses_a_file_that_is_not_there_or_fails(mine):
    assert "nowhere.py" in fault(trusted, ("nowhere.py",))
    Path("broken.py").write_text("1 / 0")
    assert "the module broken.py fails: ZeroDivisionError: division by zero; mend it" in fault(trusted, ("broken.py",))
