"""Optimizers as data: frozen dataclasses whose `build(steps)` makes the optax transformation.

Its `update` is given `decays`, what the net declares (arjax.protocol.NetCapabilities), beside the parameters; a transformation
that takes no such argument is not given it.

`learning_rate` is the peak of the `schedule` (training/schedules.py). Gradients are clipped to a global norm of `clip` first;
None leaves them alone.
"""

import dataclasses
import math
from typing import Any, Protocol

import jax
import optax

from arjax.description import check_types
from arjax.errors import InputError
from arjax.protocol import decaying, declared_by
from arjax.training.schedules import Cosine, Schedule


class Optimizer(Protocol):
    """A frozen dataclass. `OptimizerCapabilities` lists what it may declare besides."""

    def build(self, steps: int) -> optax.GradientTransformation:
        """Makes the transformation for a run of `steps` steps. InputError if its schedule does not fit into them."""
        ...


@dataclasses.dataclass(frozen=True)
class OptimizerCapabilities:
    """What an optimizer may declare by an attribute of the same name. One that does not mention it has the default."""

    learning_rate: float | None = None
    """The peak of the schedule; of several learning rates the one that is recorded."""
    schedule: Schedule | None = None
    """How the learning rate changes. Without it none is recorded, and a run cannot be made longer."""

    @classmethod
    def of(cls, optimizer) -> "OptimizerCapabilities":
        """Reads what `optimizer` declares."""
        return declared_by(cls, optimizer)


def rates(optimizer: Optimizer, steps: int) -> optax.Schedule | None:
    """Returns step, from 1 on -> the learning rate of the update that makes it so many steps, in a run of `steps`; None where the
    optimizer declares no schedule."""
    declared = OptimizerCapabilities.of(optimizer)
    if declared.schedule is None or declared.learning_rate is None:
        return None
    of_update = declared.schedule.build(declared.learning_rate, steps)
    return lambda step: of_update(step - 1)


@dataclasses.dataclass(frozen=True)
class Adam:
    """Kingma and Ba 2015."""

    learning_rate: float = 1e-3
    """The highest learning rate, that of the schedule's peak."""
    schedule: Any = Cosine()
    """How the learning rate changes in the run."""
    b1: float = 0.9
    """Decay of the mean of gradients."""
    b2: float = 0.999
    """Decay of the mean of squared gradients."""
    clip: float | None = 1.0
    """The norm that gradients are clipped to, of all parameters together; None leaves them alone."""

    def __post_init__(self):
        _check(self, "b1", "b2")

    def build(self, steps: int) -> optax.GradientTransformation:
        """Makes the transformation for a run of `steps` steps. InputError if its schedule does not fit into them."""
        return optax.chain(_clip(self.clip), optax.adam(_rate(self, steps), self.b1, self.b2))


@dataclasses.dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): of what a net declares in `decays`, so of the matrices and
    kernels that multiply an activation. Biases, scales, embeddings, tables and codebooks stay what their gradient makes them."""

    learning_rate: float = 1e-3
    """The highest learning rate, that of the schedule's peak."""
    schedule: Any = Cosine()
    """How the learning rate changes in the run."""
    weight_decay: float = 1e-4
    """What each update takes of matrices and kernels, times the learning rate. Biases, scales and embeddings do not decay."""
    b1: float = 0.9
    """Decay of the mean of gradients."""
    b2: float = 0.999
    """Decay of the mean of squared gradients."""
    clip: float | None = 1.0
    """The norm that gradients are clipped to, of all parameters together; None leaves them alone."""

    def __post_init__(self):
        _check(self, "b1", "b2")
        _check_weight_decay(self.weight_decay)

    def build(self, steps: int) -> optax.GradientTransformation:
        """Makes the transformation for a run of `steps` steps. InputError if its schedule does not fit into them."""
        adam, rate = optax.scale_by_adam(self.b1, self.b2), optax.scale_by_learning_rate(_rate(self, steps))
        return optax.chain(_clip(self.clip), optax.chain(adam, _decay(self.weight_decay), rate))


def _rate(optimizer, steps: int) -> optax.Schedule:
    return optimizer.schedule.build(optimizer.learning_rate, steps)


def _check(optimizer, *decays: str) -> None:
    """Checks what optimizers share. `decays`: the names of fields that are decay rates."""
    check_types(optimizer)
    if not (math.isfinite(optimizer.learning_rate) and optimizer.learning_rate > 0):
        raise InputError(f"learning_rate={optimizer.learning_rate} must be positive and finite; try 1e-3")
    for name in decays:
        if not 0 <= getattr(optimizer, name) < 1:
            raise InputError(f"{name}={getattr(optimizer, name)} is a decay rate; choose it in [0, 1)")
    if optimizer.clip is not None and not optimizer.clip > 0:
        raise InputError(f"clip={optimizer.clip} must be positive; choose a norm, or None to leave gradients alone")


def _check_weight_decay(rate: float) -> None:
    if not (math.isfinite(rate) and rate >= 0):
        raise InputError(f"weight_decay={rate} must be finite and not negative; choose 0 for none")


def _clip(norm):
    return optax.identity() if norm is None else optax.clip_by_global_norm(norm)


def _decay(rate: float) -> optax.GradientTransformationExtraArgs:
    """Adds `rate` times those parameters whose names `update` is given in `decays`."""

    def update(updates, state, params, *, decays: tuple[str, ...], **_):
        found = decaying(params, decays)
        if rate and decays and not any(jax.tree.leaves(found)):
            raise InputError(
                f"weight_decay={rate} reaches no parameter: none is named {' or '.join(decays)}; declare in the net's `decays` "
                "what multiplies an activation, () for nothing, or choose Adam"
            )
        return jax.tree.map(lambda update, leaf, does: update + rate * leaf if does else update, updates, params, found), state

    # The state of optax.adamw with a mask, in which older checkpoints have it.
    return optax.GradientTransformationExtraArgs(lambda _: optax.MaskedState(optax.EmptyState()), update)
