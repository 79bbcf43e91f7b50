"""Programs for accelerators are made where there is none: each config's training step, scoring and cached sampler."""

import dataclasses
import functools
from pathlib import Path

import jax
import numpy as np
import pytest

import arjax
from arjax.data import Levels, Real
from arjax.protocol import Model
from arjax.runs.config import load_config
from arjax.training.recipe import is_open
from arjax.training.state import abstract_state, train_step

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.py"))
BATCH = 4


def on_examples(experiment):
    """The same experiment over examples of its model in memory, in the place of data that are not there or tokens."""
    model = experiment.model
    x = np.zeros((BATCH, *model.site_shape, *model.head.event_shape), np.float32 if model.head.vocab is None else np.int32)
    parts = [arjax.data.Split(x, **features(model)) for _ in range(2)]
    data = arjax.Arrays(*parts, values=Real() if model.head.vocab is None else Levels(model.head.vocab))
    return dataclasses.replace(experiment, data=data, tokenizer=None, tokenizer_from=None, batch_size=BATCH, accumulate=1)


def features(model):
    label = {} if model.cond.classes is None else {"label": np.zeros(BATCH, np.int32)}
    shapes = model.cond.features(model.site_shape)
    return label | {name: np.zeros((BATCH, *shape), np.float32) for name, shape in shapes.items()}


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configs_lower_for_accelerators(path):
    experiment = load_config(path)
    if is_open(experiment) or not isinstance(experiment.model, Model):
        pytest.skip(f"{path.stem} has no arjax.Model before it has seen its data")
    experiment, model, key = on_examples(experiment), experiment.model, jax.random.key(0)
    state, batch = abstract_state(experiment), {"x": experiment.data.train.x} | features(model)
    cond = model.example_cond(BATCH)
    programs = {
        "train": jax.jit(functools.partial(train_step, experiment), donate_argnums=0).trace(state, batch, key),
        "score": jax.jit(lambda params, x: arjax.log_prob(model, params, x, cond=cond)).trace(state.params, batch["x"]),
        "sample": jax.jit(lambda params, key: arjax.sample(model, params, key, BATCH, cond=cond)).trace(state.params, key),
    }
    for name, program in programs.items():
        assert "func.func public @main" in program.lower(lowering_platforms=("cuda", "tpu")).as_text(), name
