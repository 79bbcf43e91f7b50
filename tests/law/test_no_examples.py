"""Of no examples there are no likelihoods, no samples and no gradient, and that is no error."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from zoo import QUICK, ZOO

from arjax import conditional_log_prob, log_prob, sampling, theta
from arjax.testing.cases import lively_params

pytestmark = pytest.mark.contract
FEW = ("made", "gated_pixelcnn", "lmconv")


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in sorted(QUICK)])
def test_no_examples_have_empty_results(name):
    model, key = ZOO[name], jax.random.key(0)
    params, cond = lively_params(model, key), model.example_cond(0)
    x = np.zeros((0, *model.site_shape, *model.head.event_shape), model.dtype)
    mask = np.argsort(model.permutation).reshape(model.site_shape) < model.num_sites // 2
    assert theta(model, params, x, cond=cond).shape == (0, model.num_sites, model.head.param_size)
    assert log_prob(model, params, x, cond=cond).shape == (0,)
    assert conditional_log_prob(model, params, x, mask, cond=cond).shape == (0,)
    for leaf in jax.tree.leaves(jax.grad(lambda params: log_prob(model, params, x, cond=cond).sum())(params)):
        assert not jnp.any(leaf)
    assert sampling.ancestral(model, params, key, 0, cond=cond).shape == x.shape
    assert sampling.ancestral(model, params, key, 0, cond=cond, observed=x, mask=mask).shape == x.shape
    assert sampling.naive(model, params, key, 0, cond=cond).shape == x.shape
    assert sampling.fixed_point(model, params, key, 0, cond=cond)[0].shape == x.shape
