"""Optimizers as data: frozen dataclasses whose `build(steps, net)` makes the optax transformation.

    Adam, AdamW    Kingma and Ba 2015; Loshchilov and Hutter 2019
    SGD            with momentum, Polyak's or Nesterov's
    Lion           Chen et al. 2023
    Adafactor      Shazeer and Stern 2018; its learning rate is absolute, as in Zhai et al. 2022
    Muon           Jordan et al. 2024; its updates are as long as Adam's, as in Liu et al. 2025

Each clips gradients first; its `learning_rate` is the peak of the `schedule` (training/schedules.py). Weight decay applies to the
arrays that the net names in `decays` (arjax.protocol.NetCapabilities): the matrices and kernels that multiply an activation.
Biases, scales, embeddings, tables and codebooks do not decay.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Protocol

import jax
import optax
import optax.contrib

from arjax.description import check_types
from arjax.errors import InputError
from arjax.protocol import NetCapabilities, decaying, declared_by
from arjax.training.schedules import Cosine, Schedule


class Optimizer(Protocol):
    """A frozen dataclass. `OptimizerCapabilities` lists what it may declare besides."""

    def build(self, steps: int, net: NetCapabilities) -> optax.GradientTransformation:
        """Makes the transformation for a run of `steps` steps of a net with the capabilities `net`. InputError if the schedule
        does not fit into the steps."""
        ...


@dataclasses.dataclass(frozen=True)
class OptimizerCapabilities:
    """What an optimizer may declare by an attribute of the same name. Without it the default applies."""

    learning_rate: float | None = None
    """The peak of the schedule."""
    schedule: Schedule | None = None
    """The schedule. Without it no learning rate is recorded, and a run cannot be made longer."""

    @classmethod
    def of(cls, optimizer) -> "OptimizerCapabilities":
        """Reads what `optimizer` declares."""
        return declared_by(cls, optimizer)


def rates(optimizer: Optimizer, steps: int) -> optax.Schedule | None:
    """Returns step, from 1 on -> the learning rate of its update in a run of `steps`; None if the optimizer declares no
    schedule."""
    declared = OptimizerCapabilities.of(optimizer)
    if declared.schedule is None or declared.learning_rate is None:
        return None
    of_update = declared.schedule.build(declared.learning_rate, steps)
    return lambda step: of_update(step - 1)


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam, without weight decay."""

    learning_rate: float = 1e-3
    """The learning rate at the peak of the schedule."""
    schedule: Any = Cosine()
    """The learning-rate schedule."""
    b1: float = 0.9
    """Decay of the mean of gradients."""
    b2: float = 0.999
    """Decay of the mean of squared gradients."""
    clip: float | None = 1.0
    """The norm, over all parameters together, at which gradients are clipped; None does not clip."""

    def __post_init__(self):
        _check(self, "b1", "b2")

    def build(self, steps: int, net: NetCapabilities) -> optax.GradientTransformation:
        """Makes the transformation for a run of `steps` steps. InputError if its schedule does not fit into them."""
        return _clipped(self, optax.adam(_rate(self, steps), self.b1, self.b2))


@dataclasses.dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay of the matrices and kernels that a net declares in `decays`."""

    learning_rate: float = 1e-3
    """The learning rate at the peak of the schedule."""
    schedule: Any = Cosine()
    """The learning-rate schedule."""
    weight_decay: float = 1e-4
    """Weight decay of matrices and kernels, times the learning rate. Biases, scales and embeddings do not decay."""
    b1: float = 0.9
    """Decay of the mean of gradients."""
    b2: float = 0.999
    """Decay of the mean of squared gradients."""
    clip: float | None = 1.0
    """The norm, over all parameters together, at which gradients are clipped; None does not clip."""

    def __post_init__(self):
        _check(self, "b1", "b2", weight_decay=self.weight_decay)

    def build(self, steps: int, net: NetCapabilities) -> optax.GradientTransformation:
        """Makes the transformation for a run of `steps` steps. InputError if its schedule does not fit into them."""
        return _clipped(self, _decayed(self, optax.scale_by_adam(self.b1, self.b2), steps, net))


@dataclasses.dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum."""

    learning_rate: float = 0.1
    """The learning rate at the peak of the schedule."""
    schedule: Any = Cosine()
    """The learning-rate schedule."""
    momentum: float = 0.9
    """Decay of the sum of gradients that makes an update; 0 for no momentum."""
    nesterov: bool = False
    """Use Nesterov's momentum, which anticipates one update."""
    clip: float | None = 1.0
    """The norm, over all parameters together, at which gradients are clipped; None does not clip."""

    def __post_init__(self):
        _check(self, "momentum")

    def build(self, steps: int, net: NetCapabilities) -> optax.GradientTransformation:
        """Makes the transformation for a run of `steps` steps. InputError if its schedule does not fit into them."""
        return _clipped(self, optax.sgd(_rate(self, steps), self.momentum or None, self.nesterov))


@dataclasses.dataclass(frozen=True)
class Lion:
    """The sign of a mean of gradients, in half of Adam's memory. Its learning rate is 3 to 10 times smaller than Adam's, and its
    weight decay as much larger; a net names the arrays that decay in `decays`."""

    learning_rate: float = 1e-4
    """The learning rate at the peak of the schedule."""
    schedule: Any = Cosine()
    """The learning-rate schedule."""
    weight_decay: float = 1e-3
    """Weight decay of matrices and kernels, times the learning rate. Biases, scales and embeddings do not decay."""
    b1: float = 0.9
    """Decay of the mean of gradients whose sign an update takes."""
    b2: float = 0.99
    """Decay of the mean of gradients that is kept."""
    clip: float | None = 1.0
    """The norm, over all parameters together, at which gradients are clipped; None does not clip."""

    def __post_init__(self):
        _check(self, "b1", "b2", weight_decay=self.weight_decay)

    def build(self, steps: int, net: NetCapabilities) -> optax.GradientTransformation:
        """Makes the transformation for a run of `steps` steps. InputError if its schedule does not fit into them."""
        return _clipped(self, _decayed(self, optax.scale_by_lion(self.b1, self.b2), steps, net))


@dataclasses.dataclass(frozen=True)
class Adafactor:
    """Adam in little memory: for an array with two axes of 128 or more, it keeps row and column means of the squared gradients,
    and no mean of gradients."""

    learning_rate: float = 1e-3
    """The learning rate at the peak of the schedule; absolute, as Adam's."""
    schedule: Any = Cosine()
    """The learning-rate schedule."""
    decay_power: float = 0.8
    """At update t the mean of squared gradients decays by 1 - t ** -decay_power."""
    momentum: float = 0.0
    """Decay of the mean of updates; 0 for none, which needs no memory."""
    clip: float | None = 1.0
    """The norm, over all parameters together, at which gradients are clipped; None does not clip."""

    def __post_init__(self):
        _check(self, "momentum")
        if not 0 < self.decay_power <= 1:
            raise InputError(f"decay_power={self.decay_power} is not in (0, 1]; try 0.8")

    def build(self, steps: int, net: NetCapabilities) -> optax.GradientTransformation:
        """Makes the transformation for a run of `steps` steps. InputError if its schedule does not fit into them."""
        kept = {"decay_rate": self.decay_power, "momentum": self.momentum or None}
        return _clipped(self, optax.adafactor(_rate(self, steps), multiply_by_parameter_scale=False, **kept))


@dataclasses.dataclass(frozen=True)
class Muon:
    """Momentum whose matrices are made orthogonal. It updates the matrices and kernels that a net names in `decays`, except those
    in `gives_theta`; Adam updates all other parameters. Updates have the size of Adam's, so that AdamW's learning rates fit."""

    learning_rate: float = 1e-3
    """The learning rate at the peak of the schedule."""
    schedule: Any = Cosine()
    """The learning-rate schedule."""
    weight_decay: float = 0.1
    """Weight decay of matrices and kernels, times the learning rate. Biases, scales and embeddings do not decay."""
    momentum: float = 0.95
    """Decay of the mean of gradients of matrices."""
    nesterov: bool = True
    """Use Nesterov's momentum, which anticipates one update."""
    b1: float = 0.9
    """For the parameters that Adam updates: decay of the mean of gradients."""
    b2: float = 0.999
    """For the parameters that Adam updates: decay of the mean of squared gradients."""
    clip: float | None = 1.0
    """The norm, over all parameters together, at which gradients are clipped; None does not clip."""

    def __post_init__(self):
        _check(self, "momentum", "b1", "b2", weight_decay=self.weight_decay)

    def build(self, steps: int, net: NetCapabilities) -> optax.GradientTransformation:
        """Makes the transformation for a run of `steps` steps. InputError if its schedule does not fit into them."""

        def matrices(params):
            # The last axis of a kernel is that of its outputs.
            return jax.tree.map(
                lambda leaf, does, last: _matrix(leaf) if does and not last and leaf.ndim > 1 else None,
                params,
                decaying(params, net.decays),
                decaying(params, net.gives_theta),
            )

        muon = optax.contrib.muon(
            -1.0,  # a direction to go in, as what scales others by Adam or Lion
            beta=self.momentum,
            nesterov=self.nesterov,
            adam_b1=self.b1,
            adam_b2=self.b2,
            consistent_rms=_LENGTH,
            muon_weight_dimension_numbers=matrices,
        )
        return _clipped(self, _decayed(self, muon, steps, net))


# About the root mean square of Adam's updates.
_LENGTH = 0.2


def _matrix(leaf) -> optax.contrib.MuonDimensionNumbers:
    return optax.contrib.MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1)


def _rate(optimizer, steps: int) -> optax.Schedule:
    return optimizer.schedule.build(optimizer.learning_rate, steps)


def _clipped(optimizer, transformation) -> optax.GradientTransformation:
    clip = optax.identity() if optimizer.clip is None else optax.clip_by_global_norm(optimizer.clip)
    return optax.chain(clip, transformation)


def _decayed(optimizer, direction, steps: int, net: NetCapabilities) -> optax.GradientTransformation:
    """Adds the decay of the arrays that a net names to an update, and scales it by the learning rate."""
    decay = optax.add_decayed_weights(optimizer.weight_decay, _reached(optimizer.weight_decay, net.decays))
    return optax.chain(direction, decay, optax.scale_by_learning_rate(_rate(optimizer, steps)))


def _reached(weight_decay: float, decays: tuple[str, ...]) -> Callable:
    def mask(params):
        found = decaying(params, decays)
        if weight_decay and decays and not any(jax.tree.leaves(found)):
            raise InputError(
                f"weight_decay={weight_decay} reaches no parameter: none is named {' or '.join(decays)}; declare in the net's "
                "`decays` what multiplies an activation, () for nothing, or choose Adam"
            )
        return found

    return mask


def _check(optimizer, *decays: str, weight_decay: float = 0.0) -> None:
    """Checks what optimizers share. `decays`: the names of fields that are decay rates."""
    check_types(optimizer)
    if not (math.isfinite(optimizer.learning_rate) and optimizer.learning_rate > 0):
        raise InputError(f"learning_rate={optimizer.learning_rate} must be positive and finite; try 1e-3")
    for name in decays:
        if not 0 <= getattr(optimizer, name) < 1:
            raise InputError(f"{name}={getattr(optimizer, name)} is a decay rate; choose it in [0, 1)")
    if optimizer.clip is not None and not optimizer.clip > 0:
        raise InputError(f"clip={optimizer.clip} must be positive; choose a norm, or None to leave gradients alone")
    if not (math.isfinite(weight_decay) and weight_decay >= 0):
        raise InputError(f"weight_decay={weight_decay} must be finite and not negative; choose 0 for none")
