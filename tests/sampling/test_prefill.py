"""Prompts that enter in one parallel pass: in the sampler, and in the conformance kit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from history import TRACES, History, through

from arjax import testing
from arjax.heads import Bernoulli, Categorical
from arjax.models import RNN
from arjax.orders import AnyOrder, Random
from arjax.protocol import Model
from arjax.sampling import TopK, ancestral, naive
from arjax.testing import LawBroken, lively_params

KEY, T = jax.random.key(0), 6
MODEL = Model(History(), Categorical(3), (T,))
PARAMS = lively_params(MODEL, KEY)
OBSERVED = np.random.default_rng(0).integers(0, 3, (4, T))


@pytest.mark.parametrize("lengths", [(1, 1, 1, 1), (3, 2, 6, 4), (6, 6, 6, 6), (5, 0, 1, 2)], ids=str)
def test_ancestral_draws_the_same_where_a_prompt_enters_in_one_pass(lengths, monkeypatch):
    arguments = {"observed": OBSERVED, "mask": np.arange(T) < np.array(lengths)[:, None], "transforms": (TopK(2),)}
    TRACES.clear()
    jax.clear_caches()
    x = ancestral(MODEL, PARAMS, KEY, 4, **arguments)
    # Where a row has no prompt there is nothing that all have.
    assert TRACES["prefill"] == (min(lengths) > 0)
    np.testing.assert_array_equal(x, naive(MODEL, PARAMS, KEY, 4, **arguments))
    monkeypatch.delattr(History, "prefill")
    np.testing.assert_array_equal(x, ancestral(MODEL, PARAMS, KEY, 4, **arguments))


def test_ancestral_is_one_program_for_prompts_of_every_length():
    jax.clear_caches()
    TRACES.clear()
    for n in range(1, T + 1):
        ancestral(MODEL, PARAMS, KEY, 4, observed=OBSERVED, mask=np.arange(T) < n)
    assert TRACES == {"prefill": 1, "step": 1}


def test_ancestral_steps_only_through_what_is_behind_the_prompt():
    steps = []

    def counted(history, x, n):
        jax.debug.callback(lambda n: steps.append(int(n)), n)
        return through(history, x, n)

    model = Model(History(counted), Categorical(3), (T,))
    ancestral(model, PARAMS, KEY, 4, observed=OBSERVED, mask=np.arange(T) < np.array([5, 3, 4, 6])[:, None])
    jax.effects_barrier()
    assert steps == [3]


def test_ancestral_completes_masks_that_differ_with_an_order_for_each_example():
    model = Model(History(any_order=True), Categorical(3), (2, 3), AnyOrder(Random(1)))
    mask = np.random.default_rng(1).random((4, 2, 3)) < 0.5
    assert mask.sum(axis=(1, 2)).min() > 0
    observed = OBSERVED.reshape(4, 2, 3)
    x = np.asarray(ancestral(model, PARAMS, KEY, 4, observed=observed, mask=mask))
    np.testing.assert_array_equal(x[mask], observed[mask])
    np.testing.assert_array_equal(x, naive(model, PARAMS, KEY, 4, observed=observed, mask=mask))
    # Each as if its order had been given, row by row.
    orders = [sorted(model.permutation.tolist(), key=lambda site, row=row: not row.reshape(-1)[site]) for row in mask]
    given = ancestral(model, PARAMS, KEY, 4, order=np.array(orders), observed=observed, mask=mask)
    np.testing.assert_array_equal(x, given)


# The kit


def forgets_the_last(history, x, n):
    return through(history, x, n - 1)


def sees_one_more(history, x, n):
    return through(history, x, n + 1)


def sees_the_next_in_its_sum(history, x, n):
    # Right in length; but the first symbol is mixed with whatever stands at n.
    there = jnp.where(n < x.shape[1], x[:, jnp.minimum(n, x.shape[1] - 1)], 0)
    return through(history, x, n).at[:, 0, 0].add(0.1 * there)


def right_only_when_whole(history, x, n):
    return through(history, x, n) * (x.shape[1] == T)


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
        Model(History(sees_one_more), Categorical(3), (T,)),  # a later write replaces what is one too far
    ],
    ids=["in one order", "in any", "one site", "two sites", "without prefill", "one too far"],
)
def test_check_prefill_passes_a_right_one_and_a_net_without(good):
    testing.check_prefill(good, lively_params(good, KEY), KEY)


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (forgets_the_last, r"prefill of n=2 of \d symbols and call disagree at site t=\d in order \[0, 1, .*\]: relative diff"),
        (right_only_when_whole, r"prefill of n=\d of 3 symbols and call disagree"),
        (right_only_when_short, r"prefill of n=3 of \d symbols and call disagree at site t=3"),
        (
            sees_the_next_in_its_sum,
            r"prefill of n=\d of \d symbols sees those from n on: when they are replaced, theta moves at site t=",
        ),
    ],
)
def test_check_prefill_catches_a_wrong_one(fill, message):
    with pytest.raises(LawBroken, match=message):
        testing.check_prefill(Model(History(fill), Categorical(3), (T,)), PARAMS, KEY)
