"""Fixed-size caches of a sampler, as pure functions: a ring for sequences, a canvas for pictures, keys and values for attention.

A *ring* remembers the last `slots` vectors of a sequence: what is written at t replaces what was written at t - slots. Nothing
moves, unlike in a queue, and a write is contiguous: slots come first. Written before it is read, it needs one slot more than the
longest lag; with that slot saved, reading first, XLA would copy the whole ring at every step.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from arjax.errors import InputError


def init_ring(slots: int, batch: int, width: int, dtype=jnp.float32) -> Float[Array, "{slots} B D"]:
    """Zeros: what a sequence has before its start."""
    return jnp.zeros((slots, batch, width), dtype)


def write_ring(ring: Float[Array, "slots B D"], h: Float[Array, "B D"], t: Int[Array, ""]) -> Float[Array, "slots B D"]:
    """The ring that has h at t. `t` is traced, and counts from 0 without gaps."""
    return jax.lax.dynamic_update_index_in_dim(ring, h, t % len(ring), 0)


def read_ring(ring: Float[Array, "slots B D"], t: Int[Array, ""], lag: int) -> Float[Array, "B D"]:
    """What was written at t - lag, the last write being at t: zeros before the start. InputError if the ring has forgotten it."""
    if not 0 <= lag < len(ring):
        raise InputError(f"lag={lag} is not in 0..{len(ring) - 1}, all that a ring of {len(ring)} slots holds; make it longer")
    return jax.lax.dynamic_index_in_dim(ring, (t + len(ring) - lag) % len(ring), 0, keepdims=False)


def write_slice(whole: jax.Array, part: jax.Array, *start: Any) -> jax.Array:
    """The whole that has the part from `start` on, one index an axis, traced or not. They are int32 even where a Python 0 is 64
    bits wide."""
    return jax.lax.dynamic_update_slice(whole, part, [jnp.asarray(index, jnp.int32) for index in start])


def init_canvas(batch: int, height: int, width: int, channels: int, kernel: int, dtype=jnp.float32) -> Float[Array, "B h w C"]:
    """A map of zeros with a margin all around, as wide as half a kernel: what a convolution is told of a picture before any of it
    is known."""
    margin = kernel // 2
    return jnp.zeros((batch, height + 2 * margin, width + 2 * margin, channels), dtype)


def write_canvas(
    canvas: Float[Array, "B h w C"], h: Float[Array, "B D"], kernel: int, i, j, channel: Any = 0
) -> Float[Array, "B h w C"]:
    """The canvas that has h at the pixel (i, j), from this channel on; all three are traced."""
    margin = kernel // 2
    return write_slice(canvas, h[:, None, None], 0, i + margin, j + margin, channel)


def read_canvas(canvas: Float[Array, "B h w C"], rows: int, kernel: int, i, j) -> Float[Array, "B rows kernel C"]:
    """The first `rows` rows of the kernel's window around the pixel (i, j)."""
    batch, _, _, channels = canvas.shape
    start = [jnp.asarray(index, jnp.int32) for index in (0, i, j, 0)]
    return jax.lax.dynamic_slice(canvas, start, (batch, rows, kernel, channels))


class KeyValue(NamedTuple):
    """What a site can attend to: keys and values, each in segments [B, N, C, K] that follow each other along the sites.

    Segments are arrays of their own, so that the first few can be read where they lie: of one array, a part that is shorter than
    the whole would be copied first.
    """

    keys: tuple[jax.Array, ...]
    values: tuple[jax.Array, ...]


def init_key_value(batch: int, heads: int, sites: int, width: int, segment: int, dtype=jnp.float32) -> KeyValue:
    """Zeros: room for `sites` keys and values, in segments of `segment` sites, the last of what is left."""
    sizes = [min(segment, sites - start) for start in range(0, sites, segment)]
    keys, values = (tuple(jnp.zeros((batch, heads, size, width), dtype) for size in sizes) for _ in range(2))
    return KeyValue(keys, values)


def write_key_value(cache: KeyValue, key: Float[Array, "B N K"], value: Float[Array, "B N K"], t) -> KeyValue:
    """The cache that has them at t, which is traced, from 0 to the number of sites - 1."""
    return KeyValue(_write_segment(cache.keys, key, t), _write_segment(cache.values, value, t))


def write_key_values(cache: KeyValue, keys: Float[Array, "B T N K"], values: Float[Array, "B T N K"]) -> KeyValue:
    """The cache that has those of the first T sites. InputError if it has no room for them."""
    room = sum(part.shape[2] for part in cache.keys)
    if keys.shape[1] > room:
        raise InputError(f"{keys.shape[1]} sites do not fit into a cache of {room}; make it longer")
    return KeyValue(_write_first(cache.keys, keys), _write_first(cache.values, values))


def _write_segment(parts, new, t):
    written, start = [], 0
    for part in parts:
        # Every segment writes a row, all but one of them what it had there: a branch would copy the others.
        at = jnp.clip(t - start, 0, part.shape[2] - 1)
        old = jax.lax.dynamic_slice_in_dim(part, at, 1, axis=2)
        row = jnp.where(t - start == at, new[:, :, None].astype(part.dtype), old)
        written.append(write_slice(part, row, 0, 0, at, 0))
        start += part.shape[2]
    return tuple(written)


def _write_first(parts, new):
    written, start = [], 0
    for part in parts:
        rows = new[:, start : start + part.shape[2]].swapaxes(1, 2).astype(part.dtype)
        written.append(write_slice(part, rows, 0, 0, 0, 0))
        start += part.shape[2]
    return tuple(written)
