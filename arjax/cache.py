"""Fixed-size caches of a sampler: pure functions, slots first, so that a write is contiguous.

A *ring* remembers the last `slots` vectors of a sequence: what is written at t replaces what was written at t - slots. Nothing
moves, unlike in a queue. Written before it is read, it needs one slot more than the longest lag; with that slot saved, reading
first, XLA would copy the whole ring at every step.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def init_ring(slots: int, batch: int, width: int) -> Float[Array, "{slots} B D"]:
    """Zeros: what a sequence has before its start."""
    return jnp.zeros((slots, batch, width), jnp.float32)


def write_ring(ring: Float[Array, "slots B D"], h: Float[Array, "B D"], t: Int[Array, ""]) -> Float[Array, "slots B D"]:
    """The ring that has h at t. `t` is traced, and counts from 0 without gaps."""
    return jax.lax.dynamic_update_index_in_dim(ring, h, t % len(ring), 0)


def read_ring(ring: Float[Array, "slots B D"], t: Int[Array, ""], lag: int) -> Float[Array, "B D"]:
    """What was written at t - lag, the last write being at t: zeros before the start. ValueError if the ring has forgotten it."""
    if not 0 <= lag < len(ring):
        raise ValueError(f"lag={lag} is not in 0..{len(ring) - 1}, all that a ring of {len(ring)} slots holds; make it longer")
    return jax.lax.dynamic_index_in_dim(ring, (t + len(ring) - lag) % len(ring), 0, keepdims=False)
