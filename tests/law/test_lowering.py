"""Programs for accelerators are made where there is none: each config's training step, scoring and cached sampler."""

import dataclasses
import functools
from pathlib import Path

import jax
import numpy as np
import pytest
from jax._src.cudnn import fused_attention_stablehlo as cudnn

import arjax
from arjax.data import Levels, Real
from arjax.heads import Categorical
from arjax.layers import attention
from arjax.layers.attention_mask import Causal, Window
from arjax.models import Transformer
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
    texts = {name: program.lower(lowering_platforms=("cuda", "tpu")).as_text() for name, program in programs.items()}
    for name, text in texts.items():
        assert "func.func public @main" in text, name
    # A new state takes the place of the old one: no array is in memory twice.
    assert texts["train"].count("tf.aliasing_output") == len(jax.tree.leaves(state))


@pytest.mark.parametrize(
    ("dtype", "mask", "calls"), [("bfloat16", Causal(), 2), ("bfloat16", Window(5), 0), ("float32", Causal(), 0)]
)
def test_attention_lowers_for_cuda_to_cudnn_where_it_can_and_makes_no_table_of_sites(dtype, mask, calls, monkeypatch):
    # What JAX reads from the GPU before it traces.
    monkeypatch.setattr(attention, "has_ampere", lambda: True)
    monkeypatch.setattr(cudnn, "check_cudnn_version", lambda: 91000)
    monkeypatch.setattr(cudnn, "check_compute_capability", lambda _: True)
    monkeypatch.setattr(cudnn, "is_cuda_compute_capability_equal", lambda _: False)
    model = Model(Transformer(width=16, layers=1, heads=2, dtype=dtype, mask=mask), Categorical(3), (200,))
    x, params = np.zeros((2, 200), np.int32), jax.eval_shape(functools.partial(arjax.init, model), jax.random.key(0))
    program = jax.jit(jax.grad(lambda params: arjax.log_prob(model, params, x).sum())).trace(params)
    texts = {platform: program.lower(lowering_platforms=(platform,)).as_text() for platform in ("cuda", "cpu")}
    assert [text.count("__cudnn$fmhaSoftmax") for text in texts.values()] == [calls, 0]
    assert not any("200x200x" in text for text in texts.values())
