"""How far two ways to compute one theta may differ, by what a net computes in."""

from typing import NamedTuple

from arjax.protocol import Model


class Tolerance(NamedTuple):
    """theta: relative to the largest of it. parted: of a batch of samples, the share that rounding may turn from one symbol to
    another, and so from there on."""

    theta: float
    parted: float


FLOAT32, BFLOAT16 = Tolerance(1e-5, 0.0), Tolerance(0.03, 0.25)


def tolerance(model: Model) -> Tolerance:
    """float32's, unless the net's `dtype` is "bfloat16", whose numbers have 8 significant bits."""
    return BFLOAT16 if getattr(model.net, "dtype", None) == "bfloat16" else FLOAT32
