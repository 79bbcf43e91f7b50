"""Sound as numbers: 16-bit samples in `count` bins, with the waveform that stands for each bin.

    w = x / 32768                                            a raw sample x = -32768..32767 as a waveform in [-1, 1)
    Linear   symbol = floor((x + 32768) count / 65536)       the waveform of a symbol: the middle of its samples
    MuLaw    f(w) = sign(w) ln(1 + mu |w|) / ln(1 + mu),   mu = count - 1
             symbol = floor((f(w) + 1) mu / 2 + 1/2)         the waveform of a symbol: f^-1(2 symbol / mu - 1)

Mu-law (ITU-T G.711; van den Oord et al. 2016, section 2.2) has fine steps where sound is soft. Of the bins of f the first and
the last are half as wide as the others, so that -1 and 1 have symbols of their own. There are only 65536 raw samples: mu-law is
looked up in a table that was computed in float64, and so is the same on every device.
"""

import dataclasses
import functools
from typing import ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from arjax.description import check_types
from arjax.errors import InputError

# Of an int16 sample: as a waveform it is a multiple of 1 / _SCALE.
_SCALE = 2**15


@runtime_checkable
class Audible(Protocol):
    """Values whose symbols can be heard."""

    def waveform(self, symbols) -> jax.Array:
        """Returns what stands for symbols [...], float32 [...] in [-1, 1]."""
        ...


def outside_int16(x: np.ndarray) -> np.ndarray:
    """Is True where a value is no 16-bit sample; NaN is none."""
    return ~((x >= -_SCALE) & (x <= _SCALE - 1)) | (np.floor(x) != x)


@dataclasses.dataclass(frozen=True)
class Linear:
    """`count` equal bins, a power of two up to 65536. With 65536 nothing is lost."""

    count: int = 256
    """The number of bins, a power of two up to 65536."""

    random: ClassVar[bool] = False
    support: ClassVar[str] = "16-bit samples, whole numbers -32768..32767"

    def __post_init__(self):
        check_types(self)
        if not 2 <= self.count <= 2**16 or self.count & (self.count - 1):
            raise InputError(f"Linear({self.count}) must have a power of two of symbols, 2..65536; choose one, as 256")

    vocab = property(lambda self: self.count)

    @property
    def title(self) -> str:
        return f"linear, {self.count} levels"

    outside = staticmethod(outside_int16)

    def __call__(self, key, x):
        return (jnp.asarray(x).astype(jnp.int32) + _SCALE) // (2 * _SCALE // self.count)

    def symbols(self, waveform) -> np.ndarray:
        """Turns a waveform in [-1, 1] into int32 symbols, those of the nearest 16-bit samples: the inverse of `waveform`."""
        return (to_int16(waveform).astype(np.int32) + _SCALE) // (2 * _SCALE // self.count)

    def waveform(self, symbols) -> jax.Array:
        """Turns symbols into float32 in [-1, 1], at most half a bin from every sample that has this symbol."""
        width = 2 * _SCALE / self.count
        return ((jnp.asarray(symbols).astype(jnp.float32) + 0.5) * width - 0.5 - _SCALE) / _SCALE


@dataclasses.dataclass(frozen=True)
class MuLaw:
    """`count` bins, 2..65536, equal in the logarithm of the sample."""

    count: int = 256
    """The number of bins, 2..65536."""

    random: ClassVar[bool] = False
    support: ClassVar[str] = Linear.support

    def __post_init__(self):
        check_types(self)
        if not 2 <= self.count <= 2**16:
            raise InputError(f"MuLaw({self.count}) must have 2..65536 symbols; choose so many, as 256")

    vocab = property(lambda self: self.count)

    @property
    def title(self) -> str:
        return f"mu-law, {self.count} levels"

    outside = staticmethod(outside_int16)

    def __call__(self, key, x):
        return jnp.asarray(_symbol_of_sample(self.count))[jnp.asarray(x).astype(jnp.int32) + _SCALE]

    def symbols(self, waveform) -> np.ndarray:
        """Turns a waveform in [-1, 1] into int32 symbols: the inverse of `waveform`."""
        return _mu_law(waveform, self.count)

    def waveform(self, symbols) -> jax.Array:
        """Turns symbols into float32 in [-1, 1]; f of it is at most half a bin, 1 / mu, from f of every such sample."""
        return jnp.asarray(_level_of_symbol(self.count))[jnp.asarray(symbols).astype(jnp.int32)]


def to_int16(waveform, what: str = "the waveform") -> np.ndarray:
    """Turns a waveform into the nearest 16-bit samples (of two, the upper one; of 1 the last, 32767). InputError, with `what` it
    is, where it is not finite or goes beyond [-1, 1] by more than a sample."""
    return np.clip(np.floor(_within(waveform, what) * _SCALE + 0.5), -_SCALE, _SCALE - 1).astype(np.int16)


def _within(waveform, what="the waveform") -> np.ndarray:
    waveform = np.asarray(waveform, np.float64)
    if not np.isfinite(waveform).all():
        raise InputError(f"{what} has samples that are not finite; correct or leave them out")
    highest = np.abs(waveform).max(initial=0)
    if highest > 1 + 1 / _SCALE:
        raise InputError(f"{what} has samples beyond -1..1, up to {highest:.6g}; divide them by that, or by what is full scale")
    return waveform


def _mu_law(waveform, count):
    w, mu = np.clip(_within(waveform), -1, 1), count - 1
    f = np.sign(w) * np.log1p(mu * np.abs(w)) / np.log1p(mu)
    return np.floor((f + 1) * mu / 2 + 0.5).astype(np.int32)


@functools.lru_cache(maxsize=8)
def _symbol_of_sample(count):
    return _mu_law(np.arange(-_SCALE, _SCALE) / _SCALE, count)


@functools.lru_cache(maxsize=8)
def _level_of_symbol(count):
    mu = count - 1
    f = 2 * np.arange(count) / mu - 1
    return (np.sign(f) * np.expm1(np.abs(f) * np.log1p(mu)) / mu).astype(np.float32)
