"""Tables of Bayes nets that are counted: against dictionaries, and against gradient descent."""

import itertools
import math
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats
from fitting import fitting
from five_variables import ARITIES, EDGES, PARENTS, POSSIBLE, model_of

import arjax
from arjax import Cond, CondSpec, Model, testing
from arjax.data import Levels
from arjax.heads import Bernoulli, Categorical, DiscretizedMixtureOfLogistics, Ordinal
from arjax.models import BayesNet
from arjax.models.bayes_net import fit
from arjax.training.state import init_state, train_step

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def data(num, key=0):
    """Symbols of these arities, with a law in which everything hangs together."""
    rng = np.random.default_rng(key)
    x = rng.integers(0, 3, (num, 5))
    for child, parents in sorted(PARENTS.items(), key=lambda item: len(item[1])):
        copied = rng.random(num) < 0.6
        x[copied, child] = x[copied][:, parents].sum(axis=1)
    return x % ARITIES


def counted(x, weights, smoothing, arities, site, parents):
    """{values of the parents: probabilities [arity]} by dictionaries."""
    counts = Counter()
    for row, weight in zip(x.tolist(), weights, strict=True):
        counts[tuple(row[parent] for parent in parents), row[site]] += weight
    table = {}
    for values in itertools.product(*(range(arities[parent]) for parent in parents)):
        row = [counts[values, symbol] + smoothing for symbol in range(arities[site])]
        table[values] = [c / sum(row) if sum(row) else 1 / arities[site] for c in row]
    return table


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
@pytest.mark.parametrize("arities", [None, ARITIES])
def test_fit_is_counting_by_dictionaries(arities, smoothing):
    x, weights = data(30), RNG.random(30)
    params = fit(x, EDGES, Categorical(3), arities=arities, weights=weights, smoothing=smoothing)
    assert np.isfinite(params["table"]).all()
    model, real = model_of(BayesNet(EDGES, arities)), arities or (3,) * 5
    tables = {site: counted(x, weights, smoothing, real, site, parents) for site, parents in PARENTS.items()}
    space = POSSIBLE if arities else testing.enumerate_space(model)
    expected = [
        math.prod(tables[site][tuple(row[list(parents)])][row[site]] for site, parents in PARENTS.items()) for row in space
    ]
    np.testing.assert_allclose(np.exp(arjax.log_prob(model, params, space)), expected, rtol=2e-5)


def test_fit_counts_bits_alike_for_either_head():
    x = data(20) % 2
    logit, logits = (fit(x, EDGES, head, smoothing=0.1) for head in (Bernoulli(), Categorical(2)))
    assert logit["table"].shape == (2 + 2 + 8 + 2 + 1, 1)
    space = np.array(list(itertools.product(range(2), repeat=5)))
    np.testing.assert_allclose(
        arjax.log_prob(model_of(BayesNet(EDGES), Bernoulli()), logit, space),
        arjax.log_prob(model_of(BayesNet(EDGES), Categorical(2)), logits, space),
        rtol=1e-5,
    )


@pytest.mark.parametrize("head", [Bernoulli(), Ordinal(2)], ids=str)
def test_fit_leaves_what_was_never_seen_impossible_and_its_parameters_trainable(head):
    x = data(6) % 2
    model, params = model_of(BayesNet(EDGES), head), fit(x, EDGES, head)
    assert np.isfinite(params["table"]).all()
    space = np.array(list(itertools.product(range(2), repeat=5)))
    probs = np.exp(arjax.log_prob(model, params, space))
    assert (probs == 0).sum() >= 8
    assert probs.sum() == pytest.approx(1, abs=1e-5)
    drawn = np.asarray(arjax.sample(model, params, KEY, 2000)) @ [16, 8, 4, 2, 1]
    assert (probs[drawn] > 0).all()
    gradient = jax.grad(lambda p: arjax.log_prob(model, p, space).sum())(params)["table"]
    assert np.isfinite(gradient).all()


def test_fit_of_a_full_graph_counts_the_joint_law():
    edges = tuple(itertools.combinations(range(5), 2))
    x = data(400)
    model = Model(BayesNet(edges, ARITIES), Categorical(3), (5,))
    probs = np.exp(arjax.log_prob(model, fit(x, edges, Categorical(3), arities=ARITIES), POSSIBLE))
    seen = Counter(map(tuple, x.tolist()))
    np.testing.assert_allclose(probs, [seen[tuple(row)] / 400 for row in POSSIBLE.tolist()], rtol=1e-4, atol=1e-9)


def test_sample_follows_the_counted_law():
    x = data(100)
    params = fit(x, EDGES, Categorical(3), arities=ARITIES, smoothing=0.5)
    samples = np.asarray(arjax.sample(model_of(BayesNet(EDGES, ARITIES)), params, KEY, 40_000))
    tables = {site: counted(x, np.ones(100), 0.5, ARITIES, site, parents) for site, parents in PARENTS.items()}
    law = [math.prod(tables[site][tuple(row[list(parents)])][row[site]] for site, parents in PARENTS.items()) for row in POSSIBLE]
    drawn = Counter(map(tuple, samples.tolist()))
    seen, expected = np.array([drawn[tuple(row)] for row in POSSIBLE.tolist()]), 40_000 * np.array(law)
    assert seen.sum() == 40_000
    assert expected.min() > 5
    assert scipy.stats.chisquare(seen, expected).pvalue > 1e-4


def test_fit_counts_labels_one_at_a_time():
    x, label = data(60), np.arange(60) % 2
    tables = [fit(x[label == y], EDGES, Categorical(3), smoothing=1.0)["table"] for y in range(2)]
    model = model_of(BayesNet(EDGES), cond=CondSpec(classes=2))
    log_prob = arjax.log_prob(model, {"table": jnp.stack(tables)}, x, cond=Cond(label=label))
    for y in range(2):
        alone = arjax.log_prob(model_of(BayesNet(EDGES)), {"table": tables[y]}, x[label == y])
        np.testing.assert_allclose(log_prob[label == y], alone, rtol=1e-6)


def test_fit_is_the_optimum_of_gradient_descent():
    x, model = data(300).astype(np.uint8), model_of(BayesNet(EDGES, ARITIES))
    experiment = fitting(model, Levels(3), optax.adam(optax.cosine_decay_schedule(0.3, 400)))
    batch, state = {"x": jnp.asarray(x)}, init_state(experiment, KEY)
    step = jax.jit(lambda state: train_step(experiment, state, batch, KEY)[0])
    learned = jax.jit(lambda state: jax.lax.fori_loop(0, 400, lambda _, s: step(s), state))(state).params
    counts = fit(x, EDGES, Categorical(3), arities=ARITIES)
    best, reached = (float(arjax.log_prob(model, params, x).mean()) for params in (counts, learned))
    assert best - 1e-3 < reached <= best + 1e-5
    np.testing.assert_allclose(
        np.exp(arjax.log_prob(model, learned, POSSIBLE)), np.exp(arjax.log_prob(model, counts, POSSIBLE)), atol=1e-3
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros((3, 5))}, "x is float64"),
        ({"x": np.full((2, 5), 3)}, r"x has symbols 3\.\.3, but vocab=3 means 0\.\.2"),
        ({"x": np.zeros((2, 4), int)}, r"the edge \(4, 1\) names a site outside 0\.\.3"),
        ({"x": np.full((2, 5), 2), "arities": ARITIES}, "x has the symbol 2 at site 1, whose arity is 2; correct one of them"),
        ({"arities": (3, 3)}, r"arities=\(3, 3\) must be 5 numbers in 1\.\.3"),
        ({"weights": [1, -1]}, "must be 2 finite numbers >= 0"),
        ({"smoothing": math.inf}, "smoothing=inf must be finite"),
        ({"edges": ((0, 1), (1, 0))}, "close the cycle"),
        (
            {"head": DiscretizedMixtureOfLogistics(3, 1)},
            "cannot be counted; choose Bernoulli, Categorical or Ordinal, or train it",
        ),
    ],
)
def test_fit_refuses_what_cannot_be_counted(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit(**{"x": np.zeros((2, 5), int), "edges": EDGES, "head": Categorical(3)} | arguments)
