"""Every optimizer against its formulas in NumPy, in float64."""

import dataclasses
import functools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from fitting import fitting

from arjax.data import Levels
from arjax.errors import InputError
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.protocol import Model, NetCapabilities
from arjax.runs.checkpoints import open_checkpoints, restore_latest, save
from arjax.training import SGD, Adafactor, Adam, AdamW, Constant, Lion, Mesh, Muon
from arjax.training.state import abstract_state, draw_state, train_step

RATE, DECAY, CLIP = 0.01, 0.1, 2.0
LEVEL = Constant()
NET = NetCapabilities(decays=("w", "v"), gives_theta=("v",))
RNG = np.random.default_rng(0)
# A matrix, what gives theta, a kernel of a convolution, and what does not decay; few shapes are compiled soon.
SHAPES = {"w": (4, 3), "v": (4, 3), "w1": (2, 2, 3), "b": (4,), "table": (4, 3)}
PARAMS = {name: RNG.normal(size=shape) for name, shape in SHAPES.items()}
GRADS = [{name: RNG.normal(size=shape) for name, shape in SHAPES.items()} for _ in range(3)]
DECAYING = ("w", "v", "w1")


def clipped(grads):
    norm = math.sqrt(sum((g**2).sum() for g in grads.values()))
    assert norm > CLIP
    return {name: g * CLIP / norm for name, g in grads.items()}


def adam(grads, b1=0.9, b2=0.999):
    """Of the gradients [t] of one array, the direction of the last update."""
    m = sum((1 - b1) * b1 ** (len(grads) - 1 - t) * g for t, g in enumerate(grads)) / (1 - b1 ** len(grads))
    v = sum((1 - b2) * b2 ** (len(grads) - 1 - t) * g**2 for t, g in enumerate(grads)) / (1 - b2 ** len(grads))
    return m / (np.sqrt(v) + 1e-8)


def momentum(grads, decay=0.9, nesterov=False):
    trace = sum(decay ** (len(grads) - 1 - t) * g for t, g in enumerate(grads))
    return grads[-1] + decay * trace if nesterov else trace


def lion(grads, b1=0.9, b2=0.99):
    before = sum(((1 - b2) * b2 ** (len(grads) - 2 - t) * g for t, g in enumerate(grads[:-1])), np.zeros_like(grads[0]))
    return np.sign(b1 * before + (1 - b1) * grads[-1])


def adafactor(grads):
    """Unfactored, as these arrays are small."""
    v = 0.0
    for t, g in enumerate(grads, 1):
        v = (1 - t**-0.8) * v + t**-0.8 * (g**2 + 1e-30)
    update = grads[-1] / np.sqrt(v)
    return update / max(1.0, np.sqrt(np.mean(update**2)))


def orthogonal(grads, decay=0.95):
    """The mean of gradients, looked ahead, as a matrix of inputs and outputs whose singular values go towards one."""
    count = len(grads)
    m = sum((1 - decay) * decay ** (count - 1 - t) * g for t, g in enumerate(grads))
    m = decay * m / (1 - decay ** (count + 1)) + (1 - decay) * grads[-1] / (1 - decay**count)
    x = m.reshape(-1, m.shape[-1])
    left, values, right = np.linalg.svd(x, full_matrices=False)
    values = values / np.linalg.norm(values)
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return 0.2 * math.sqrt(max(x.shape)) * ((left * values) @ right).reshape(m.shape)


def muon(name, grads):
    return orthogonal(grads) if name in ("w", "w1") else adam_nesterov(grads)


def adam_nesterov(grads, b1=0.9, b2=0.999):
    """optax.contrib.muon's Adam looks ahead, too."""
    count = len(grads)
    m = sum((1 - b1) * b1 ** (count - 1 - t) * g for t, g in enumerate(grads))
    m = b1 * m / (1 - b1 ** (count + 1)) + (1 - b1) * grads[-1] / (1 - b1**count)
    v = sum((1 - b2) * b2 ** (count - 1 - t) * g**2 for t, g in enumerate(grads)) / (1 - b2**count)
    return m / (np.sqrt(v) + 1e-8)


# Of each optimizer: its direction by name and gradients until then, and what it takes of decaying parameters.
TABLE = [
    (Adam(RATE, LEVEL, clip=CLIP), lambda name, grads: adam(grads), 0.0),
    (AdamW(RATE, LEVEL, DECAY, clip=CLIP), lambda name, grads: adam(grads), DECAY),
    (SGD(RATE, LEVEL, 0.0, clip=CLIP), lambda name, grads: grads[-1], 0.0),
    (SGD(RATE, LEVEL, clip=CLIP), lambda name, grads: momentum(grads), 0.0),
    (SGD(RATE, LEVEL, nesterov=True, clip=CLIP), lambda name, grads: momentum(grads, nesterov=True), 0.0),
    (Lion(RATE, LEVEL, DECAY, clip=CLIP), lambda name, grads: lion(grads), DECAY),
    (Adafactor(RATE, LEVEL, clip=CLIP), lambda name, grads: adafactor(grads), 0.0),
    (Muon(RATE, LEVEL, DECAY, clip=CLIP), muon, DECAY),
]


def name_of(optimizer):
    return type(optimizer).__name__


def steps_of(optimizer, net=NET):
    """The parameters after each of the gradients."""
    params, transformation = jax.tree.map(jnp.float32, PARAMS), optimizer.build(10, net)
    state, seen = transformation.init(params), []
    for grads in GRADS:
        updates, state = transformation.update(jax.tree.map(jnp.float32, grads), state, params)
        params = optax.apply_updates(params, updates)
        seen.append(params)
    return seen


@pytest.mark.parametrize(("optimizer", "direction", "decay"), TABLE, ids=name_of)
def test_build_steps_as_the_formulas_say(optimizer, direction, decay):
    params = PARAMS
    for t, found in enumerate(steps_of(optimizer), 1):
        moves = {name: direction(name, [clipped(grads)[name] for grads in GRADS[:t]]) for name in SHAPES}
        taken = {name: decay * params[name] * (name in DECAYING) for name in SHAPES}
        params = {name: params[name] - RATE * (moves[name] + taken[name]) for name in SHAPES}
        for name in SHAPES:
            np.testing.assert_allclose(found[name], params[name], rtol=2e-5, atol=2e-6, err_msg=f"{name} at {t}")


@pytest.mark.parametrize("optimizer", [AdamW(), Lion(), Muon()], ids=name_of)
def test_build_says_that_decay_reaches_no_parameter_unless_none_is_declared_or_there_is_no_decay(optimizer):
    none = NetCapabilities(decays=("kernel", "u"))
    with pytest.raises(InputError, match=r"weight_decay=[0-9.]+ reaches no parameter: none is named kernel or u; declare"):
        optimizer.build(10, none).init(PARAMS)
    optimizer.build(10, NetCapabilities(decays=())).init(PARAMS)
    dataclasses.replace(optimizer, weight_decay=0.0).build(10, none).init(PARAMS)


@pytest.mark.parametrize(
    "optimizer",
    [
        Muon(0.03),
        *(
            pytest.param(optimizer, marks=pytest.mark.slow)
            for optimizer in (Adam(0.03), AdamW(0.03), SGD(0.3, nesterov=True), Lion(0.03), Adafactor(0.03, momentum=0.9))
        ),
    ],
    ids=name_of,
)
def test_train_step_learns_with_every_optimizer_and_goes_on_from_its_checkpoint(optimizer, tmp_path):
    model = Model(MADE(hidden=(12,)), Bernoulli(), (2, 3))
    x = np.random.default_rng(0).integers(0, 2, (16, 2, 3)).astype(np.uint8)
    experiment = fitting(model, Levels(2), optimizer=optimizer, steps=60)
    key, update = jax.random.key(0), jax.jit(functools.partial(train_step, experiment))
    state, losses = draw_state(experiment, abstract_state(experiment, Mesh(1).build()), key), []
    for step in range(60):
        if step == 59:
            with open_checkpoints(tmp_path) as checkpoints:
                save(checkpoints, step, state, 1.0)
        state, metrics = update(state, {"x": x}, key)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.9 * losses[0]
    saved = restore_latest(tmp_path, abstract_state(experiment, Mesh(1).build()))
    assert saved.step == 59
    jax.tree.map(np.testing.assert_array_equal, update(saved.state, {"x": x}, key)[0], state)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: Adam(learning_rate=0), "learning_rate=0 must be positive"),
        (lambda: Muon(learning_rate=float("nan")), "learning_rate=nan"),
        (lambda: AdamW(weight_decay=-1), "weight_decay=-1"),
        (lambda: Lion(weight_decay=math.inf), "weight_decay=inf"),
        (lambda: Adam(b2=1.0), "b2=1.0"),
        (lambda: SGD(momentum=1.5), "momentum=1.5"),
        (lambda: Adafactor(decay_power=0.0), "decay_power=0.0"),
        (lambda: Adam(clip=0.0), "clip=0.0"),
    ],
)
def test_optimizers_name_a_wrong_setting_with_its_value(make, part):
    with pytest.raises(ValueError, match=re.escape(part)) as error:
        make()
    assert "\n" not in str(error.value)
