"""Bayes nets: tables against dictionaries, networks against loops; test_counting.py has how tables are counted."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest
from five_variables import ARITIES, EDGES, PARENTS, POSSIBLE, model_of

import arjax
from arjax import Cond, CondSpec, Model, testing
from arjax.description import describe, rebuild
from arjax.heads import Bernoulli, Categorical, CoupledDiscretizedMixtureOfLogistics, DiscretizedMixtureOfLogistics, Ordinal
from arjax.models import BayesNet, NeuralBayesNet
from arjax.orders import AnyOrder, Permutation, Raster, Reversed, Topological
from arjax.testing import lively_params

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def rows_by_dictionary(arities):
    """{(site, values of its parents): row}, one node after the other, the first parent's value changing fastest."""
    rows = {}
    for site, parents in PARENTS.items():
        for backwards in itertools.product(*(range(arities[parent]) for parent in reversed(parents))):
            rows[site, backwards[::-1]] = len(rows)
    return rows


def log_softmax(logits):
    return logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()


# Tables


@pytest.mark.parametrize("label", [None, 1])
@pytest.mark.parametrize("arities", [None, ARITIES])
def test_bayes_net_looks_up_the_parents_values_as_dictionaries_do(arities, label):
    model = model_of(BayesNet(EDGES, arities), cond=CondSpec(classes=None if label is None else 3))
    params = lively_params(model, KEY)
    table = np.asarray(params["table"], np.float64) if label is None else np.asarray(params["table"], np.float64)[label]
    real = arities or (3,) * 5
    rows = rows_by_dictionary(real)
    assert table.shape == (len(rows), 3)
    expected = [
        sum(log_softmax(table[rows[site, tuple(x[list(parents)])]][: real[site]])[x[site]] for site, parents in PARENTS.items())
        for x in POSSIBLE
    ]
    cond = None if label is None else Cond(label=np.full(len(POSSIBLE), label))
    np.testing.assert_allclose(arjax.log_prob(model, params, POSSIBLE, cond=cond), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "net",
    [BayesNet(EDGES), NeuralBayesNet(EDGES, (7,)), NeuralBayesNet(EDGES, (7,), shared=True)],
    ids=["tables", "networks", "shared"],
)
def test_theta_sees_a_sites_parents_and_nothing_else_in_any_topological_order(net):
    for order in (Topological(EDGES), Permutation((4, 1, 0, 2, 3))):
        model = Model(net, Bernoulli(), (5,), order)
        params, x = lively_params(model, KEY), np.array(list(itertools.product(range(2), repeat=5)))
        for site in range(5):
            flipped = np.where(np.arange(5) == site, 1 - x, x)
            moved = np.abs(arjax.theta(model, params, x) - arjax.theta(model, params, flipped)).max(axis=(0, 2))
            np.testing.assert_array_equal(moved > 0, [site in PARENTS[child] for child in order.permutation((5,))])


def test_log_prob_does_not_change_with_the_order_of_generation():
    model = model_of(BayesNet(EDGES))
    other = dataclasses.replace(model, order=Permutation((4, 1, 0, 2, 3)))
    params = lively_params(model, KEY)
    np.testing.assert_allclose(
        arjax.log_prob(model, params, POSSIBLE), arjax.log_prob(other, params, POSSIBLE), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("net", "head"),
    [(BayesNet(EDGES, ARITIES), Categorical(3)), (NeuralBayesNet(EDGES, (4,), arities=ARITIES), Ordinal(3))],
    ids=["tables", "networks"],
)
def test_arities_leave_what_is_beyond_them_probability_zero_and_finite_gradients(net, head):
    model = model_of(net, head)
    params = lively_params(model, KEY)
    probs = np.exp(arjax.log_prob(model, params, testing.enumerate_space(model)), dtype=np.float64)
    possible = (testing.enumerate_space(model) < ARITIES).all(axis=1)
    assert probs[possible].sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(probs[~possible], 0)
    hot = arjax.sample(model, params, KEY, 500, transforms=[arjax.sampling.Temperature(1e4)])
    np.testing.assert_array_equal(np.max(hot, axis=0) + 1, ARITIES)
    value, gradient = jax.value_and_grad(lambda p: arjax.log_prob(model, p, np.full((1, 5), 2)).sum())(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((value, gradient)))


def test_bayes_net_holds_a_mixture_heads_parameters_in_its_table():
    model = model_of(BayesNet(EDGES), DiscretizedMixtureOfLogistics(3, 1))
    params = lively_params(model, KEY)
    assert np.exp(arjax.log_prob(model, params, testing.enumerate_space(model))).sum() == pytest.approx(1, abs=1e-5)


# Networks


@pytest.mark.parametrize(
    ("shared", "hidden", "classes"), [(False, (), None), (True, (), 3), (False, (6, 4), 3), (True, (6, 4), None)]
)
def test_neural_bayes_net_is_what_loops_in_float64_say(shared, hidden, classes):
    vocab = 2 if classes else 3
    model = model_of(NeuralBayesNet(EDGES, hidden, shared), Categorical(vocab), cond=CondSpec(classes=classes))
    params = lively_params(model, KEY)
    p = {name: np.asarray(leaf, np.float64) for name, leaf in params.items()}
    x = RNG.integers(0, vocab, (4, 5))
    label = RNG.integers(0, 3, 4) if classes else None
    says = np.asarray(arjax.theta(model, params, x, cond=Cond(label=label) if classes else None))
    for b, (t, site) in itertools.product(range(4), enumerate(model.permutation)):
        slots = []
        for slot in range(3):
            value = x[b, PARENTS[site][slot]] if slot < len(PARENTS[site]) else None
            slots += [value or 0] if vocab == 2 else [float(value == v) for v in range(vocab)]
        h = np.array(slots, np.float64)
        for layer in range(len(hidden) + 1):
            h = np.maximum(h, 0) if layer else h
            h = h @ (p[f"w{layer}"] if shared else p[f"w{layer}"][site])
            h = h + (p[f"b{layer}"] if shared and layer else p[f"b{layer}"][site])
            if classes and layer == 0:
                h = h + (p["label_b"][label[b]] if shared else p["label_b"][label[b], site])
        np.testing.assert_allclose(says[b, t], h, rtol=2e-5, atol=2e-5)


def test_shared_makes_one_network_smaller_than_one_for_each():
    sizes = [
        sum(leaf.size for leaf in jax.tree.leaves(arjax.init(model_of(NeuralBayesNet(EDGES, (6,), shared)), KEY)))
        for shared in (False, True)
    ]
    each = (3 * 3 + 1) * 6 + (6 + 1) * 3
    assert sizes == [5 * each, each + 4 * 6]


def test_neural_bayes_net_starts_with_thetas_of_variance_one_whatever_the_number_of_parents():
    edges = tuple((parent, child) for child in range(64) for parent in range(child))
    model = Model(NeuralBayesNet(edges, ()), Categorical(4), (64,))
    x = RNG.integers(0, 4, (200, 64))
    thetas = np.asarray(arjax.theta(model, arjax.init(model, KEY), x))
    np.testing.assert_allclose(thetas[:, 1:].std(axis=(0, 2)), 1, atol=0.6)
    assert thetas[:, 1:].std() == pytest.approx(1, abs=0.1)


# What is refused


@pytest.mark.parametrize("kind", [BayesNet, NeuralBayesNet])
def test_bayes_net_refuses_a_graph_that_is_none(kind):
    with pytest.raises(ValueError, match="the edges close the cycle"):
        kind(((0, 1), (1, 2), (2, 0)))
    with pytest.raises(ValueError, match=r"the edge \(1, 1\) leads from a site to itself"):
        kind(((0, 1), (1, 1)))
    with pytest.raises(ValueError, match=r"the edge \(0, 1\) is given twice"):
        kind(((0, 1), (0, 1)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"order": Raster()},
            r"the edge \(4, 1\) leads back in time: Raster\(\) generates site 1 before its parent; choose order=Topological",
        ),
        ({"order": Reversed(Topological(EDGES))}, r"the edge \(4, 1\) leads back in time"),
        ({"order": AnyOrder()}, "generates in one order only"),
        ({"site_shape": (2, 2), "order": Raster()}, r"the edge \(4, 1\) names a site outside 0\.\.3"),
        ({"cond": CondSpec(members=2)}, r"BayesNet knows classes, not CondSpec\(members=2\)"),
        ({"head": arjax.heads.MixtureOfGaussians(2)}, "is over single symbols, not what MixtureOfGaussians"),
        ({"head": CoupledDiscretizedMixtureOfLogistics(3, 1)}, "is over single symbols"),
        ({"arities": (3, 3)}, r"arities=\(3, 3\) must be 5 numbers in 1\.\.3, one for each site"),
        ({"arities": (3, 3, 4, 3, 3)}, r"must be 5 numbers in 1\.\.3"),
        ({"arities": ARITIES, "head": DiscretizedMixtureOfLogistics(3, 1)}, r"need one logit a symbol.*use Categorical\(3\)"),
        ({"arities": (2, 2, 1, 2, 2), "head": Bernoulli()}, r"need one logit a symbol.*use Categorical\(2\)"),
    ],
)
def test_check_model_refuses_a_model_that_does_not_fit_a_bayes_net(fields, message):
    fields = {"arities": None, "head": Categorical(3), "site_shape": (5,), "order": Topological(EDGES)} | fields
    arities = fields.pop("arities")
    for kind in (BayesNet, NeuralBayesNet):
        with pytest.raises(ValueError, match=message):
            Model(kind(EDGES, arities=arities), **fields)


def test_check_model_refuses_a_table_too_large_with_the_remedy():
    edges = tuple((parent, 30) for parent in range(24))
    fits = Model(BayesNet(edges[:-1]), Bernoulli(), (31,))
    assert fits.net.edges == edges[:-1]
    with pytest.raises(ValueError, match=r"have 16777246 rows, more than 16777216, 16777216 of them for site 30; give it fewer"):
        Model(BayesNet(edges), Bernoulli(), (31,))
    with pytest.raises(ValueError, match="choose a NeuralBayesNet"):
        dataclasses.replace(fits, cond=CondSpec(classes=2))
    with pytest.raises(ValueError, match="the tables have"):
        Model(BayesNet(tuple((parent, 200) for parent in range(200))), Bernoulli(), (201,))
    Model(NeuralBayesNet(edges), Bernoulli(), (31,))


def test_neural_bayes_net_refuses_a_layer_without_units():
    with pytest.raises(ValueError, match=r"hidden=\(4, 0\) has a layer without units"):
        NeuralBayesNet(EDGES, (4, 0))


def test_describe_and_rebuild_give_a_bayes_net_back():
    model = model_of(NeuralBayesNet(EDGES, (4,), True, ARITIES))
    assert rebuild(describe(model)) == model
    assert hash(model) == hash(model_of(NeuralBayesNet(EDGES, (4,), True, ARITIES)))
