"""Learning-rate schedules as data: frozen dataclasses whose `build(peak, steps)` makes the optax schedule.

    update i, from 0 on      i < warmup              then
    Constant                 peak i / warmup         peak
    Linear, Cosine                                   from peak to `final` times peak at the last step
    WarmupStableDecay                                peak, and in the last part of the run from peak to `final` times peak

Cosine is from Loshchilov and Hutter 2017, WarmupStableDecay from Hu et al. 2024 (MiniCPM). A run can be made longer after its
first `stable(steps)` updates, which are also those of a longer run.
"""

import dataclasses
from typing import Protocol

import optax

from arjax.description import check_types
from arjax.errors import InputError


class Schedule(Protocol):
    """A frozen dataclass: how the learning rate changes in a run."""

    warmup: int
    """Updates in which the learning rate rises to its peak."""

    def build(self, peak: float, steps: int) -> optax.Schedule:
        """Returns update, from 0 on -> learning rate, of a run of `steps` updates. InputError if it does not fit into them."""
        ...

    def stable(self, steps: int) -> int:
        """Counts the first updates of a run of `steps` that are the same in every longer run; 0 if it cannot be made longer."""
        ...


@dataclasses.dataclass(frozen=True)
class Constant:
    """Stays at the peak after the warm-up. A run can be made longer at any time."""

    warmup: int = 0
    """Updates in which the learning rate rises linearly from 0 to its peak."""

    def __post_init__(self):
        check_types(self)
        _check(self.warmup)

    def build(self, peak: float, steps: int) -> optax.Schedule:
        """Returns update -> learning rate."""
        return _warmed(self.warmup, peak, steps, optax.constant_schedule(peak))

    def stable(self, steps: int) -> int:
        """Counts all updates."""
        return steps


@dataclasses.dataclass(frozen=True)
class Linear:
    """Falls linearly from the warm-up to the last step."""

    warmup: int = 0
    """Updates in which the learning rate rises linearly from 0 to its peak."""
    final: float = 0.0
    """The learning rate at the last step, as a fraction of the peak."""

    def __post_init__(self):
        check_types(self)
        _check(self.warmup, self.final)

    def build(self, peak: float, steps: int) -> optax.Schedule:
        """Returns update -> learning rate."""
        return _warmed(self.warmup, peak, steps, optax.linear_schedule(peak, peak * self.final, max(1, steps - self.warmup)))

    def stable(self, steps: int) -> int:
        """Returns 0: every update depends on how many there are."""
        return 0


@dataclasses.dataclass(frozen=True)
class Cosine:
    """Falls along half a cosine from the warm-up to the last step."""

    warmup: int = 0
    """Updates in which the learning rate rises linearly from 0 to its peak."""
    final: float = 0.0
    """The learning rate at the last step, as a fraction of the peak."""

    def __post_init__(self):
        check_types(self)
        _check(self.warmup, self.final)

    def build(self, peak: float, steps: int) -> optax.Schedule:
        """Returns update -> learning rate."""
        return _warmed(self.warmup, peak, steps, optax.cosine_decay_schedule(peak, max(1, steps - self.warmup), self.final))

    def stable(self, steps: int) -> int:
        """Returns 0: every update depends on how many there are."""
        return 0


@dataclasses.dataclass(frozen=True)
class WarmupStableDecay:
    """Stays at the peak after the warm-up, and falls linearly in the last part of the run. A run keeps the checkpoint at which
    the rate begins to fall, and can be made longer from there."""

    warmup: int = 0
    """Updates in which the learning rate rises linearly from 0 to its peak."""
    decay: float = 0.2
    """Fraction of the run, at its end, in which the learning rate falls linearly."""
    final: float = 0.0
    """The learning rate at the last step, as a fraction of the peak."""

    def __post_init__(self):
        check_types(self)
        _check(self.warmup, self.final)
        if not 0 < self.decay <= 1:
            raise InputError(f"decay={self.decay} is the part of the run in which the learning rate falls; choose it in (0, 1]")

    def build(self, peak: float, steps: int) -> optax.Schedule:
        """Returns update -> learning rate. InputError if nothing is left between the warm-up and the fall."""
        begin = self.stable(steps)
        if begin < self.warmup:
            raise InputError(
                f"optimizer.schedule.warmup={self.warmup} ends after step {begin} of {steps}, where decay={self.decay} begins; "
                "lower one of them or train for more steps"
            )
        level, falling = optax.constant_schedule(peak), optax.linear_schedule(peak, peak * self.final, steps - begin)
        return _warmed(self.warmup, peak, steps, optax.join_schedules([level, falling], [begin - self.warmup]))

    def stable(self, steps: int) -> int:
        """Counts the updates before the learning rate falls."""
        return steps - max(1, round(self.decay * steps))


def _check(warmup: int, final: float = 0.0) -> None:
    if warmup < 0:
        raise InputError(f"warmup={warmup} must not be negative; choose 0 to start at the full learning rate")
    if not 0 <= final <= 1:
        raise InputError(f"final={final} is the last learning rate as a fraction of the peak; choose it in [0, 1]")


def _warmed(warmup: int, peak: float, steps: int, rest: optax.Schedule) -> optax.Schedule:
    """Returns a linear rise from 0 to `peak`, followed by `rest`, whose count begins there."""
    if warmup >= steps:
        raise InputError(f"optimizer.schedule.warmup={warmup} must be less than steps={steps}; lower it or train for more steps")
    return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), rest], [warmup]) if warmup else rest
