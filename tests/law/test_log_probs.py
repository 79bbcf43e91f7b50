"""Each site's log-probability, in the data's layout, and that of a prefix: sums over symbols one by one in float64."""

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import arjax
from arjax.heads import Categorical, CoupledDiscretizedMixtureOfLogistics
from arjax.models import MADE, RNN, Transformer
from arjax.orders import AnyOrder, Random
from arjax.testing import lively_params

KEY = jax.random.key(0)
MODEL = arjax.Model(MADE(hidden=(5,)), Categorical(3), (2, 3), AnyOrder(Random(2)))
LINE = arjax.Model(MADE(hidden=(6,)), Categorical(3), (5,), AnyOrder())
EACH = arjax.Model(Transformer(8, 1, 2, any_order=True), Categorical(3), (3,), AnyOrder())
PIXELS = arjax.Model(MADE(hidden=(4,)), CoupledDiscretizedMixtureOfLogistics(3, 1), (2, 2))


def by_loops(model, params, x, order):
    """[B, *site_shape] float64: theta's softmax at the symbol that came, put where the site is."""
    theta = np.asarray(arjax.theta(model, params, x, order=order), np.float64)
    expected = np.full((len(x), model.num_sites), np.nan)
    for b in range(len(x)):
        for t, site in enumerate(order if np.ndim(order) == 1 else order[b]):
            symbol = x[b].reshape(-1)[site]
            expected[b, site] = theta[b, t, symbol] - np.log(np.exp(theta[b, t]).sum())
    return expected.reshape(len(x), *model.site_shape)


@pytest.mark.parametrize("order", [MODEL.permutation, np.array([5, 0, 3, 1, 2, 4])], ids=["own", "given"])
def test_log_probs_are_those_of_the_symbols_where_they_are_in_the_data(order):
    params, x = lively_params(MODEL, KEY), np.random.default_rng(0).integers(0, 3, (4, 2, 3))
    each = arjax.log_probs(MODEL, params, x, order=order)
    np.testing.assert_allclose(each, by_loops(MODEL, params, x, order), rtol=1e-5)
    np.testing.assert_allclose(arjax.log_prob(MODEL, params, x, order=order), each.sum(axis=(1, 2)), rtol=1e-6)


def test_log_probs_take_an_order_for_each_example():
    params, x, orders = lively_params(EACH, KEY), np.array([[0, 1, 2], [2, 2, 0]]), np.array([[2, 0, 1], [0, 1, 2]])
    np.testing.assert_allclose(arjax.log_probs(EACH, params, x, order=orders), by_loops(EACH, params, x, orders), rtol=1e-5)


def test_log_probs_of_symbols_of_several_values_are_one_a_site():
    params, x = lively_params(PIXELS, KEY), np.random.default_rng(0).integers(0, 3, (4, 2, 2, 3))
    each = arjax.log_probs(PIXELS, params, x)
    assert each.shape == (4, 2, 2)
    np.testing.assert_allclose(each.sum(axis=(1, 2)), arjax.log_prob(PIXELS, params, x), rtol=1e-6)


@pytest.mark.parametrize("length", [0, 1, 3, 5])
def test_log_prob_of_a_prefix_is_the_sum_over_all_that_may_follow(length):
    params, order = lively_params(LINE, KEY), np.array([1, 0, 2, 4, 3]) if length > 1 else None
    begins = np.array([[0, 2, 1, 0, 2], [1, 1, 2, 0, 0]])[:, :length]
    ends = np.array(list(itertools.product(range(3), repeat=5 - length)), int)
    whole = np.concatenate([np.repeat(begins, len(ends), 0), np.tile(ends, (2, 1))], axis=1)
    each = np.asarray(arjax.log_prob(LINE, params, whole, order=order), np.float64).reshape(2, -1)
    expected = np.log(np.exp(each).sum(axis=1))
    np.testing.assert_allclose(arjax.log_prob(LINE, params, begins, order=order, prefix=True), expected, rtol=1e-5, atol=1e-6)
    parts = arjax.log_probs(LINE, params, begins, order=order, prefix=True)
    assert parts.shape == (2, length)
    np.testing.assert_allclose(parts.sum(axis=1), expected, rtol=1e-5, atol=1e-6)


def test_log_prob_of_a_prefix_sums_only_the_sites_that_count():
    params, x = lively_params(LINE, KEY), np.array([[0, 2, 1], [1, 1, 2]])
    counted = np.array([[1, 0, 1], [0, 1, 1]], bool)
    each = np.where(counted, arjax.log_probs(LINE, params, x, prefix=True), 0)
    np.testing.assert_allclose(arjax.log_prob(LINE, params, x, prefix=True, counted=counted), each.sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize(
    ("model", "x", "order", "message"),
    [
        (MODEL, np.zeros((1, 2, 3), int), None, "a prefix is of data on one axis, but site_shape=(2, 3); give `counted` in its"),
        (LINE, np.zeros((1, 6), int), None, "x has shape (1, 6), but a prefix of the model's data is [B, L, ...] with L <= 5"),
        (LINE, np.zeros((1, 2), int), np.array([0, 2, 1, 3, 4]), "the order does not begin with the sites 0..1 that a prefix"),
        (LINE, np.zeros((1, 2)), None, "Categorical wants integer symbols"),
        (LINE, np.zeros(2, int), None, "x has shape (2,), but a prefix"),
    ],
)
def test_log_probs_refuse_what_is_no_prefix_of_the_order(model, x, order, message):
    params = jax.eval_shape(lambda: arjax.init(model, KEY))
    for scored in (arjax.log_probs, arjax.log_prob):
        with pytest.raises(ValueError, match=re.escape(message)):
            scored(model, params, x, order=order, prefix=True)


def test_log_probs_refuse_a_prefix_in_a_traced_order():
    params = jax.eval_shape(lambda: arjax.init(LINE, KEY))
    with pytest.raises(ValueError, match="a prefix needs an order that is concrete; close over it"):
        jax.jit(lambda order: arjax.log_probs(LINE, params, np.zeros((1, 2), int), order=order, prefix=True))(jnp.arange(5))


def test_log_probs_of_a_net_of_one_order_take_a_prefix():
    model = arjax.Model(RNN(width=4), Categorical(3), (5,))
    params, x = lively_params(model, KEY), np.array([[0, 2, 1, 1, 0]])
    np.testing.assert_allclose(
        arjax.log_probs(model, params, x[:, :2], prefix=True), arjax.log_probs(model, params, x)[:, :2], rtol=1e-6
    )
