import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fitting import fitting

from arjax.data import Arrays, Digits, Dynamic, Levels, Split, Text
from arjax.heads import Bernoulli
from arjax.likelihood import ensemble_log_prob, log_prob, theta
from arjax.models import MADE, Histogram
from arjax.orders import AnyOrder, Snake, draw, s_curves
from arjax.protocol import Cond, CondSpec, Model, init
from arjax.runs.report import plus_minus, rows_of
from arjax.training import Experiment, Mesh
from arjax.training.evaluation import evaluate, validate
from arjax.training.mesh import place_padded

MODEL = Model(MADE(hidden=(12,)), Bernoulli(), (2, 3))
KEY = jax.random.key(3)
RNG = np.random.default_rng(0)


def split(num, high=2):
    return Split(RNG.integers(0, high, (num, 2, 3)).astype(np.uint8), RNG.integers(0, 3, num))


@pytest.mark.parametrize("batch_size", [7, 100])
@pytest.mark.parametrize("score", [evaluate, validate])
def test_evaluate_is_the_mean_over_examples_whatever_the_batch_size(batch_size, score):
    data, params = split(23), init(MODEL, KEY)
    expected = np.asarray(log_prob(MODEL, params, data.x))
    result = score(MODEL, params, data, Levels(2), batch_size=batch_size, key=KEY)
    np.testing.assert_allclose(result.log_probs, expected, rtol=1e-5)
    np.testing.assert_allclose(result.nats, -expected.mean(), rtol=1e-5)
    np.testing.assert_allclose(result.standard_error, expected.std(ddof=1) / math.sqrt(23), rtol=1e-4)


@pytest.mark.parametrize("batch_size", [5])
@pytest.mark.parametrize("score", [evaluate, validate])
def test_evaluate_on_eight_devices_is_that_of_one_whether_or_not_they_can_share_a_batch(score, batch_size):
    model = Model(MADE(hidden=(12,)), Bernoulli(), (2, 3), AnyOrder())
    data, params = split(23, high=256), init(model, KEY)
    place = functools.partial(place_padded, mesh=Mesh(8).build())
    one = score(model, params, data, Dynamic(), batch_size=batch_size, key=KEY)
    eight = score(model, params, data, Dynamic(), batch_size=batch_size, key=KEY, place=place)
    assert len(one.log_probs) == 23
    np.testing.assert_allclose(one.log_probs, eight.log_probs, rtol=1e-5)


def test_evaluate_takes_the_models_own_order_and_first_member_for_an_ensemble_of_one():
    model = Model(MADE(hidden=(12,)), Bernoulli(), (2, 3), AnyOrder(), CondSpec(members=4))
    data, params = split(9), init(model, KEY)
    result = evaluate(model, params, data, Levels(2), batch_size=4, key=KEY)
    np.testing.assert_allclose(result.log_probs, log_prob(model, params, data.x), rtol=1e-5)


def test_evaluate_averages_probabilities_over_members():
    # Fixed order and two members: a large ensemble holds both about equally often, so that its law is known.
    model = Model(MADE(hidden=(12,), degrees="random"), Bernoulli(), (2, 3), cond=CondSpec(members=2))
    data, params = split(9), init(model, KEY)
    each = np.stack([log_prob(model, params, data.x, cond=Cond(member=jnp.int32(m))) for m in range(2)])
    result = evaluate(model, params, data, Levels(2), batch_size=4, key=KEY, ensemble=16)
    shares = np.arange(1, 16)[:, None] / 16
    mixtures = np.log(shares * np.exp(each[0]) + (1 - shares) * np.exp(each[1]))
    assert np.abs(mixtures - result.log_probs).max(axis=1).min() < 1e-5
    assert np.abs(each - result.log_probs).max(axis=1).min() > 1e-3


def test_evaluate_has_one_ensemble_for_every_batch_whose_first_order_is_the_reference():
    model = Model(MADE(hidden=(12,)), Bernoulli(), (2, 3), AnyOrder())
    data, params = split(9), init(model, KEY)
    small, large = (evaluate(model, params, data, Levels(2), batch_size=b, key=KEY, ensemble=3) for b in (2, 9))
    np.testing.assert_allclose(small.log_probs, large.log_probs, rtol=1e-5)
    reference = np.exp(np.asarray(log_prob(model, params, data.x)))
    assert (np.exp(small.log_probs) > reference / 3).all()


@pytest.mark.parametrize("ensemble", [3])
def test_evaluate_mixes_the_first_of_the_orders_that_a_model_draws_from(ensemble):
    model = Model(MADE(hidden=(12,)), Bernoulli(), (2, 3), AnyOrder(Snake(), s_curves()))
    data, params = split(9), init(model, KEY)
    orders = np.stack([curve.permutation((2, 3)) for curve in s_curves()[:ensemble]])
    for key in (KEY, jax.random.key(4)):
        result = evaluate(model, params, data, Levels(2), batch_size=4, key=key, ensemble=ensemble)
        np.testing.assert_allclose(result.log_probs, ensemble_log_prob(model, params, data.x, orders).log_prob, rtol=1e-5)


def test_experiment_refuses_an_ensemble_larger_than_the_orders_a_model_draws_from():
    model = Model(MADE(hidden=(12,)), Bernoulli(), (8, 8), AnyOrder(Snake(), s_curves()))
    assert Experiment(data=Digits(), model=model, steps=2, eval_every=1, ensemble=8).ensemble == 8
    with pytest.raises(ValueError, match="ensemble=9 is more than the 8 orders of the model; set --ensemble 8"):
        Experiment(data=Digits(), model=model, steps=2, eval_every=1, ensemble=9)


def test_validate_draws_orders_by_its_key_alone():
    model = Model(MADE(hidden=(12,)), Bernoulli(), (2, 3), AnyOrder())
    data, params = split(9), init(model, KEY)
    first, again, other = (
        validate(model, params, data, Levels(2), batch_size=3, key=key).nats for key in (KEY, KEY, jax.random.key(4))
    )
    assert first == again != other
    assert not np.array_equal(draw(model.order, KEY, (2, 3)), model.permutation)


def test_evaluate_draws_random_values_once_and_for_all_by_the_key():
    data, params = split(50, high=256), init(MODEL, KEY)
    first, other = (evaluate(MODEL, params, data, Dynamic(), batch_size=7, key=key) for key in (KEY, jax.random.key(4)))
    again = evaluate(MODEL, params, data, Dynamic(), batch_size=20, key=KEY)
    np.testing.assert_allclose(first.log_probs, again.log_probs, rtol=1e-5)
    assert abs(first.nats - other.nats) > 1e-3
    assert len(np.unique(first.log_probs)) > 25  # the values of one example are not those of the next


def test_evaluate_leaves_out_what_does_not_count():
    rng = np.random.default_rng(5)
    data, params = split(23), init(MODEL, KEY)
    counted = rng.random(data.x.shape) < 0.6
    counted[:, 0, 0] = True
    each = MODEL.head.log_prob(theta(MODEL, params, data.x), data.x.reshape(23, 6).astype(np.int32))
    nats, dims = -np.where(counted.reshape(23, 6), each, 0).sum(axis=1), counted.reshape(23, 6).sum(axis=1)
    for score in (evaluate, validate):
        result = score(MODEL, params, data._replace(counted=counted), Levels(2), batch_size=7, key=KEY)
        np.testing.assert_allclose(result.log_probs, -nats, rtol=1e-5)
        np.testing.assert_allclose([result.nats, result.dims], [nats.mean(), dims.mean()], rtol=1e-5)
        # That of a ratio of means (Cochran 1977, eq. 2.46), times the mean of what was counted.
        residual = nats - nats.sum() / dims.sum() * dims
        np.testing.assert_allclose(result.standard_error, np.sqrt((residual**2).sum() / 22 / 23), rtol=1e-4)


def test_standard_error_takes_no_account_of_examples_lengths():
    model = Model(Histogram(), Bernoulli(), (6,))
    params = {"theta": jnp.full((6, 1), 1.5)}
    counted = np.arange(6) < np.arange(1, 7)[:, None]
    result = evaluate(model, params, Split(np.ones((6, 6), np.uint8), counted=counted), Levels(2), batch_size=4, key=KEY)
    np.testing.assert_allclose(result.nats / result.dims, np.log1p(np.exp(-1.5)), rtol=1e-5)
    assert result.standard_error < 1e-6
    assert np.ptp(result.log_probs) > 0.5


def test_standard_error_of_one_example_is_not_known():
    one = split(1)
    result = evaluate(MODEL, init(MODEL, KEY), one, Levels(2), batch_size=4, key=KEY)
    assert np.isnan(result.standard_error)
    experiment = fitting(MODEL, Levels(2))
    score = experiment.task.validate(experiment, init(MODEL, KEY), (), one, batch_size=4, key=KEY)
    assert "standard_error" not in score.record
    assert (plus_minus(None), plus_minus(np.nan), plus_minus(0.25)) == ("", "", " ± 0.250")
    rows = rows_of(experiment.task, experiment, "test", score.record)
    assert rows["-log p(x)"] == f"{result.nats:.3f} nats per example"


def test_bits_per_byte_are_of_the_bytes_that_count():
    """Padding is no part of the text: these bits cost 1 each, and the "é" takes two bytes."""
    text, counted = np.array([[0, 1, 1, 0], [1, 0, 0, 0]], np.uint8), np.array([[1, 1, 1, 1], [1, 0, 0, 0]], bool)
    part = Split(text, counted=counted)
    data = Arrays(part, part, values=Levels(2), medium=Text("aé"))
    experiment = Experiment(data=data, model=Model(Histogram(), Bernoulli(), (4,)), steps=1, eval_every=1)
    score = experiment.task.validate(experiment, {"theta": jnp.zeros((4, 1))}, (), part, batch_size=2, key=KEY)
    np.testing.assert_allclose(score.record["bits_per_byte"], 5 / (6 + 2), rtol=1e-6)
