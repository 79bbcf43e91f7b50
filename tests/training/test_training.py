import functools
import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.special
from fitting import fitting

from arjax.data import Dynamic, Levels
from arjax.heads import Bernoulli
from arjax.likelihood import log_prob
from arjax.models import MADE, Histogram
from arjax.orders import AnyOrder
from arjax.protocol import Cond, CondSpec, Model, NetCapabilities, init
from arjax.training import Adam, AdamW, Likelihood, Mesh
from arjax.training.mesh import check_batch, place_batch, replicated
from arjax.training.state import init_state, train_step

MODEL = Model(MADE(hidden=(12,)), Bernoulli(), (2, 3))
KEY, BITS = jax.random.key(0), Levels(2)
X = np.random.default_rng(0).integers(0, 2, (16, 2, 3)).astype(np.uint8)


def run(model=MODEL, values=BITS, optimizer=None, batches=({"x": X},) * 5, devices=1, donate=True, **options):
    """The states before and after every batch."""
    mesh = Mesh(devices).build()
    optimizer = Adam(learning_rate=0.01).build(100, NetCapabilities()) if optimizer is None else optimizer
    experiment = fitting(model, values, optimizer, batch_size=16, **options)
    update = functools.partial(train_step, experiment)
    update = jax.jit(update, out_shardings=replicated(mesh), donate_argnums=0 if donate else ())
    state = jax.jit(functools.partial(init_state, experiment), out_shardings=replicated(mesh))(KEY)
    states, metrics = [jax.device_get(state)], []
    for batch in batches:
        state, of_step = update(state, place_batch(batch, mesh), KEY)
        states.append(jax.device_get(state))
        metrics.append(jax.device_get(of_step))
    return states, metrics


def test_train_step_fits_a_histogram_as_well_with_weight_decay_as_without():
    """A logit that decays draws its probability to a half, and these bits, which need 0.757 nats, cost 0.906."""
    probs = np.array([0.99, 0.5, 0.999, 0.0])
    x = (np.random.default_rng(0).random((1000, 32, 4)) < probs).astype(np.uint8)
    model, optimizer = Model(Histogram(), Bernoulli(), (4,)), AdamW(0.05, weight_decay=0.2)
    experiment = fitting(model, BITS, optimizer=optimizer, steps=1000, ema=0.0)
    state, _ = jax.jit(lambda state: jax.lax.scan(lambda state, x: train_step(experiment, state, {"x": x}, KEY), state, x))(
        init_state(experiment, KEY)
    )
    theta = np.asarray(state.params["theta"], np.float64)[:, 0]
    nats = float((probs * np.logaddexp(0, -theta) + (1 - probs) * np.logaddexp(0, theta)).sum())
    assert -scipy.special.xlogy(probs, probs).sum() - scipy.special.xlogy(1 - probs, 1 - probs).sum() <= nats < 0.77


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: Mesh(0), "Mesh(data=0)"),
        (lambda: Mesh(9).build(), "more devices than there are (8)"),
        (lambda: check_batch(12, 1, Mesh(8).build()), "batch_size=12 is not divisible by 8 devices; choose 16"),
        (lambda: check_batch(8, 3, Mesh(2).build()), "2 devices times accumulate=3; choose 12"),
    ],
)
def test_meshes_name_a_wrong_setting_with_its_value(make, part):
    with pytest.raises(ValueError, match=re.escape(part)) as error:
        make()
    assert "\n" not in str(error.value)


def test_train_step_accumulates_the_gradients_of_the_whole_batch():
    sgd = optax.sgd(0.1)
    whole, parts = (run(optimizer=sgd, accumulate=accumulate)[0][-1].params for accumulate in (1, 4))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), whole, parts)


def test_train_step_goes_against_the_gradient_of_the_mean_loss():
    (before, after), (metrics,) = run(optimizer=optax.sgd(0.1), batches=[{"x": X}])
    loss, grads = jax.value_and_grad(lambda params: -log_prob(MODEL, params, X).mean())(before.params)
    expected = jax.tree.map(lambda param, grad: param - 0.1 * grad, before.params, grads)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), after.params, expected)
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-6)
    np.testing.assert_allclose(metrics["grad_norm"], np.sqrt(sum((g**2).sum() for g in jax.tree.leaves(grads))), rtol=1e-5)


def test_train_step_averages_the_parameters_with_a_growing_decay():
    states, _ = run(ema=0.25)
    average = states[0].params["w0"]
    for step, state in enumerate(states[1:]):
        decay = min(0.25, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * state.params["w0"]
        np.testing.assert_allclose(state.ema["w0"], average, rtol=1e-5, atol=1e-7)


def test_train_step_without_averaging_keeps_the_parameters():
    state = run(ema=0.0)[0][-1]
    jax.tree.map(np.testing.assert_array_equal, state.ema, state.params)


def test_init_state_shares_no_memory_between_parameters_and_average():
    state = jax.jit(functools.partial(init_state, fitting(MODEL, BITS)))(KEY)
    pointers = [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves((state.params, state.ema))]
    assert len(set(pointers)) == len(pointers)


def test_train_step_on_eight_devices_is_that_of_one():
    one, eight = (run(devices=devices)[0][-1] for devices in (1, 8))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), one.params, eight.params)


def test_train_step_depends_on_the_state_alone_and_not_on_how_it_came_about():
    model = Model(MADE(hidden=(12,), dropout=0.5), Bernoulli(), (2, 3), AnyOrder(), CondSpec(members=4))
    states, _ = run(model)
    experiment = fitting(model, BITS, Adam(learning_rate=0.01).build(100, NetCapabilities()))
    again, _ = jax.jit(functools.partial(train_step, experiment))(states[3], {"x": X}, KEY)
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(again), states[4])


def test_train_step_learns():
    _, metrics = run(batches=[{"x": X}] * 60, optimizer=Adam(learning_rate=0.03).build(60, NetCapabilities()))
    assert metrics[-1]["loss"] < 0.8 * metrics[0]["loss"]


def loss(model, key, batch, values=BITS):
    experiment = fitting(model, values)
    params, state = experiment.task.init(experiment, KEY)
    return float(experiment.task.loss(experiment, params, state, batch, key)[0])


def test_likelihood_draws_a_new_order_every_minibatch():
    model = Model(MADE(hidden=(12,)), Bernoulli(), (2, 3), AnyOrder())
    params = init(model, KEY)
    possible = [-log_prob(model, params, X, order=np.array(order, np.int32)).mean() for order in itertools.permutations(range(6))]
    losses = [loss(model, jax.random.key(i), {"x": X}) for i in range(4)]
    assert len({round(value, 5) for value in losses}) > 1
    for value in losses:
        assert np.abs(np.array(possible) - value).min() < 1e-5


def test_likelihood_trains_each_member_in_its_turn():
    model = Model(MADE(hidden=(12,), degrees="random"), Bernoulli(), (2, 3), cond=CondSpec(members=3))
    params = init(model, KEY)
    each = np.array([-log_prob(model, params, X, cond=Cond(member=jnp.int32(m))).mean() for m in range(3)])
    losses = [loss(model, jax.random.key(i), {"x": X}) for i in range(30)]
    nearest = {int(np.abs(each - value).argmin()) for value in losses}
    assert nearest == {0, 1, 2}
    assert max(np.abs(each - value).min() for value in losses) < 1e-5


def test_likelihood_gives_labels_to_a_model_of_classes():
    model = Model(MADE(hidden=(12,)), Bernoulli(), (2, 3), cond=CondSpec(classes=3))
    label = np.arange(16, dtype=np.int32) % 3
    params = jax.tree.map(lambda leaf: leaf + 0.1 * jax.random.normal(KEY, leaf.shape), init(model, KEY))
    given = Likelihood().loss(fitting(model, BITS), params, (), {"x": X, "label": jnp.asarray(label)}, KEY)[0]
    np.testing.assert_allclose(given, -log_prob(model, params, X, cond=Cond(jnp.asarray(label))).mean(), rtol=1e-6)


def test_likelihood_draws_values_and_dropout_anew_with_every_key():
    grey = {"x": np.full((16, 2, 3), 128, np.uint8)}
    assert loss(MODEL, jax.random.key(1), grey, Dynamic()) != loss(MODEL, jax.random.key(2), grey, Dynamic())
    dropping = Model(MADE(hidden=(12,), dropout=0.5), Bernoulli(), (2, 3))
    assert loss(dropping, jax.random.key(1), {"x": X}) != loss(dropping, jax.random.key(2), {"x": X})
