"""Runs to try commands on, and the one line with which a wrong command ends."""

import jax
import pytest

from arjax.__main__ import main
from arjax.runs.checkpoints import open_checkpoints, save
from arjax.runs.directory import write_run
from arjax.runs.load import learn
from arjax.testing import lively_params
from arjax.training import Experiment
from arjax.training.experiment import over_tokens, run_keys
from arjax.training.state import init_state


def write_run_of_random_parameters(run, data, model, tokenizer=None):
    """A run directory with random parameters of the model as its only checkpoint, over tokens if there is a tokenizer."""
    write_random_run(run, Experiment(data=data, tokenizer=tokenizer, model=model, steps=1, eval_every=1, eval_batch_size=125))


def write_random_run(run, described):
    """The same of an experiment."""
    learned = learn(described)
    experiment = over_tokens(described, learned)
    write_run(run, described, experiment.data.load(), learned)
    state = init_state(experiment, run_keys(experiment).init)
    with open_checkpoints(run / "checkpoints") as checkpoints:
        save(checkpoints, 1, state.replace(ema=lively_params(experiment.model, jax.random.key(0))), 50.0)


def failure(capsys, *argv) -> str:
    """The one line on stderr with which a wrong command ends."""
    with pytest.raises(SystemExit) as exit:
        main([str(argument) for argument in argv])
    assert exit.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line
