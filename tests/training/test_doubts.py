"""Each thing in real-valued data that spoils training, by the line that names it."""

from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import train as script
from arjax.data import Real, Scaled
from arjax.data.splits import Split, Splits
from arjax.errors import InputError
from arjax.heads import Bernoulli, CoupledDiscretizedMixtureOfLogistics, MixtureOfGaussians
from arjax.models import MADE, WaveNet
from arjax.protocol import CondSpec, Model
from arjax.training.doubts import doubts_of_data

X = np.random.default_rng(0).normal(size=(40, 2, 3))
NOISE = np.random.default_rng(1).normal(size=(40, 2, 4)).astype(np.float32)
MODEL = Model(MADE(hidden=(4,)), MixtureOfGaussians(2), (2, 3))
LOCAL = Model(WaveNet(1, 1, width=4, skip=4, readout=4), MixtureOfGaussians(2), (2,), cond=CondSpec(local=4))
FARTHER = "farther from 0 than a net can begin with; shift and divide it"
SAME = "the same in all of the training split"
REAL = Real()


def changed(place, value, of=X):
    array = of.copy()
    array[(slice(None), *place)] = value
    return array


def said(model, train, values=REAL, test=None) -> tuple[str, ...]:
    splits = Splits(train, train, test or train)
    return doubts_of_data(SimpleNamespace(model=model, data=SimpleNamespace(values=values)), splits, jax.random.key(0))


@pytest.mark.parametrize(
    ("split", "lines"),
    [
        (Split(X), []),
        (Split(1000 * X / np.abs(X).max()), []),
        (Split(changed((1, 2), np.linspace(-50_000, 20_000, 40))), [f"x[:, 1, 2] lies between -50000 and 20000, {FARTHER}"]),
        (Split(changed((0, 1), np.linspace(40_000, 40_003, 40))), [f"x[:, 0, 1] lies between 40000 and 40003, {FARTHER}"]),
        (Split(changed((0, 1), 0.5)), [f"x[:, 0, 1] is {SAME} (0.5): a density there has no upper bound"]),
        (Split(changed((0,), 0.5)), [f"x[:, 0, 0] and 2 other columns are {SAME}"]),
        (Split(changed((1, 1), 5e4)), ["x[:, 1, 1] lies between 50000 and 50000", f"x[:, 1, 1] is {SAME}"]),
        (Split(changed((1,), 0), counted=np.arange(40 * 6).reshape(40, 2, 3) % 6 < 3), []),
    ],
    ids=["standard", "at the limit", "wide", "shifted", "constant", "three constant", "both", "padding"],
)
def test_doubts_name_the_column_its_range_and_the_remedy(split, lines):
    found = said(MODEL, split)
    assert len(found) == len(lines)
    for line, start in zip(found, lines, strict=True):
        assert line.startswith(start)
        assert "\n" not in line


def test_doubts_are_of_the_values_that_the_model_is_given():
    x = np.random.default_rng(0).integers(0, 60_000, (40, 2, 3))
    assert "x[:, " in said(MODEL, Split(x))[0]
    assert said(MODEL, Split(x), Scaled(60_000)) == ()


def test_doubts_are_of_every_split_but_a_column_may_be_constant_where_nothing_is_fitted():
    (line,) = said(MODEL, Split(X), test=Split(changed((1, 2), -2e5)))
    assert line.startswith(f"x[:, 1, 2] lies between -200000 and {X[:, 1, 2].max():g}, {FARTHER}")
    assert said(MODEL, Split(X), test=Split(changed((0,), 1.0))) == ()


def test_doubts_are_of_features_too():
    split = Split(X[:, :, 0], local=changed((1, 3), -7e4, NOISE))
    (line,) = said(LOCAL, split)
    assert line.startswith(f"local[..., 3] lies between -70000 and {NOISE[:, 0, 3].max():g}, {FARTHER}")
    assert said(LOCAL, split._replace(local=NOISE)) == ()


def test_doubts_are_none_of_symbols_and_of_what_another_objective_fits():
    assert said(Model(MADE(hidden=(4,)), Bernoulli(), (2, 3)), Split(np.zeros((4, 2, 3), np.int64))) == ()
    assert said(Model(MADE(hidden=(4,)), CoupledDiscretizedMixtureOfLogistics(3, 2), (2,)), Split(np.zeros((4, 2, 3), int))) == ()
    assert said(None, Split(1e9 * X)) == ()


OWN = """
import dataclasses

import numpy as np

import arjax
from arjax.data import Real, Table
from arjax.data.splits import Split, Splits
from arjax.heads import MixtureOfGaussians
from arjax.models import MADE
from arjax.training import Experiment, Mesh


@dataclasses.dataclass(frozen=True)
class Mine:
    size: float = 1e12
    values: Real = Real()
    medium = Table()
    title = "a table of my own"

    def load(self):
        x = np.random.default_rng(0).normal(size=(16, 3)) * [1, self.size, 1]
        return Splits(Split(x), Split(x[:8]), Split(x[8:]))


experiment = Experiment(
    data=Mine(), model=arjax.Model(MADE(hidden=(4,)), MixtureOfGaussians(2), (3,)), mesh=Mesh(1),
    batch_size=8, steps=2, eval_every=1, samples=0,
)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with the config above, which is the current one."""
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)


@pytest.mark.usefixtures("own")
def test_train_names_the_column_before_it_begins_and_where_the_gradient_is_not_finite(capsys):
    with pytest.raises(FloatingPointError, match=r"\Athe gradient's norm is inf at step 1; x\[:, 1\] lies between .*\Z") as error:
        script.main(["own.py"])
    assert "--optimizer" not in str(error.value)
    assert capsys.readouterr().out.count("\nnote: x[:, 1] lies between ") == 1


@pytest.mark.usefixtures("own")
def test_train_refuses_data_of_a_users_own_that_no_one_checked(capsys):
    with pytest.raises(InputError, match=r"\Aa table of my own: train has the value nan at \[0, 1\], but real values accepts"):
        script.main(["own.py", "--data.size", "nan"])
    assert not Path("runs").exists()
