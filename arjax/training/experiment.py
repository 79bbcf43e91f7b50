"""One training run, as one frozen object made of real objects: what a file in configs/ builds and `run.json` records."""

import dataclasses
from typing import Any, NamedTuple

import jax
import numpy as np

from arjax.orders import AnyOrder
from arjax.training.mesh import Mesh
from arjax.training.optimizers import AdamW


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """The data, the model, and how one is fitted to the other. ValueError where the parts do not fit."""

    # Fields whose class the config chooses are typed Any, so that the command line edits the object it finds there.
    data: Any
    """The data set, and how its values become symbols."""
    model: Any
    """The arjax.Model to fit."""
    optimizer: Any = dataclasses.field(default_factory=AdamW)
    """The optimizer; its learning-rate schedule spans the run."""
    steps: int
    """Updates in the whole run."""
    batch_size: int = 100
    """Examples an update, over all devices."""
    accumulate: int = 1
    """Micro-batches an update is split into, to save memory."""
    ema: float = 0.999
    """Decay of the average of the parameters that is evaluated; 0 evaluates the parameters themselves."""
    eval_every: int
    """Steps between validations, each with samples and a checkpoint."""
    eval_batch_size: int = 500
    """Examples scored at once, over all devices."""
    log_every: int = 100
    """Steps between the lines on training in metrics.jsonl."""
    ensemble: int = 1
    """Orders and members the final test averages over (as probabilities); 1 scores the model's own."""
    samples: int = 64
    """Samples drawn at each validation; 0 for none."""
    seed: int = 0
    """Seed of everything random: initial parameters, batches, dropout, orders, samples."""
    # Where a run computes is not what it computes: a run may go on with other devices.
    mesh: Mesh = dataclasses.field(default=Mesh(), compare=False)
    """The devices."""

    def __post_init__(self):
        for name in ("steps", "batch_size", "accumulate", "eval_every", "eval_batch_size", "log_every", "ensemble"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1; choose a positive number")
        for name in ("samples", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)} must not be negative; choose 0 or more")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema={self.ema} is a decay rate; choose it in [0, 1)")
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size={self.batch_size} is not divisible by accumulate={self.accumulate}; choose a multiple")
        self.optimizer.build(self.steps)
        vocab, head = self.data.values.vocab, self.model.head
        if vocab != head.vocab:
            raise ValueError(
                f"{self.data.values} gives {_symbols(vocab)}, but {type(head).__name__} models "
                f"{_symbols(head.vocab)}; change one of them"
            )
        if self.ensemble > 1 and not (isinstance(self.model.order, AnyOrder) or self.model.cond.members):
            raise ValueError(
                f"ensemble={self.ensemble} needs something to average over; use order=AnyOrder() or "
                "CondSpec(members=...), or set --ensemble 1"
            )


class Keys(NamedTuple):
    """One key for each purpose of a run."""

    init: jax.Array
    train: jax.Array
    evaluate: jax.Array
    sample: jax.Array


def run_keys(experiment: Experiment) -> Keys:
    """The keys that the experiment's seed stands for."""
    return Keys(*jax.random.split(jax.random.key(experiment.seed), 4))


def check_splits(experiment: Experiment, splits) -> None:
    """ValueError unless the data, once loaded, is of the shape and has the labels that the model was made for."""
    model = experiment.model
    expected = (*model.site_shape, *model.head.event_shape)
    for name, split in zip(("train", "valid", "test"), (splits.train, splits.valid, splits.test), strict=True):
        if not len(split.x):
            raise ValueError(f"the {name} split of {experiment.data.title} is empty; give it at least one example")
        if split.x.shape[1:] != expected:
            raise ValueError(
                f"{experiment.data.title} ({name}) has examples of shape {split.x.shape[1:]}, but the model's are {expected}; "
                f"set --model.site-shape to fit"
            )
        if model.cond.classes is None:
            continue
        if split.label is None:
            raise ValueError(
                f"{experiment.data.title} ({name}) has no labels, but the model is conditioned on {model.cond.classes} classes; "
                "leave out CondSpec(classes=...)"
            )
        if not np.all((split.label >= 0) & (split.label < model.cond.classes)):
            raise ValueError(
                f"{experiment.data.title} ({name}) has labels {split.label.min()}..{split.label.max()}, but the model knows "
                f"classes 0..{model.cond.classes - 1}; set --model.cond.classes {split.label.max() + 1}"
            )


def _symbols(vocab):
    return "real values" if vocab is None else f"symbols 0..{vocab - 1}"
