"""Finite scalar quantization (Mentzer, Minnen, Agustsson, Tschannen 2023): each of a few numbers is rounded to one of L levels.

    b = (L - 1)(1 - eps) / 2 tanh(h + shift) - offset,   q = round(b) / floor(L / 2)                            (section 3.1)

For odd L the integers are -(L-1)/2..(L-1)/2 and the offset is 0; for even L they are -L/2..L/2-1, and an offset of 1/2 makes
the same of the interval. The shift, tan(2 offset / ((L - 1)(1 - eps))) as in the paper's listing (appendix A.1), lets h = 0
become nearly b = 0. A token is the number whose digits, in the mixed base of the levels and the first of them least, are the
integers counted from the lowest.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from arjax.description import check_types
from arjax.errors import InputError

_EPS = 1e-3


@dataclasses.dataclass(frozen=True)
class FSQ:
    """A grid of prod(levels) points in [-1, 1]^D, D = len(levels). Nothing of it is learned, and it has no loss of its own."""

    levels: tuple[int, ...] = (8, 8, 8)
    """Points along each axis of the grid; a code is one of their product."""

    def __post_init__(self):
        check_types(self)
        if not self.levels or any(count < 2 for count in self.levels):
            raise InputError(f"levels={self.levels} must be at least one, each of at least 2; choose for example (8, 8, 8)")
        if self.size >= 2**31:
            raise InputError(f"levels={self.levels} are {self.size} codes, more than an int32 counts; choose fewer")

    @property
    def size(self) -> int:
        return math.prod(self.levels)

    @property
    def width(self) -> int:
        return len(self.levels)

    def init(self, key):
        """Returns ({}, {}): a grid has nothing to learn."""
        return {}, {}

    def nearest(self, params, state, h):
        digits = jnp.round(self._bound(h)).astype(jnp.int32) + _row(self._half, h.ndim)
        return (digits * _row(self._place, h.ndim)).sum(axis=-1)

    def lookup(self, params, state, tokens):
        rank = tokens.ndim + 1
        digits = tokens[..., None] // _row(self._place, rank) % _row(np.array(self.levels), rank)
        return digits.astype(jnp.float32) / _row(self._half.astype(np.float32), rank) - 1

    def quantize(self, params, state, h):
        bounded = self._bound(h)
        integers = bounded + jax.lax.stop_gradient(jnp.round(bounded) - bounded)
        q = integers / _row(self._half.astype(np.float32), h.ndim)
        return q, self.nearest(params, state, h), jnp.zeros((), jnp.float32)

    def update(self, params, state, h, tokens, key):
        return state

    @property
    def _half(self):
        """[D] floor(L / 2), which is minus the lowest integer."""
        return np.array(self.levels, np.int32) // 2

    @property
    def _place(self):
        """[D] what the digits count."""
        return np.cumprod((1, *self.levels[:-1])).astype(np.int32)

    def _bound(self, h):
        """h [..., D] -> b [..., D], which round takes to one of L integers."""
        levels = np.array(self.levels)
        reach, offset = (levels - 1) * (1 - _EPS) / 2, np.where(levels % 2, 0.0, 0.5)
        shift = np.tan(offset / reach)
        reach, offset, shift = (_row(array.astype(np.float32), h.ndim) for array in (reach, offset, shift))
        return reach * jnp.tanh(h + shift) - offset


def _row(array, rank):
    """[D] -> [1, ..., 1, D]: ranks are made equal explicitly."""
    return jnp.asarray(array).reshape((1,) * (rank - 1) + (-1,))
