"""Prompts that enter in one parallel pass: in the sampler."""

import jax
import numpy as np
import pytest
from history import TRACES, History, through

from arjax.heads import Categorical
from arjax.orders import AnyOrder, Random
from arjax.protocol import Model
from arjax.sampling import TopK, ancestral, naive
from arjax.testing import lively_params

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
