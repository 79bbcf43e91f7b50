import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import arjax
from arjax import Cond, CondSpec, Model
from arjax.heads import Bernoulli, Categorical, Ordinal
from arjax.likelihood import (
    bits_per_dim,
    conditional_log_prob,
    ensemble_log_prob,
    log_prob,
    mixture,
    nats_per_dim,
    theta,
)
from arjax.models import MADE, RNN, Histogram, Transformer
from arjax.orders import AnyOrder, Random, Snake, arrange
from arjax.testing import enumerate_space, lively_params

KEY = jax.random.key(0)
MODEL = Model(MADE(hidden=(5, 3), direct=True), Bernoulli(), (2, 2), Random(3))
AGNOSTIC = Model(MADE(hidden=(6,)), Bernoulli(), (3,), AnyOrder())
LABELLED = Model(MADE(hidden=(4,)), Bernoulli(), (3,), cond=CondSpec(classes=3))
MEMBERS = Model(MADE(hidden=(5,), degrees="random"), Bernoulli(), (4,), AnyOrder(), CondSpec(members=3))


def made_by_hand(params, x, order, degrees):
    """log p(x) of one example [D] in float64, by the paper's equations 8 to 10; degrees count from 1, as there."""
    p = {name: np.asarray(leaf, np.float64) for name, leaf in params.items()}
    dims = len(order)
    m_in = [list(order).index(d) + 1 for d in range(dims)]
    below, m_below = [float(v) for v in x], m_in
    for layer, m in enumerate(degrees):
        h = []
        for k in range(len(m)):
            pre = p[f"b{layer}"][k]
            for j in range(len(below)):
                if m[k] >= m_below[j]:  # equation 8
                    pre += p[f"w{layer}"][k, j] * below[j]
            h.append(max(pre, 0.0))
        below, m_below = h, m
    total = 0.0
    for d in range(dims):
        logit = p["c"][d, 0]
        for k in range(len(below)):
            if m_in[d] > m_below[k]:  # equation 9
                logit += p["v"][d, 0, k] * below[k]
        for j in range(dims):
            if m_in[d] > m_in[j]:  # equation 10 with the direct connections of section 4.1
                logit += p["a"][d, 0, j] * x[j]
        total -= math.log1p(math.exp(-logit if x[d] else logit))
    return total


def test_log_prob_is_mades_written_out_by_hand():
    params = lively_params(MODEL, KEY)
    space = enumerate_space(MODEL)
    degrees = ([1, 1, 2, 2, 3], [1, 2, 3])  # spread evenly over 1..D-1
    expected = [made_by_hand(params, x.reshape(-1), MODEL.permutation, degrees) for x in space]
    np.testing.assert_allclose(log_prob(MODEL, params, space), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.exp(expected).sum(), 1, rtol=1e-12)


def test_theta_is_what_log_prob_sums_over_the_sites_in_generation_order():
    params, x = lively_params(MODEL, KEY), enumerate_space(MODEL)
    says = theta(MODEL, params, x)
    assert says.shape == (16, 4, 1)
    by_site = MODEL.head.log_prob(says, arrange(x, MODEL.permutation, (2, 2)))
    np.testing.assert_allclose(by_site.sum(axis=1), log_prob(MODEL, params, x), rtol=1e-6)


def test_log_prob_takes_booleans_and_small_integers():
    params, x = lively_params(MODEL, KEY), enumerate_space(MODEL)
    for same in (x.astype(bool), x.astype(np.uint8), jnp.asarray(x)):
        np.testing.assert_array_equal(log_prob(MODEL, params, same), log_prob(MODEL, params, x))


# Ensembles

ORDERS = np.array([[0, 1, 2], [2, 0, 1], [1, 2, 0]])


@pytest.mark.parametrize(
    ("model", "orders", "members"),
    [(AGNOSTIC, ORDERS, None), (MEMBERS, np.array([[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]]), np.array([2, 0, 1]))],
    ids=["orders", "members"],
)
def test_ensemble_log_prob_averages_probabilities_and_sums_to_one(model, orders, members):
    params, space = lively_params(model, KEY), enumerate_space(model)
    conds = [None] * 3 if members is None else [Cond(member=jnp.asarray(member)) for member in members]
    each = [log_prob(model, params, space, order=order, cond=cond) for order, cond in zip(orders, conds, strict=True)]
    each = np.exp(np.asarray(each, np.float64))
    assert (np.abs(each[0] - each[1]) > 1e-3).any()
    ensemble = ensemble_log_prob(model, params, space, orders, members=members)
    np.testing.assert_allclose(ensemble.log_prob, np.log(each.mean(axis=0)), rtol=1e-5)
    np.testing.assert_allclose(np.exp(ensemble.log_prob).sum(), 1, rtol=1e-5)
    # The error of log(mean), to first order: the error of the mean over the mean.
    expected = each.std(axis=0, ddof=1) / math.sqrt(len(orders)) / each.mean(axis=0)
    np.testing.assert_allclose(ensemble.standard_error, expected, rtol=1e-4)


def test_ensemble_log_prob_of_a_single_order_has_no_idea_of_its_error():
    params, space = lively_params(AGNOSTIC, KEY), enumerate_space(AGNOSTIC)
    ensemble = ensemble_log_prob(AGNOSTIC, params, space, ORDERS[1:2])
    np.testing.assert_allclose(ensemble.log_prob, log_prob(AGNOSTIC, params, space, order=ORDERS[1]), rtol=1e-6)
    assert np.isinf(ensemble.standard_error).all()


def test_mixture_has_a_standard_error_that_covers_the_whole():
    parts = 3 * jax.random.normal(KEY, (4000, 50))  # log of a log-normal: its mean is exp(9 / 2)
    estimate = jax.jit(jax.vmap(mixture, in_axes=1))(parts.reshape(400, 10, 50) * 0.1)
    truth = 0.5 * 0.3**2
    within = np.abs(np.asarray(estimate.log_prob) - truth) < 2 * np.asarray(estimate.standard_error)
    assert 0.92 < within.mean() < 0.98


def test_mixture_survives_very_small_probabilities_and_zero():
    value = mixture(jnp.array([[-1e4], [-1e4 - math.log(3)]]))
    np.testing.assert_allclose(value.log_prob, [-1e4 + math.log(2 / 3)], rtol=1e-6)
    np.testing.assert_allclose(value.standard_error, [0.5], rtol=1e-3)
    total, error = mixture(jnp.array([[-jnp.inf, 0.0], [-jnp.inf, -1.0]]))
    assert (total[0], error[0]) == (-jnp.inf, 0)
    assert np.isfinite(error[1])


# Units


def test_bits_per_dim_and_nats_per_dim_divide_by_the_values_of_an_example():
    assert nats_per_dim(784 * 0.1, 784) == pytest.approx(0.1)
    assert bits_per_dim(784 * math.log(2), 784) == pytest.approx(1)
    assert bits_per_dim(3072 * math.log(256), 3072) == pytest.approx(8)


# Bad input

ZEROS = np.zeros((2, 3), np.int32)


@pytest.mark.parametrize(
    ("model", "x", "arguments", "message"),
    [
        (AGNOSTIC, np.zeros((2, 4), int), {}, r"x has shape \(2, 4\), but the model's data is \[B, 3\]; reshape it"),
        (AGNOSTIC, np.zeros(3, int), {}, r"x has shape \(3,\)"),
        (AGNOSTIC, np.zeros((2, 3)), {}, r"x is float\d\d, but Bernoulli wants integer symbols 0\.\.1; convert it"),
        (AGNOSTIC, ZEROS, {"order": np.array([0, 1, 1])}, r"permutation of 0\.\.2; site 1 occurs 2 times"),
        (AGNOSTIC, ZEROS, {"order": np.array([0, 1])}, r"an order of 3 sites must have shape \(3,\), not \(2,\)"),
        (LABELLED, ZEROS, {}, r"the model has classes, but the condition gives no label; pass Cond\(label=\.\.\.\)"),
        (AGNOSTIC, ZEROS, {"cond": Cond(label=jnp.zeros(2, int))}, r"the model has no classes, .* gives label; leave it out"),
        (LABELLED, ZEROS, {"cond": Cond(label=jnp.array(1))}, r"label is int32 of shape \(\); give integers of shape \(2,\)"),
        (LABELLED, ZEROS, {"cond": Cond(label=jnp.array([-1, 1]))}, r"label must be in 0\.\.2, but goes from -1 to 1"),
        (AGNOSTIC, ZEROS, {"cond": Cond(member=jnp.array(0))}, r"no members, but the condition gives member; leave it out, or"),
        (LABELLED, ZEROS, {"cond": Cond(label=jnp.array([0.5, 1.7]))}, r"label is float32 of shape \(2,\); give integers"),
        (MEMBERS, np.zeros((2, 4), int), {"cond": Cond(member=jnp.array(3))}, r"member must be in 0\.\.2, but goes from 3 to 3"),
    ],
)
def test_log_prob_and_theta_refuse_what_does_not_fit_the_model(model, x, arguments, message):
    params = jax.tree.map(jnp.zeros_like, jax.eval_shape(lambda: arjax.init(model, KEY)))
    for scored in (log_prob, theta):
        with pytest.raises(ValueError, match=message):
            scored(model, params, x, **arguments)


def test_log_prob_takes_a_traced_order_and_condition():
    params, x = lively_params(MEMBERS, KEY), enumerate_space(MEMBERS)
    order, member = jnp.array([3, 0, 2, 1]), jnp.array(2)
    traced = jax.jit(lambda order, member: log_prob(MEMBERS, params, x, order=order, cond=Cond(member=member)))(order, member)
    np.testing.assert_allclose(traced, log_prob(MEMBERS, params, x, order=order, cond=Cond(member=member)), rtol=1e-6)
    with pytest.raises(ValueError, match=r"order is int32 of shape \(3,\); give a permutation of 4 sites"):
        jax.jit(lambda order: log_prob(MEMBERS, params, x, order=order))(jnp.arange(3))


def test_log_prob_sums_only_the_sites_that_count_whatever_the_order():
    model = Model(MADE(hidden=(7,)), Categorical(3), (2, 3), Snake())
    params, rng = lively_params(model, jax.random.key(1)), np.random.default_rng(0)
    x, counted = rng.integers(0, 3, (5, 2, 3)), rng.random((5, 2, 3)) < 0.5
    theta = np.asarray(arjax.theta(model, params, x), np.float64)
    expected = np.zeros(5)
    for b in range(5):
        for t, site in enumerate(model.permutation):
            if counted[b].ravel()[site]:
                expected[b] += theta[b, t, x[b].ravel()[site]] - np.log(np.exp(theta[b, t]).sum())
    np.testing.assert_allclose(arjax.log_prob(model, params, x, counted=counted), expected, rtol=1e-5)


def test_log_prob_and_its_gradient_do_not_depend_on_padding():
    model = Model(MADE(hidden=(7,)), Categorical(3), (6,))
    params, counted = lively_params(model, jax.random.key(1)), np.arange(6) < np.array([[4]])
    short, other = np.array([[1, 2, 0, 1, 0, 0]]), np.array([[1, 2, 0, 1, 2, 2]])
    score = jax.value_and_grad(lambda params, x: arjax.log_prob(model, params, x, counted=counted).sum())
    for one, two in zip(jax.tree.leaves(score(params, short)), jax.tree.leaves(score(params, other)), strict=True):
        np.testing.assert_array_equal(one, two)


def test_log_prob_of_what_is_impossible_but_does_not_count_is_no_nan():
    model = Model(Histogram(), Ordinal(3), (2,))
    counted, params = np.array([[True, False]]), {"theta": jnp.zeros((2, 3))}
    x = np.array([[1, 7]])  # 7 is no symbol
    score = jax.jit(jax.value_and_grad(lambda p, x: arjax.log_prob(model, p, x, counted=counted).sum()))
    value, gradient = score(params, x)
    np.testing.assert_allclose(value, -np.log(3), rtol=1e-6)
    assert np.isfinite(gradient["theta"]).all()


@pytest.mark.parametrize("counted", [np.ones((1, 3), bool), np.ones((2, 6), int), np.ones(6, bool)])
def test_log_prob_refuses_counted_that_is_no_boolean_a_site(counted):
    model = Model(MADE(hidden=(7,)), Categorical(3), (6,))
    with pytest.raises(ValueError, match=r"counted is .* of shape .*; give booleans of shape \(2, 6\)"):
        arjax.log_prob(model, arjax.init(model, jax.random.key(0)), np.zeros((2, 6), int), counted=counted)


def conditional_by_enumeration(model, params, x, mask, order):
    """[B] float64: log p(x) - log of the sum over all that agree with x where the mask [*sites] is True, by the order [T]."""
    space = enumerate_space(model)
    each, results = np.asarray(log_prob(model, params, space, order=order), np.float64), []
    for one in np.asarray(x):
        alike = ((space == one) | ~mask).reshape(len(space), -1).all(axis=1)
        itself = (space == one).reshape(len(space), -1).all(axis=1)
        results.append(each[itself].item() - np.logaddexp.reduce(each[alike]))
    return np.array(results)


@pytest.mark.parametrize("model", [MODEL, Model(MADE(hidden=(6,)), Categorical(3), (2, 2), AnyOrder())], ids=["own", "any"])
def test_conditional_log_prob_is_the_enumerated_one_in_the_order_of_completions(model):
    params, x = lively_params(model, KEY), np.random.default_rng(0).integers(0, model.head.vocab, (5, 2, 2))
    for hidden in ([0], [1], [0, 3], [1, 2, 3], [0, 1, 2, 3], []):
        mask = ~np.isin(np.arange(4), hidden).reshape(2, 2)
        # By hand: what is seen in the model's order, then what is hidden in it.
        order = np.array([site for part in (False, True) for site in model.permutation if (site in hidden) == part])
        expected = conditional_by_enumeration(model, params, x, mask, order)
        np.testing.assert_allclose(conditional_log_prob(model, params, x, mask), expected, rtol=1e-4, atol=1e-5)
        both = conditional_log_prob(model, params, x, np.broadcast_to(mask, x.shape), order=order)
        np.testing.assert_allclose(both, expected, rtol=1e-4, atol=1e-5)


def test_conditional_log_prob_of_a_net_of_one_order_is_of_its_prefixes_only():
    model = Model(RNN(width=4), Categorical(2), (5,))
    params, x = lively_params(model, KEY), np.random.default_rng(0).integers(0, 2, (4, 5))
    for seen in range(6):
        mask = np.arange(5) < seen
        expected = conditional_by_enumeration(model, params, x, mask, None)
        np.testing.assert_allclose(conditional_log_prob(model, params, x, mask), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"site 1 is observed but comes after unobserved ones in Raster\(\), and RNN"):
        conditional_log_prob(model, params, x, np.arange(5) == 1)


def test_conditional_log_prob_of_masks_of_their_own_takes_an_order_for_each_example():
    model = Model(Transformer(width=8, layers=1, heads=2, any_order=True), Categorical(2), (4,), AnyOrder())
    params, rng = lively_params(model, KEY), np.random.default_rng(0)
    x, mask = rng.integers(0, 2, (3, 4)), np.array([[1, 0, 1, 0], [0, 0, 1, 1], [1, 1, 1, 1]], bool)
    each = np.concatenate([conditional_log_prob(model, params, x[i : i + 1], mask[i]) for i in range(3)])
    np.testing.assert_allclose(conditional_log_prob(model, params, x, mask), each, rtol=1e-5, atol=1e-6)
    expected = conditional_by_enumeration(model, params, x[1:2], mask[1], np.array([2, 3, 0, 1]))
    np.testing.assert_allclose(each[1:2], expected, rtol=1e-4)
    assert each[2] == 0


def test_conditional_log_prob_sums_of_what_is_hidden_only_what_counts():
    params, x = lively_params(LABELLED, KEY), np.array([[0, 1, 1], [1, 0, 1]])
    cond, mask, counted = Cond(label=np.array([2, 0])), np.array([True, False, False]), np.array([[1, 1, 0], [0, 0, 1]], bool)
    result = conditional_log_prob(LABELLED, params, x, mask, cond=cond, counted=counted)
    each = log_prob(LABELLED, params, x, cond=cond, counted=counted & [False, True, True])
    np.testing.assert_allclose(result, each, rtol=1e-6)
    # Of the first example the last site is left out: its middle one given the first is a difference of two marginals.
    two = [log_prob(LABELLED, params, np.array([[0, b, c] for b in (0, 1) for c in (0, 1)]), cond=Cond(label=np.full(4, 2)))]
    table = np.exp(np.asarray(two[0], np.float64)).reshape(2, 2)
    assert float(result[0]) == pytest.approx(math.log(table[1].sum() / table.sum()), rel=1e-4)


def test_conditional_log_prob_refuses_traced_masks_that_may_differ_where_the_net_takes_one_order():
    params, x = lively_params(AGNOSTIC, KEY), np.zeros((2, 3), int)
    with pytest.raises(ValueError, match="the mask may differ between examples and is no prefix of the order; complete one mask"):
        jax.jit(lambda mask: conditional_log_prob(AGNOSTIC, params, x, mask))(np.ones((2, 3), bool))
