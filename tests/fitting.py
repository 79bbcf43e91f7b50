"""Experiments on batches that a test makes itself, with any optimizer of optax."""

import dataclasses

import optax

from arjax.data import Npz
from arjax.training import Experiment


@dataclasses.dataclass(frozen=True)
class Plain:
    """An optimizer that is the same transformation for a run of any length."""

    transformation: optax.GradientTransformation

    def build(self, steps, net):
        return self.transformation


def fitting(model, values, transformation=None, **fields) -> Experiment:
    """An experiment whose data are never loaded: raw batches of `values` are given to its steps."""
    fields = {"steps": 100, "eval_every": 100, "optimizer": Plain(transformation or optax.sgd(0.1))} | fields
    return Experiment(data=Npz("none.npz", values), model=model, **fields)
