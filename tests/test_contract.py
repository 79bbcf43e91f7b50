"""Every model of the zoo obeys the law."""

import jax
import pytest
from zoo import ZOO

from arjax import testing

PARTS = [
    testing.check_causality,
    testing.check_step,
    testing.check_normalization,
    testing.check_samplers,
    testing.check_completion,
    testing.check_compilation,
    testing.check_gradients,
    testing.check_work,
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
@pytest.mark.parametrize("model", ZOO.values(), ids=ZOO.keys())
def test_the_law_holds_for(model, part):
    key = jax.random.key(0)
    part(model, testing.lively_params(model, key), key)
