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
    # How often a run tells of itself changes nothing it computes: a run may go on with other values.
    log_every: int = dataclasses.field(default=100, compare=False)
    """Steps between the lines on training in metrics.jsonl."""
    ensemble: int = 1
    """Orders and members the final test averages over (as probabilities); 1 scores the model's own."""
    samples: int = dataclasses.field(default=64, compare=False)
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
        if self.samples < 0:
            raise ValueError(f"samples={self.samples} must not be negative; choose 0 or more")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed={self.seed} is not in 0..2**32-1; choose one that is")
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
        orders = len(self.model.order.among) if isinstance(self.model.order, AnyOrder) else 0
        if 0 < orders < self.ensemble:
            raise ValueError(f"ensemble={self.ensemble} is more than the {orders} orders of the model; set --ensemble {orders}")


class Keys(NamedTuple):
    """One key for each purpose of a run."""

    init: jax.Array
    train: jax.Array
    evaluate: jax.Array
    sample: jax.Array


def run_keys(experiment: Experiment) -> Keys:
    """The keys that the experiment's seed stands for."""
    return Keys(*jax.random.split(jax.random.key(experiment.seed), 4))


def check_fits(experiment: Experiment, splits) -> None:
    """ValueError unless the data, as its `load` gives them, have the shape and the labels that the model was made for."""
    title, model = experiment.data.title, experiment.model
    shape, expected = splits.train.x.shape[1:], (*model.site_shape, *model.head.event_shape)
    event = model.head.event_shape
    if shape[len(shape) - len(event) :] != event:
        raise ValueError(
            f"{title} has examples of shape {shape}, but {model.head} models {event[0]} values a site; choose a head of one"
        )
    if shape != expected:
        raise ValueError(f"{title} has examples of shape {shape}, but the model's are {expected}; set --model.site-shape to fit")
    if splits.train.counted is not None:
        # In another order padding would come before what counts, which would be given it.
        if isinstance(model.order, AnyOrder) or not np.array_equal(model.permutation, np.arange(model.num_sites)):
            raise ValueError(f"{title} has sites that do not count, which needs Raster(), not {model.order}; leave out the order")
        if splits.train.counted.shape[1:] != model.site_shape:
            raise ValueError(
                f"{title} says what counts for sites of shape {splits.train.counted.shape[1:]}, but the model's are "
                f"{model.site_shape}; give one boolean for each site"
            )
    for name, declared in model.cond.features(model.site_shape).items():
        features = getattr(splits.train, name)
        if features is None or features.shape[1:] != declared:
            has = f"no {name} features" if features is None else f"{name} features of shape {features.shape[1:]}"
            flags = {"local": "--model.cond.local and --model.cond.hop", "memory": "--model.cond.memory"}[name]
            raise ValueError(f"{title} has {has}, but the model wants {declared} for an example; set {flags} to fit")
    if model.cond.classes is None:
        return
    if splits.train.label is None:
        raise ValueError(
            f"{title} has no labels, but the model is conditioned on {model.cond.classes} classes; "
            "leave out CondSpec(classes=...)"
        )
    highest = max(int(split.label.max()) for split in splits)
    if highest >= model.cond.classes:
        raise ValueError(
            f"{title} has labels up to {highest}, but the model knows classes 0..{model.cond.classes - 1}; "
            f"set --model.cond.classes {highest + 1}"
        )


def _symbols(vocab):
    return "real values" if vocab is None else f"symbols 0..{vocab - 1}"
