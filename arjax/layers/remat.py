"""Rematerialisation: what is inside a block is computed again in the backward pass, and not kept (Chen et al. 2016)."""

from collections.abc import Callable

import jax


def recomputed(block: Callable, remat: bool) -> Callable:
    """`block`, a pure function of arrays; with `remat` only what it is given and what it returns is kept for the gradient."""
    return jax.checkpoint(block) if remat else block
