"""Optimizers as data: frozen dataclasses whose `build(steps)` makes the optax transformation.

The learning rate rises linearly from 0 over the `warmup` steps, then falls along half a cosine to `final` times its peak at
the last step (Loshchilov and Hutter 2017). Gradients are clipped to a global norm of `clip` first; None leaves them alone.
"""

import dataclasses
import math

import jax
import optax

from arjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Adam:
    """Kingma and Ba 2015."""

    learning_rate: float = 1e-3
    warmup: int = 0
    final: float = 0.0
    b1: float = 0.9
    b2: float = 0.999
    clip: float | None = 1.0

    def __post_init__(self):
        _check(self)

    def build(self, steps: int) -> optax.GradientTransformation:
        """Makes the transformation for a run of `steps` steps. InputError if the warm-up does not fit into them."""
        return optax.chain(_clip(self.clip), optax.adam(schedule(self, steps), self.b1, self.b2))


@dataclasses.dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019); only arrays of at least two axes decay."""

    learning_rate: float = 1e-3
    warmup: int = 0
    final: float = 0.0
    weight_decay: float = 1e-4
    b1: float = 0.9
    b2: float = 0.999
    clip: float | None = 1.0

    def __post_init__(self):
        _check(self)
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise InputError(f"weight_decay={self.weight_decay} must be finite and not negative; choose 0 for none")

    def build(self, steps: int) -> optax.GradientTransformation:
        """Makes the transformation for a run of `steps` steps. InputError if the warm-up does not fit into them."""
        adamw = optax.adamw(schedule(self, steps), self.b1, self.b2, weight_decay=self.weight_decay, mask=_matrices)
        return optax.chain(_clip(self.clip), adamw)


def schedule(optimizer: Adam | AdamW, steps: int) -> optax.Schedule:
    """Returns step -> learning rate, as the file's head describes it."""
    if optimizer.warmup >= steps:
        raise InputError(f"optimizer.warmup={optimizer.warmup} must be less than steps={steps}; lower it or train for more steps")
    peak = optimizer.learning_rate
    return optax.warmup_cosine_decay_schedule(
        peak if optimizer.warmup == 0 else 0.0, peak, optimizer.warmup, steps, peak * optimizer.final
    )


def _check(optimizer):
    if not (math.isfinite(optimizer.learning_rate) and optimizer.learning_rate > 0):
        raise InputError(f"learning_rate={optimizer.learning_rate} must be positive and finite; try 1e-3")
    if optimizer.warmup < 0:
        raise InputError(f"warmup={optimizer.warmup} must not be negative; choose 0 to start at the full learning rate")
    if not 0 <= optimizer.final <= 1:
        raise InputError(f"final={optimizer.final} is the last learning rate as a fraction of the peak; choose it in [0, 1]")
    for name in ("b1", "b2"):
        if not 0 <= getattr(optimizer, name) < 1:
            raise InputError(f"{name}={getattr(optimizer, name)} is a decay rate; choose it in [0, 1)")
    if optimizer.clip is not None and not optimizer.clip > 0:
        raise InputError(f"clip={optimizer.clip} must be positive; choose a norm, or None to leave gradients alone")


def _clip(norm):
    return optax.identity() if norm is None else optax.clip_by_global_norm(norm)


def _matrices(params):
    return jax.tree.map(lambda leaf: leaf.ndim >= 2, params)
