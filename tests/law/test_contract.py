"""Every model of the zoo obeys the law."""

import jax
import pytest
from zoo import QUICK, ZOO

from arjax import testing

ROWS = [pytest.param(model, id=name, marks=() if name in QUICK else pytest.mark.slow) for name, model in ZOO.items()]


KEY = jax.random.key(0)


@pytest.fixture(scope="module", params=ROWS)
def row(request):
    """(model, parameters) of every row in turn, with all parts of the kit; then its compiled programs are let go: a process can
    hold only so many."""
    yield request.param, testing.lively_params(request.param, KEY)
    jax.clear_caches()


@pytest.mark.contract
@pytest.mark.parametrize("part", testing.PARTS, ids=lambda part: part.__name__)
def test_PARTS_of_the_law_hold_for(row, part):
    part(*row, KEY)


@pytest.mark.contract
def test_check_passes_with_keys_of_another_implementation():
    testing.check(ZOO["lstm"], key=jax.random.key(0, impl="rbg"))


def test_QUICK_rows_are_rows_of_every_family():
    families = {type(model.net) for model in ZOO.values()} - {type(ZOO["bayes_neural"].net)}  # tables and nets are one family
    assert families == {type(ZOO[name].net) for name in QUICK}
