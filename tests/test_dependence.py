"""The measured receptive field, against nets whose dependence is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from normal import Normal

from arjax.heads import Bernoulli
from arjax.models import MADE, RNN, Histogram
from arjax.orders import Snake
from arjax.protocol import Model
from arjax.testing import dependence, lively_params

KEY = jax.random.key(0)


def test_a_net_that_sees_all_sees_what_is_earlier_in_its_order():
    model = Model(RNN("gru", width=5), Normal(), (3, 4), Snake())
    rank = model.permutation.argsort().reshape(3, 4)
    for site in ((0, 0), (1, 2), (2, 3)):
        seen = dependence(model, lively_params(model, KEY), site, KEY)
        np.testing.assert_array_equal(seen > 0, rank < rank[site])


def test_a_net_that_sees_nothing_has_no_dependence():
    model = Model(Histogram(), Normal(), (4,))
    np.testing.assert_array_equal(dependence(model, {"theta": jnp.ones((4, 1))}, (3,), KEY), np.zeros(4))


@pytest.mark.parametrize(
    ("model", "site", "message"),
    [
        (Model(MADE(hidden=(3,)), Bernoulli(), (4,)), (1,), "models symbols, which have no derivative"),
        (Model(MADE(hidden=(3,)), Normal(), (4,)), (4,), r"site=\(4,\) is outside the data of shape \(4,\)"),
        (Model(MADE(hidden=(3,)), Normal(), (4, 2)), (1,), r"site=\(1,\) is outside"),
    ],
)
def test_what_has_no_dependence_is_refused(model, site, message):
    with pytest.raises(ValueError, match=message):
        dependence(model, lively_params(model, KEY), site, KEY)
