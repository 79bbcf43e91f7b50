import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from history import Copies

import arjax
from arjax import Model
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.orders import AnyOrder, Permutation, Spiral
from arjax.sampling import ancestral, fixed_point, naive
from arjax.testing import lively_params

KEY = jax.random.key(0)
MODEL = Model(MADE(hidden=(8,)), Bernoulli(), (2, 3), Spiral())
SAMPLERS = {"ancestral": ancestral, "naive": naive, "fixed_point": lambda *args, **kwargs: fixed_point(*args, **kwargs)[0]}


@functools.cache
def params_of(model):
    return lively_params(model, KEY)


# Samples


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS.keys())
def test_sample_is_the_same_for_the_same_key_and_another_for_another(sampler):
    params = params_of(MODEL)
    first, again, other = (sampler(MODEL, params, jax.random.key(seed), 16) for seed in (1, 1, 2))
    assert first.shape == (16, 2, 3)
    assert first.dtype == jnp.int32
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_ancestral_draws_independent_symbols_where_the_model_has_them():
    params = jax.tree.map(jnp.zeros_like, params_of(MODEL))
    x = np.asarray(ancestral(MODEL, params, KEY, 20_000)).reshape(10_000, 2, 6)
    pairs = [(x[:, 0, s], x[:, 1, t]) for s in range(6) for t in range(6)]
    pairs += [(x[:, 0, s], x[:, 0, t]) for s in range(6) for t in range(s)]
    p_values = [scipy.stats.chi2_contingency(np.histogram2d(a, b, bins=2)[0]).pvalue for a, b in pairs]
    assert min(p_values) > 1e-4
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 1e-4


def test_ancestral_generates_in_the_order_given():
    order = np.array([5, 3, 1, 0, 2, 4])
    x = ancestral(MODEL, params_of(MODEL), KEY, 8, order=order)
    same = ancestral(Model(MODEL.net, MODEL.head, MODEL.site_shape, Permutation(tuple(order.tolist()))), params_of(MODEL), KEY, 8)
    np.testing.assert_array_equal(x, same)
    np.testing.assert_array_equal(x, naive(MODEL, params_of(MODEL), KEY, 8, order=order))
    assert (x != ancestral(MODEL, params_of(MODEL), KEY, 8)).any()


# Completion

OBSERVED = np.random.default_rng(1).integers(0, 2, (5, 2, 3)).astype(np.int32)
SCATTERED = np.array([[True, False, True], [False, True, False]])


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS.keys())
def test_sample_keeps_what_is_observed_and_all_samplers_agree_on_the_rest(sampler):
    free = sampler(MODEL, params_of(MODEL), KEY, 5)
    for mask in (SCATTERED, np.ones((2, 3), bool), np.zeros((2, 3), bool)):
        x = np.asarray(sampler(MODEL, params_of(MODEL), KEY, 5, observed=OBSERVED, mask=mask))
        np.testing.assert_array_equal(x[:, mask], OBSERVED[:, mask])
        np.testing.assert_array_equal(x, ancestral(MODEL, params_of(MODEL), KEY, 5, observed=OBSERVED, mask=mask))
    np.testing.assert_array_equal(x, free)


def test_ancestral_takes_one_observed_example_for_the_whole_batch():
    one = ancestral(MODEL, params_of(MODEL), KEY, 5, observed=OBSERVED[:1], mask=SCATTERED)
    many = ancestral(MODEL, params_of(MODEL), KEY, 5, observed=np.repeat(OBSERVED[:1], 5, axis=0), mask=SCATTERED)
    np.testing.assert_array_equal(one, many)
    assert len(np.unique(np.asarray(one).reshape(5, -1), axis=0)) > 1


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS.keys())
def test_sample_takes_a_prefix_for_every_example(sampler):
    model = Model(Copies(), Bernoulli(), (6,))
    params, lengths = arjax.init(model, KEY), np.array([0, 1, 3, 6])
    observed = np.array([[0] * 6, [0] * 6, [1, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1]])
    mask = np.arange(6) < lengths[:, None]
    x = sampler(model, params, KEY, 4, observed=observed, mask=mask)
    np.testing.assert_array_equal(x, [[1] * 6, [0] * 6, [1, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 1]])


def test_ancestral_takes_a_prefix_of_the_models_order_not_of_the_raster():
    model = Model(Copies(), Bernoulli(), (2, 3), Spiral())
    observed = np.array([[[0, 0, 1], [0, 0, 0]]])
    x = ancestral(model, arjax.init(model, KEY), KEY, 1, observed=observed, mask=np.array([[True, True, True], [False] * 3]))
    np.testing.assert_array_equal(x, [[[0, 0, 1], [1, 1, 1]]])


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS.keys())
def test_sample_refuses_a_mask_that_the_net_cannot_honour(sampler):
    model = Model(Copies(), Bernoulli(), (2, 3), Spiral())
    message = (
        r"site 2 is observed but comes after unobserved ones in Spiral\(\), and Copies generates in no other order; observe a"
    )
    with pytest.raises(ValueError, match=message):
        sampler(model, arjax.init(model, KEY), KEY, 5, observed=OBSERVED, mask=SCATTERED)


def test_ancestral_and_log_prob_give_a_net_of_one_order_no_other():
    model, order = Model(Copies(), Bernoulli(), (3,)), np.array([0, 1, 2])
    with pytest.raises(ValueError, match=r"Copies generates in its own order Raster\(\) only; leave out `order`"):
        ancestral(model, {}, KEY, 2, order=order)
    with pytest.raises(ValueError, match=r"Copies generates in its own order Raster\(\) only; leave out `order`"):
        arjax.log_prob(model, {}, np.zeros((1, 3), int), order=order)


@pytest.mark.parametrize(
    ("completion", "message"),
    [
        ({"observed": OBSERVED}, "completion needs both `observed` and `mask`"),
        ({"mask": SCATTERED}, "completion needs both `observed` and `mask`"),
        (
            {"observed": OBSERVED[:3], "mask": SCATTERED},
            r"observed has shape \(3, 2, 3\) for a batch of 5; give one example",
        ),
        (
            {"observed": OBSERVED.reshape(5, 6), "mask": SCATTERED},
            r"observed has shape \(5, 6\), but the model's data is",
        ),
        ({"observed": OBSERVED.astype(float), "mask": SCATTERED}, "wants integer symbols"),
        ({"observed": OBSERVED, "mask": SCATTERED.astype(int)}, r"mask is int64 \(2, 3\); give booleans of shape \(2, 3\)"),
        ({"observed": OBSERVED, "mask": SCATTERED.reshape(6)}, r"mask is bool \(6,\); give booleans of shape \(2, 3\)"),
        (
            {"observed": OBSERVED, "mask": np.stack([SCATTERED, *[~SCATTERED] * 4])},
            "the mask differs between examples and is no prefix of the order; complete one mask at a time",
        ),
    ],
)
def test_sample_refuses_an_impossible_completion(completion, message):
    for sampler in SAMPLERS.values():
        with pytest.raises(ValueError, match=message):
            sampler(MODEL, params_of(MODEL), KEY, 5, **completion)


def test_ancestral_completes_inside_jit_with_a_constant_mask():
    model = Model(MADE(hidden=(6,)), Bernoulli(), (2, 3), AnyOrder())
    params, key = lively_params(model, KEY), jax.random.key(5)
    observed, mask = np.ones((1, 2, 3), np.int32), np.array([[False, True, False], [True, False, True]])
    complete = jax.jit(lambda params, key: ancestral(model, params, key, 4, observed=observed, mask=mask))
    np.testing.assert_array_equal(complete(params, key), ancestral(model, params, key, 4, observed=observed, mask=mask))
