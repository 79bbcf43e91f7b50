"""Every model of the zoo obeys the law."""

import jax
import pytest
from zoo import ZOO

from arjax import testing


@pytest.mark.contract
@pytest.mark.parametrize("part", testing.PARTS, ids=lambda part: part.__name__)
@pytest.mark.parametrize("model", ZOO.values(), ids=ZOO.keys())
def test_the_law_holds_for(model, part):
    key = jax.random.key(0)
    part(model, testing.lively_params(model, key), key)
