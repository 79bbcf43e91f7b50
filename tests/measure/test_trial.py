"""Families side by side: the figures are those that can be counted by hand."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from trained import failure

from arjax.__main__ import main
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.likelihood import theta
from arjax.measure.trial import context, fit, weights_used
from arjax.models import MADE, RNN, BayesNet, Histogram, PixelCNN
from arjax.orders import Topological
from arjax.protocol import Model
from arjax.testing import lively_params
from arjax.testing.flops import sequential_steps
from arjax.training import Adam, Cosine, Experiment

KEY = jax.random.key(0)
CONFIG = """
import arjax
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.models import MADE, Histogram
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=Digits(values=Threshold(7)), model=arjax.Model({net}, Bernoulli(), (8, 8)),
    optimizer=Adam(learning_rate=1e-2), batch_size=32, steps=1000, eval_every=500,
)
"""


def test_context_counts_what_a_site_sees_site_by_site():
    edges = ((0, 1), (1, 2), (0, 3))
    assert context(Model(BayesNet(edges), Bernoulli(), (4,), Topological(edges)), KEY) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert context(Model(Histogram(), Bernoulli(), (5,)), KEY, examples=1) == 0
    assert context(Model(MADE(hidden=(64,), direct=True), Bernoulli(), (6,)), KEY) == 1


def test_weights_used_counts_those_of_one_conditional():
    assert weights_used(Model(Histogram(), Bernoulli(), (5,)), KEY) == 1  # of five
    edges = ((0, 2), (1, 2))
    net = Model(BayesNet(edges), Bernoulli(), (3,), Topological(edges))
    # Tables of 1, 1 and 4 entries, all of which eight examples visit, or some of them.
    assert 1 < weights_used(net, KEY, examples=64) == pytest.approx((1 + 1 + 4) / 3)
    rnn = Model(RNN(width=4), Bernoulli(), (6,))
    count = sum(leaf.size for leaf in jax.tree.leaves(lively_params(rnn, KEY)))
    assert weights_used(rnn, KEY) > 0.5 * count


@pytest.mark.parametrize(
    ("net", "steps"), [(RNN(width=4), 12), (MADE(hidden=(4,)), 1), (PixelCNN(width=4, blocks=1, kernel=3), 1)]
)
def test_sequential_steps_are_as_many_as_loops_are_long(net, steps):
    model = Model(net, Bernoulli(), (3, 4))
    params = lively_params(model, KEY)
    assert sequential_steps(lambda x: theta(model, params, x), np.zeros((2, 3, 4), np.int32)) == steps


def test_fit_takes_the_seconds_it_is_given_and_learns():
    model = Model(MADE(hidden=(16,)), Bernoulli(), (8, 8))
    optimizer = Adam(1e-2, schedule=Cosine(warmup=900))
    experiment = Experiment(
        data=Digits(values=Threshold(7)), model=model, optimizer=optimizer, batch_size=32, steps=1000, eval_every=1
    )
    fitted, state, rate = fit(experiment, experiment.data.load().train, 0.2)
    warmed = Adam(1e-2, schedule=Cosine(warmup=min(900, fitted.steps // 10)))  # a tenth of the steps there is time for
    assert fitted == dataclasses.replace(experiment, steps=fitted.steps, optimizer=warmed)
    assert int(state.step) == fitted.steps > 1
    assert rate > 0


@pytest.mark.slow
def test_compare_writes_the_table_the_figures_and_the_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text(CONFIG.format(net="Histogram()"))
    (tmp_path / "b.py").write_text(CONFIG.format(net="MADE(hidden=(16,), direct=True)"))
    (tmp_path / "c.py").write_text(CONFIG.format(net="MADE()").replace("(8, 8))", "(8, 8), cond=arjax.CondSpec(classes=10))"))
    main(["compare", "a.py", "b.py", "--seconds", "3", "--repeats", "1", "--examples", "99", "--out", "out/table.md"])
    table = (tmp_path / "out" / "table.md").read_text()
    assert table.startswith("digits 8x8, threshold at 7, ")
    assert "3 seconds of training each, scored on 99 test examples; " in table
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == ["b", "a"]  # the most probable first
    figures = json.loads((tmp_path / "out" / "table.json").read_text())["rows"]
    assert figures["a"]["parameters"] == 64
    assert figures["a"]["work_ratio"] is None
    assert (figures["a"]["context"], figures["b"]["context"]) == (0, 1)
    assert figures["b"]["steps_to_sample"] == 64
    assert figures["b"]["nats"] < figures["a"]["nats"]
    assert (tmp_path / "out" / "table.png").stat().st_size > 1000
    assert "c is given CondSpec(classes=10" in failure(capsys, "compare", "a.py", "c.py")
