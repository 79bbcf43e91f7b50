"""The benchmark tells the truth, and the sampler meets its bounds at full size."""

import json
import math
import time

import jax
import numpy as np
import pytest
from timing import reached

import arjax
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.measure.bench import benchmark, report
from arjax.measure.results import as_json
from arjax.measure.timing import timed
from arjax.models import MADE
from arjax.protocol import Model
from arjax.sampling import naive
from arjax.testing import lively_params, work_ratio
from arjax.training import Experiment

EXPERIMENT = Experiment(
    data=Digits(values=Threshold(7)),
    model=Model(MADE(hidden=(8,)), Bernoulli(), (8, 8)),
    batch_size=16,
    steps=100,
    eval_every=100,
)


def test_timed_is_the_median_and_what_the_first_call_took_longer():
    durations = iter([0.2, 0.01, 0.05, 0.01])

    def call():
        time.sleep(next(durations))

    extra, median = timed(call, runs=3)
    assert 0.01 <= median < 0.05
    assert 0.15 < extra < 0.3


@pytest.mark.slow
def test_benchmark_gives_every_figure_and_consistent_ratios():
    jax.clear_caches()
    figures = benchmark(EXPERIMENT, EXPERIMENT.data.load().train, batch=4, runs=2)
    assert figures["parameters"] == 64 * 8 + 8 + 8 * 64 + 64
    assert figures["dtype"] == "float32"
    assert figures["work_ratio"] == pytest.approx(1, abs=0.1)
    assert all(seconds > 0.01 for seconds in figures["compile_seconds"].values())
    rates = [figures[f"{name}_per_second"] for name in ("train_examples", "log_prob_examples")]
    assert min(rates) > 0
    ratio = figures["log_prob_examples_per_second"] / figures["samples_per_second_cached"]
    assert figures["time_ratio"] == pytest.approx(ratio)
    faster = figures["samples_per_second_cached"] / figures["samples_per_second_naive"]
    assert figures["cached_over_naive"] == pytest.approx(faster)
    assert len(report(figures).splitlines()) == len(figures)


@pytest.mark.slow
def test_benchmark_without_the_oracle_lacks_its_figures_alone():
    figures = benchmark(EXPERIMENT, EXPERIMENT.data.load().train, batch=4, runs=1, oracle=False)
    known = json.loads(as_json({"tiny": figures}))["results"]["tiny"]
    assert known["samples_per_second_naive"] is None
    assert known["cached_over_naive"] is None
    assert "sample_naive" not in known["compile_seconds"]
    assert known["time_ratio"] > 0
    assert 0 < known["train_flops_utilisation"] < 1
    assert known["sample_bandwidth_utilisation"] > 0


def test_report_has_a_dash_for_a_ratio_that_does_not_exist_and_as_json_null():
    figures = {"sites": 1, "work_ratio": math.nan, "time_ratio": 2.5, "compile_seconds": {"log_prob": 0.1}}
    assert json.loads(as_json({"tiny": figures}))["results"] == {"tiny": figures | {"work_ratio": None}}
    assert report(figures).splitlines()[1].split() == ["work", "ratio", "-"]


@pytest.mark.bench
def test_made_at_full_size_samples_as_naive_does_twenty_times_faster_with_the_work_of_one_pass():
    model = Model(MADE(hidden=(500, 500)), Bernoulli(), (28, 28))
    key = jax.random.key(0)
    params = jax.tree.map(lambda leaf: 0.1 * leaf, lively_params(model, key))
    fast = arjax.sample(model, params, key, 100)
    assert 0.2 < np.mean(fast) < 0.8
    np.testing.assert_array_equal(fast, naive(model, params, key, 100))

    def times_faster():
        _, cached = timed(lambda: arjax.sample(model, params, key, 100), runs=5)
        return timed(lambda: naive(model, params, key, 100), runs=3)[1] / cached

    assert reached(times_faster, lambda ratio: ratio >= 20)
    assert work_ratio(model, params, key, 1) <= 1.1
