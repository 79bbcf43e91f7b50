"""Runs to try commands on; what they print, record and draw; and the one line with which a wrong command ends."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from arjax.__main__ import main
from arjax.data import TextFiles
from arjax.runs.checkpoints import open_checkpoints, save
from arjax.runs.directory import write_run
from arjax.runs.load import learn
from arjax.testing import lively_params
from arjax.training import Experiment
from arjax.training.experiment import over_tokens, run_keys
from arjax.training.state import init_state


def stream(path, symbols="characters", **fields):
    """A text file as one stream, whose parts follow each other: with no field open, it need not be read to be understood."""
    return TextFiles(path, symbols, ends=False, held_out="place", **fields)


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


def words(capsys) -> str:
    """All that was printed on one line, out of the cells of its table."""
    return " ".join(capsys.readouterr().out.replace("│", " ").split())


def records(run) -> list[dict]:
    """The lines of metrics.jsonl, without the times, which alone differ from run to run."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in line.items() if k not in ("seconds", "examples_per_second")} for line in lines]


def cells(picture, rows, columns, height=8, width=8) -> np.ndarray:
    """uint8 [rows, columns, H, W, 3] out of a picture of them, or the path of one, below headings and right of names."""
    if not isinstance(picture, np.ndarray):
        with Image.open(picture) as image:
            picture = np.asarray(image)
    tall, wide = rows * (height + 1) + 1, columns * (width + 1) + 1
    for scale in range(min(picture.shape[0] // tall, picture.shape[1] // wide), 0, -1):
        grid = picture[-scale * tall :, -scale * wide :]
        small = grid[::scale, ::scale]
        lines = np.concatenate([small[:: height + 1].reshape(-1, 3), small[:, :: width + 1].reshape(-1, 3)])
        if (lines == 128).all() and (small.repeat(scale, axis=0).repeat(scale, axis=1) == grid).all():
            break
    else:
        raise AssertionError(f"no grid of {rows} x {columns} in a picture of shape {picture.shape}")
    small = small[1:, 1:].reshape(rows, height + 1, columns, width + 1, 3)
    return small[:, :-1, :, :-1].swapaxes(1, 2)
