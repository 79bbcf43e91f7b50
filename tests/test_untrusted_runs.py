"""A run directory may come from anyone: what is in it is read as data."""

import json
import sys

import pytest
from runs import write_run_of_random_parameters

import arjax
from arjax.data import Digits
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.protocol import MAX_SITES, Model
from arjax.training.description import rebuild


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    write_run_of_random_parameters(folder, Digits(), Model(MADE(hidden=(3,)), Bernoulli(), (8, 8)))
    return folder


# Modules of the standard library that say something when they are imported: nothing imports them by itself.
@pytest.mark.parametrize("name", ["this", "this:Zen", "antigravity.fly", "jax.Array(); import this"])
def test_a_checkpoint_that_names_a_class_imports_nothing(name, run):
    [metadata] = run.glob("checkpoints/1/**/_METADATA")
    before = metadata.read_text()
    assert '"jax.Array"' in before
    metadata.write_text(before.replace('"jax.Array"', json.dumps(name)))
    try:
        with pytest.raises(ValueError, match="can be read"):
            arjax.load(run)
    finally:
        metadata.write_text(before)
    assert not {"this", "antigravity"} & sys.modules.keys()
    arjax.load(run)


@pytest.mark.parametrize(
    "module", ["arjax.", "arjax..os", "arjax.data.", "arjax.data/../../x", "arjax.\0", "arjax.a b", ".arjax"]
)
def test_a_description_names_modules_by_their_full_names(module):
    with pytest.raises(ValueError, match="none of this package's"):
        rebuild({"class": f"{module}:X"})


def test_a_constructor_that_stumbles_is_one_line():
    with pytest.raises(ValueError, match=r"\A[^\n]*Experiment cannot be built: [^\n]*; mend the description\Z"):
        rebuild({"class": "arjax.training.experiment:Experiment", "data": 3, "model": 4, "steps": 1, "eval_every": 1})


def test_a_model_has_a_bounded_number_of_sites():
    with pytest.raises(ValueError, match=rf"more than {MAX_SITES} sites; choose fewer"):
        Model(MADE(), Bernoulli(), (MAX_SITES, 2))
