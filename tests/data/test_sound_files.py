"""Files of sound: what is read of them is held against soundfile, which wrote them, and against NumPy."""

import io
import os

import numpy as np
import pytest
import soundfile
from faults import fault

from arjax.data.sound_files import Header, read_header, read_sound, wav
from arjax.files import write_whole

RATE = 8000
ALL = np.concatenate([np.arange(-32768, 32768, 7), [32767, 0, -1]]).astype(np.int16)
WIDE = ((ALL.astype(np.int64) << 16) + np.arange(len(ALL)) % 65536).astype(np.int32)
REAL = np.concatenate([ALL / 32768 + 0.3 / 32768, [1.0, -1.0]])
NEAREST = [*ALL, 32767, -32768]


def put(path, samples=ALL, subtype="PCM_16", rate=RATE):
    soundfile.write(path, samples, rate, subtype, format="WAV")
    return path


def test_read_sound_gives_what_wav_wrote(tmp_path):
    write_whole(tmp_path / "deep" / "y.wav", wav(ALL / 32768, RATE))
    np.testing.assert_array_equal(read_sound(tmp_path / "deep" / "y.wav", RATE), ALL)


@pytest.mark.parametrize(
    ("subtype", "samples", "expected"),
    [
        ("PCM_16", ALL, ALL),
        ("PCM_32", WIDE, ALL),
        ("PCM_24", WIDE, ALL),
        ("PCM_U8", ALL >> 8 << 8, ALL >> 8 << 8),
        ("FLOAT", REAL, NEAREST),
        ("DOUBLE", REAL, NEAREST),
    ],
)
def test_read_sound_takes_the_highest_sixteen_bits_or_the_nearest_sample(subtype, samples, expected, tmp_path):
    np.testing.assert_array_equal(read_sound(put(tmp_path / "x.wav", samples, subtype), RATE), expected)


def test_read_sound_leaves_out_what_follows_the_samples_and_knows_a_pipes_files(tmp_path):
    path = put(tmp_path / "x.wav")
    whole = path.read_bytes()
    content = bytearray(whole + b"LIST\x04\0\0\0INFO")
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    path.write_bytes(content)
    np.testing.assert_array_equal(read_sound(path, RATE), ALL)
    # Whoever writes to a pipe cannot know how long it will be.
    place = whole.index(b"data") + 4
    path.write_bytes(whole[:place] + b"\xff\xff\xff\xff" + whole[place + 4 :])
    np.testing.assert_array_equal(read_sound(path, RATE), ALL)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), f"promises {2 * len(ALL)} bytes of samples"),
        (lambda path: path.write_bytes(path.read_bytes()[:30]), "is truncated: it ends before its samples begin"),
        (lambda path: path.write_bytes(b"to be or not to be"), "is no WAV file"),
        (lambda path: path.write_bytes(path.read_bytes()[:20] + b"\xaa\xaa" + path.read_bytes()[22:]), "format 0xaaaa"),
        (lambda path: put(path, ALL[:0]), "has no samples"),
        (lambda path: path.write_bytes(path.read_bytes()[:22] + b"\0\0" + path.read_bytes()[24:]), "has 0 channels"),
        (lambda path: put(path, rate=16000), "has 16000 samples a second, not sample_rate=8000; allow resampling"),
        (lambda path: put(path, subtype="ULAW"), "has samples of format 0x0007, 8 bits, not whole numbers"),
        (lambda path: put(path, np.array([0, np.nan]), "DOUBLE"), "not finite"),
        (lambda path: put(path, np.array([0, -np.inf]), "FLOAT"), "not finite"),
        (
            lambda path: put(path, np.array([0, -16000, 9.5]), "FLOAT"),
            "has samples beyond -1..1, up to 16000; divide them by that",
        ),
        (lambda path: soundfile.write(path, ALL, RATE, "PCM_16", format="AIFF"), "is no WAV file"),
        (lambda path: soundfile.write(path, ALL, RATE, "PCM_16", format="RF64"), "is no WAV file"),
        (lambda path: path.unlink(), "there is no file"),
        (lambda path: [path.unlink(), os.mkfifo(path)], "is a pipe or a device"),
    ],
)
def test_read_sound_names_a_file_that_cannot_be_used_with_the_remedy(spoil, says, tmp_path):
    path = put(tmp_path / "x.wav")
    spoil(path)
    line = fault(read_sound, path, RATE, False)
    assert "x.wav" in line
    assert says in line


def test_wav_is_read_by_another_library_and_refuses_what_is_beyond():
    samples, rate = soundfile.read(io.BytesIO(wav(ALL / 32768, RATE)), dtype="int16")
    np.testing.assert_array_equal(samples, ALL)
    assert rate == RATE
    assert "up to 1.5; divide them by that" in fault(wav, [0.0, 1.5], RATE)


STEREO = np.stack([ALL, np.roll(ALL, 1)], axis=1)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_read_sound_mixes_channels_into_their_mean(subtype, tmp_path):
    path = put(tmp_path / "x.wav", STEREO if subtype == "PCM_16" else STEREO / 32768, subtype)
    assert read_header(path) == Header(RATE, 2, len(ALL))
    np.testing.assert_array_equal(read_sound(path, RATE), np.floor(STEREO.mean(axis=1) + 0.5))


@pytest.mark.parametrize(("name", "close"), [("x.flac", 0), ("x.ogg", 0.05), ("x.mp3", 0.1)])
def test_read_sound_reads_flac_ogg_and_mp3(name, close, tmp_path):
    waveform = np.sin(np.arange(4000) / 8) / 2
    soundfile.write(tmp_path / name, np.stack([waveform, waveform], axis=1), RATE)
    assert read_header(tmp_path / name)[:2] == (RATE, 2)
    samples = read_sound(tmp_path / name, RATE)
    assert samples.dtype == np.int16
    np.testing.assert_allclose(samples[500:3500], np.round(waveform * 32768)[500:3500], atol=1 + close * 32768)


@pytest.mark.parametrize(("rate", "other"), [(8000, 22050), (44100, 8000)])
def test_read_sound_resamples_what_both_rates_can_hold(rate, other, tmp_path):
    def tone(rate):
        return np.sin(2 * np.pi * 440 * np.arange(rate // 4) / rate) / 2

    samples = read_sound(put(tmp_path / "x.wav", tone(other), rate=other), rate)
    expected = tone(rate) * 32768
    assert len(samples) == len(expected)
    inside = slice(len(expected) // 5, -len(expected) // 5)  # a filter does not see what lies beyond the ends
    np.testing.assert_allclose(samples[inside], expected[inside], atol=0.003 * 32768)


def test_read_sound_refuses_what_is_no_sound_under_another_name(tmp_path):
    (tmp_path / "x.flac").write_bytes(b"to be or not to be")
    assert "x.flac cannot be read" in fault(read_sound, tmp_path / "x.flac", RATE)
    soundfile.write(tmp_path / "y.flac", ALL, RATE, "PCM_16", format="AIFF")
    assert "y.flac is a file of AIFF, not FLAC, Ogg or MP3; convert it" in fault(read_sound, tmp_path / "y.flac", RATE)
