"""The fixed point: the ancestral samples, from any start, in at most T evaluations."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from history import Copies, History

import arjax
from arjax import Cond, CondSpec, Model
from arjax.heads import (
    Bernoulli,
    Categorical,
    CoupledDiscretizedMixtureOfLogistics,
    MixtureOfLogistics,
)
from arjax.models import MADE
from arjax.orders import AnyOrder, Spiral
from arjax.sampling import Temperature, TopK, ancestral, fixed_point
from arjax.testing import lively_params

KEY = jax.random.key(0)


MODELS = {
    "bits, an order": Model(MADE(hidden=(12,)), Bernoulli(), (2, 3), Spiral()),
    "values, labels": Model(MADE(hidden=(12,)), CoupledDiscretizedMixtureOfLogistics(3, 2), (2, 2), cond=CondSpec(classes=3)),
}


@functools.cache
def params_of(model):
    return lively_params(model, KEY)


class Contrary(nn.Module):
    """Breaks the law: every site wants what the last one is not."""

    spec: Any = None

    @nn.compact
    def __call__(self, x, order, cond=None, *, key=None):
        scale = self.param("scale", nn.initializers.constant(100.0), ())
        return jnp.broadcast_to(scale * (1 - 2.0 * x[:, -1:, None]), (*x.shape, 1))


def evaluations(net, batch=2, **arguments):
    model = Model(net, Bernoulli(), (9,))
    return int(fixed_point(model, arjax.init(model, KEY), KEY, batch, **arguments)[1])


# The samples


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_fixed_point_draws_the_ancestral_samples_from_any_start(model):
    batch = 5
    cond = None if model.cond.classes is None else Cond(label=np.arange(batch) % model.cond.classes)
    expected = ancestral(model, params_of(model), KEY, batch, cond=cond)
    shape = (*model.site_shape, *model.head.event_shape)
    guess = np.random.default_rng(0).integers(0, model.head.vocab, (batch, *shape))
    for arguments in ({}, {"start": guess}, {"start": guess[0]}):
        x, count = fixed_point(model, params_of(model), KEY, batch, cond=cond, **arguments)
        np.testing.assert_array_equal(x, expected, err_msg=str(arguments))
        assert x.dtype == expected.dtype
        assert 1 <= int(count) <= model.num_sites


ANY, OWN = (
    Model(MADE(hidden=(12,)), Categorical(4), (2, 4), AnyOrder()),
    Model(History(any_order=True), Categorical(3), (5,), AnyOrder()),
)
COMPLETIONS = {
    "an order, a mask and transforms": (
        ANY,
        {
            "order": np.random.default_rng(1).permutation(8),
            "observed": np.random.default_rng(0).integers(0, 4, (3, 2, 4)),
            "mask": np.array([[False, True, False, False], [True, False, False, True]]),
            "transforms": (Temperature(0.7), TopK(3)),
        },
    ),
    "an order and a mask for each example": (
        OWN,
        {
            "observed": np.array([[2, 1, 0, 1, 2]]),
            "mask": np.array([[1, 0, 1, 0, 1], [0, 1, 0, 0, 0], [1, 1, 1, 0, 0]], bool),
        },
    ),
}


@pytest.mark.parametrize(("model", "given"), COMPLETIONS.values(), ids=COMPLETIONS.keys())
def test_fixed_point_completes_as_ancestral_does_from_any_start(model, given):
    expected = ancestral(model, params_of(model), KEY, 3, **given)
    mask = np.broadcast_to(given["mask"], expected.shape)
    observed = np.broadcast_to(given["observed"], expected.shape)
    for arguments in ({}, {"start": model.head.vocab - 1 - observed}):
        x, count = fixed_point(model, params_of(model), KEY, 3, **given, **arguments)
        np.testing.assert_array_equal(x, expected, err_msg=str(arguments))
        np.testing.assert_array_equal(np.asarray(x)[mask], observed[mask])
        assert int(count) <= model.num_sites - mask.reshape(3, -1).sum(axis=1).min()


def test_fixed_point_of_real_values_is_ancestral_but_for_rounding():
    model = Model(MADE(hidden=(12,)), MixtureOfLogistics(2), (5,))
    start = np.full(5, 3.0, np.float32)
    x, count = fixed_point(model, params_of(model), KEY, 4, start=start)
    np.testing.assert_allclose(x, ancestral(model, params_of(model), KEY, 4), rtol=1e-4, atol=1e-4)
    assert int(count) <= 5


def test_fixed_point_takes_a_traced_start_even_outside_the_support():
    model = Model(MADE(hidden=(12,), embedding=2), Categorical(4), (5,))
    jitted = jax.jit(lambda start: fixed_point(model, params_of(model), KEY, 3, start=start)[0])
    expected = ancestral(model, params_of(model), KEY, 3)
    for start in (np.zeros((3, 5), np.int32), np.full((3, 5), 10**9, np.int32), np.full((3, 5), -7, np.int32)):
        np.testing.assert_array_equal(jitted(start), expected)


# The evaluations


SITES, ONES = np.arange(9), np.ones((1, 9), int)
EVALUATIONS = {
    "a chain of copies: one for every site": (Copies(), {}, 9),
    "a guess saves what it gets right": (Copies(), {"start": np.array([1, 1, 1, 0, 0, 0, 0, 0, 0])}, 9 - 3),
    "in the row that it helps least": (Copies(), {"start": np.array([[1] * 9, [1, 1, 0, 0, 0, 0, 0, 0, 0]])}, 9 - 2),
    "and nothing where its first is wrong": (Copies(), {"start": np.array([0, 1, 1, 1, 1, 1, 1, 1, 1])}, 9),
    "a right one is confirmed at once": (Copies(), {"start": np.ones(9, int)}, 1),
    "observed sites need none": (Copies(), {"observed": ONES, "mask": SITES < 4}, 9 - 4),
    "that every row observes": (Copies(), {"observed": ONES, "mask": np.stack([SITES < 4, SITES < 2])}, 9 - 2),
    "all observed": (Copies(), {"observed": ONES, "mask": SITES < 9}, 0),
    # Sites 0 to 2 are right after the first, 3 to 5 after the second, 6 to 8 after the third; each confirms those before it.
    "copies from far back: one for every copy in a row": (Copies(back=3), {}, 3 + 1),
    "two copies behind every coin": (Copies(period=3), {"batch": 64}, 3 + 1),
    "a net that breaks the law ends after as many as sites": (Contrary(), {}, 9),
}


@pytest.mark.parametrize(("net", "arguments", "expected"), EVALUATIONS.values(), ids=EVALUATIONS.keys())
def test_fixed_point_takes_as_many_evaluations_as(net, arguments, expected):
    assert evaluations(net, **arguments) == expected


def test_fixed_point_of_independent_symbols_takes_one_evaluation_and_one_that_confirms():
    coins = Copies(period=1)
    assert evaluations(coins) == 2
    model = Model(coins, Bernoulli(), (9,))
    drawn, _ = fixed_point(model, arjax.init(model, KEY), KEY, 2)
    assert evaluations(coins, start=np.asarray(drawn)) == 1


def test_fixed_point_ends_at_most_one_evaluation_after_it_finds_the_sample():
    model = Model(MADE(hidden=(12,)), Bernoulli(), (3, 5))
    params = jax.tree.map(lambda leaf: 3 * leaf, params_of(model))
    theta = jax.jit(lambda x: arjax.theta(model, params, x))
    counts = set()
    for seed in range(5):
        key, x, needed = jax.random.key(seed), np.zeros((4, 15), np.int32), 0
        expected = np.asarray(ancestral(model, params, key, 4)).reshape(4, 15)
        draws = [functools.partial(Bernoulli().sample, jax.random.fold_in(key, t)) for t in range(15)]
        while (x != expected).any():
            said = theta(x.reshape(4, 3, 5))
            x = np.stack([draw(said[:, t]) for t, draw in enumerate(draws)], axis=1)
            needed += 1
        found, count = fixed_point(model, params, key, 4)
        np.testing.assert_array_equal(np.asarray(found).reshape(4, 15), expected)
        assert needed <= int(count) <= min(needed + 1, 15)
        counts.add(int(count))
    assert len(counts) > 1


# What is refused


BITS, REALS = (Model(MADE(hidden=(12,)), head, (2, 3)) for head in (Bernoulli(), MixtureOfLogistics(2)))


@pytest.mark.parametrize(
    ("model", "start", "message"),
    [
        (BITS, np.zeros((2, 2, 3), int), r"^start has shape \(2, 2, 3\); give one example \(2, 3\), or .* \(4, 2, 3\)$"),
        (BITS, np.zeros(6, int), r"^start has shape \(6,\); give one"),
        (BITS, np.zeros((2, 3)), "start is float.., but Bernoulli wants integer symbols"),
        (BITS, np.full((2, 3), 2), r"^start has the value 2 at \[0, 0, 0\], but Bernoulli wants symbols 0\.\.1; correct it$"),
        (BITS, np.array([[0, 1, 0], [0, -1, 0]]), r"^start has the value -1 at \[0, 1, 1\], but"),
        (
            REALS,
            np.array([[np.nan, 0, 0], [0, 0, 0]]),
            r"^start has the value nan at \[0, 0, 0\], but .* wants finite values of float32; correct it$",
        ),
    ],
)
def test_fixed_point_refuses_a_bad_start_in_one_line(model, start, message):
    with pytest.raises(ValueError, match=message):
        fixed_point(model, {}, KEY, 4, start=start)
