"""`arjax train`: train.py, from any folder; and configs by their bare names."""

from pathlib import Path

import pytest

from arjax.__main__ import main
from arjax.runs.config import load_config

ROOT = Path(__file__).parents[2]


def test_train_runs_the_script_at_the_root_of_a_checkout(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ending:
        main(["train", "mixture_toy", "--help"])
    assert ending.value.code == 0
    assert "--optimizer.learning-rate" in capsys.readouterr().out


def test_load_config_takes_the_bare_name_of_a_config_that_came_with_the_package(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert load_config("mixture_toy") == load_config(ROOT / "configs" / "mixture_toy.py")


def test_load_config_prefers_the_config_of_that_name_in_this_folder(monkeypatch, tmp_path):
    (tmp_path / "configs").mkdir()
    source = (ROOT / "configs" / "mixture_toy.py").read_text()
    changed = "import dataclasses\nexperiment = dataclasses.replace(experiment, seed=7)\n"
    (tmp_path / "configs" / "mixture_toy.py").write_text(f"{source}\n{changed}")
    monkeypatch.chdir(tmp_path)
    assert load_config("mixture_toy").seed == 7


def test_train_help_lists_what_came_with_the_package_where_there_are_no_configs(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["train", "nothing"])
    assert "there is no config nothing; `arjax train --help` lists the configs" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "name one that came with the package:\n  bayes_net_nltcs " in capsys.readouterr().out
