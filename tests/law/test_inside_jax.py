"""Everything public works inside a caller's transformations: each probe is held against the same call outside of it.

What needs several devices is in test_on_devices.py, whole algorithms of users in test_users_loops.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import arjax
from arjax import Cond, CondSpec, Model
from arjax.heads import Categorical, MixtureOfGaussians
from arjax.models import MADE, RNN, Transformer
from arjax.orders import AnyOrder
from arjax.sampling import MinP, Temperature, TopP, fixed_point, generate, naive
from arjax.testing import lively_params

pytestmark = pytest.mark.contract
ANY = Model(MADE(hidden=(4,)), Categorical(3), (3,), AnyOrder())
EACH = Model(Transformer(4, 1, 1, any_order=True), Categorical(3), (3,), AnyOrder())  # an order for each example
TOLD = Model(RNN(width=4), Categorical(3), (3,), cond=CondSpec(classes=2, local=2))  # one order, and conditions
TEXT = Model(Transformer(4, 1, 1), Categorical(3), (6,))
REAL = Model(MADE(hidden=(4,), activation="tanh"), MixtureOfGaussians(2), (3,))

KEY = jax.random.key(0)
KEYS = jax.random.split(jax.random.key(1), 3)
P = {model: lively_params(model, KEY) for model in (ANY, EACH, TOLD, TEXT, REAL)}
SEVERAL = jax.tree.map(lambda leaf: jnp.stack([leaf, -leaf, 2 * leaf]), P[ANY])  # three networks
X = np.array([[0, 2, 1], [1, 1, 0]])
ORDERS = np.array([[0, 1, 2], [2, 0, 1], [1, 2, 0]], np.int32)
HOLES = np.array([[False, True, False], [True, False, True]])
PREFIXES = np.array([[True, False, False], [True, True, False]])
COND = Cond(label=jnp.array([1, 0]), local=jnp.linspace(-1, 1, 12).reshape(2, 3, 2))
PROMPTS = np.array([[0, 2], [1, 1]])


def log_prob(params, x=X, **given):
    return arjax.log_prob(ANY, params, x, **given)


def told(cond, params=P[TOLD]):
    return arjax.log_prob(TOLD, params, X, cond=cond)


def draw(key=KEY, params=P[ANY], model=ANY, sampler=arjax.sample, **given):
    drawn = sampler(model, params, key, 2, **given)
    return drawn[0] if sampler is fixed_point else drawn


def told_draw(cond):
    return draw(KEY, P[TOLD], TOLD, cond=cond)


def decoded_by(transform, key=KEY):
    return draw(key, transforms=(transform,))


def completed(mask, key=KEY, model=ANY, sampler=arjax.sample):
    return draw(key, P[model], model, sampler, observed=X, mask=mask, **({"cond": COND} if model is TOLD else {}))


def hidden(mask, model=ANY):
    cond = {"cond": COND} if model is TOLD else {}
    return arjax.conditional_log_prob(model, P[model], X, mask, **cond)


def continued(prompts, key=KEY, **given):
    return tuple(generate(TEXT, P[TEXT], key, prompts, tokens=3, **given))


def loss(params, x=X):
    return -log_prob(params, x).mean()


def slope(function, at, by=1e-2):
    """The derivative by each number of `at`, by central differences."""
    leaves, structure = jax.tree.flatten(jax.tree.map(np.asarray, at))

    def moved(i, index, step):
        leaf = leaves[i].copy()
        leaf[index] += step
        return float(function(jax.tree.unflatten(structure, [*leaves[:i], leaf, *leaves[i + 1 :]])))

    def rise(i, index):
        return (moved(i, index, by) - moved(i, index, -by)) / (2 * by)

    slopes = [np.array([rise(i, index) for index in np.ndindex(x.shape)]).reshape(x.shape) for i, x in enumerate(leaves)]
    return jax.tree.unflatten(structure, slopes)


def several(function, *stacks):
    """What vmap computes, one by one."""
    return jax.tree.map(lambda *parts: np.stack(parts), *(function(*each) for each in zip(*map(apart, stacks), strict=True)))


def apart(stack):
    return [jax.tree.map(lambda leaf, i=i: leaf[i], stack) for i in range(3)]


def descend(params, x):
    value, gradient = jax.value_and_grad(loss)(params, x)
    return jax.tree.map(lambda leaf, slope: leaf - 0.1 * slope, params, gradient), value


BATCHES = np.stack([X, X[::-1], 2 - X])


def descended(params):
    values = []
    for x in BATCHES:
        params, value = descend(params, x)
        values.append(value)
    return params, np.stack(values)


# What stands in a trace, and what it must equal.
PROBES = {
    "jit: init draws from a traced key": (
        lambda: jax.jit(lambda key: arjax.init(ANY, key))(KEY),
        lambda: arjax.init(ANY, KEY),
    ),
    "jit: log_prob scores traced data under traced parameters": (lambda: jax.jit(log_prob)(P[ANY], X), lambda: log_prob(P[ANY])),
    "jit: log_prob takes a traced order": (
        lambda: jax.jit(lambda order: log_prob(P[ANY], order=order))(ORDERS[1]),
        lambda: log_prob(P[ANY], order=ORDERS[1]),
    ),
    "jit: log_prob takes a traced order of each example": (
        lambda: jax.jit(lambda order: arjax.log_prob(EACH, P[EACH], X, order=order))(ORDERS[:2]),
        lambda: arjax.log_prob(EACH, P[EACH], X, order=ORDERS[:2]),
    ),
    "jit: log_prob takes traced labels and features": (lambda: jax.jit(told)(COND), lambda: told(COND)),
    "jit: log_prob takes what counts traced": (
        lambda: jax.jit(lambda counted: log_prob(P[ANY], counted=counted))(HOLES),
        lambda: log_prob(P[ANY], counted=HOLES),
    ),
    "jit: log_probs scores traced data site by site": (
        lambda: jax.jit(lambda x: arjax.log_probs(ANY, P[ANY], x))(X),
        lambda: arjax.log_probs(ANY, P[ANY], X),
    ),
    "jit: theta takes traced data and a traced order": (
        lambda: jax.jit(lambda x, order: arjax.theta(ANY, P[ANY], x, order=order))(X, ORDERS[2]),
        lambda: arjax.theta(ANY, P[ANY], X, order=ORDERS[2]),
    ),
    "jit: ensemble_log_prob takes traced orders": (
        lambda: jax.jit(lambda orders: arjax.ensemble_log_prob(ANY, P[ANY], X, orders))(ORDERS),
        lambda: arjax.ensemble_log_prob(ANY, P[ANY], X, ORDERS),
    ),
    "jit: conditional_log_prob rearranges the order by a traced mask": (
        lambda: jax.jit(hidden)(HOLES[0]),
        lambda: hidden(HOLES[0]),
    ),
    "jit: conditional_log_prob takes traced masks of their own": (
        lambda: jax.jit(lambda mask: hidden(mask, EACH))(HOLES),
        lambda: hidden(HOLES, EACH),
    ),
    "jit: conditional_log_prob of one order takes a traced prefix": (
        lambda: jax.jit(lambda mask: hidden(mask, TOLD))(PREFIXES),
        lambda: hidden(PREFIXES, TOLD),
    ),
    "jit: sample draws from a traced key and traced parameters": (lambda: jax.jit(draw)(KEY, P[ANY]), draw),
    "jit: sample takes traced labels and features": (lambda: jax.jit(told_draw)(COND), lambda: told_draw(COND)),
    "jit: sample rearranges the order by a traced mask": (lambda: jax.jit(completed)(HOLES[0]), lambda: completed(HOLES[0])),
    "jit: sample takes traced masks of their own": (
        lambda: jax.jit(lambda mask: completed(mask, model=EACH))(HOLES),
        lambda: completed(HOLES, model=EACH),
    ),
    "jit: sample of one order takes a traced prefix": (
        lambda: jax.jit(lambda mask: completed(mask, model=TOLD))(PREFIXES),
        lambda: completed(PREFIXES, model=TOLD),
    ),
    "jit: naive takes a traced mask": (
        lambda: jax.jit(lambda mask: completed(mask, sampler=naive))(HOLES[1]),
        lambda: completed(HOLES[1]),
    ),
    "jit: fixed_point takes a traced mask": (
        lambda: jax.jit(lambda mask: completed(mask, sampler=fixed_point))(HOLES[1]),
        lambda: completed(HOLES[1]),
    ),
    "jit: sample takes a traced temperature": (
        lambda: jax.jit(lambda value: decoded_by(Temperature(value)))(0.3),
        lambda: decoded_by(Temperature(0.3)),
    ),
    "jit: sample takes a traced top-p": (lambda: jax.jit(lambda p: decoded_by(TopP(p)))(0.5), lambda: decoded_by(TopP(0.5))),
    "jit: sample takes a traced min-p": (lambda: jax.jit(lambda p: decoded_by(MinP(p)))(0.9), lambda: decoded_by(MinP(0.9))),
    "jit: generate continues traced prompts": (lambda: jax.jit(continued)(PROMPTS), lambda: continued(list(PROMPTS))),
    "jit: generate takes traced lengths": (
        lambda: jax.jit(lambda lengths: continued(PROMPTS, lengths=lengths))(np.array([2, 1])),
        lambda: continued([PROMPTS[0], PROMPTS[1, :1]]),
    ),
    "vmap: sample maps over keys": (lambda: jax.vmap(draw)(KEYS), lambda: several(draw, KEYS)),
    "vmap: log_prob maps over networks": (lambda: jax.vmap(log_prob)(SEVERAL), lambda: several(log_prob, SEVERAL)),
    "vmap: sample maps over networks": (
        lambda: jax.vmap(lambda params: draw(KEY, params))(SEVERAL),
        lambda: several(lambda params: draw(KEY, params), SEVERAL),
    ),
    "vmap: sample maps over conditions": (
        lambda: jax.vmap(told_draw)(jax.tree.map(lambda leaf: jnp.stack([leaf, leaf[::-1], leaf]), COND)),
        lambda: np.stack([told_draw(COND), told_draw(jax.tree.map(lambda leaf: leaf[::-1], COND)), told_draw(COND)]),
    ),
    "vmap: sample maps over temperatures": (
        lambda: jax.vmap(lambda value: decoded_by(Temperature(value)))(jnp.array([0.1, 1, 3])),
        lambda: np.stack([decoded_by(Temperature(value)) for value in (0.1, 1.0, 3.0)]),
    ),
    "vmap: conditional_log_prob maps over masks": (
        lambda: jax.vmap(hidden)(np.stack([*HOLES, ~HOLES[0]])),
        lambda: several(hidden, np.stack([*HOLES, ~HOLES[0]])),
    ),
    "vmap: fixed_point maps over keys": (
        lambda: jax.vmap(lambda key: draw(key, sampler=fixed_point))(KEYS),
        lambda: several(draw, KEYS),
    ),
    "vmap: generate maps over keys": (
        lambda: jax.vmap(lambda key: continued(PROMPTS, key))(KEYS),
        lambda: several(lambda key: continued(PROMPTS, key), KEYS),
    ),
    "grad: log_prob by the parameters": (lambda: jax.jit(jax.grad(loss))(P[ANY]), lambda: slope(jax.jit(loss), P[ANY])),
    "grad: log_prob by a condition's features": (
        lambda: jax.grad(lambda local: told(COND.replace(local=local)).sum())(COND.local),
        lambda: slope(jax.jit(lambda local: told(COND.replace(local=local)).sum()), COND.local),
    ),
    "grad: log_prob by real data": (
        lambda: jax.grad(lambda x: arjax.log_prob(REAL, P[REAL], x).sum())(X / 2),
        lambda: slope(jax.jit(lambda x: arjax.log_prob(REAL, P[REAL], x).sum()), np.float32(X / 2)),
    ),
    "grad: one for each example": (
        lambda: jax.vmap(lambda x: jax.grad(loss)(P[ANY], x[None]))(X),
        lambda: jax.tree.map(lambda *parts: np.stack(parts), *(jax.jit(jax.grad(loss))(P[ANY], x[None]) for x in X)),
    ),
    "remat: log_prob computed again has the same gradient": (
        lambda: jax.jit(jax.grad(jax.checkpoint(loss)))(P[ANY]),
        lambda: jax.jit(jax.grad(loss))(P[ANY]),
    ),
    "scan: training steps": (lambda: jax.lax.scan(descend, P[ANY], BATCHES), lambda: descended(P[ANY])),
    "scan: samples of several keys": (
        lambda: jax.lax.scan(lambda carry, key: (carry, draw(key)), 0, KEYS)[1],
        lambda: several(draw, KEYS),
    ),
    "cond: log_prob in one branch and sample in the other": (
        lambda: jax.jit(lambda yes: jax.lax.cond(yes, lambda: log_prob(P[ANY], draw()), lambda: jnp.zeros(2)))(True),
        lambda: log_prob(P[ANY], draw()),
    ),
}


# What compiles long, or is nearly the same as another probe.
SLOW = {
    "jit: ensemble_log_prob takes traced orders",
    "jit: log_prob takes a traced order of each example",
    "jit: naive takes a traced mask",
    "jit: sample takes a traced min-p",
    "jit: generate takes traced lengths",
    "vmap: sample maps over conditions",
    "vmap: sample maps over temperatures",
    "vmap: fixed_point maps over keys",
    "vmap: generate maps over keys",
    "grad: log_prob by a condition's features",
    "grad: log_prob by real data",
    "scan: samples of several keys",
    "cond: log_prob in one branch and sample in the other",
}


@pytest.mark.parametrize("probe", [pytest.param(probe, marks=[pytest.mark.slow] * (probe in SLOW)) for probe in PROBES])
def test_everything_public_computes_inside_a_transformation_what_it_does_outside(probe):
    found, expected = (call() for call in PROBES[probe])
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        exact = jnp.issubdtype(jnp.result_type(other), jnp.integer)
        np.testing.assert_allclose(one, other, **({"rtol": 0, "atol": 0} if exact else {"rtol": 2e-3, "atol": 2e-4}))


def test_there_are_forty_probes():
    assert len(PROBES) == 40
    assert PROBES.keys() > SLOW
