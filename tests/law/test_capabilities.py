"""What nets and heads declare, with the defaults of those that mention nothing."""

import flax.linen as nn
import jax.numpy as jnp

from arjax.heads import Bernoulli, Categorical, CoupledDiscretizedMixtureOfLogistics
from arjax.models import MADE, Transformer
from arjax.protocol import HeadCapabilities, Model, NetCapabilities
from arjax.testing.cases import BFLOAT16, FLOAT32, tolerance


class Plain(nn.Module):
    """A user's own net, which mentions nothing."""

    spec: object = None


class Typed(nn.Module):
    """One that mentions what it computes in."""

    dtype: object = None
    spec: object = None


def test_net_capabilities_have_defaults_for_a_net_that_mentions_nothing():
    assert NetCapabilities.of(Plain()) == NetCapabilities()
    assert not Model(Plain(), Bernoulli(), (3,)).capabilities.any_order


def test_net_capabilities_are_what_a_net_declares():
    assert Model(MADE(hidden=(3,)), Bernoulli(), (3,)).capabilities.any_order
    net = Model(Transformer(8, 1, 2, any_order=True, dtype="bfloat16"), Bernoulli(), (3,)).capabilities
    assert (net.any_order, net.order_per_example, net.dtype) == (True, True, "bfloat16")
    assert all(callable(method) for method in (net.prefill, net.attention))


def test_tolerance_takes_a_dtype_by_its_name_or_as_itself_or_none():
    for dtype, allowed in (("float32", FLOAT32), (None, FLOAT32), ("bfloat16", BFLOAT16), (jnp.bfloat16, BFLOAT16)):
        assert tolerance(Model(Typed(dtype), Bernoulli(), (3,))) == allowed


def test_head_capabilities_are_what_a_head_declares():
    assert HeadCapabilities.of(Bernoulli()) == HeadCapabilities()
    assert HeadCapabilities.of(Categorical(3)).logits
    assert callable(HeadCapabilities.of(CoupledDiscretizedMixtureOfLogistics(3, 2)).log_conditionals)
