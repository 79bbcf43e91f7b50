"""Nets of a user's own under the law: a NADE, the README's (test_readme.py), and these."""

import pytest
from own_nets import LinearAttention, StateSpace

import arjax
from arjax import testing
from arjax.heads import Bernoulli, Categorical
from arjax.orders import AnyOrder, Random

MODELS = {
    "a state-space net": arjax.Model(StateSpace(), Categorical(3), (4,)),
    "linear attention": arjax.Model(LinearAttention(), Bernoulli(), (2, 2), AnyOrder(Random(1)), arjax.CondSpec(classes=3)),
}


@pytest.mark.slow  # the kit as a user calls it, on every net
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_check_passes_a_net_that_a_user_wrote(model):
    skipped = {part.name for part in testing.check(model) if part.skipped}
    assert skipped == {"order_per_example"} | (set() if isinstance(model.net, StateSpace) else {"prefill"})
