import json
import re
from pathlib import Path

import jax.numpy as jnp
import pytest
from zoo import ZOO

from arjax.data import Digits, Levels, Real, Split, Splits
from arjax.description import describe, rebuild
from arjax.errors import InputError, one_line_errors
from arjax.heads import Bernoulli
from arjax.models import MADE, PixelCNNPP
from arjax.orders import AnyOrder
from arjax.protocol import CondSpec, Model
from arjax.runs.config import edit, load_config, parse
from arjax.training import AdamW, Experiment
from arjax.training.conditions import check_fits
from arjax.training.recipe import is_open

EXPERIMENT = Experiment(data=Digits(), model=Model(MADE(hidden=(5,)), Bernoulli(), (8, 8)), steps=10, eval_every=5)
CONFIG = """
from arjax.data import Digits
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.protocol import Model
from arjax.training import Experiment

experiment = Experiment(data=Digits(), model=Model(MADE(hidden=(5,)), Bernoulli(), (8, 8)), steps=10, eval_every=5)
"""


def changed(*flags):
    return edit(EXPERIMENT, list(flags), "runs/x", "python train.py configs/x.py")


def test_edit_without_flags_changes_nothing():
    experiment, run = changed()
    assert experiment == EXPERIMENT
    assert str(run) == "runs/x"


def test_edit_changes_fields_at_any_depth():
    experiment, run = changed(
        *("--model.net.hidden", "50", "60", "--model.net.activation", "tanh", "--model.net.direct", "--model.cond.classes", "10"),
        *("--optimizer.learning-rate", "0.5", "--optimizer.clip", "None", "--data.root", "here", "--data.values.level", "3"),
        *("--steps", "99", "--mesh.data", "2", "--run", "there"),
    )
    assert experiment.model == Model(
        MADE(hidden=(50, 60), activation="tanh", direct=True), Bernoulli(), (8, 8), cond=CondSpec(classes=10)
    )
    assert experiment.optimizer == AdamW(learning_rate=0.5, clip=None)
    assert (experiment.data.root, experiment.data.values.level, experiment.steps, experiment.mesh.data) == ("here", 3, 99, 2)
    assert str(run) == "there"


def test_edit_changes_what_a_net_computes_in_and_whether_again():
    model = Model(PixelCNNPP(4, 1, 1), Bernoulli(), (8, 8))
    experiment = Experiment(data=Digits(), model=model, steps=10, eval_every=5)
    flags = ["--model.net.dtype", "bfloat16", "--model.net.remat"]
    net = edit(experiment, flags, "runs/x", "python train.py configs/x.py")[0].model.net
    assert net == PixelCNNPP(4, 1, 1, dtype="bfloat16", remat=True)


@pytest.mark.parametrize("name", ZOO)
def test_edit_gives_every_model_back(name):
    vocab = ZOO[name].head.vocab
    values = Real() if vocab is None else Levels(vocab)
    experiment = Experiment(data=Digits(values), model=ZOO[name], steps=3, eval_every=3)
    assert edit(experiment, [], "runs/x", "python train.py configs/x.py")[0] == experiment


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (["--model.net.hiden", "5"], "Unrecognized options: --model.net.hiden, 5"),
        (["--model.net.spec.param-size", "5"], "Unrecognized options"),
        (["--steps", "many"], "--steps"),
        (["--steps"], "--steps"),
        (["--model.net.hidden", "a"], "--model.net.hidden"),
        (["--model.net.activation", "step"], "invalid choice 'step'"),
        (["stray"], "Unrecognized options: stray"),
        (["--steps", "0"], "steps=0 must be at least 1"),
        (["--model.net.hidden", "0"], "hidden=(0,) must be at least 1"),
        (["--optimizer.learning-rate", "-1"], "learning_rate=-1.0 must be positive"),
        (["--batch-size", "10", "--accumulate", "3"], "batch_size=10 is not divisible by accumulate=3"),
        (["--optimizer.schedule.warmup", "10"], "warmup=10 must be less than steps=10"),
        (["--ema", "1"], "ema=1.0"),
        (["--seed", "-1"], "seed=-1"),
        (["--seed", "99999999999999999999"], "seed=99999999999999999999 is not in 0..2**32-1"),
        (["--ensemble", "4"], "ensemble=4 needs something to average over"),
        (["--mesh.data", "0"], "Mesh(data=0)"),
    ],
)
def test_edit_prints_what_is_wrong_with_a_flag_and_ends_with_status_2(flags, part, capfd):
    # What the experiment itself refuses is a line of ours, the rest tyro's message.
    with pytest.raises(SystemExit) as end, one_line_errors():
        changed(*flags)
    printed = capfd.readouterr()
    assert (end.value.code, printed.out) == (2, "")
    assert part in " ".join(printed.err.replace("│", " ").split())


def test_edit_lists_the_flags_and_not_what_the_model_fills_in(capsys):
    with pytest.raises(SystemExit) as end:
        changed("--help")
    assert end.value.code == 0
    text = capsys.readouterr().out
    for flag in ("--model.net.hidden", "--optimizer.learning-rate", "--data.root", "--run", "--mesh.data"):
        assert flag in text
    assert "spec" not in text
    assert "parent" not in text


def test_parse_names_the_run_directory_after_the_config(tmp_path):
    (tmp_path / "mine.py").write_text(CONFIG)
    assert str(parse([str(tmp_path / "mine.py")])[1]) == "runs/mine"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("x = (", "fails in line 1: SyntaxError"),
        ("x = 1\ny = z", "fails in line 2: NameError: name 'z' is not defined"),
        ("import no_such_module", "fails in line 1: No module named"),
        ("from arjax.models import MADE\nMADE(hidden=())", "fails in line 2: InputError: hidden=() has no layer"),
        ("from arjax.models import MADE\nMADE(hiden=(3,))", "fails in line 2: TypeError"),
        ("x = {}\n\nx['a']", "fails in line 3: KeyError: 'a'"),
        ("def f():\n    return 1 / 0\n\nf()", "fails in line 2: ZeroDivisionError"),
        ("import json\njson.loads('{')", "fails in line 2: JSONDecodeError"),
        ("x = '\0'", "fails"),
        ("x = 1", "must name an Experiment `experiment`, but has none"),
        ("experiment = 1", "but has a int"),
    ],
)
def test_load_config_names_the_line_that_fails(tmp_path, monkeypatch, text, part):
    monkeypatch.chdir(tmp_path)
    path = Path("mine.py")
    path.write_text(text)
    for named in (path, path.resolve(), Path("..") / tmp_path.name / path):
        with pytest.raises(ValueError, match=re.escape(part)) as error:
            load_config(named)
        assert "\n" not in str(error.value)
        assert "line None" not in str(error.value)


OWN = """
from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import flax.linen as nn

from arjax.data import Threshold
from arjax.errors import InputError
from arjax.heads import Bernoulli
from arjax.protocol import Model
from arjax.training import Experiment


class Net(nn.Module):
    any_order: ClassVar[bool] = False
    width: int = 3
    widths: tuple[int, ...] = (1, 2)
    spec: Any = None


@dataclasses.dataclass(frozen=True)
class Own:
    values: Any = Threshold(0)
    root: str | None = dataclasses.field(default=None, compare=False)
    title: ClassVar[str] = "my data"

    def load(self):
        raise InputError("my data are not here; fetch them")


experiment = Experiment(data=Own(), model=Model(Net(), Bernoulli(), (2, 2)), steps=10, eval_every=5)
"""


def test_parse_reads_a_config_that_postpones_the_evaluation_of_its_annotations(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    experiment, _ = parse([str(tmp_path / "own.py"), "--model.net.width", "7", "--model.net.widths", "4", "5", "6"])
    assert (experiment.model.net.width, experiment.model.net.widths) == (7, (4, 5, 6))
    with pytest.raises(SystemExit):
        parse([str(tmp_path / "own.py"), "--model.net.width", "wide"])


def test_one_line_errors_are_those_of_a_config_and_not_those_of_a_library(tmp_path, capsys):
    (tmp_path / "own.py").write_text(OWN)
    experiment = load_config(tmp_path / "own.py")
    with pytest.raises(SystemExit) as end, one_line_errors():
        experiment.data.load()
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: my data are not here; fetch them\n"
    with pytest.raises(ValueError, match="Expecting property name"), one_line_errors():
        json.loads("{")
    with pytest.raises(SystemExit) as end, one_line_errors():
        raise MemoryError("Unable to allocate 37.3 GiB")
    assert end.value.code == 1
    assert capsys.readouterr().err == "error: there is not enough memory (Unable to allocate 37.3 GiB); choose less at once\n"
    with pytest.raises(SystemExit), one_line_errors():
        jnp.zeros(2**56, jnp.uint8)
    assert capsys.readouterr().err.startswith("error: there is not enough memory (RESOURCE_EXHAUSTED: Out of memory")
    with pytest.raises(RuntimeError, match="INTERNAL"), one_line_errors():
        raise RuntimeError("INTERNAL: no kernel image")


def test_load_config_names_those_that_come_near(tmp_path):
    for name in ("mnist_made", "digits_made", "other"):
        (tmp_path / f"{name}.py").write_text(CONFIG)
    with pytest.raises(ValueError, match=r"there is no config .*mnst_made\.py; did you mean .*mnist_made\.py"):
        load_config(tmp_path / "mnst_made.py")


@pytest.mark.parametrize("argv", [[], ["--steps", "3"]])
def test_parse_wants_the_config_first(argv):
    with pytest.raises(ValueError, match=r"the config must come first.*use: python train\.py configs/NAME\.py"):
        parse(argv)


def test_experiment_refuses_data_that_do_not_suit_the_head():
    with pytest.raises(ValueError, match=r"Levels\(count=17\) gives symbols 0\.\.16, but Bernoulli models symbols 0\.\.1"):
        Experiment(data=Digits(Levels(17)), model=EXPERIMENT.model, steps=10, eval_every=5)


@pytest.mark.parametrize(
    ("model", "part"),
    [
        (Model(MADE(hidden=(5,)), Bernoulli(), (28, 28)), "has examples of shape (8, 8), but the model's are (28, 28)"),
        (
            Model(MADE(hidden=(5,)), Bernoulli(), (8, 8), cond=CondSpec(classes=9)),
            "the model has classes 0..8",
        ),
    ],
)
def test_check_fits_names_data_that_do_not_suit_the_model(model, part):
    experiment = Experiment(data=Digits(), model=model, steps=10, eval_every=5)
    with pytest.raises(ValueError, match=re.escape(part)):
        check_fits(experiment.data.title, experiment.model, experiment.data.load())


def test_check_fits_wants_labels_for_a_model_of_classes():
    model = Model(MADE(hidden=(5,)), Bernoulli(), (8, 8), AnyOrder(), CondSpec(classes=10))
    splits = Digits().load()
    unlabelled = Splits(*(Split(split.x) for split in splits))
    with pytest.raises(ValueError, match=r"digits 8x8.* has no labels"):
        check_fits(Digits().title, model, unlabelled)


CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.py"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_edit_and_rebuild_give_every_config_back(path):
    experiment = load_config(str(path))
    if is_open(experiment):
        with pytest.raises(InputError, match=r"--data\.path"):
            edit(experiment, [], "runs/x", f"python train.py {path}")
    else:
        assert edit(experiment, [], "runs/x", f"python train.py {path}")[0] == experiment
    again = rebuild(json.loads(json.dumps(describe(experiment), allow_nan=False)))
    assert again == experiment
    assert again.tokenizer_from == experiment.tokenizer_from
    source = experiment.tokenizer_from
    # A run that is named is that of another config.
    assert source is None or source.removeprefix("runs/") in {path.stem for path in CONFIGS}
