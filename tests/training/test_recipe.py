"""Data that are open until their files were seen, and the models that they make of a net."""

import dataclasses

import numpy as np
import pytest

import arjax
from arjax.data import Examined, Images, Levels, Split, Splits
from arjax.description import describe, rebuild
from arjax.errors import InputError
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE
from arjax.runs.config import edit
from arjax.training import Experiment, ModelFor, settle


@dataclasses.dataclass(frozen=True)
class Levelled:
    """Examples of four sites, with as many levels as `found` says, a class for each; the files would say three."""

    path: str | None = None
    levels: int | None = None

    open = property(lambda self: self.levels is None)
    classes = property(lambda self: tuple("abc"[: self.levels]))
    values = property(lambda self: Levels(self.levels))
    medium = property(lambda self: Images(self.levels))
    title = property(lambda self: f"levels of {self.path}")

    def examined(self):
        if self.path is None:
            raise InputError("the data have no path; name the file by --data.path")
        return Examined(dataclasses.replace(self, levels=3), ("one file was skipped",))

    def model(self, net, *, head, order, classes):
        head = Categorical(self.levels) if head is None else head
        return arjax.Model(net, head, (4,), order, arjax.CondSpec(classes=classes))

    def load(self):
        split = Split(np.arange(8).reshape(2, 4) % 3, np.arange(2))
        return Splits(split, split, split)


OPEN = Experiment(data=Levelled(), model=ModelFor(MADE(hidden=(4,))), steps=10, eval_every=10)


def test_settle_fills_in_data_and_model_and_says_the_notes(capsys):
    settled, _ = edit(OPEN, ["--data.path", "here", "--model.net.hidden", "8"], "runs/x", "train.py")
    assert settled.data == Levelled("here", 3)
    assert settled.model == arjax.Model(MADE(hidden=(8,)), Categorical(3), (4,), cond=arjax.CondSpec(classes=3))
    assert capsys.readouterr().out == "note: one file was skipped\n"
    assert rebuild(describe(settled), (__name__,)) == settled == settle(settled)


def test_settle_keeps_the_head_and_leaves_out_the_labels_where_the_config_says_so():
    open_ = dataclasses.replace(OPEN, data=Levelled("here"), model=ModelFor(MADE(), Categorical(5), labels=False))
    with pytest.raises(InputError, match=r"Levels.*but Categorical models symbols 0"):
        settle(open_)
    there = settle(dataclasses.replace(open_, model=ModelFor(MADE(), labels=False)))
    assert (there.model.head, there.model.cond) == (Categorical(3), arjax.CondSpec())


def test_settle_refuses_data_without_a_path_and_data_that_make_no_model():
    with pytest.raises(InputError, match="by --data"):
        settle(OPEN)
    arrays = arjax.Arrays(np.zeros((2, 4), int), np.ones((2, 4), int))
    with pytest.raises(InputError, match="give the experiment an"):
        settle(Experiment(data=arrays, model=ModelFor(MADE(), Bernoulli()), steps=10, eval_every=10))
