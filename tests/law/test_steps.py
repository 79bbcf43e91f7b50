"""The kit against steps and prefills that compute something else than `__call__`."""

import jax
import jax.numpy as jnp
import pytest
from history import History, through
from linear import Linear, T, one_site, parallel

from arjax.heads import Bernoulli, Categorical
from arjax.models import RNN
from arjax.orders import AnyOrder, Random
from arjax.protocol import Model
from arjax.testing import LawBroken, check_prefill, check_step, lively_params

KEY = jax.random.key(0)


def louder_at_two(net, cache, x, t, order):
    cache, theta = one_site(net, cache, x, t, order)
    return cache, theta * jnp.where(t == 2, 1.01, 1.0)


def forgets_its_place_backwards(net, cache, x, t, order):
    cache, theta = one_site(net, cache, x, t, order)
    return cache, jnp.where((order[0] == T - 1) & (t == 3), theta + 0.5, theta)


def listens_at_the_start(net, cache, x, t, order):
    new, theta = one_site(net, cache, x, t, order)
    return new, theta + jnp.where(t == 0, x, 0)[:, None]


def says_nan_at_three(net, cache, x, t, order):
    cache, theta = one_site(net, cache, x, t, order)
    return cache, jnp.where(t == 3, jnp.nan, theta)


def says_nan_at_the_start(net, cache, x, t, order):
    cache, theta = one_site(net, cache, x, t, order)
    return cache, jnp.where(t == 0, jnp.nan, theta)


def keeps_nothing(net, cache, x, t, order):
    return cache, one_site(net, cache, x, t, order)[1]


def shifts_once_more(net, cache, x, t, order):
    # The cache has symbol t - 1 only after theta is computed.
    theta = jnp.where(t == 0, net.c[order[0]], parallel(net, cache, order)[:, jnp.maximum(t - 1, 0)])
    return one_site(net, cache, x, t, order)[0], theta


OWN, BACKWARDS = r"in order \[0, 1, 2, 3, 4\]", r"in order \[4, 3, 2, 1, 0\]"


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (louder_at_two, rf"disagree at site t=2 {OWN}: relative difference 0\.0\d+$"),
        (forgets_its_place_backwards, rf"t=3 {BACKWARDS}: relative difference 0\.\d+$"),
        (listens_at_the_start, "disagree at site t=0 .*: relative difference .*; at t = 0 step reads its x, which is no symbol"),
        (says_nan_at_three, "disagree at site t=3 .*: relative difference nan$"),
        (says_nan_at_the_start, "disagree at site t=0 .*: relative difference nan$"),
        (keeps_nothing, r"disagree at site t=2 .*; step returns the cache as it was given: return it with symbol t-1 in it"),
        (shifts_once_more, r"disagree at site t=1 .*; theta of step at t is that of call at t - 1: .* do not shift it once more"),
    ],
)
def test_check_step_names_what_disagrees(one, message):
    broken = Model(Linear(one=one, any_order=one is forgets_its_place_backwards), Bernoulli(), (T,))
    with pytest.raises(LawBroken, match=message):
        check_step(broken, lively_params(broken, KEY), KEY)


MODEL = Model(History(), Categorical(3), (6,))
PARAMS = lively_params(MODEL, KEY)


def does_nothing(history, x, n):
    return history


def forgets_the_last(history, x, n):
    return through(history, x, n - 1)


def forgets_the_third(history, x, n):
    return through(history, x, jnp.where(n > 2, n - 1, n))


def goes_too_far(history, x, n):
    # Theta is right: the next step writes what is one too far again.
    return through(history, x, n + 1)


def goes_far_too_far(history, x, n):
    return through(history, x, n + 2)


def sees_the_next_in_its_sum(history, x, n):
    # Right in length; but the first symbol is mixed with whatever stands at n.
    there = jnp.where(n < x.shape[1], x[:, jnp.minimum(n, x.shape[1] - 1)], 0)
    return through(history, x, n).at[:, 0, 0].add(0.1 * there)


def right_only_when_whole(history, x, n):
    return through(history, x, n) * (x.shape[1] == 6)


def right_only_when_short(history, x, n):
    return through(history, x, n) * (n < 3)


@pytest.mark.parametrize(
    "good",
    [
        MODEL,
        Model(History(any_order=True), Categorical(3), (2, 3), AnyOrder(Random(2))),
        Model(History(), Bernoulli(), (1,)),
        Model(History(), Bernoulli(), (2,)),
        Model(RNN(width=3), Bernoulli(), (3,)),
    ],
    ids=["in one order", "in any", "one site", "two sites", "without prefill"],
)
def test_check_prefill_passes_a_right_one_and_a_net_without(good):
    assert check_prefill(good, lively_params(good, KEY), KEY) == (
        None if isinstance(good.net, History) else "the net has no prefill"
    )


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (does_nothing, r"prefill of n=2 of 3 .* disagree at site t=\d .*; its cache is still that of init_cache"),
        (forgets_the_last, r"prefill of n=2 of 3 .* disagree at site t=\d .*; its cache is still that of init_cache"),
        (
            forgets_the_third,
            r"prefill of n=3 of 3 symbols and call disagree at site t=\d .*; .* that of 2 steps, one symbol too few",
        ),
        (
            goes_too_far,
            r"prefill of n=3 of 3 symbols leaves another cache than 3 steps at cache .*; .* of 4 steps, one symbol too far",
        ),
        (goes_far_too_far, r"prefill of n=1 of 3 symbols sees those from n on: when they are replaced, theta moves at site t="),
        (
            right_only_when_whole,
            r"prefill of n=\d of 3 symbols and call disagree at site t=\d in order \[0, 1, .*\]: relative diff",
        ),
        (right_only_when_short, r"prefill of n=3 of \d symbols and call disagree at site t=3"),
        (sees_the_next_in_its_sum, r"prefill of n=\d of \d symbols sees those from n on: when they are replaced, theta moves"),
    ],
)
def test_check_prefill_names_what_is_wrong(fill, message):
    with pytest.raises(LawBroken, match=message):
        check_prefill(Model(History(fill), Categorical(3), (6,)), PARAMS, KEY)
