"""Optimizers as data: frozen dataclasses whose `build(steps)` makes the optax transformation.

Its `update` is given `decays`, what the net declares (arjax.protocol.NetCapabilities), beside the parameters; a transformation
that takes no such argument is not given it.

The learning rate rises linearly from 0 over the `warmup` steps, then falls along half a cosine to `final` times its peak at
the last step (Loshchilov and Hutter 2017). Gradients are clipped to a global norm of `clip` first; None leaves them alone.
"""

import dataclasses
import math

import jax
import optax

from arjax.description import check_types
from arjax.errors import InputError
from arjax.protocol import decaying


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
        check_types(self)
        _check(self)

    def build(self, steps: int) -> optax.GradientTransformation:
        """Makes the transformation for a run of `steps` steps. InputError if the warm-up does not fit into them."""
        return optax.chain(_clip(self.clip), optax.adam(schedule(self, steps), self.b1, self.b2))


@dataclasses.dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): of what a net declares in `decays`, so of the matrices and
    kernels that multiply an activation. Biases, scales, embeddings, tables and codebooks stay what their gradient makes them."""

    learning_rate: float = 1e-3
    warmup: int = 0
    final: float = 0.0
    weight_decay: float = 1e-4
    b1: float = 0.9
    b2: float = 0.999
    clip: float | None = 1.0

    def __post_init__(self):
        check_types(self)
        _check(self)
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise InputError(f"weight_decay={self.weight_decay} must be finite and not negative; choose 0 for none")

    def build(self, steps: int) -> optax.GradientTransformation:
        """Makes the transformation for a run of `steps` steps. InputError if the warm-up does not fit into them."""
        adam, rate = optax.scale_by_adam(self.b1, self.b2), optax.scale_by_learning_rate(schedule(self, steps))
        return optax.chain(_clip(self.clip), optax.chain(adam, _decay(self.weight_decay), rate))


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
