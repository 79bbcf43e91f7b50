"""The conformance kit against nets, heads and samplers that break the law in one way each."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from history import History
from linear import COIN, Altered, Linear, T, earlier, one_site, parallel
from normal import Normal

from arjax import testing
from arjax.heads import Bernoulli, Categorical
from arjax.orders import AnyOrder, Permutation, Raster
from arjax.protocol import CondSpec, Model, NetCapabilities
from arjax.sampling import ancestral
from arjax.testing import LawBroken

KEY = jax.random.key(0)


def model(net=None, head=None, order=None):
    return Model(net or Linear(), head or Bernoulli(), (T,), order or Raster())


def caught(part, broken, message):
    params = testing.lively_params(broken, KEY)
    with pytest.raises(LawBroken, match=message):
        part(broken, params, KEY)


@pytest.mark.parametrize(
    "good",
    [
        model(Linear(any_order=True), Altered(), AnyOrder()),
        model(Linear(), Normal(), Permutation((2, 0, 4, 1, 3))),
    ],
    ids=["symbols", "real"],
)
def test_check_passes_a_correct_model(good):
    testing.check(good)


def test_check_runs_every_part_with_a_key_of_its_own(monkeypatch):
    assert {f"{part.__name__}" for part in testing.PARTS} == {name for name in testing.__all__ if name.startswith("check_")}
    keys = []
    monkeypatch.setattr(testing, "PARTS", [lambda model, params, key: keys.append(jax.random.key_data(key).tolist())] * 3)
    testing.check(model())
    assert len({tuple(key) for key in keys}) == 3


# Nets that see too much, or nothing


def sees_itself(net, x, order):
    return parallel(net, x, order, seen=lambda order: jnp.tri(T))


def sees_the_next_at_two(net, x, order):
    return parallel(net, x, order, seen=lambda order: earlier(order).at[2, 3].set(1e-3))


def sees_all_when_backwards(net, x, order):
    return parallel(net, x, order, seen=lambda order: jnp.maximum(earlier(order), order[0] == T - 1))


def masks_sites_not_ranks(net, x, order):
    return parallel(net, x, order, seen=lambda order: earlier(order)[order][:, order])


def sees_nothing(net, x, order):
    return parallel(net, x, order, seen=lambda order: jnp.zeros((T, T)))


@jax.custom_jvp
def zero(x):
    return jnp.zeros_like(x)


zero.defjvps(lambda dx, *_: dx)


def sees_the_batch(net, x, order):
    return parallel(net, x, order) - 0.01 * x.mean(axis=0, dtype=jnp.float32)[None, :, None]


def sees_the_time(net, x, order):
    noise = jax.pure_callback(lambda: np.float32(np.random.default_rng().normal()), jax.ShapeDtypeStruct((), jnp.float32))
    return parallel(net, x, order) + noise


def adds_and_subtracts(net, x, order):
    x = x.astype(jnp.float32)[..., None] * net.w[0][None]
    return jnp.cumsum(x, axis=1) - x + net.c[None]


def slope_without_value(net, x, order):
    return parallel(net, x, order) + zero(x)[..., None]


# Steps that compute otherwise


def recomputes(net, cache, x, t, order):
    x = jnp.where(t == 0, 0.0, x.astype(jnp.float32))
    cache = cache.at[:, jnp.maximum(t - 1, 0)].set(x)
    return cache, parallel(net, cache, order)[:, t]


def rounds_otherwise(net, cache, x, t, order):
    cache, theta = one_site(net, cache, x, t, order)
    return cache, theta * (1 + 1e-6)


# Heads and samplers


def too_likely(theta, x):
    return Bernoulli().log_prob(theta, x) + 0.01


def any_symbol(theta, x):
    return Bernoulli().log_prob(theta, jnp.minimum(jnp.maximum(x, 0), 1))


def another_law(key, theta):
    return Bernoulli().sample(key, 1.3 * theta + 0.2)


def beyond_the_support(key, theta):
    return Bernoulli().sample(key, theta) + jax.random.bernoulli(key, 0.5, theta.shape[:-1]).astype(jnp.int32)


def never_two_ones(theta, x):
    # Certain of a zero wherever theta is positive.
    sure = theta[..., 0] > 0
    return jnp.where(sure, jnp.where(x == 0, 0.0, -jnp.inf), Bernoulli().log_prob(theta, x))


def mostly_zero(key, theta):
    drawn = Bernoulli().sample(key, theta)
    rare = jax.random.bernoulli(jax.random.fold_in(key, 1), 0.002, drawn.shape).astype(jnp.int32)
    return jnp.where(theta[..., 0] > 0, rare, drawn)


def noise_from_theta(key, theta):
    seeds = jax.lax.bitcast_convert_type(theta[..., 0], jnp.int32)
    keys = jax.vmap(lambda seed: jax.random.fold_in(key, seed))(seeds.reshape(-1))
    return jax.vmap(Bernoulli().sample)(keys, theta.reshape(-1, 1)).reshape(seeds.shape)


def wrong_once_observed(net, cache, x, t, order):
    cache, theta = one_site(net, cache, x, t, order)
    return cache, jnp.where(order[0] == 1, -theta, theta)


def test_check_completion_catches_a_change_of_what_was_observed(monkeypatch):
    def forgetful(*args, observed, mask, **kwargs):
        return ancestral(*args, **kwargs)

    monkeypatch.setattr(testing.samples, "ancestral", forgetful)
    caught(testing.check_completion, model(Linear(any_order=True)), r"completion changed the observed site \d")


def test_check_completion_catches_a_sampler_that_takes_any_mask(monkeypatch):
    def careless(model, params, key, batch, **kwargs):
        try:
            return ancestral(model, params, key, batch, **kwargs)
        except ValueError:
            return np.zeros((batch, T), np.int32)

    monkeypatch.setattr(testing.samples, "ancestral", careless)
    caught(testing.check_completion, model(), "a mask that is no prefix of the order was accepted")


# Compilation and gradients


class ByIdentity:
    """Neither hashes nor compares by what it holds."""


def test_check_compilation_does_not_count_its_own_work():
    jax.clear_caches()
    testing.check_compilation(model(), {"w": jnp.ones((T, T, 1)), "c": jnp.ones((T, 1))}, jax.random.key(3))


def without_slope_at_zero(net, x, order):
    return jnp.sqrt(jnp.square(parallel(net, x, order) - net.c[order][None]))


def naive_log_prob(theta, x):
    p = jax.nn.sigmoid(theta[..., 0])
    return jnp.log(jnp.where(x == 1, p, 1 - p))


# Everything that is wrong in one way, the part that finds it, and what it says

OWN, BACKWARDS = r"in order \[0, 1, 2, 3, 4\]", r"in order \[4, 3, 2, 1, 0\]"
PRESENT = rf"theta sees the present at site t=\d {OWN}: it moves by \d.* when the symbol at t=\d"
PER_EXAMPLE = r"theta of example 1 in its order \[4, 3, 2, 1, 0\] differs when other examples have others: relative difference \d"
NOISY = model(Linear(one=rounds_otherwise), Altered(sample=noise_from_theta))
EACH = History(any_order=True)
BROKEN = [
    *(("causality", model(Linear(sees_itself), head), PRESENT) for head in (COIN, Categorical(3), Normal())),
    ("causality", model(Linear(sees_all_when_backwards, any_order=True)), rf"the (future|present) at site t=\d {BACKWARDS}"),
    ("causality", model(Linear(sees_the_next_at_two)), r"the future at site t=2 .* the symbol at t=3 is replaced"),
    ("causality", model(Linear(masks_sites_not_ranks, any_order=True)), rf"the future at site t=\d {BACKWARDS}"),
    ("causality", model(Linear(sees_nothing)), "depends on no earlier symbol at all .* vacuous"),
    (
        "causality",
        model(Linear(sees_the_batch)),
        rf"an example moves by 0.0\d+ when other examples .* replaced, {OWN}; take no mean",
    ),
    ("causality", model(Linear(sees_the_time)), "theta of the same symbols differs from call to call; draw from `key` alone"),
    ("causality", model(Linear(adds_and_subtracts)), r"the present .* by \de-\d+ .* so little is rounding: a sum that adds"),
    ("causality", model(Linear(slope_without_value), Normal()), r"the present at site t=0 .* \(its Jacobian\)"),
    ("causality", Model(Linear(), COIN, (T,), cond=CondSpec(classes=2)), "theta does not depend on the condition's label, which"),
    ("normalization", model(Linear(sees_itself)), r"all 32 outcomes in order .* sum to \d\.\d+, not 1"),
    ("normalization", model(head=Altered(too_likely)), rf"the symbols at site t=\d {OWN} sum to 1\.0100\d\d, not 1"),
    ("order_per_example", model(EACH.clone(pick=lambda orders: orders[:1]), order=AnyOrder()), PER_EXAMPLE),
    ("head", model(head=Altered(sample=another_law)), r"do not follow its log_prob at theta of size \d: chi-square p = "),
    ("head", model(head=Altered(sample=beyond_the_support)), r"draws symbols outside of 0\.\.1, from 0 to 2"),
    ("head", model(head=Altered(any_symbol)), r"log_prob of the symbol \[-1\] is finite, outside of 0\.\.1; return -inf"),
    ("samplers", NOISY, r"cached and naive samples of one key differ first at site t=\d in order"),
    ("samplers", model(head=Altered(sample=another_law)), r"do not follow the enumerated law: chi-square p = \S+ over \d+ outco"),
    ("samplers", model(head=Altered(never_two_ones, mostly_zero)), r"\d+ of 8192 samples have probability zero"),
    ("completion", model(Linear(one=wrong_once_observed, any_order=True)), "do not follow the enumerated conditional"),
    ("work", model(Linear(one=recomputes)), r"sampling executes 5\.00 times the FLOPs"),
    ("compilation", model(Linear(label=ByIdentity())), r"a second call of the same shapes compiled \d+ more times"),
    ("gradients", model(Linear(without_slope_at_zero)), r"the gradient of \['\w'\] at .* is not finite: \d+ of \d+ numbers"),
    ("gradients", model(head=Altered(naive_log_prob)), r"the head's log_prob at .* theta of \+-1e4 is not finite"),
]


@pytest.mark.parametrize(("part", "broken", "message"), BROKEN, ids=[f"{part}-{i}" for i, (part, *_) in enumerate(BROKEN)])
def test_check_of_each_part_catches_what_is_broken_in_its_way(part, broken, message):
    caught(getattr(testing, f"check_{part}"), broken, message)


# What breaks the law elsewhere only, or has nothing to check
RIGHT = [
    ("causality", model(Linear(sees_all_when_backwards))),
    ("step", NOISY),
    ("order_per_example", model(EACH, order=AnyOrder())),
    ("order_per_example", model(Linear(any_order=True))),
]


@pytest.mark.parametrize(("part", "good"), RIGHT, ids=[f"{part}-{i}" for i, (part, _) in enumerate(RIGHT)])
def test_check_of_each_part_passes_what_is_right(part, good):
    getattr(testing, f"check_{part}")(good, testing.lively_params(good, KEY), KEY)


class Undeclared(Linear):
    """A right net that does not say what decays."""

    decays: ClassVar[tuple[str, ...]] = NetCapabilities.decays


def test_check_decays_says_of_a_net_that_declares_none_what_is_left_out():
    own = model(Undeclared())
    skipped = testing.check_decays(own, testing.lively_params(own, KEY), KEY)
    assert skipped == "the net declares no `decays`, and weight decay leaves out w, which multiply activations"


def test_work_ratio_of_a_step_that_recomputes_nothing_is_one():
    assert testing.work_ratio(model(), testing.lively_params(model(), KEY), KEY, 2) == 1


# What the kit is built from


def test_lively_params_leave_nothing_at_zero_and_depend_on_the_key():
    params = testing.lively_params(model(), KEY)
    assert all((leaf != 0).all() for leaf in jax.tree.leaves(params))
    assert (params["c"] != testing.lively_params(model(), jax.random.key(1))["c"]).all()


def test_enumerate_space_has_each_outcome_of_small_ones_once_and_refuses_large_ones():
    space = testing.enumerate_space(Model(Linear(), Categorical(3), (2, 2)))
    assert space.shape == (81, 2, 2)
    assert len({outcome.tobytes() for outcome in space}) == 81
    assert testing.enumerate_space(Model(Linear(), Bernoulli(), (13,))) is None
    assert testing.enumerate_space(model(head=Normal())) is None


def test_accepted_orders_of_a_net_of_any_order_are_several():
    own, reverse, first, second = testing.accepted_orders(model(Linear(any_order=True), order=Permutation((2, 0, 4, 1, 3))), KEY)
    np.testing.assert_array_equal(own, [2, 0, 4, 1, 3])
    np.testing.assert_array_equal(reverse, [3, 1, 4, 0, 2])
    assert (first != second).any()
    assert len(testing.accepted_orders(model(), KEY)) == 1
