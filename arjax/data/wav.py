"""The .wav format: one channel of sound in, and out, as 16-bit samples.

Whole numbers of 8, 16, 24 or 32 bits keep their 16 most significant bits (8 bits are moved up: nothing is lost); real numbers are
waveforms in [-1, 1], of which the nearest samples are taken, clipped at the ends.
"""

import struct
from pathlib import Path

import numpy as np

from arjax.data.quantization import to_int16
from arjax.errors import InputError, one_line, require

# Whole numbers, real numbers, and either of them with more said. Others are not given to the library, which knows many.
_TAGS = (b"\x01\x00", b"\x03\x00", b"\xfe\xff")
_CHUNKS = 1000
_WHOLE, _REAL = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32"), ("FLOAT", "DOUBLE")


def read_wav(path: Path, sample_rate: int) -> np.ndarray:
    """The samples of a file, int16 [T], T >= 1. InputError that names it, with the remedy, where it is no WAV file of whole or
    real numbers, is truncated or empty, has another sample rate, or more channels than one."""
    soundfile = require("soundfile", extra="audio")
    try:
        promised, present = _data_bytes(path)
        if promised > present:
            raise InputError(
                f"{path} is truncated: its header promises {promised} bytes of samples, {present} are there; get it again, or "
                "save anew what is left"
            )
        with soundfile.SoundFile(path) as file:
            if file.subtype not in _WHOLE + _REAL:
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
    if not np.isfinite(samples).all():
        raise InputError(f"{path} has samples that are not finite; correct or remove it")
    return to_int16(samples)


def write_wav(path: Path, waveform: np.ndarray, sample_rate: int) -> None:
    """Write a waveform [T] in [-1, 1] as a 16-bit file, making its folder."""
    soundfile = require("soundfile", extra="audio")
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, to_int16(waveform), sample_rate, "PCM_16", format="WAV")


def _data_bytes(path: Path) -> tuple[int, int]:
    """(the bytes of samples that the header promises, those that are there). libsndfile reads what is there and says nothing."""
    size = path.stat().st_size
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
