"""Theta over a large vocabulary is made and scored some sites at a time, with the values and gradients of the whole."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import arjax
from arjax import Model, likelihood
from arjax.heads import Categorical, Ordinal
from arjax.likelihood import log_prob, log_probs, theta
from arjax.models import RNN, Transformer
from arjax.orders import AnyOrder, arrange
from arjax.testing import lively_params

KEY = jax.random.key(0)
MODELS = {
    "transformer": Model(Transformer(4, 1, 1), Categorical(40), (7,)),
    "tied_bfloat16": Model(Transformer(4, 1, 1, tied=True, bos=-1, dtype="bfloat16"), Categorical(40), (7,)),
    "any_order": Model(Transformer(4, 1, 1, any_order=True), Categorical(40), (2, 3), AnyOrder()),
    "ordinal": Model(Transformer(4, 1, 1), Ordinal(40), (7,)),
    "rnn": Model(RNN(width=4, embedding=3), Categorical(40), (7,)),
}


@pytest.fixture
def small_parts(monkeypatch):
    """Makes theta in parts of the fewest rows, 2 D = 8, and clears the caches of traced programs before and after."""
    jax.clear_caches()
    monkeypatch.setattr(likelihood, "_THETA", 0)
    yield
    jax.clear_caches()


def drawn(model, batch=5):
    x = np.random.default_rng(0).integers(model.head.vocab, size=(batch, *model.site_shape))
    return lively_params(model, KEY), x.astype(np.int32)


def plain(model, params, x):
    """The oracle [B]: the head's log-probabilities of the whole theta, summed."""
    return model.head.log_prob(theta(model, params, x), arrange(x, model.permutation, model.site_shape)).sum(axis=1)


def loops(function, *args) -> int:
    """How many loops the program has, at any depth."""
    return str(jax.make_jaxpr(function)(*args)).count(" scan[")


@pytest.mark.slow  # compiles the gradients of five models
@pytest.mark.parametrize("name", MODELS)
def test_log_prob_in_parts_has_the_values_and_gradients_of_the_whole(small_parts, name):
    model = MODELS[name]
    params, x = drawn(model)
    scored = lambda params: log_prob(model, params, x)  # noqa: E731
    assert loops(scored, params) > loops(lambda params: plain(model, params, x), params)  # it is made in parts
    weights = jnp.arange(1.0, 6)
    both = [
        jax.jit(jax.value_and_grad(lambda params, f=f: (f(params) * weights).sum()))(params)
        for f in (scored, lambda params: plain(model, params, x))
    ]
    rtol = 1e-2 if model.capabilities.dtype == "bfloat16" else 1e-6
    for found, expected in zip(*map(jax.tree.leaves, both), strict=True):
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * max(1, np.abs(expected).max()))
    each = log_probs(model, params, x).reshape(len(x), -1)
    np.testing.assert_allclose(each.sum(axis=1), scored(params), rtol=1e-5)


def test_log_prob_in_parts_is_that_of_float64(small_parts):
    model = MODELS["transformer"]
    params, x = drawn(model)
    logits = np.asarray(theta(model, params, x), np.float64)
    top = logits.max(axis=-1, keepdims=True)
    normal = logits - top - np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))
    expected = np.take_along_axis(normal, x[..., None], axis=-1).sum(axis=(1, 2))
    np.testing.assert_allclose(log_prob(model, params, x), expected, rtol=1e-6)


@pytest.mark.slow
def test_log_prob_in_parts_has_forward_derivatives_and_maps(small_parts):
    model = MODELS["transformer"]
    params, x = drawn(model)
    scored = lambda params, x: log_prob(model, params, x).sum()  # noqa: E731
    slope = jax.jit(lambda p: jax.jvp(lambda p: scored(p, x), (p,), (p,))[1])(params)
    expected = jax.grad(lambda p: plain(model, p, x).sum())(params)
    along = sum((p * g).sum() for p, g in zip(*map(jax.tree.leaves, (params, expected)), strict=True))
    np.testing.assert_allclose(slope, along, rtol=1e-5)
    mapped = jax.jit(jax.vmap(lambda x: log_prob(model, params, x[None])[0]))(x)
    np.testing.assert_allclose(mapped, plain(model, params, x), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=str)
def test_log_prob_in_parts_is_the_same_where_batch_and_symbols_are_split(small_parts, kind):
    model = MODELS["transformer"]
    params, x = drawn(model, 32)  # a device has 8 examples of 7 sites
    step = jax.jit(jax.value_and_grad(lambda params, x: log_prob(model, params, x).mean()))
    expected = step(params, x)
    mesh = jax.make_mesh((2, 2, 2), ("data", "fsdp", "tensor"), axis_types=(kind,) * 3)
    with jax.set_mesh(mesh):
        rows, whole = (NamedSharding(mesh, PartitionSpec(*spec)) for spec in ((("data", "fsdp"),), ()))
        found = step(jax.device_put(params, whole), jax.device_put(x, rows))
    for one, other in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_theta_of_gpt2s_vocabulary_is_never_whole_in_a_gradient_step():
    model = Model(Transformer(4, 1, 1), Categorical(50257), (256,))
    params = jax.eval_shape(functools.partial(arjax.init, model), KEY)
    x = jax.ShapeDtypeStruct((4, 256), jnp.int32)
    step = jax.jit(jax.value_and_grad(lambda params, x: -log_prob(model, params, x).mean())).lower(params, x).compile()
    assert step.memory_analysis().temp_size_in_bytes < 0.95 * 4 * 256 * 50257 * 4


def test_small_vocabularies_are_scored_whole():
    assert likelihood._parts((64, 784, 64), 256) == likelihood._parts((16, 1024, 384), 65) == 1
    assert likelihood._parts((1, 64, 128), 50257) == 1  # 12 MiB
    assert likelihood._parts((0, 64, 128), 50257) == 1  # no examples
    assert likelihood._parts((4, 256, 128), 50257) == 4
    assert likelihood._parts((12, 1024, 768), 50257) == 8  # of 2 D rows
