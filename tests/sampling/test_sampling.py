import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from history import Copies

import arjax
from arjax import Model
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE
from arjax.orders import AnyOrder, Permutation, Spiral
from arjax.sampling import MinP, Temperature, TopK, TopP, ancestral, fixed_point, naive
from arjax.testing import lively_params

KEY = jax.random.key(0)
MODEL = Model(MADE(hidden=(8,)), Bernoulli(), (2, 3), Spiral())
SAMPLERS = {"ancestral": ancestral, "naive": naive, "fixed_point": lambda *args, **kwargs: fixed_point(*args, **kwargs)[0]}


@functools.cache
def params_of(model):
    return lively_params(model, KEY)


# Transforms


def top_p_by_hand(theta, p):
    out = []
    for row in np.asarray(theta, np.float64):
        probs, total, kept = np.exp(row - row.max()) / np.exp(row - row.max()).sum(), 0.0, []
        for v in sorted(range(len(row)), key=lambda v: -row[v]):
            if total >= p:
                break
            kept.append(v)
            total += probs[v]
        out.append([row[v] if v in kept else -np.inf for v in range(len(row))])
    return np.array(out)


THETA = np.random.default_rng(0).normal(scale=2, size=(20, 7)).astype(np.float32)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_top_k_keeps_the_k_most_probable(k):
    least = np.sort(THETA, axis=1)[:, -k, None]
    np.testing.assert_array_equal(TopK(k)(jnp.asarray(THETA)), np.where(least <= THETA, THETA, -np.inf))


@pytest.mark.parametrize("p", [1e-6, 0.3, 0.9, 0.999])
def test_top_p_keeps_the_smallest_set_that_reaches_p(p):
    np.testing.assert_allclose(TopP(p)(jnp.asarray(THETA)), top_p_by_hand(THETA, p), rtol=1e-6)


@pytest.mark.parametrize("p", [1e-3, 0.05, 0.5, 1.0])
def test_min_p_keeps_what_is_at_least_p_times_as_probable_as_the_most_probable(p):
    probs = np.exp(THETA.astype(np.float64))
    expected = np.where(probs >= p * probs.max(axis=1, keepdims=True), THETA, -np.inf)
    np.testing.assert_array_equal(MinP(p)(jnp.asarray(THETA)), expected)


@pytest.mark.parametrize("transform", [TopK(7), TopK(100), TopP(1.0), MinP(0.0)], ids=str)
def test_transforms_that_keep_every_symbol_change_nothing(transform):
    theta = np.concatenate([THETA, [[0, -20, -40, -60, 30, -300, 5]]]).astype(np.float32)
    np.testing.assert_array_equal(transform(jnp.asarray(theta)), theta)


def test_transforms_keep_ties_together():
    theta = jnp.array([[1.0, 1.0, 1.0, 0.0]])
    for transform in (TopK(1), TopK(2), TopP(0.1), TopP(0.5), MinP(1.0), MinP(0.5)):
        np.testing.assert_array_equal(transform(theta), [[1, 1, 1, -np.inf]])


def test_temperature_sharpens_and_flattens():
    expected = (THETA - THETA.max(axis=1, keepdims=True)) / 2
    np.testing.assert_allclose(Temperature(2.0)(jnp.asarray(THETA)), expected)


def test_temperature_zero_is_greedy_and_takes_the_first_of_equals():
    theta = jnp.array([[0.5, 2.0, 2.0, -1.0], [-3.0, -1.0, -2.0, -1.0], [-jnp.inf, -jnp.inf, 0.0, -jnp.inf]])
    expected = [[-np.inf, 2, -np.inf, -np.inf], [-np.inf, -1, -np.inf, -np.inf], [-np.inf, -np.inf, 0, -np.inf]]
    np.testing.assert_array_equal(Temperature(0)(theta), expected)
    np.testing.assert_array_equal(Temperature(-0.0)(theta.astype(jnp.bfloat16)).astype(jnp.float32), expected)


def test_ancestral_at_temperature_zero_draws_the_most_probable_symbols():
    model = Model(MADE(hidden=(6,)), Categorical(4), (3,))
    x = np.asarray(ancestral(model, params_of(model), KEY, 2, transforms=(Temperature(0),)))
    expected = np.zeros((1, 3), np.int32)
    for t in range(3):
        expected[0, t] = np.argmax(arjax.theta(model, params_of(model), expected)[0, t])
    np.testing.assert_array_equal(x, np.repeat(expected, 2, axis=0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Temperature(-0.5),
            r"Temperature\(-0\.5\) must be finite and not below 0; choose 1 to .*, 0 to be greedy",
        ),
        (lambda: Temperature(float("nan")), r"Temperature\(nan\) must be finite"),
        (lambda: Temperature(float("inf")), r"Temperature\(inf\) must be finite"),
        (lambda: Temperature(jnp.inf * jnp.ones(())), r"Temperature\(inf\) must be finite"),
        (lambda: MinP(-0.1), r"MinP\(-0\.1\) is not in \[0, 1\]; choose 0 to keep every symbol"),
        (lambda: MinP(1.1), r"MinP\(1\.1\) is not in \[0, 1\]"),
        (lambda: MinP(float("nan")), r"MinP\(nan\) is not in"),
        (lambda: TopK(0), r"TopK\(0\) leaves no symbol; choose at least 1"),
        (lambda: TopP(0.0), r"TopP\(0\.0\) is not in \(0, 1\]; choose 1 to keep every symbol"),
        (lambda: TopP(1.5), r"TopP\(1\.5\) is not in \(0, 1\]"),
    ],
)
def test_transforms_refuse_impossible_values(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_transforms_are_applied_in_turn_by_every_sampler():
    model = Model(MADE(hidden=(6,)), Categorical(4), (3,))
    params = params_of(model)
    transforms = (Temperature(0.5), TopK(2))
    samples = [sampler(model, params, KEY, 32, transforms=transforms) for sampler in SAMPLERS.values()]
    np.testing.assert_array_equal(samples[0], samples[1])
    np.testing.assert_array_equal(samples[0], samples[2])
    said = np.asarray(arjax.theta(model, params, samples[0]))
    for row, symbols in zip(said, np.asarray(samples[0]), strict=True):
        for theta, symbol in zip(row, symbols, strict=True):
            assert symbol in np.argsort(theta)[-2:]


def test_transforms_are_refused_where_theta_is_not_one_logit_a_symbol():
    with pytest.raises(ValueError, match=r"TopK\(k=1\) needs one logit a symbol, which Bernoulli\(\) has not; use a Categorical"):
        ancestral(MODEL, params_of(MODEL), KEY, 2, transforms=(TopK(1),))


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
