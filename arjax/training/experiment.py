"""One training run, as one frozen object made of real objects: what a file in configs/ builds and `run.json` records."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from arjax.data.batches import TrainingBatches, training_batches
from arjax.description import check_types
from arjax.errors import InputError
from arjax.protocol import NetCapabilities
from arjax.training.likelihood import Likelihood
from arjax.training.mesh import Mesh, check_batch, local_rows, place_padded
from arjax.training.optimizers import AdamW
from arjax.training.recipe import is_open

# Examples; a description that someone else wrote must not ask for any amount of memory.
_MOST_AT_ONCE = 2**20


@dataclasses.dataclass(frozen=True)
class Loggers:
    """Loggers beside metrics.jsonl."""

    tensorboard: bool = True
    """Write tensorboard/ into the run, if tensorboardX is installed."""
    wandb: str | None = None
    """A project of Weights & Biases to log to. WANDB_MODE=offline keeps the log in the run's directory."""
    mlflow: str | None = None
    """An experiment of MLflow to log to, on the server of MLFLOW_TRACKING_URI."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """The data, the model, and how one is fitted to the other. InputError where the parts do not fit."""

    # Fields whose class the config chooses are typed Any, so that the command line edits the object it finds there.
    data: Any
    """The data set, and how its values become symbols."""
    model: Any
    """The arjax.Model to fit, a ModelFor of which the data make one, or the model of another objective."""
    task: Any = dataclasses.field(default_factory=Likelihood)
    """The objective."""
    tokenizer: Any = None
    """Turns the data into the tokens to model; learned from the training split, or read from --tokenizer-from."""
    # What it learned counts, and is compared as such, not where it lay.
    tokenizer_from: str | None = dataclasses.field(default=None, compare=False)
    """A run whose tokenizer is used, or which trained it as its model."""
    # What was taken counts, and run.json has its sha256, not where it lay.
    params_from: str | None = dataclasses.field(default=None, compare=False)
    """A run or a Hugging Face folder with whose parameters training starts; None draws them."""
    params_only: tuple[str, ...] = dataclasses.field(default=(), compare=False)
    """Take only the parameters whose dotted names begin with these, such as blocks or table, and draw the others."""
    optimizer: Any = dataclasses.field(default_factory=AdamW)
    """The optimizer; its learning-rate schedule spans the run."""
    # A run may be made longer: runs/longer.py.
    steps: int = dataclasses.field(compare=False)
    """Updates in the whole run. A run with the schedule Constant or WarmupStableDecay continues with more."""
    batch_size: int = 100
    """Examples per update, over all devices."""
    accumulate: int = 1
    """Micro-batches per update, to save memory. An objective's state (of an EMACodebook) follows each of them."""
    ema: float = 0.999
    """Decay of the moving average of the parameters, which is evaluated; 0 evaluates the parameters themselves."""
    eval_batch_size: int = 500
    """Examples scored at once, over all devices."""
    # How often a run is scored and reports changes nothing it computes: a run may go on with other values.
    eval_every: int = dataclasses.field(compare=False)
    """Steps between validations, each with samples and a checkpoint."""
    patience: int | None = dataclasses.field(default=None, compare=False)
    """Validations in a row without a new best one that end the run; None or 0 never end it."""
    keep_every: int | None = dataclasses.field(default=None, compare=False)
    """Steps between checkpoints that are kept besides the last two and the best; None keeps no others."""
    log_every: int = dataclasses.field(default=100, compare=False)
    """Steps between the records of training in metrics.jsonl."""
    ensemble: int = 1
    """Orders and members that the test averages over, as probabilities; 1 scores the model's own order."""
    log: Loggers = dataclasses.field(default=Loggers(), compare=False)
    """Loggers beside metrics.jsonl."""
    samples: int = dataclasses.field(default=64, compare=False)
    """Samples drawn at each validation; 0 for none."""
    seed: int = 0
    """Seed of everything random: initial parameters, batches, dropout, orders, samples."""
    # Where a run computes is not what it computes: a run may go on with other devices.
    mesh: Mesh = dataclasses.field(default=Mesh(), compare=False)
    """The devices."""

    def __post_init__(self):
        check_types(self)
        for name in ("steps", "batch_size", "accumulate", "eval_every", "eval_batch_size", "log_every", "ensemble"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} must be at least 1; choose a positive number")
        for name in ("batch_size", "eval_batch_size", "ensemble", "samples"):
            if getattr(self, name) > _MOST_AT_ONCE:
                raise InputError(f"{name}={getattr(self, name)} is more than {_MOST_AT_ONCE} at once; choose fewer")
        if self.steps >= 2**31:
            raise InputError(f"steps={self.steps} is not below 2**31, where int32 ends that counts them; choose fewer")
        for name, least in (("samples", 0), ("patience", 0), ("keep_every", 1)):
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise InputError(f"{name}={getattr(self, name)} must be at least {least}; choose {least} or more")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed={self.seed} is not in 0..2**32-1; choose one that is")
        if not 0 <= self.ema < 1:
            raise InputError(f"ema={self.ema} is a decay rate; choose it in [0, 1)")
        if self.batch_size % self.accumulate:
            raise InputError(f"batch_size={self.batch_size} is not divisible by accumulate={self.accumulate}; choose a multiple")
        self.optimizer.build(self.steps, NetCapabilities())
        if self.params_only and self.params_from is None:
            raise InputError(
                f"params_only={' '.join(self.params_only)} needs params_from, to take them from; name it, or leave this out"
            )
        if is_open(self):
            return  # checked once it is settled
        if self.tokenizer is not None and self.data.values.random:
            raise InputError(
                f"{self.data.values} draws values at random, which a tokenizer cannot encode once and for all; fix them"
            )
        if self.tokenizer is None and self.tokenizer_from is not None:
            raise InputError(f"tokenizer_from={self.tokenizer_from} needs a tokenizer to be read; name it, or leave this out")
        self.task.check(self)


def over_tokens(experiment: Experiment, learned: Mapping | None) -> Experiment:
    """Returns the same experiment over the tokens of its data; one without a tokenizer stays as it is.

    learned: what the tokenizer learned.
    """
    if experiment.tokenizer is None:
        return experiment
    data = experiment.tokenizer.over(experiment.data, learned)
    return dataclasses.replace(experiment, data=data, tokenizer=None, tokenizer_from=None)


class Keys(NamedTuple):
    """One key for each purpose of a run."""

    init: jax.Array
    train: jax.Array
    evaluate: jax.Array
    sample: jax.Array


def training_batches_on(mesh: jax.sharding.Mesh, experiment: Experiment, split) -> TrainingBatches:
    """Returns the experiment's batches of a split, of which this process gets what its devices hold. InputError unless every
    device gets as many examples."""
    check_batch(experiment.batch_size, experiment.accumulate, mesh)
    return training_batches(split, experiment.batch_size, experiment.seed, local_rows(experiment.batch_size, mesh))


def scoring(experiment: Experiment, mesh: jax.sharding.Mesh) -> dict[str, Any]:
    """Returns what an objective's `validate` and `test` take besides: the options of the experiment's evaluations on a mesh."""
    place = functools.partial(place_padded, mesh=mesh)
    return {"batch_size": experiment.eval_batch_size, "key": run_keys(experiment).evaluate, "place": place}


def run_keys(experiment: Experiment) -> Keys:
    """Returns the keys that the experiment's seed stands for."""
    return Keys(*jax.random.split(jax.random.key(experiment.seed), 4))
