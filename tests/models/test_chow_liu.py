"""Chow-Liu trees against scikit-learn's mutual information, loops, and every spanning tree of five nodes."""

import itertools
import math
import runpy
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

import arjax
from arjax import Model
from arjax.data import BinaryDensity
from arjax.heads import Categorical
from arjax.models import BayesNet, chow_liu
from arjax.models.bayes_net import fit
from arjax.models.chow_liu import mutual_information
from arjax.orders import Topological

RNG = np.random.default_rng(0)
# Six variables of three symbols, each leaning on one or two of those before it.
X = RNG.integers(0, 3, (300, 6))
for _site in range(1, 6):
    _copied = RNG.random(300) < 0.5
    X[_copied, _site] = X[_copied, RNG.integers(0, _site)] * (RNG.random() < 0.8)


def likelihood(x, edges):
    """Mean log-likelihood of a tree with maximum likelihood tables, by dictionaries; its edges may point anywhere."""
    total = 0.0
    for site in range(x.shape[1]):
        counts = Counter(x[:, site].tolist())
        total += sum(c * math.log(c / len(x)) for c in counts.values())
    for u, v in edges:
        left, right, both = Counter(x[:, u].tolist()), Counter(x[:, v].tolist()), Counter(zip(x[:, u], x[:, v], strict=True))
        total += sum(c * math.log(c * len(x) / (left[a] * right[b])) for (a, b), c in both.items())
    return total / len(x)


def spanning_trees(nodes):
    """Every tree, from its Pruefer sequence."""
    for sequence in itertools.product(range(nodes), repeat=nodes - 2):
        degree = [1 + sequence.count(node) for node in range(nodes)]
        edges = []
        for node in sequence:
            leaf = degree.index(1)
            edges.append((leaf, node))
            degree[leaf], degree[node] = 0, degree[node] - 1
        edges.append(tuple(node for node in range(nodes) if degree[node] == 1))
        yield edges


def undirected(edges):
    return {frozenset(edge) for edge in edges}


def test_mutual_information_is_scikit_learns():
    expected = [[mutual_info_score(X[:, u], X[:, v]) for v in range(6)] for u in range(6)]
    np.testing.assert_allclose(mutual_information(X, 3), expected, atol=1e-12)


def test_mutual_information_in_small_blocks_is_the_same():
    np.testing.assert_allclose(mutual_information(X, 3, 0.5, block=120), mutual_information(X, 3, 0.5), atol=1e-14)


def test_mutual_information_counts_every_pair_more_often_by_smoothing():
    every_pair = np.array(list(itertools.product(range(3), repeat=2)))
    for u, v in itertools.combinations(range(6), 2):
        pairs = np.concatenate([X[:, [u, v]], every_pair, every_pair])
        assert mutual_information(X, 3, 2.0)[u, v] == pytest.approx(mutual_info_score(*pairs.T), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_chow_liu_is_more_likely_than_every_other_spanning_tree(seed):
    x = X[np.random.default_rng(seed).permutation(300)[:60], :5]
    trees = {frozenset(undirected(tree)): likelihood(x, tree) for tree in spanning_trees(5)}
    assert len(trees) == 5**3
    edges = chow_liu(x, 3)
    assert trees[frozenset(undirected(edges))] == max(trees.values())
    model = Model(BayesNet(edges), Categorical(3), (5,), Topological(edges))
    mean = arjax.log_prob(model, fit(x, edges, Categorical(3)), x).mean()
    assert float(mean) == pytest.approx(max(trees.values()), rel=1e-6)


@pytest.mark.parametrize("root", range(6))
def test_chow_liu_leads_away_from_the_root_which_does_not_matter(root):
    edges = chow_liu(X, 3, root=root)
    assert [child for _, child in edges] == [site for site in range(6) if site != root]
    Topological(edges)  # no cycle: with one parent each, all descend from the root
    assert undirected(edges) == undirected(chow_liu(X, 3))


def test_chow_liu_spans_what_has_no_information_and_breaks_ties_by_the_lowest_pairs():
    x = np.zeros((10, 4), int)
    assert chow_liu(x, 2) == ((0, 1), (0, 2), (0, 3))
    x[5:, 1] = x[5:, 3] = 1
    assert chow_liu(x, 2) == ((0, 1), (0, 2), (1, 3))


def test_chow_liu_of_a_single_site_has_no_edges():
    assert chow_liu(np.zeros((3, 1), int), 2) == ()


def test_chow_liu_numbers_a_grid_row_by_row():
    assert chow_liu(X.reshape(300, 2, 3), 3) == chow_liu(X, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros((3, 2))}, "x is float64"),
        ({"vocab": 2}, r"x has symbols 0\.\.2, but vocab=2 means 0\.\.1"),
        ({"root": 6}, r"root=6 is no site; choose one of 0\.\.5"),
        ({"root": -1}, "root=-1 is no site"),
        ({"smoothing": -1.0}, r"smoothing=-1\.0 must be finite and not negative"),
    ],
)
def test_chow_liu_refuses_what_has_no_tree(arguments, message):
    with pytest.raises(ValueError, match=message):
        chow_liu(**{"x": X, "vocab": 3} | arguments)


def test_chow_liu_gives_the_configs_edges_for_its_training_split(data_root):
    config = runpy.run_path(str(Path(__file__).parents[2] / "configs" / "chow_liu_nltcs.py"))
    x = BinaryDensity("nltcs", root=str(data_root)).load().train.x
    assert config["EDGES"] == chow_liu(x, 2)
