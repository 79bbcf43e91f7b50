"""A model's arithmetic is that of 32 bits, and its samples are the same, where JAX has 64 bits enabled (JAX_ENABLE_X64)."""

import functools

import jax
import numpy as np
import pytest
from zoo import QUICK, ZOO

from arjax import init, log_prob, sampling
from arjax.testing.cases import lively_params, random_cond, random_symbols, to_data

BATCH = 3
# A row of every family in CI, all of them in `make contract`.
ROWS = [
    pytest.param(model, id=name, marks=pytest.mark.slow if name in QUICK else pytest.mark.torture) for name, model in ZOO.items()
]
pytestmark = pytest.mark.contract


@pytest.fixture(autouse=True)
def released():
    """A process can hold only so many compiled programs."""
    yield
    jax.clear_caches()


def both(function):
    """What it returns, as NumPy arrays, without 64 bits and with them."""
    narrow = jax.tree.map(np.asarray, function())
    with jax.enable_x64(True):
        return narrow, jax.tree.map(np.asarray, function())


def assert_same(narrow, wide, rounding):
    for one, other in zip(jax.tree.leaves(narrow), jax.tree.leaves(wide), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=rounding, atol=rounding)


@pytest.mark.slow  # 4 s each, and the row below traces every family
@pytest.mark.parametrize("model", [ZOO[name] for name in ("made_embedding", "pixelcnn_rgb", "lmconv_labels")])
def test_ancestral_draws_the_same_with_64_bits(model):
    check_samplers(model, sampling.ancestral)


@pytest.mark.parametrize("name", sorted(QUICK))
def test_everything_is_traced_in_32_bits_with_64_enabled(name):
    model, key = ZOO[name], jax.random.key(0)
    params, cond = lively_params(model, key), random_cond(model, key, BATCH)
    x = to_data(model, random_symbols(model, key, BATCH), model.permutation)
    mask = np.argsort(model.permutation).reshape(model.site_shape) < model.num_sites // 2

    def everything(params, key):
        samples = [sampler(model, params, key, BATCH, cond=cond) for sampler in (sampling.ancestral, sampling.naive)]
        settled, evaluations = sampling.fixed_point(model, params, key, BATCH, cond=cond)
        samples += [settled, sampling.ancestral(model, params, key, BATCH, cond=cond, observed=x, mask=mask)]
        return samples, evaluations, jax.value_and_grad(lambda p: log_prob(model, p, x, cond=cond, key=key).sum())(params)

    with jax.enable_x64(True):
        found = jax.eval_shape(everything, params, key)
    assert all(leaf.dtype.itemsize == 4 for leaf in jax.tree.leaves(found))


@pytest.mark.parametrize("model", ROWS)
def test_everything_is_the_same_with_64_bits(model):
    key = jax.random.key(0)
    params, cond = lively_params(model, key), random_cond(model, key, BATCH)
    x = to_data(model, random_symbols(model, key, BATCH), model.permutation)
    assert_same(*both(lambda: init(model, key)), 0)
    assert_same(*both(lambda: log_prob(model, params, x, cond=cond)), 1e-4)
    assert_same(*both(lambda: jax.grad(lambda p: log_prob(model, p, x, cond=cond, key=key).sum())(params)), 1e-3)
    check_samplers(model, sampling.ancestral, sampling.naive, sampling.fixed_point)
    mask = np.argsort(model.permutation).reshape(model.site_shape) < model.num_sites // 2
    observed = {"observed": x, "mask": mask, "cond": cond}
    assert_same(*both(lambda: sampling.ancestral(model, params, key, BATCH, **observed)), 1e-4)


def check_samplers(model, *samplers):
    key = jax.random.key(0)
    params, cond = lively_params(model, key), random_cond(model, key, BATCH)
    for sampler in samplers:
        assert_same(*both(functools.partial(sampler, model, params, key, BATCH, cond=cond)), 1e-4)
