"""Any net as one of the columns of a table: what it can do inside, and what does not fit."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from faults import fault

import arjax
from arjax import Model, Spec
from arjax.heads import MISSING, Bernoulli, Cell, Law
from arjax.models import MADE, RNN, Columns, PixelCNN, Transformer
from arjax.orders import AnyOrder
from arjax.testing import lively_params

LAWS = (Law("real", location=100.0, scale=20.0), Law("categorical", 3, missing=True), Law("ordered", 4))


class Before(nn.Module):
    """A net of a user's own without a step: each theta of the sum of what stands before."""

    spec: Spec | None = None

    @nn.compact
    def __call__(self, x, order, cond=None, *, key=None):
        before = jnp.cumsum(x, axis=1) - x
        return nn.Dense(self.spec.param_size)(
            jnp.concatenate([before, jax.nn.one_hot(order, 3)[None].repeat(len(x), 0)], axis=-1)
        )


def model(net, order=None):
    return Model(Columns(net, 4, LAWS), Cell(2, levels=4), (3,), **({} if order is None else {"order": order}))


@pytest.mark.parametrize(
    ("net", "has"),
    [
        (MADE(hidden=(8,)), {"step", "any_order"}),
        (RNN("gru", width=8), {"step"}),
        (Transformer(8, 1, 2, any_order=True), {"step", "prefill", "attention", "any_order"}),
        (Before(), set()),
    ],
    ids=lambda part: type(part).__name__,
)
def test_capabilities_are_those_of_the_net_inside(net, has):
    declared = model(net).capabilities
    assert declared.standardizes
    assert {name for name in ("step", "prefill", "attention", "any_order") if getattr(declared, name)} == has


def test_decays_name_the_parameters_of_the_net_inside():
    declared = model(Transformer(8, 1, 2)).capabilities.decays
    assert "params.inside.table" in declared
    assert "w_in" in declared


def test_a_net_of_ones_own_without_a_step_is_scored_and_sampled():
    own = model(Before())
    params = lively_params(own, jax.random.key(0))
    x = arjax.sample(own, params, jax.random.key(1), 8)
    assert np.isfinite(arjax.log_prob(own, params, x)).all()
    assert set(np.unique(x[:, 1])) <= {0, 1, 2, np.float32(MISSING)}
    assert np.isneginf(arjax.log_prob(own, params, np.float32([[100, 3, 0], [100, 0, 0.5], [MISSING, 0, 0]]))).all()


def test_columns_refuse_what_does_not_fit_them():
    made = MADE(hidden=(8,))
    assert "has laws for 3 columns, but the sites are (4,)" in fault(lambda: Model(Columns(made, 4, LAWS), Cell(2, 4), (4,)))
    assert "is no head of columns of up to 4 levels" in fault(lambda: Model(Columns(made, 4, LAWS), Cell(1, 2), (3,)))
    assert "is no head of columns" in fault(lambda: Model(Columns(made, 4, LAWS), Bernoulli(), (3,)))
    assert "PixelCNN needs pictures" in fault(lambda: model(PixelCNN(4, 1)))
    assert "embedding=3 needs symbols" in fault(lambda: model(MADE(hidden=(8,), embedding=3)))
    assert "generates in one order only" in fault(lambda: model(RNN(width=4), AnyOrder()))
    assert "width=0 must be at least 1" in fault(lambda: Columns(made, 0))
