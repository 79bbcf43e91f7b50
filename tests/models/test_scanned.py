"""A transformer whose blocks are one loop is the same function of the same parameters.

The number of products in its gradient does not grow with depth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import arjax
from arjax.heads import Bernoulli
from arjax.models import Transformer
from arjax.protocol import CondSpec, Model
from arjax.testing import lively_params, random_cond

KEY = jax.random.key(0)
SITES, MEMORY = (6,), CondSpec(classes=3, memory=(3, 2))
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}


def pair(cond, **fields):
    nets = (Transformer(8, 3, 2, scan=scan, **fields) for scan in (False, True))
    return [Model(net, Bernoulli(), SITES, cond=cond) for net in nets]


def scores(model, key=None):
    x = jax.random.bernoulli(KEY, shape=(4, *SITES)).astype(jnp.int32)
    cond = random_cond(model, KEY, 4)
    return lambda params: arjax.log_prob(model, params, x, cond=cond, key=key).mean()


@pytest.mark.slow  # compiles two gradients a row
@pytest.mark.parametrize(
    ("cond", "fields"),
    [
        (CondSpec(), {"dropout": 0.3}),
        (MEMORY, {"encoder_layers": 1, "positions": "rotary", "kv_heads": 1}),
        (CondSpec(), {"remat": True, "dropout": 0.3}),
    ],
)
def test_scan_leaves_parameters_the_loss_and_its_gradient_as_they_are(cond, fields):
    plain, scanned = pair(cond, **fields)
    params = lively_params(plain, KEY)
    jax.tree.map(np.testing.assert_array_equal, *(arjax.init(model, KEY) for model in (plain, scanned)))
    (loss, gradient), (again, other) = (
        jax.jit(jax.value_and_grad(scores(model, jax.random.key(1))))(params) for model in (plain, scanned)
    )
    np.testing.assert_allclose(loss, again, **TOLERANCE)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **TOLERANCE), gradient, other)


@pytest.mark.slow  # traces 15 blocks
def test_scan_makes_a_gradient_whose_products_do_not_grow_with_depth():
    def work(layers):
        model = Model(Transformer(8, layers, 2, scan=True), Bernoulli(), SITES)
        params = jax.eval_shape(lambda: arjax.init(model, KEY))
        text = str(jax.make_jaxpr(jax.grad(scores(model)))(params))
        return text.count(" dot_general[")

    assert work(3) == work(12) > 0
