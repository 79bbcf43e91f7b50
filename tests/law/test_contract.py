"""Every model of the zoo obeys the law."""

import jax
import pytest
from zoo import FURTHER, ZOO

from arjax import testing


def when(name):
    """Another dtype of a row that CI runs has tests of its own (test_dtype.py): its whole law is left to `make contract`."""
    if name.endswith("_bfloat16"):
        return pytest.mark.torture
    return pytest.mark.slow if name in FURTHER else ()


ROWS = [pytest.param(model, id=name, marks=when(name)) for name, model in ZOO.items()]


@pytest.fixture(scope="module", params=ROWS)
def model(request):
    """Every row in turn, with all parts of the kit; then its compiled programs are let go: a process can hold only so many."""
    yield request.param
    jax.clear_caches()


@pytest.mark.contract
@pytest.mark.parametrize("part", testing.PARTS, ids=lambda part: part.__name__)
def test_the_law_holds_for(model, part):
    key = jax.random.key(0)
    part(model, testing.lively_params(model, key), key)


def test_the_rows_left_to_the_slow_tests_are_rows():
    assert set(ZOO) > FURTHER
