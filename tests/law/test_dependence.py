"""The measured receptive field, against nets whose dependence is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from normal import Normal

import arjax
from arjax.heads import Bernoulli, Categorical, MixtureOfGaussians
from arjax.layers.attention_mask import Causal, Window
from arjax.models import MADE, RNN, Histogram, Transformer
from arjax.orders import Hilbert, Raster, Snake
from arjax.protocol import Cond, CondSpec, Model
from arjax.testing import dependence, dependences, influences, lively_params

KEY = jax.random.key(0)


def test_dependence_of_a_net_that_sees_all_is_on_what_is_earlier_in_its_order():
    model = Model(RNN("gru", width=5), Normal(), (3, 4), Snake())
    rank = model.permutation.argsort().reshape(3, 4)
    for site in ((0, 0), (1, 2)):
        seen = dependence(model, lively_params(model, KEY), site, KEY)
        np.testing.assert_array_equal(seen > 0, rank < rank[site])


@pytest.mark.parametrize(("order", "mask"), [(Hilbert(), Causal()), (Raster(), Window(8))])
def test_dependences_of_a_transformer_are_what_its_mask_shows_in_its_order(order, mask):
    # Three numbers a theta, and 64 sites: so many that a Jacobian backwards is known to go wrong.
    model = Model(Transformer(8, 1, 1, mask=mask), MixtureOfGaussians(1), (8, 8), order)
    rank = model.permutation.argsort()
    found = dependences(model, lively_params(model, KEY), KEY) > 0
    # The rank-th site is attended to as S = rank + 1.
    shown = np.pad(mask.seen(64), ((0, 0), (0, 1)))[rank][:, rank + 1]
    np.testing.assert_array_equal(found, shown)


def test_dependences_are_rows_of_the_dependence_of_each_site():
    model = Model(RNN("gru", width=5), Normal(), (2, 3), Snake())
    params = lively_params(model, KEY)
    some = dependences(model, params, KEY)[[1, 5]]
    each = [dependence(model, params, site, KEY).reshape(-1) for site in ((0, 1), (1, 2))]
    np.testing.assert_allclose(some, each, rtol=1e-4, atol=1e-6)


def test_dependence_is_zero_for_a_net_that_sees_nothing():
    model = Model(Histogram(), Normal(), (4,))
    np.testing.assert_array_equal(dependence(model, {"theta": jnp.ones((4, 1))}, (3,), KEY), np.zeros(4))


@pytest.mark.parametrize(("order", "mask"), [(Snake(), Causal()), (Raster(), Window(4))])
def test_influences_of_a_transformer_of_symbols_are_what_its_mask_shows_in_its_order(order, mask):
    model = Model(Transformer(8, 1, 1, mask=mask), Categorical(3), (3, 4), order)
    x, rank = np.arange(12).reshape(1, 3, 4) % 3, model.permutation.argsort()
    found = influences(model, lively_params(model, KEY), x, at_once=5) > 0
    shown = np.pad(mask.seen(12), ((0, 0), (0, 1)))[rank][:, rank + 1]
    np.testing.assert_array_equal(found, shown)


def test_influences_are_how_far_theta_moves():
    model = Model(MADE(hidden=(5,)), Bernoulli(), (2, 2), cond=CondSpec(classes=2))
    params, x, cond = lively_params(model, KEY), np.array([[[0, 1], [1, 0]]]), Cond(label=jnp.array([1]))
    before = arjax.theta(model, params, x, cond=cond)[0]
    found = influences(model, params, x, cond)
    for place, (row, column) in enumerate(np.ndindex(2, 2)):
        other = x.copy()
        other[0, row, column] ^= 1
        moved = np.abs(arjax.theta(model, params, other, cond=cond)[0] - before)[:, 0]
        np.testing.assert_allclose(found[:, place], moved, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "site", "message"),
    [
        (Model(MADE(hidden=(3,)), Bernoulli(), (4,)), (1,), "models symbols, which have no derivative"),
        (Model(MADE(hidden=(3,)), Normal(), (4,)), (4,), r"site=\(4,\) is outside the data of shape \(4,\)"),
        (Model(MADE(hidden=(3,)), Normal(), (4, 2)), (1,), r"site=\(1,\) is outside"),
    ],
)
def test_dependence_refuses_symbols_and_sites_outside_the_data(model, site, message):
    with pytest.raises(ValueError, match=message):
        dependence(model, lively_params(model, KEY), site, KEY)
