"""What a caller gives to a model: values that it does not have are refused, and under a jit impossible."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from zoo import ZOO

from arjax import Cond, CondSpec, Model
from arjax.errors import InputError
from arjax.heads import Bernoulli, Categorical, MixtureOfGaussians
from arjax.likelihood import conditional_log_prob, ensemble_log_prob, log_prob, theta
from arjax.models import MADE, Transformer
from arjax.orders import AnyOrder
from arjax.sampling import ancestral, fixed_point, naive
from arjax.testing import lively_params

KEY = jax.random.key(0)
LABELLED = Model(MADE(hidden=(4,)), Bernoulli(), (3,), cond=CondSpec(classes=3))
MEMBERS = Model(MADE(hidden=(5,), degrees="random"), Bernoulli(), (4,), AnyOrder(), CondSpec(members=3))

IMPOSSIBLE = {
    "made_embedding": [-1, 5, 2**31 - 1, -(2**31)],
    "transformer": [-1, 2, 2**31 - 1],
    "bayes_tables": [-1, 3],
    "pixelcnn_coupled": [-1, 3, 2**31 - 1],
    "wavenet_discretized": [-1, 4],
    "made_gaussians": [np.nan, np.inf, -np.inf],
    "lmconv_real": [np.nan, np.inf],
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_log_prob_of_what_is_impossible_is_minus_infinity_under_jit_and_refused_outside(name):
    model = ZOO[name]
    params, rows, cond = lively_params(model, KEY), len(IMPOSSIBLE[name]), model.example_cond(len(IMPOSSIBLE[name]) + 1)
    x = np.zeros((rows + 1, model.num_sites, math.prod(model.head.event_shape)), model.dtype)
    x[np.arange(rows), np.arange(rows) % model.num_sites, -1] = IMPOSSIBLE[name]
    x = x.reshape(rows + 1, *model.site_shape, *model.head.event_shape)
    counted = (x == x[-1:]).reshape(rows + 1, *model.site_shape, -1).all(axis=-1)
    score = jax.jit(lambda params, x, counted: log_prob(model, params, x, cond=cond, counted=counted))
    result = np.asarray(score(params, x, np.ones_like(counted)))
    assert result[:-1].tolist() == [-math.inf] * rows
    assert np.isfinite(result[-1])
    assert np.isfinite(score(params, x, counted)).all()  # what is impossible does not count
    assert np.isfinite(jax.jit(lambda x: theta(model, params, x, cond=cond))(x)).all()
    for call in (log_prob, theta):
        for given in (x, jnp.asarray(x)):
            with pytest.raises(InputError, match=r"x has the value .* at \[0, .*\], but \w+ wants .*; correct it"):
                call(model, params, given, cond=cond)
            with pytest.raises(InputError, match="x has the value"):
                jax.jit(lambda params, given=given, call=call: call(model, params, given, cond=cond))(params)


@pytest.mark.parametrize("value", [2**32 + 1, -(2**32), 2**63 - 1])
def test_log_prob_does_not_wrap_symbols_of_64_bits(value):
    model = Model(MADE(hidden=(4,)), Categorical(3), (2,))
    params, x = lively_params(model, KEY), np.array([[0, value]])
    with pytest.raises(InputError, match=rf"x has the value {value} at \[0, 1\], but Categorical wants symbols 0\.\.2"):
        log_prob(model, params, x)
    with jax.enable_x64(True):
        assert jax.jit(lambda x: log_prob(model, params, x))(x).tolist() == [-math.inf]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.array([[0, 1e300]]), r"x has the value 1e\+300 at \[0, 1\], but MixtureOfGaussians wants finite values of float32"),
        (np.array([[0, 1j]]), "x is complex128, but MixtureOfGaussians wants real numbers; convert it"),
        (np.array([["a", "b"]]), "x holds <U1, no numbers; convert it"),
    ],
)
def test_log_prob_refuses_what_are_no_finite_reals(x, message):
    model = Model(MADE(hidden=(4,)), MixtureOfGaussians(2), (2,))
    with pytest.raises(ValueError, match=message):
        log_prob(model, {}, x)


@pytest.mark.parametrize("label", [[0, 1.5], [True, False], ["a", "b"], [0, 3], [0, 2**32 + 1]])
def test_log_prob_refuses_labels_that_are_no_classes_in_one_line_and_takes_a_list(label):
    x = np.zeros((2, 3), int)
    with pytest.raises(InputError, match=r"^label (is|holds|must be) .*$"):
        log_prob(LABELLED, {}, x, cond=Cond(label=np.array(label)))
    params = lively_params(LABELLED, KEY)
    assert log_prob(LABELLED, params, x, cond=Cond(label=np.array([0, 2]))).shape == (2,)


@pytest.mark.parametrize(
    ("orders", "members", "message"),
    [
        (np.zeros((0, 4), int), None, r"orders have shape \(0, 4\); give K of 4 sites"),
        (np.array([[0, 1, 2, 3]] * 2), np.array([0]), r"members have shape \(1,\) for 2 orders; give each order its member"),
        (np.array([[0, 1, 2, 3]] * 2), np.array([0, 1, 2]), r"members have shape \(3,\) for 2 orders"),
        (np.array([[0, 1, 2, 3], [0, 1, 1, 3]]), None, "an order must be a permutation"),
    ],
)
def test_ensemble_log_prob_refuses_orders_and_members_that_do_not_fit(orders, members, message):
    with pytest.raises(ValueError, match=message):
        ensemble_log_prob(
            MEMBERS,
            lively_params(MEMBERS, KEY),
            np.zeros((1, 4), int),
            orders,
            members=members,
        )


REALS = Model(Transformer(8, 2, 1), MixtureOfGaussians(2), (4,))
SYMBOLS = Model(MADE(hidden=(6,)), Categorical(5), (4,), AnyOrder())
COMPLETIONS = {
    "symbols": (SYMBOLS, np.array([[1, 7, 3, -1]]), np.array([True, False, True, False])),
    "reals": (REALS, np.array([[0.5, -0.5, np.nan, np.inf]], np.float32), np.array([True, True, False, False])),
}


@pytest.mark.parametrize(("model", "observed", "mask"), COMPLETIONS.values(), ids=COMPLETIONS.keys())
def test_sample_ignores_what_is_not_observed_and_refuses_what_is_and_is_impossible(model, observed, mask):
    params = lively_params(model, KEY)
    good = np.where(mask, observed, 0).astype(observed.dtype)
    for sampler in (ancestral, naive, lambda *args, **given: fixed_point(*args, **given)[0]):
        expected = sampler(model, params, KEY, 3, observed=good, mask=mask)
        for given in (observed, jnp.asarray(observed)):
            np.testing.assert_array_equal(sampler(model, params, KEY, 3, observed=given, mask=mask), expected)
        with pytest.raises(InputError, match=r"observed has the value .* at \[0, .\], but .* wants"):
            sampler(model, params, KEY, 3, observed=observed, mask=np.ones(4, bool))
    traced = jax.jit(lambda x: ancestral(model, params, KEY, 3, observed=x, mask=mask))
    np.testing.assert_array_equal(traced(observed), ancestral(model, params, KEY, 3, observed=good, mask=mask))
    with pytest.raises(InputError, match="x has the value"):
        conditional_log_prob(model, params, observed, mask)
