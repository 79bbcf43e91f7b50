"""Every file in configs/: what it builds passes through the command line and through run.json unchanged."""

import json
from pathlib import Path

import pytest

from arjax.description import describe, rebuild
from arjax.runs.config import edit, load_config

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.py"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_comes_back_equal_from_the_command_line_and_from_a_description(path):
    experiment = load_config(str(path))
    assert edit(experiment, [], "runs/x", f"python train.py {path}")[0] == experiment
    again = rebuild(json.loads(json.dumps(describe(experiment), allow_nan=False)))
    assert again == experiment
    assert again.tokenizer_from == experiment.tokenizer_from
    source = experiment.tokenizer_from
    # A run that is named is that of another config.
    assert source is None or source.removeprefix("runs/") in {path.stem for path in CONFIGS}
