"""Two whole algorithms of a user's own, each step one jitted function: sample, score, gradient, update. Copy them.

    REINFORCE      grad E_p[r(x)] = E_p[(r(x) - b) grad log p(x)]                                            (Williams 1992)
    free energy    -log Z <= F = E_q[beta E(x) + log q(x)],  grad F = E_q[(beta E + log q - b) grad log q]
                   of an Ising model                                                    (Wu, Wang, Zhang 2019; as in NetKet)

b is each example's mean over the others of its batch, which leaves the expectation as it is. The oracles enumerate.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import arjax
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.testing import enumerate_space, lively_params

MODEL = arjax.Model(MADE(hidden=(24,), direct=True), Bernoulli(), (2, 3))
KEY, SPACE = jax.random.key(0), enumerate_space(MODEL)
BETA = 0.4
OPTIMIZER = optax.adam(2e-2)


def reward(x):
    """[B, 2, 3] -> [B]: how many neighbours in a row differ, and one more where the corner is set."""
    return jnp.abs(x[:, :, 1:] - x[:, :, :-1]).sum(axis=(1, 2)) + x[:, 0, 0]


def energy(x):
    """[B, 2, 3] -> [B]: of spins +-1 on an open lattice in a field."""
    spins = 2.0 * x - 1
    bonds = (spins[:, 1:] * spins[:, :-1]).sum(axis=(1, 2)) + (spins[:, :, 1:] * spins[:, :, :-1]).sum(axis=(1, 2))
    return -bonds - 0.3 * spins.sum(axis=(1, 2))


def score_gradient(params, x, worth):
    """The gradient of mean(worth) by the parameters that x was drawn under: worth minus its baseline is a constant in it."""
    baseline = (worth.sum() - worth) / (len(worth) - 1)
    weight = jax.lax.stop_gradient(worth - baseline)
    return jax.grad(lambda params: (weight * arjax.log_prob(MODEL, params, x)).mean())(params)


@functools.partial(jax.jit, static_argnames="batch")
def reinforce_step(params, opt_state, key, batch):
    """One step up the expected reward: (params, opt_state, the gradient, the mean reward)."""
    x = arjax.sample(MODEL, params, key, batch)
    gradient = score_gradient(params, x, reward(x).astype(jnp.float32))
    updates, opt_state = OPTIMIZER.update(jax.tree.map(jnp.negative, gradient), opt_state)
    return optax.apply_updates(params, updates), opt_state, gradient, reward(x).mean()


@functools.partial(jax.jit, static_argnames="batch")
def free_energy_step(params, opt_state, key, batch):
    """One step down the variational free energy: (params, opt_state, the gradient, the estimate of F in nats)."""
    x = arjax.sample(MODEL, params, key, batch)
    worth = BETA * energy(x) + arjax.log_prob(MODEL, params, x)
    gradient = score_gradient(params, x, worth)
    updates, opt_state = OPTIMIZER.update(gradient, opt_state)
    return optax.apply_updates(params, updates), opt_state, gradient, worth.mean()


@functools.partial(jax.jit, static_argnames=("step", "steps", "batch"))
def train(step, params, key, steps, batch):
    """All steps in one program: (params, what each step estimated)."""

    def body(carry, key):
        *carry, _, value = step(*carry, key, batch)
        return carry, value

    (params, _), values = jax.lax.scan(body, [params, OPTIMIZER.init(params)], jax.random.split(key, steps))
    return params, values


def expected_reward(params):
    return (jnp.exp(arjax.log_prob(MODEL, params, SPACE)) * reward(SPACE)).sum()


def free_energy(params):
    log_q = arjax.log_prob(MODEL, params, SPACE)
    return (jnp.exp(log_q) * (BETA * energy(SPACE) + log_q)).sum()


def standard_errors(params, worth, batch):
    """Of a score gradient, for every parameter, with the mean as its baseline: by enumeration in float64."""
    slopes = jax.jit(jax.vmap(jax.grad(lambda params, x: arjax.log_prob(MODEL, params, x[None])[0]), (None, 0)))(params, SPACE)
    p = np.exp(np.asarray(arjax.log_prob(MODEL, params, SPACE), np.float64))
    excess = np.asarray(worth, np.float64) - (p * np.asarray(worth)).sum()

    def error(slope):
        each = excess.reshape(-1, *[1] * (slope.ndim - 1)) * np.asarray(slope, np.float64)
        mean, square = (np.tensordot(p, part, 1) for part in (each, each**2))
        return np.sqrt(np.maximum(square - mean**2, 0) / batch)

    return jax.tree.map(error, slopes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "exact", "worth"),
    [
        (reinforce_step, expected_reward, lambda params: reward(SPACE)),
        (free_energy_step, free_energy, lambda params: BETA * energy(SPACE) + arjax.log_prob(MODEL, params, SPACE)),
    ],
    ids=["reinforce", "free energy"],
)
def test_gradient_through_log_prob_of_samples_is_the_enumerated_one(step, exact, worth):
    params, batch = lively_params(MODEL, KEY), 20_000
    _, _, gradient, value = step(params, OPTIMIZER.init(params), jax.random.key(1), batch)
    expected, slope = jax.jit(jax.value_and_grad(exact))(params)
    errors = standard_errors(params, worth(params), batch)
    assert abs(value - expected) < 5 * np.std(worth(params)) * 3 / np.sqrt(batch)
    assert optax.tree.norm(slope) > 10 * optax.tree.norm(errors)  # the bound below is no formality
    for found, true, error in zip(*map(jax.tree.leaves, (gradient, slope, errors)), strict=True):
        assert (np.abs(np.asarray(found) - np.asarray(true)) <= 5 * error + 1e-6).all()


@pytest.mark.slow  # 300 and 800 steps
def test_reinforce_finds_the_symbols_of_the_highest_reward():
    params, rewards = train(reinforce_step, lively_params(MODEL, KEY), jax.random.key(2), steps=300, batch=256)
    assert rewards[0] < 3 < 4.7 < expected_reward(params) <= reward(SPACE).max() == 5


@pytest.mark.slow
def test_free_energy_descends_to_that_of_the_ising_model_and_never_below():
    start = lively_params(MODEL, KEY)
    exact = -np.log(np.exp(-BETA * np.asarray(energy(SPACE), np.float64)).sum())
    params, values = train(free_energy_step, start, jax.random.key(3), steps=800, batch=256)
    found = float(free_energy(params))
    assert exact - 1e-4 < found < exact + 0.02 < float(free_energy(start)) - 1
    # At the optimum every sample estimates the same: its spread measures how far away it is.
    assert float(values[-1]) == pytest.approx(exact, abs=0.05)
