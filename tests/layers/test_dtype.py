"""bfloat16: computed and cached in; parameters, their gradients and theta stay float32."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest
from zoo import ZOO

import arjax
from arjax.layers.dense import product
from arjax.models import MADE
from arjax.testing import lively_params, random_cond
from arjax.testing.cases import BFLOAT16, FLOAT32, random_symbols, to_data, tolerance

KEY = jax.random.key(0)
ROWS = [name for name in ZOO if name.endswith("bfloat16")]
HALF, FULL = jnp.dtype("bfloat16"), jnp.dtype("float32")
# What is float32 in a cache all the same: what the layer that gives theta has read, and what goes into the stream.
FLOAT32_LEAVES = {"pixelcnn_bfloat16": 1, "gated_pixelcnn_bfloat16": 1, "pixelcnnpp_bfloat16": 1, "transformer_bfloat16": 1}


def single(name):
    """The row's model, computing in float32."""
    return dataclasses.replace(ZOO[name], net=ZOO[name].net.clone(dtype="float32"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_dtype_leaves_parameters_gradients_and_theta_float32(name):
    model, x = ZOO[name], jnp.asarray(random_symbols(ZOO[name], KEY, 2))
    params, order = jax.eval_shape(lambda: arjax.init(model, KEY)), jnp.arange(model.num_sites)
    theta = jax.eval_shape(lambda p, x: model.apply(p, x, order, model.example_cond(2)), params, x)
    gradient = jax.eval_shape(jax.grad(lambda p, x: model.apply(p, x, order, model.example_cond(2)).sum()), params, x)
    assert {leaf.dtype for leaf in jax.tree.leaves((params, theta, gradient))} == {FULL}
    assert params == jax.eval_shape(lambda: arjax.init(single(name), KEY))


@pytest.mark.parametrize("name", ROWS)
def test_init_cache_holds_bfloat16_and_a_step_leaves_it_so(name):
    model, cond = ZOO[name], ZOO[name].example_cond(2)

    def types(params, x, order):
        cache = model.apply(params, 2, order, cond, method="init_cache")
        return [jax.tree.leaves(c) for c in (cache, model.apply(params, cache, x, jnp.int32(1), order, cond, method="step")[0])]

    x, params = random_symbols(model, KEY, 2)[:, 0], jax.eval_shape(lambda: arjax.init(model, KEY))
    made, stepped = jax.eval_shape(types, params, x, jnp.arange(model.num_sites))
    assert made == stepped
    dtypes = [leaf.dtype for leaf in made]
    assert dtypes.count(FULL) == FLOAT32_LEAVES.get(name, 0)
    assert dtypes.count(HALF) == len(dtypes) - dtypes.count(FULL) > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_bfloat16_is_float32_to_a_few_percent_and_no_more(name):
    model, cond = ZOO[name], random_cond(ZOO[name], KEY, 4)
    params, x = lively_params(model, KEY), to_data(model, random_symbols(model, KEY, 4), model.permutation)
    half, full = (arjax.theta(each, params, x, cond=cond) for each in (model, single(name)))
    assert 0 < float(jnp.abs(half - full).max()) < 0.05 * float(jnp.abs(full).max())


def test_product_is_summed_in_float32():
    h, w = jnp.ones((1, 1000)), jnp.ones((1000, 1))
    assert product(h, w, "bfloat16")[0, 0] == 1000  # in bfloat16 there is 1000, but not 999
    assert product(h[:, :999], w[:999], "bfloat16")[0, 0] == 999
    assert product(h[:, :999], w[:999], "bfloat16").dtype == FULL


def test_tolerance_follows_what_a_net_computes_in():
    model = ZOO["wavenet"]
    assert tolerance(ZOO["wavenet_bfloat16"]) == BFLOAT16
    assert tolerance(model) == tolerance(dataclasses.replace(model, net=MADE())) == FLOAT32
