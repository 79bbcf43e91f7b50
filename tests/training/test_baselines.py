"""What a result is held beside, against tables counted one value at a time."""

import math
import tracemalloc
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from scipy.stats import norm

import arjax
from arjax.data import Levels, Real, Split
from arjax.data.splits import cut
from arjax.data.text import windows
from arjax.heads import Categorical
from arjax.models import Histogram
from arjax.models.histogram import fit
from arjax.training.baselines import baselines

KEY = jax.random.key(3)
RNG = np.random.default_rng(0)


def split(num, high=2):
    return Split(RNG.integers(0, high, (num, 2, 3)).astype(np.uint8), RNG.integers(0, 3, num))


def data(vocab, stream=False):
    return SimpleNamespace(values=Levels(vocab), medium=SimpleNamespace(stream=stream))


def seen_before(part, classes, label):
    """Each example of the part with this label, and what of it counts."""
    for i, x in enumerate(part.x):
        if classes is None or part.label[i] == label:
            yield x, np.ones(x.shape, bool) if part.counted is None else part.counted[i]


@pytest.mark.parametrize("classes", [None, 3])
@pytest.mark.parametrize("vocab", [2, 5])
def test_baselines_count_every_site_by_itself(vocab, classes):
    train, scored = split(30, vocab), split(13, vocab)
    nats = 0.0
    for x, label in zip(scored.x, scored.label, strict=True):
        fitted = [y for y, _ in seen_before(train, classes, label)]
        for site in np.ndindex(2, 3):
            seen = [int(y[site]) for y in fitted]
            nats -= math.log((seen.count(int(x[site])) + 1) / (len(fitted) + vocab))
    result = baselines(data(vocab), train, scored, batch_size=4, key=KEY, classes=classes)
    name = "independent Bernoulli" if vocab == 2 else "independent categorical"
    assert result == {name: pytest.approx(nats / 13, rel=1e-6)}


@pytest.mark.parametrize("classes", [None, 2])
def test_baselines_of_a_stream_are_a_histogram_and_a_markov_table_of_what_counts(classes):
    def part(num):
        counted = RNG.random((num, 9)) < 0.7
        return Split(RNG.integers(0, 4, (num, 9)).astype(np.int16), RNG.integers(0, 2, num), counted=counted)

    train, scored = part(30), part(8)
    expected = {"histogram": 0.0, "first-order Markov table": 0.0}
    for i, x in enumerate(scored.x):
        for t in np.flatnonzero(scored.counted[i]):
            before = x[t - 1] if t else None
            row = {"histogram": [], "first-order Markov table": []}
            for y, counted in seen_before(train, classes, scored.label[i]):
                for s in np.flatnonzero(counted):
                    row["histogram"].append(y[s])
                    if (y[s - 1] if s else None) == before:
                        row["first-order Markov table"].append(y[s])
            for name, values in row.items():
                expected[name] -= math.log((values.count(x[t]) + 1) / (len(values) + 4)) / 8
    result = baselines(data(4, stream=True), train, scored, batch_size=3, key=KEY, classes=classes)
    assert result == {name: pytest.approx(nats, rel=1e-6) for name, nats in expected.items()}


def test_baselines_do_not_count_windows_that_overlap_again():
    codes = RNG.integers(0, 3, 4000).astype(np.uint8)
    overlapping = windows(cut(codes, 0.1, 0.1), 8, "here", "symbols")
    apart = Split(codes[:3200].reshape(-1, 8))
    options = {"scored": overlapping.test, "batch_size": 64, "key": KEY}
    assert baselines(data(3, True), overlapping.train, **options) == baselines(data(3, True), apart, **options)


def test_baselines_find_a_markov_source_out():
    # A value repeats the one before it nine times in ten.
    flips = RNG.random(40_000) < 0.1
    splits = windows(cut((np.cumsum(flips) % 2).astype(np.uint8), 0.1, 0.1), 50, "here", "symbols")
    result = baselines(data(2, stream=True), splits.train, splits.test, batch_size=64, key=KEY)
    assert result["histogram"] / 50 == pytest.approx(math.log(2), abs=0.01)
    assert result["first-order Markov table"] / 50 == pytest.approx(0.325 + (math.log(2) - 0.325) / 50, abs=0.01)


@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_baselines_do_not_beat_the_same_table_fitted_on_the_training_split(smoothing):
    """What a histogram reaches by counting what it may count, but for a count that nothing is impossible without."""
    train, scored = split(300, 3), split(50, 3)
    fitted = fit(train.x, 3, smoothing=smoothing)
    model = arjax.Model(Histogram(), Categorical(3), (2, 3))
    nats = -float(arjax.log_prob(model, fitted, scored.x).mean())
    (baseline,) = baselines(data(3), train, scored, batch_size=64, key=KEY).values()
    assert nats == pytest.approx(baseline, rel=1e-6 if smoothing else 2e-3)


def test_baselines_leave_out_a_markov_table_of_very_many_symbols():
    part = Split(np.zeros((2, 3), np.uint16))
    assert list(baselines(data(2**16, stream=True), part, part, batch_size=2, key=KEY)) == ["histogram"]


def test_baselines_of_many_symbols_take_little_memory():
    part = Split(RNG.integers(0, 256, (100, 28, 28)).astype(np.uint8))
    tracemalloc.start()
    nats = baselines(data(256), part, part, batch_size=100, key=KEY)["independent categorical"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0 < nats < 784 * math.log(256)
    # The counts are 1.6 MB; a table of every example's symbols would be 20 MB as bytes and 160 MB as numbers.
    assert peak < 15e6


@pytest.mark.parametrize("classes", [None, 3])
def test_independent_gaussian_has_the_mean_and_variance_of_each_label_and_site(classes):
    train, scored = (
        Split(RNG.normal(5, 2, (num, 2, 3)), np.arange(num) % 3, counted=RNG.random((num, 2, 3)) < 0.8) for num in (40, 11)
    )
    real = SimpleNamespace(values=Real(), medium=SimpleNamespace(stream=False))
    nats = baselines(real, train, scored, batch_size=7, key=KEY, classes=classes)["independent Gaussian"]
    total = 0.0
    for i, x in enumerate(scored.x):
        for site in np.argwhere(scored.counted[i]):
            alike = train.counted[(slice(None), *site)] & (True if classes is None else train.label == scored.label[i])
            seen = train.x[(slice(None), *site)][alike]
            total -= norm.logpdf(x[tuple(site)], seen.mean(), seen.std())
    assert nats == pytest.approx(total / 11, rel=1e-5)


def test_independent_gaussian_of_a_value_that_never_varies_is_left_out():
    real = SimpleNamespace(values=Real(), medium=SimpleNamespace(stream=False))
    assert baselines(real, Split(np.ones((4, 3))), Split(np.zeros((2, 3))), batch_size=2, key=KEY) == {}
