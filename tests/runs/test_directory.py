import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import types

import numpy as np
import pytest
from zoo import ZOO

from arjax.data import Digits, Dynamic, Levels, Split, Splits
from arjax.description import describe, modules_of, rebuild
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE
from arjax.orders import AnyOrder, Permutation, Reversed, Spiral
from arjax.protocol import CondSpec, Model
from arjax.runs.directory import alone_in, check_run, commit_of, is_split_of, read_run, write_run
from arjax.training import Adam, AdamW, Experiment, Mesh

EXPERIMENT = Experiment(
    data=Digits(),
    model=Model(MADE(hidden=(5, 6), dropout=0.1), Bernoulli(), (8, 8), AnyOrder(Reversed(Spiral())), CondSpec(classes=10)),
    optimizer=Adam(learning_rate=1e-3, clip=None),
    steps=10,
    eval_every=5,
)


X, LABEL = np.arange(24, dtype=np.uint8).reshape(4, 2, 3), np.arange(4)
SPLITS = Splits(Split(X, LABEL), Split(X[:2], LABEL[:2]), Split(X[2:], LABEL[2:]))


def through_json(value, **options):
    return rebuild(json.loads(json.dumps(describe(value), allow_nan=False)), **options)


@pytest.mark.parametrize("name", ZOO)
def test_rebuild_gives_every_model_back(name):
    again = through_json(ZOO[name])
    assert again == ZOO[name]
    assert hash(again) == hash(ZOO[name])


@pytest.mark.parametrize(
    "value",
    [EXPERIMENT, Permutation((2, 0, 1)), AdamW(1e30), 2**63 - 1, -(2**63), Dynamic(1.0), Levels(256), None, (1, (2.5, "a"))],
)
def test_rebuild_gives_whatever_an_experiment_is_made_of_back(value):
    assert through_json(value) == value


@pytest.mark.parametrize("value", [{"a": 1}, [1], float("nan"), len, object(), {1}, Levels])
def test_describe_refuses_what_is_no_data(value):
    with pytest.raises(ValueError, match="cannot be described as data"):
        describe((1, value))


def edited(**changes):
    data = describe(EXPERIMENT)
    for path, value in changes.items():
        *parents, name = path.split("__")
        part = data
        for parent in parents:
            part = part[parent]
        part[name] = value
    return data


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ({"class": "os:system", "command": "true"}, "none of this package's"),
        ({"class": "subprocess:Popen", "args": ["true"]}, "none of this package's"),
        ({"class": "arjaxevil.x:Y"}, "none of this package's"),
        ({"class": "arjax.__main__:Sample"}, "none of this package's"),
        ({"class": "arjax.commands.sample:Sample"}, "none of this package's"),
        ({"class": 3}, "none of this package's"),
        ({}, "none of this package's"),
        ({"class": "arjax.nothing:Y"}, "No module named"),
        ({"class": "arjax.runs.directory:subprocess.Popen"}, "no dataclass"),
        ({"class": "arjax.likelihood:log_prob"}, "no dataclass"),
        ({"class": "arjax.training.experiment:AdamW"}, "no dataclass"),
        (edited(depth=3), "has no field 'depth'"),
        (edited(steps="10"), "for 'steps', but is given '10'"),
        (edited(steps=True), "for 'steps'"),
        (edited(ema="x"), "for 'ema'"),
        (edited(mesh=None), "for 'mesh'"),
        (edited(model__net__hidden=[5, "6"]), "for 'hidden'"),
        (edited(model__net__hidden=5), "for 'hidden'"),
        (edited(model__net__activation="os.system"), "for 'activation'"),
        (edited(model__net__hidden=[]), "has no layer"),
        (edited(optimizer__clip=-1.0), "clip=-1.0"),
        ({"class": "arjax.heads.categorical:Categorical"}, "cannot be built"),
    ],
)
def test_rebuild_refuses_what_is_not_plain_data_of_this_package(data, part):
    with pytest.raises(ValueError, match=re.escape(part)) as error:
        rebuild(data)
    assert "\n" not in str(error.value)


def test_rebuild_reads_an_annotation_of_no_items():
    @dataclasses.dataclass(frozen=True)
    class Empty:
        items: tuple[()] = ()

    Empty.__module__, Empty.__qualname__ = "arjax.training.mesh", "Empty"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arjax.training.mesh.Empty", Empty, raising=False)
        assert through_json(Empty()) == Empty()
        with pytest.raises(ValueError, match="for 'items'"):
            rebuild({"class": "arjax.training.mesh:Empty", "items": [1]})


def test_rebuild_gives_a_field_added_since_its_default():
    data = describe(EXPERIMENT)
    del data["ensemble"]
    assert rebuild(data) == EXPERIMENT


def test_rebuild_needs_the_module_of_a_users_own_class_named(monkeypatch):
    module = types.ModuleType("mine")

    @dataclasses.dataclass(frozen=True)
    class Own:
        size: int = 3

    Own.__module__, Own.__qualname__, module.Own = "mine", "Own", Own
    monkeypatch.setitem(sys.modules, "mine", module)
    data = describe((Own(4), EXPERIMENT))
    assert "mine" in modules_of((Own(4), EXPERIMENT))
    with pytest.raises(ValueError, match=r"modules=\('mine',\), or on the command line --modules mine"):
        rebuild(data)
    assert rebuild(data, ("mine",)) == (Own(4), EXPERIMENT)


def test_write_run_keeps_the_experiment(tmp_path):
    run = tmp_path / "run"
    check_run(run, EXPERIMENT)
    assert not run.exists()
    write_run(run, EXPERIMENT, SPLITS)
    assert read_run(run) == EXPERIMENT
    written = json.loads((run / "run.json").read_text())["written_by"]
    assert set(written) == {"python", "packages", "devices", "git_commit"}
    assert set(written["packages"]) >= {"jax", "flax", "optax", "arjax"}
    check_run(run, EXPERIMENT)


def elsewhere(**changes):
    """The experiment as another machine may run it, with these changes."""
    data = dataclasses.replace(EXPERIMENT.data, root="elsewhere")
    return dataclasses.replace(EXPERIMENT, data=data, mesh=Mesh(2), log_every=7, samples=0, **changes)


def test_check_run_does_not_ask_where_data_lie_what_computes_and_what_is_told(tmp_path):
    write_run(tmp_path, EXPERIMENT, SPLITS)
    check_run(tmp_path, elsewhere())


def test_check_run_refuses_another_experiment_and_overwrites_nothing(tmp_path):
    write_run(tmp_path, EXPERIMENT, SPLITS)
    before = (tmp_path / "run.json").read_bytes()
    with pytest.raises(ValueError, match=r"holds a different experiment \(seed: 0 there, 1 here\); choose another"):
        check_run(tmp_path, elsewhere(seed=1))
    assert (tmp_path / "run.json").read_bytes() == before


def test_check_run_names_the_first_difference_in_the_order_of_the_fields(tmp_path):
    write_run(tmp_path, EXPERIMENT, SPLITS)
    other = elsewhere(model=dataclasses.replace(EXPERIMENT.model, head=Categorical(2)), optimizer=AdamW(), seed=1)
    with pytest.raises(ValueError, match=r"\(model\.head: Bernoulli\(\) there, Categorical\(vocab=2\) here\)"):
        check_run(tmp_path, other)


def test_check_run_takes_an_experiment_of_unknown_classes_for_another(tmp_path):
    write_run(tmp_path, EXPERIMENT, SPLITS)
    text = (tmp_path / "run.json").read_text()
    (tmp_path / "run.json").write_text(text.replace("arjax.models.made:MADE", "mine:MADE"))
    with pytest.raises(ValueError, match=r"holds a different experiment \(.* the class 'mine:MADE'.*\); choose another") as error:
        check_run(tmp_path, EXPERIMENT)
    assert "\n" not in str(error.value)


def test_is_split_of_compares_what_run_json_has_of_the_split(tmp_path):
    write_run(tmp_path, EXPERIMENT, SPLITS)
    assert is_split_of(tmp_path, "test", SPLITS.test)
    assert not is_split_of(tmp_path, "valid", SPLITS.test)
    assert not is_split_of(tmp_path, "test", SPLITS.test._replace(label=None))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        (SPLITS._replace(test=Split(X[2:] + 1, LABEL[2:])), "test.x"),
        (SPLITS._replace(test=Split(X[2:], LABEL[2:] + 1)), "test.label"),
        (SPLITS._replace(train=Split(X.reshape(4, 3, 2), LABEL)), "train.x"),
        (SPLITS._replace(valid=Split(X[:2].astype(np.int64), LABEL[:2])), "valid.x"),
        (Splits(*(Split(split.x) for split in SPLITS)), "test.label"),
    ],
)
def test_write_run_refuses_other_data(tmp_path, changed, name):
    write_run(tmp_path, EXPERIMENT, SPLITS)
    before = (tmp_path / "run.json").read_bytes()
    write_run(tmp_path, EXPERIMENT, SPLITS)
    with pytest.raises(ValueError, match=rf"was begun on other data \({re.escape(name)}: [^\n]*; put the data back"):
        write_run(tmp_path, EXPERIMENT, changed)
    assert (tmp_path / "run.json").read_bytes() == before


def test_check_run_refuses_a_directory_of_something_else(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match="is not empty"):
        check_run(tmp_path, EXPERIMENT)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"experiment": 3}', "[" * 100_000, '{"experiment": {"class": "arjax.training.mesh:Mesh"}}'],
)
def test_read_run_names_a_broken_run_json(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match=r"run\.json"):
        read_run(tmp_path)


def test_read_run_refuses_a_directory_without_run_json(tmp_path):
    with pytest.raises(ValueError, match="is no run directory"):
        read_run(tmp_path)


HOLD = """
import sys, time
from pathlib import Path
from arjax.runs.directory import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_alone_in_holds_a_directory_until_the_process_ends_however_it_does(tmp_path):
    run = tmp_path / "runs" / "one"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(run)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(ValueError, match=rf"is being written by process {holder.pid} on .*; wait for it, or") as error,
            alone_in(run),
        ):
            pass
        assert "\n" not in str(error.value)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with alone_in(run):
            assert f"process {os.getpid()} " in (run / ".lock").read_text()
    with alone_in(run):
        pass


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository that tracks pkg/module.py and ignores .venv/, and a function that runs git in it."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name in ("pkg/module.py", ".venv/pkg/module.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text(".venv")

    def git(*arguments):
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", "-C", tmp_path, *who, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init")
    return tmp_path, git


def test_commit_of_is_that_of_a_checkout_which_tracks_the_file(checkout):
    folder, git = checkout
    file = folder / "pkg" / "module.py"
    assert commit_of(file) is None  # nothing is committed
    git("add", ".")
    assert commit_of(file) is None
    git("commit", "-m", "first")
    git("tag", "-a", "v1", "-m", "v1")
    head = git("rev-parse", "HEAD")
    assert commit_of(file) == head
    (folder / "untracked").write_text("")
    assert commit_of(file) == head
    (folder / ".gitignore").write_text(".venv\n")
    assert commit_of(file) == f"{head}-dirty"


def test_commit_of_says_nothing_of_a_repository_that_surrounds_an_installed_package(checkout, monkeypatch):
    folder, git = checkout
    git("add", ".")
    git("commit", "-m", "first")
    assert commit_of(folder / ".venv" / "pkg" / "module.py") is None
    (folder / "pkg" / "copied.py").write_text("")
    assert commit_of(folder / "pkg" / "copied.py") is None
    assert commit_of(folder / "nowhere" / "module.py") is None
    monkeypatch.setenv("PATH", "")
    assert commit_of(folder / "pkg" / "module.py") is None
