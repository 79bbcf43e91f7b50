"""Files of sound as 16-bit samples, and back: WAV with this package alone; FLAC, Ogg and MP3 with soundfile (the extra `audio`).

Whole numbers of 8, 16, 24 or 32 bits keep their 16 most significant bits (8 bits are shifted up, without loss). Real numbers are
waveforms in [-1, 1], and are rounded to the nearest sample (1 to the last one). A WAV file with a waveform beyond [-1, 1] is
refused, not clipped, because its numbers may have another scale. Channels are averaged. A file of another rate is resampled by a
polyphase filter (SciPy), and clipped to [-1, 1] after it.
"""

import io
import math
import struct
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arjax.data.waveforms import to_int16
from arjax.errors import InputError, one_line, require
from arjax.files import check_file, read_file

ENDINGS = (".wav", ".flac", ".ogg", ".mp3")
# 9 hours of 16 kHz: what one file may hold, whatever its header or its coding says.
_MOST_SAMPLES = 2**29
_MOST_RATE = 768_000
_CHUNKS = 1000
_CODED = ("FLAC", "OGG", "MP3")


class Header(NamedTuple):
    """The header of a file: samples a second, channels, and samples in each channel."""

    sample_rate: int
    channels: int
    length: int


class _Wav(NamedTuple):
    """Where the samples of a WAV file begin and end, and how they are coded: whole numbers (1) or real ones (3), of so many
    bits."""

    header: Header
    tag: int
    bits: int
    begin: int
    end: int


def read_header(path: Path) -> Header:
    """Reads the header of a file. InputError if `read_sound` does not take it, or if it is truncated or empty."""
    return _wav(check_file(path)).header if path.suffix.lower() == ".wav" else _coded_header(check_file(path))


def read_sound(path: Path, sample_rate: int, resample: bool = True) -> np.ndarray:
    """Reads the samples of a file, int16 [T], T >= 1, its channels mixed into one. InputError as `read_header`.

    sample_rate: samples a second of what is returned.
    resample: resample a file of another rate? Otherwise InputError.
    """
    header = read_header(path)
    if header.sample_rate != sample_rate and not resample:
        raise InputError(f"{path} has {header.sample_rate} samples a second, not sample_rate={sample_rate}; allow resampling")
    if header.length * max(1.0, sample_rate / header.sample_rate) > _MOST_SAMPLES:
        raise InputError(f"{path} has more than {_MOST_SAMPLES} samples; cut it into shorter recordings")
    samples = _read_wav(path) if path.suffix.lower() == ".wav" else _read_coded(path)
    if header.sample_rate == sample_rate:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(sample_rate, header.sample_rate)
    waveform = samples.astype(np.float32) / 2**15
    resampled = resample_poly(waveform, sample_rate // common, header.sample_rate // common)
    return to_int16(np.clip(resampled, -1, 1))


def wav(waveform: np.ndarray, sample_rate: int) -> bytes:
    """Returns a waveform [T] in [-1, 1] as the content of a 16-bit WAV file. InputError as `to_int16`."""
    samples, file = to_int16(waveform), io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sample_rate)
        out.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def _wav(path: Path) -> _Wav:
    """Walks through the chunks of a WAV file up to its samples."""
    size, coded = path.stat().st_size, b""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            raise InputError(f"{path} is no WAV file, it does not begin as one; convert it, or remove it")
        for _ in range(_CHUNKS):
            chunk = file.read(8)
            if len(chunk) < 8:
                raise InputError(f"{path} is truncated: it ends before its samples begin; get it again")
            name, length = struct.unpack("<4sI", chunk)
            following = file.tell() + length + length % 2  # chunks begin at even places
            if name == b"fmt ":
                coded = file.read(min(length, 40))
            if name == b"data":
                break
            file.seek(following)
        else:
            raise InputError(f"{path} has {_CHUNKS} chunks before its samples; remove chunks that are no sound")
        begin = file.tell()
    rate, channels, tag, bits = _coding(path, coded)
    # Whoever writes to a pipe cannot go back to say how much it was.
    promised, present = (0 if length == 2**32 - 1 else length), size - begin
    if promised > present:
        raise InputError(
            f"{path} is truncated: its header promises {promised} bytes of samples, {present} are there; get it again, or save "
            "anew what is left"
        )
    frames = (promised or present) // (max(channels, 1) * bits // 8) if length else 0
    return _Wav(_checked(path, Header(rate, channels, frames)), tag, bits, begin, begin + frames * channels * bits // 8)


def _coding(path, content: bytes) -> tuple[int, int, int, int]:
    """(samples a second, channels, tag, bits) out of a chunk "fmt "."""
    if len(content) < 16:
        raise InputError(f"{path} does not say how its samples are coded; get it again, or remove it")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
    if tag == 0xFFFE and len(content) >= 26:  # more is said, and the tag is there
        tag = struct.unpack("<H", content[24:26])[0]
    if (tag, bits) not in _DTYPES:
        numbers = "whole numbers of 8, 16, 24 or 32 bits, or real ones of 32 or 64"
        raise InputError(f"{path} has samples of format 0x{tag:04x}, {bits} bits, not {numbers}; convert it to 16-bit PCM")
    return rate, channels, tag, bits


# How a sample is read, by its tag and bits; of whole numbers the bytes that are left out come first.
_DTYPES = {
    (1, 8): np.dtype("u1"),
    (1, 16): np.dtype("<i2"),
    (1, 24): np.dtype([("low", "u1"), ("high", "<i2")]),
    (1, 32): np.dtype([("low", "<u2"), ("high", "<i2")]),
    (3, 32): np.dtype("<f4"),
    (3, 64): np.dtype("<f8"),
}


def _read_wav(path) -> np.ndarray:
    found = _wav(path)
    dtype = _DTYPES[found.tag, found.bits]
    samples = np.frombuffer(read_file(path), np.uint8)[found.begin : found.end].view(dtype)
    if dtype.kind == "V":
        samples = samples["high"]
    elif found.bits == 8:
        samples = (samples.astype(np.int16) - 128) << 8
    samples = samples.reshape(-1, found.header.channels)
    if samples.dtype.kind == "i":
        return np.ascontiguousarray(samples[:, 0], np.int16) if samples.shape[1] == 1 else _mixed(samples / 2**15, path)
    return _mixed(samples, path)


def _mixed(waveform, path) -> np.ndarray:
    """int16 [T]: the mean of the channels of a waveform [T, C]."""
    return to_int16(waveform.mean(axis=1, dtype=np.float64), str(path))


def _coded_header(path) -> Header:
    soundfile = require("soundfile", extra="audio")
    try:
        with soundfile.SoundFile(path) as file:
            if file.format not in _CODED:
                raise InputError(f"{path} is a file of {file.format}, not FLAC, Ogg or MP3; convert it, or remove it")
            return _checked(path, Header(file.samplerate, file.channels, file.frames))
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{path} cannot be read ({one_line(error)}); replace it, or remove it") from error


def _read_coded(path) -> np.ndarray:
    """Decodes piece by piece, so that a header that promises too much costs no memory."""
    soundfile = require("soundfile", extra="audio")
    try:
        with soundfile.SoundFile(path) as file:
            # A lossy code goes beyond full scale where the sound was at it.
            pieces = [
                to_int16(np.clip(piece.mean(axis=1), -1, 1), str(path))
                for piece in file.blocks(2**16, dtype="float32", always_2d=True)
            ]
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{path} cannot be read ({one_line(error)}); replace it, or remove it") from error
    if not sum(map(len, pieces)):
        raise InputError(f"{path} has no samples; remove it")
    return np.concatenate(pieces)


def _checked(path, header: Header) -> Header:
    if not (1 <= header.sample_rate <= _MOST_RATE and header.channels >= 1):
        raise InputError(f"{path} has {header.channels} channels of {header.sample_rate} samples a second; get it again")
    if not header.length:
        raise InputError(f"{path} has no samples; remove it")
    return header
