"""arjax/runs/help.py: every flag has its line of help, and what was meant by a wrong one is said."""

import dataclasses
import importlib
import pkgutil
import typing
from pathlib import Path

import pytest
from zoo import ZOO

from arjax.__main__ import COMMANDS, main
from arjax.description import fields_of
from arjax.runs.config import load_config, parse
from arjax.runs.help import field_help, hints, listed

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.py"))
# Named beside the parts of experiments, and made by no flag.
OTHERS = {"Fitted", "TrainingBatches", "Source", "Sound", "Images", "Text", "Table", "TableColumn"}


def parts_of(value) -> set[type]:
    """The classes of an object and of all objects in its fields."""
    if isinstance(value, tuple):
        return set().union(*map(parts_of, value))
    if not dataclasses.is_dataclass(value):
        return set()
    return {type(value)}.union(*(parts_of(getattr(value, field.name)) for field in fields_of(type(value))))


def public() -> set[type]:
    modules = [
        importlib.import_module(f"arjax.{name}") for name in ("models", "heads", "orders", "data", "tokenizers", "training")
    ]
    named = {getattr(module, name) for module in modules for name in getattr(module, "__all__", ())}
    return {each for each in named if isinstance(each, type) and dataclasses.is_dataclass(each) and each.__name__ not in OTHERS}


def test_every_field_that_becomes_a_flag_has_help():
    classes = public() | parts_of(tuple(ZOO.values())) | parts_of(tuple(map(load_config, CONFIGS)))
    assert len(classes) > 60
    lacking = [f"{cls.__name__}.{f.name}" for cls in classes for f in fields_of(cls) if not field_help(cls).get(f.name)]
    assert lacking == []
    remarks = ("typed any", "command line", "todo")
    assert not [help for cls in classes for help in field_help(cls).values() if any(word in help.lower() for word in remarks)]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "train"])
def test_every_flag_of_a_command_has_help(name):
    command = pkgutil.resolve_name(f"arjax.commands.{COMMANDS[name].found}")
    annotated = typing.get_type_hints(command, include_extras=True)
    for field in dataclasses.fields(command):
        marks = getattr(annotated[field.name], "__metadata__", ())
        assert field.name in field_help(command) or any(getattr(mark, "help", None) for mark in marks), field.name


def test_help_of_a_config_shows_the_help_of_a_net_and_no_docstring_of_its_class(capsys):
    with pytest.raises(SystemExit) as end:
        parse(["digits_made", "--help"])
    assert end.value.code == 0
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--model.net.hidden [INT [INT ...]] Width of every hidden layer, one number each. (default: 512)" in printed
    assert "autoregressive, in any order" not in printed


def test_help_lists_every_config_in_a_line_with_its_time_and_executes_none(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "mine.py").write_text(
        '"""A net on\nmy data.\n\nHardware and time: 2 CPU cores, 31 minutes, alone\n"""\nraise OSError'
    )
    (tmp_path / "new.py").write_text('"""Another.\n\nHardware and time: not measured; 3 minutes are likely\n"""')
    assert listed(sorted(tmp_path.glob("*.py"))) == "  mine  31 minutes  A net on my data.\n  new               Another."
    with pytest.raises(SystemExit):
        parse(["--help"])
    printed = capsys.readouterr().out
    assert all(f"\n  {path.stem} " in printed for path in CONFIGS)
    assert max(map(len, printed.splitlines())) <= 100


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--lr", "1e-3"], ["--lr: did you mean --optimizer.learning-rate?"]),
        (["--optimizer.lr=1"], ["--optimizer.lr: did you mean --optimizer.learning-rate?"]),
        (["--hidden", "256,256"], ["several values are given with spaces between them: --hidden 256 256"]),
        (["--hidden=8,9"], ["several values are given with spaces between them: --hidden 8 9"]),
        (["--data.across", "True"], ["a switch takes no value: --data.across"]),
        (["--data.across=false"], ["a switch takes no value: --data.no-across"]),
        (["--name", "a,b", "--nothing", "--optimizer.learning_rate", "3"], []),
    ],
)
def test_hints_say_what_was_meant(given, said):
    known = ["--optimizer.learning-rate", "--hidden", "--name", "--data.across", "--data.no-across"]
    assert hints(given, known) == said


def test_a_wrong_flag_is_answered_with_what_was_meant(capsys):
    with pytest.raises(SystemExit) as end:
        parse(["digits_made", "--lr", "1e-3"])
    assert end.value.code == 2
    assert capsys.readouterr().err.endswith("hint: --lr: did you mean --optimizer.learning-rate?\n")


def test_a_mistyped_command_is_answered_with_the_one_that_comes_near(capsys):
    with pytest.raises(SystemExit):
        main(["evalute"])
    assert "there is no command 'evalute'; did you mean evaluate? choose " in capsys.readouterr().err
