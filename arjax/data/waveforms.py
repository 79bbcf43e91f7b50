"""Sound as numbers: .wav files as 16-bit samples, and these in `count` bins, with the waveform that stands for each bin.

    w = x / 32768                                            a raw sample x = -32768..32767 as a waveform in [-1, 1)
    Linear   symbol = floor((x + 32768) count / 65536)       the waveform of a symbol: the middle of its samples
    MuLaw    f(w) = sign(w) ln(1 + mu |w|) / ln(1 + mu),   mu = count - 1
             symbol = floor((f(w) + 1) mu / 2 + 1/2)         the waveform of a symbol: f^-1(2 symbol / mu - 1)

Mu-law (ITU-T G.711; van den Oord et al. 2016, section 2.2) has fine steps where sound is soft. Of the bins of f the first and
the last are half as wide as the others, so that -1 and 1 have symbols of their own. There are only 65536 raw samples: mu-law is
looked up in a table that was computed in float64, and so is the same on every device.

Of a file, whole numbers of 8, 16, 24 or 32 bits keep their 16 most significant bits (8 bits are moved up: nothing is lost); real
numbers are waveforms in [-1, 1], of which the nearest samples are taken (of 1 the last one). A waveform that goes beyond is
refused, not clipped: its numbers may be of another scale.
"""

import dataclasses
import functools
import io
import struct
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from arjax.description import check_types
from arjax.errors import InputError, one_line, require
from arjax.files import check_file

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


# Whole numbers, real numbers, and either of them with more said. Others are not given to the library, which knows many.
_TAGS = (b"\x01\x00", b"\x03\x00", b"\xfe\xff")
_CHUNKS = 1000
_WHOLE, _REAL = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32"), ("FLOAT", "DOUBLE")


def read_wav(path: Path, sample_rate: int) -> np.ndarray:
    """Reads the samples of a file, int16 [T], T >= 1. InputError that names it, with the remedy, where it is no WAV file of whole
    or real numbers, is truncated or empty, has another sample rate, or more channels than one."""
    soundfile = require("soundfile", extra="audio")
    try:
        promised, present = _data_bytes(path)
        if promised > present:
            raise InputError(
                f"{path} is truncated: its header promises {promised} bytes of samples, {present} are there; get it again, or "
                "save anew what is left"
            )
        with soundfile.SoundFile(path) as file:
            if file.format not in ("WAV", "WAVEX") or file.subtype not in _WHOLE + _REAL:
                raise InputError(f"{path} is coded as {file.subtype}, not {', '.join(_WHOLE + _REAL)}; convert it to 16-bit PCM")
            if file.channels != 1:
                raise InputError(f"{path} has {file.channels} channels; mix them, or choose one, and save it with one channel")
            if file.samplerate != sample_rate:
                raise InputError(f"{path} has {file.samplerate} samples a second, not sample_rate={sample_rate}; resample it")
            samples = file.read(dtype="int32" if file.subtype in _WHOLE else "float64")
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{path} cannot be read ({one_line(error)}); replace it, or remove it") from error
    if not len(samples):
        raise InputError(f"{path} has no samples; remove it")
    if samples.dtype.kind == "i":
        return (samples >> 16).astype(np.int16)
    return to_int16(samples, str(path))


def wav(waveform: np.ndarray, sample_rate: int) -> bytes:
    """Returns a waveform [T] in [-1, 1] as the content of a 16-bit WAV file. InputError as `to_int16`."""
    soundfile = require("soundfile", extra="audio")
    file = io.BytesIO()
    soundfile.write(file, to_int16(waveform), sample_rate, "PCM_16", format="WAV")
    return file.getvalue()


def _data_bytes(path: Path) -> tuple[int, int]:
    """(the bytes of samples that the header promises, those that are there). libsndfile reads what is there and says nothing."""
    size = check_file(path).stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            raise InputError(f"{path} is no WAV file, it does not begin as one; convert it, or remove it")
        for _ in range(_CHUNKS):
            if len(chunk := file.read(8)) < 8:
                raise InputError(f"{path} is truncated: it ends before its samples begin; get it again")
            name, length = struct.unpack("<4sI", chunk)
            following = file.tell() + length + length % 2  # chunks begin at even places
            if name == b"fmt " and (tag := file.read(2)) not in _TAGS:
                raise InputError(
                    f"{path} has samples of format 0x{tag[::-1].hex()}, not whole or real numbers; convert it to 16-bit PCM"
                )
            if name == b"data":
                # Whoever writes to a pipe cannot go back to say how much it was.
                return (0 if length == 2**32 - 1 else length), size - file.tell()
            file.seek(following)
    raise InputError(f"{path} has {_CHUNKS} chunks before its samples; remove what is no sound")
