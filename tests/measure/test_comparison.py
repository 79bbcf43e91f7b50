"""Scores held beside each other, against double loops, scikit-learn, scipy and the normal distribution."""

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import roc_auc_score

from arjax.measure.comparison import RESAMPLES, auroc, paired

RNG = np.random.default_rng(0)


def by_pairs(inside, outside):
    wins = [1.0 if b > a else 0.5 if b == a else 0.0 for a in inside for b in outside]
    return sum(wins) / len(wins)


@pytest.mark.parametrize("values", [2, 5, 1000])
def test_auroc_is_the_fraction_of_pairs_in_the_right_order_and_ties_count_half(values):
    inside, outside = RNG.integers(0, values, 37), RNG.integers(0, values, 53) + values // 4
    area = auroc(inside, outside)
    assert area == pytest.approx(by_pairs(inside, outside), abs=1e-12)
    label = np.repeat([0, 1], [37, 53])
    assert area == pytest.approx(roc_auc_score(label, np.concatenate([inside, outside])), abs=1e-12)
    assert auroc(outside, inside) == pytest.approx(1 - area, abs=1e-12)


def test_auroc_ranks_what_is_impossible_above_everything_else():
    inside, outside = np.array([1.0, np.inf, 3.0]), np.array([np.inf, 2.0])
    assert auroc(inside, outside) == pytest.approx(by_pairs(inside, outside))
    assert auroc(np.zeros(4), np.zeros(3)) == 0.5
    assert (auroc(np.arange(4), np.arange(4, 7)), auroc(np.arange(4, 7), np.arange(4))) == (1.0, 0.0)


@pytest.mark.parametrize(("inside", "outside"), [([], [1.0]), ([1.0], []), ([1.0, np.nan], [2.0])])
def test_auroc_refuses_what_has_no_rank(inside, outside):
    with pytest.raises(ValueError, match="missing or NaN; give at least one of each kind"):
        auroc(inside, outside)


def test_paired_is_of_the_same_examples_and_its_interval_is_that_of_scipy():
    common = RNG.normal(0, 30, 400)
    first, second = common + RNG.normal(0.2, 1, 400), common + RNG.normal(0, 1, 400)
    won = paired(first, second)
    each = first - second
    assert won.difference == pytest.approx(each.mean())
    assert (won.first, won.second) == ((each > 0).mean(), (each < 0).mean())
    other = scipy.stats.bootstrap((each,), np.mean, n_resamples=RESAMPLES, method="percentile", batch=100).confidence_interval
    np.testing.assert_allclose([won.low, won.high], other, atol=0.02)
    # The spread that the examples have in common is no part of it: 1.96 standard errors of the difference.
    error = each.std(ddof=1) / 20
    np.testing.assert_allclose([won.low, won.high], each.mean() + 1.96 * error * np.array([-1, 1]), atol=0.02)


def test_paired_gives_one_interval_for_one_seed_and_ties_are_no_wins():
    first, second = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.5, 2.0, 3.0])
    assert paired(first, second) == paired(first, second)
    many = RNG.normal(size=50)
    assert paired(many, 0 * many, seed=1) != paired(many, 0 * many, seed=0)
    assert paired(first, second)[3:] == (0.5, 0.25)
    assert paired(first, first)[:] == (0.0, 0.0, 0.0, 0.0, 0.0)
    assert paired([2.0], [1.0])[:3] == (1.0, -np.inf, np.inf)  # of one example nobody can say
    swapped = paired(second, first)
    assert (swapped.difference, swapped.low) == (-paired(first, second).difference, pytest.approx(-paired(first, second).high))


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (np.zeros(3), np.zeros(4), r"shapes \(3,\) and \(4,\); give one of each"),
        (np.zeros(0), np.zeros(0), "give one of each"),
        (np.array([0.0, -np.inf]), np.zeros(2), "example 1 has the scores -inf and 0.0, which have no finite mean; leave it out"),
    ],
)
def test_paired_refuses_scores_without_pairs_or_without_a_mean(first, second, says):
    with pytest.raises(ValueError, match=says):
        paired(first, second)
