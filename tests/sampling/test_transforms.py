"""Transforms of logits: what they keep, against exact fractions, at their ends, and traced."""

import dataclasses
import functools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import arjax
from arjax import Model
from arjax.heads import Bernoulli, Categorical, DiscretizedMixtureOfLogistics
from arjax.models import MADE, Histogram
from arjax.sampling import MinP, Temperature, TopK, TopP, ancestral, fixed_point, generate, naive
from arjax.sampling.transforms import Transforms
from arjax.testing import lively_params
from arjax.testing.execution import compilations

KEY = jax.random.key(0)
MODEL = Model(MADE(hidden=(8,)), Bernoulli(), (2, 3))
SYMBOLS = Model(MADE(hidden=(6,)), Categorical(4), (3,))
SAMPLERS = {"ancestral": ancestral, "naive": naive, "fixed_point": lambda *args, **kwargs: fixed_point(*args, **kwargs)[0]}


@functools.cache
def params_of(model):
    return lively_params(model, KEY)


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
    model = SYMBOLS
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
    model = SYMBOLS
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
    mixture = Model(Histogram(), DiscretizedMixtureOfLogistics(6, 2), (2,))  # it has as many parameters as symbols
    with pytest.raises(ValueError, match="needs one logit a symbol"):
        ancestral(mixture, {"theta": jnp.zeros((2, 6))}, KEY, 2, transforms=(Temperature(0.5),))


# Exact


def hundredths(count=400):
    """Integers [N, 5] that sum to 100 in every row, some of them zero and many of them equal."""
    rng = np.random.default_rng(0)
    rows = [
        np.bincount(rng.integers(0, rng.integers(1, 6), 100 // step), minlength=5) * step for step in [1, 5, 10] * (count // 3)
    ]
    rows += [[30, 10, 10, 50, 0], [20] * 5, [25, 25, 25, 25, 0], [1, 1, 1, 1, 96], [100, 0, 0, 0, 0], [40, 20, 20, 10, 10]]
    return np.array(rows)


def kept_of_top_p(row, p):
    """By fractions: the smallest number of most probable symbols that reaches p, and those as probable as its last."""
    total = Fraction(0)
    for value in sorted(row, reverse=True):
        total += Fraction(int(value), 100)
        if total >= p:
            return [v >= value for v in row]
    raise ValueError("the row does not reach p")


@pytest.mark.parametrize("shift", [0.0, 7.3])
def test_top_p_and_min_p_are_exact_for_every_hundredth(shift):
    rows = hundredths()
    with np.errstate(divide="ignore"):
        theta = jnp.asarray(np.log(rows / 100) + shift, jnp.float32)
    apply = jax.jit(lambda transform: jnp.isfinite(transform(theta)))
    for hundred in range(1, 101):
        p = Fraction(hundred, 100)
        expected = [np.array(kept_of_top_p(row, p)) & (row > 0) for row in rows]
        np.testing.assert_array_equal(apply(TopP(hundred / 100)), expected, err_msg=f"TopP({p})")
        expected = [[Fraction(int(v), int(row.max())) >= p for v in row] for row in rows]
        np.testing.assert_array_equal(apply(MinP(hundred / 100)), expected, err_msg=f"MinP({p})")


def test_top_p_keeps_two_of_three_tenths_and_five():
    kept = np.isfinite(TopP(0.8)(jnp.log(jnp.array([0.3, 0.1, 0.1, 0.5]))))
    assert kept.tolist() == [True, False, False, True]


TINY = [0, 1e-45, 1e-38, 1.2e-38, 1e-30, 1e-300]
ROW = np.array([-np.inf, 1.0, 3.0, -2.0, 3.0, 2.9999], np.float32)


@pytest.mark.parametrize("value", TINY)
def test_temperature_near_zero_draws_the_most_probable_only(value):
    probs = np.asarray(jax.nn.softmax(Temperature(value)(jnp.asarray(ROW))))
    # In the limit equals share; at zero the first of them has all.
    np.testing.assert_array_equal(probs, [0, 0, 1, 0, 0, 0] if value == 0 else [0, 0, 0.5, 0, 0.5, 0])
    traced = jax.jit(lambda transform: jax.nn.softmax(transform(jnp.asarray(ROW))))
    np.testing.assert_array_equal(traced(Temperature(value)), probs)


@pytest.mark.parametrize("value", [1e10, 3e38, 1e300])
def test_temperature_of_any_size_leaves_what_is_impossible_impossible(value):
    theta = TopK(2)(jnp.array([5.0, 1.0, 4.0, -3.0]))
    np.testing.assert_allclose(jax.nn.softmax(Temperature(value)(theta)), [0.5, 0, 0.5, 0], atol=1e-6)
    unlimited = jax.jit(lambda value: jax.nn.softmax(Temperature(value)(theta)))(jnp.inf)  # traced, so that nobody refuses it
    np.testing.assert_allclose(unlimited, [0.5, 0, 0.5, 0])


# Traced


def test_samplers_compile_nothing_for_other_values_of_transforms():
    params, prompts = params_of(SYMBOLS), [[1], [2]]

    def draw(temperature, p, q):
        transforms = (Temperature(temperature), TopK(3), TopP(p), MinP(q))
        for sampler in SAMPLERS.values():
            sampler(SYMBOLS, params, KEY, 5, transforms=transforms)
        generate(SYMBOLS, params, KEY, prompts, tokens=2, transforms=transforms)

    draw(0.5, 0.9, 0.1)
    with compilations() as further:
        for values in ((0.7, 0.8, 0.2), (1, 1, 0), (0, 0.3, 1), (np.float32(2), np.float64(0.5), 0.0), (1e-45, 0.1, 0.3)):
            draw(*values)
    assert not further


def test_samplers_take_transforms_of_traced_values():
    params, values = params_of(SYMBOLS), np.array([0.0, 0.3, 1.5], np.float32)

    def draw(value, p):
        return ancestral(SYMBOLS, params, KEY, 8, transforms=(Temperature(value), TopP(p)))

    each = [draw(float(value), 0.9) for value in values]
    assert (each[0] != each[2]).any()
    np.testing.assert_array_equal([jax.jit(draw)(value, 0.9) for value in values], each)
    np.testing.assert_array_equal(jax.vmap(draw, (0, None))(values, 0.9), each)


def test_temperature_has_a_gradient():
    @jax.jit
    def expected_logit(transform):
        theta = jnp.array([1.0, 2.0, 4.0])
        return (jax.nn.softmax(transform(theta)) * theta).sum()

    gradient = jax.grad(expected_logit)(Temperature(2.0))
    difference = (expected_logit(Temperature(2.01)) - expected_logit(Temperature(1.99))) / 0.02
    assert gradient.value == pytest.approx(float(difference), rel=1e-2)
    assert gradient.value < 0  # which no temperature may be


@dataclasses.dataclass(frozen=True)
class Ban:
    """A transform of a user's own, not known to JAX."""

    symbol: int

    def __call__(self, theta):
        return theta.at[..., self.symbol].set(-jnp.inf)


def test_samplers_take_any_callables_as_transforms():
    params, bias = params_of(SYMBOLS), jnp.array([[0.0, 9.0, 0.0, 0.0]])
    for transforms in ((Ban(2),), (lambda theta: theta.at[..., 2].set(-jnp.inf),)):
        x = ancestral(SYMBOLS, params, KEY, 64, transforms=transforms)
        assert 2 not in np.asarray(x)
    add = jax.tree_util.Partial(jnp.add, bias)  # its array is traced
    assert (np.asarray(ancestral(SYMBOLS, params, KEY, 64, transforms=(add,))) == 1).mean() > 0.9
    assert len(Transforms.of((add, Ban(2), Temperature(0.5), TopK(2))).traced) == 4


def test_transforms_are_hashable_and_comparable():
    for one, same, other in ((Temperature(1), Temperature(1.0), Temperature(2)), (TopP(0.5), TopP(0.5), TopP(0.6))):
        assert (one == same, hash(one) == hash(same), one == other) == (True, True, False)
