"""Recordings: what is read of .wav files, how they are split, and what a run leaves to be heard."""

import io
import json
import re
import shutil

import jax
import numpy as np
import pytest
import soundfile
from PIL import Image

import arjax
import train as script
from arjax.__main__ import main
from arjax.data import Levels, Linear, MuLaw, SpokenDigits, WavFolder
from arjax.data.splits import heard, is_stream, unit
from arjax.data.waveforms import read_wav, write_wav
from arjax.pictures import sound_picture

ONE_LINE = r"\A[^\n]+; [^\n]+\Z"  # the fault; the remedy
RATE = 8000
ALL = np.concatenate([np.arange(-32768, 32768, 7), [32767, 0, -1]]).astype(np.int16)


def put(path, samples=ALL, subtype="PCM_16", rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype, format="WAV")
    return path


def sine(hertz, num, rate=RATE):
    return (12000 * np.sin(2 * np.pi * hertz * np.arange(num) / rate)).astype(np.int16)


def fault(make) -> str:
    with pytest.raises(ValueError, match=ONE_LINE) as info:
        make()
    return str(info.value)


# Files


def test_sixteen_bits_are_read_as_they_are_and_written_back(tmp_path):
    np.testing.assert_array_equal(read_wav(put(tmp_path / "x.wav"), RATE), ALL)
    write_wav(tmp_path / "deep" / "y.wav", ALL / 32768, RATE)
    np.testing.assert_array_equal(read_wav(tmp_path / "deep" / "y.wav", RATE), ALL)


def test_other_numbers_of_bits_keep_the_highest_sixteen(tmp_path):
    wide = (ALL.astype(np.int64) << 16) + np.arange(len(ALL)) % 65536
    np.testing.assert_array_equal(read_wav(put(tmp_path / "32.wav", wide.astype(np.int32), "PCM_32"), RATE), ALL)
    np.testing.assert_array_equal(read_wav(put(tmp_path / "24.wav", wide.astype(np.int32), "PCM_24"), RATE), ALL)
    np.testing.assert_array_equal(read_wav(put(tmp_path / "8.wav", ALL >> 8 << 8, "PCM_U8"), RATE), ALL >> 8 << 8)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_real_numbers_become_the_nearest_samples(tmp_path, subtype):
    waveform = np.concatenate([ALL / 32768 + 0.3 / 32768, [1.0, 1.7, -3.0]])
    expected = [*ALL, 32767, 32767, -32768]
    np.testing.assert_array_equal(read_wav(put(tmp_path / "x.wav", waveform, subtype), RATE), expected)


def test_what_follows_the_samples_is_no_part_of_them(tmp_path):
    path = put(tmp_path / "x.wav")
    content = bytearray(path.read_bytes() + b"LIST\x04\0\0\0INFO")
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    path.write_bytes(content)
    np.testing.assert_array_equal(read_wav(path, RATE), ALL)


def test_a_file_that_cannot_be_used_is_named_with_the_remedy(tmp_path):
    def wrong(name, content=None, **options):
        path = tmp_path / name
        if content is None:
            put(path, **options)
        else:
            path.write_bytes(content)
        message = fault(lambda: read_wav(path, RATE))
        assert str(path) in message
        return message

    whole = put(tmp_path / "whole.wav").read_bytes()
    assert f"promises {2 * len(ALL)} bytes of samples, {2 * len(ALL) - 100} are there" in wrong("cut.wav", whole[:-100])
    assert "is truncated: it ends before its samples begin" in wrong("head.wav", whole[:30])
    assert "is no WAV file" in wrong("text.wav", b"to be or not to be")
    assert "is no WAV file" in wrong("nothing.wav", b"")
    assert "has no samples" in wrong("silent.wav", samples=ALL[:0])
    assert "has 16000 samples a second, not sample_rate=8000; resample" in wrong("fast.wav", rate=16000)
    assert "has 2 channels" in wrong("stereo.wav", samples=np.stack([ALL, ALL], axis=1))
    assert "has samples of format 0x0007, not whole or real numbers" in wrong("ulaw.wav", subtype="ULAW")
    assert "not finite" in wrong("nan.wav", samples=np.array([0, np.nan]), subtype="DOUBLE")
    assert "has samples of format 0xaaaa" in wrong("format.wav", whole[:20] + b"\xaa\xaa" + whole[22:])
    assert "cannot be read" in fault(lambda: read_wav(tmp_path / "none.wav", RATE))


# A folder of them


def folder(tmp_path, count=10):
    """Recording i is 3 + i samples of the value i; its path sorts as its number does."""
    for i in range(count):
        put(tmp_path / "wavs" / ("a" if i < 4 else "b") / f"{i:02d}.{'WAV' if i % 2 else 'wav'}", np.full(3 + i, i, np.int16))
    (tmp_path / "wavs" / "notes.txt").write_text("not sound")
    return str(tmp_path / "wavs")


def recordings_of(split):
    return sorted(set(split.x[split.counted].tolist()))


def test_the_last_files_are_held_out_and_every_sample_counts_once(tmp_path):
    data = WavFolder(folder(tmp_path), RATE, length=6, context=2, valid=0.2, test=0.1)
    splits = data.load()
    assert [recordings_of(split) for split in splits] == [list(range(7)), [7, 8], [9]]
    assert [int(split.counted.sum()) for split in splits] == [sum(range(3, 10)), 10 + 11, 12]
    assert all(split.x.dtype == np.int16 and split.x.shape[1:] == (6,) for split in splits)
    assert (unit(data), is_stream(data)) == ("sample", True)
    for part in ("wavs", "8000 Hz", "mu-law, 256 levels", "windows of 6 with 2 of context", "0.7 of the files", "last 0.1"):
        assert part in data.title


def test_without_a_test_part_the_validation_part_serves_as_the_test(tmp_path):
    splits = WavFolder(folder(tmp_path), RATE, length=6, context=2, valid=0.2, test=0).load()
    assert [recordings_of(split) for split in splits] == [list(range(8)), [8, 9], [8, 9]]


def test_no_part_is_without_a_file(tmp_path):
    data = WavFolder(folder(tmp_path, 3), RATE, length=6, context=2, valid=0.01, test=0.01)
    assert [recordings_of(split) for split in data.load()] == [[0], [1], [2]]
    (tmp_path / "wavs" / "a" / "02.wav").unlink()
    assert "has 2 .wav files, too few to hold out valid=" in fault(data.load)


def test_a_folder_may_be_named_relative_to_the_data_root(tmp_path):
    here = folder(tmp_path)
    relative = WavFolder("wavs", RATE, length=6, context=2, root=str(tmp_path))
    absolute = WavFolder(here, RATE, length=6, context=2)
    np.testing.assert_array_equal(relative.load().train.x, absolute.load().train.x)


def test_a_folder_that_cannot_be_used_is_named_with_the_remedy(tmp_path):
    path = folder(tmp_path)
    assert "there is no folder nowhere" in fault(WavFolder("nowhere", RATE, root=str(tmp_path)).load)
    assert "has 0 .wav files" in fault(WavFolder(str(put(tmp_path / "empty" / "x.txt").parent), RATE).load)
    put(tmp_path / "wavs" / "b" / "05.WAV", rate=11025)
    assert "05.WAV has 11025 samples a second" in fault(WavFolder(path, RATE).load)
    assert "context=4 must be in" in fault(lambda: WavFolder(path, RATE, length=4, context=4))
    assert "sample_rate=0" in fault(lambda: WavFolder(path, 0))
    assert "fractions held out" in fault(lambda: WavFolder(path, RATE, valid=0))
    assert "cannot become sound again" in fault(lambda: WavFolder(path, RATE, values=Levels(256)))


# Spoken digits


def test_spoken_digits_are_split_by_takes_and_labelled(data_root):
    with np.load(data_root / "fsdd.npz") as file:
        arrays = dict(file)
    splits = SpokenDigits(label="both", root=str(data_root)).load()
    chosen = (arrays["take"] >= 10, (arrays["take"] >= 5) & (arrays["take"] < 10), arrays["take"] < 5)
    lengths = np.diff(arrays["offsets"])
    for name, some in zip(("train", "valid", "test"), chosen, strict=True):
        split = getattr(splits, name)
        # What is counted of the windows of a digit and speaker is as much as the speaker said of it.
        for digit, speaker in np.ndindex(10, 6):
            said = lengths[some & (arrays["digit"] == digit) & (arrays["speaker"] == speaker)]
            assert split.counted[split.label == 6 * digit + speaker].sum() == said.sum() > 0
    test = splits.test
    first = np.flatnonzero(chosen[2])[0]
    start, end = arrays["offsets"][first], arrays["offsets"][first + 1]
    np.testing.assert_array_equal(test.x[0, : end - start][:4096], arrays["audio"][start:end][:4096])
    for label, expected in (("digit", test.label // 6), ("speaker", test.label % 6)):
        np.testing.assert_array_equal(SpokenDigits(label=label, root=str(data_root)).load().test.label, expected)


def test_where_spoken_digits_are_missing_or_others_one_line_says_so(tmp_path):
    data = SpokenDigits(root=str(tmp_path))
    assert "fsdd.npz is not in" in fault(data.load)
    np.savez(tmp_path / "fsdd.npz", audio=np.zeros(3, np.int16))
    assert "fsdd.npz does not hold rows of whole numbers audio, offsets, digit, speaker, take" in fault(data.load)
    many = {name: np.zeros(3000, np.uint8) for name in ("digit", "speaker", "take")}
    np.savez(tmp_path / "fsdd.npz", audio=np.zeros(3000, np.int16), offsets=np.arange(3001), **many)
    assert "fsdd.npz holds other samples than the 3000 published recordings" in fault(data.load)
    assert "label='word' is none of digit, speaker, both" in fault(lambda: SpokenDigits(label="word"))
    assert "context=4096" in fault(lambda: SpokenDigits(context=4096))
    for part in ("mu-law, 256 levels", "windows of 4096 with 1024", "test takes 0-4, the official test split"):
        assert part in data.title


# What is heard and seen


@pytest.mark.parametrize("values", [MuLaw(64), Linear(64)], ids=str)
def test_what_is_heard_is_what_the_symbols_stand_for(values):
    x = np.arange(64).reshape(2, 32)
    sound = heard(WavFolder("here", 16000, values=values), x)
    assert sound.sample_rate == 16000
    assert sound.waveforms.dtype == np.float32
    np.testing.assert_array_equal(sound.waveforms, values.waveform(x))
    assert heard(object(), x) is None


def test_a_tone_is_drawn_at_its_frequency():
    waveform = sine(1000, 4000) / 32768
    picture = sound_picture(waveform[None], RATE, "a tone")
    assert picture.dtype == np.uint8
    red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
    loud = (red > 240) & (green > 200) & (blue < 215)  # the highest colour
    silent = picture.max(axis=-1) < 10  # the lowest, and the frames' lines
    rows = np.flatnonzero(silent.sum(axis=1) > picture.shape[1] / 3)
    rows = rows[rows > len(picture) / 2]  # above are the frame's lines of the waveform
    at = np.mean(np.flatnonzero(loud.sum(axis=1) > picture.shape[1] / 3))
    assert (rows[-1] - at) / (rows[-1] - rows[0]) == pytest.approx(1000 / 4000, abs=0.03)


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (5, 300), (9, 40)])
def test_any_sound_has_a_picture_silence_too(shape):
    picture = sound_picture(np.zeros(shape, np.float32), RATE)
    assert picture.ndim == 3
    assert min(picture.shape[:2]) > 200


CONFIG = """
import arjax
from arjax.data import MuLaw, WavFolder
from arjax.heads import Categorical
from arjax.models import RNN
from arjax.training import Experiment

experiment = Experiment(
    data=WavFolder("waves", 8000, length=48, context=16, values=MuLaw(16), valid=0.2, test=0.2),
    model=arjax.Model(RNN(width=8), Categorical(16), (48,)), batch_size=8, steps=4, eval_every=2, eval_batch_size=8, samples=3,
)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(the run of a model of sine waves, what it printed)."""
    here = tmp_path_factory.mktemp("audio")
    for i in range(8):
        put(here / "waves" / f"{i}.wav", sine(200 + 50 * i, 150 + 10 * i))
    (here / "tiny.py").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch, io.StringIO() as printed:
        patch.chdir(here)
        patch.setattr("sys.stdout", printed)
        assert script.main(["tiny.py", "--run", "run"]) == 0
        return here / "run", printed.getvalue()


def test_a_run_leaves_sound_and_its_picture_behind(run):
    samples = run[0] / "samples"
    steps = ("00000002", "00000004")
    expected = {f"{step}{rest}" for step in steps for rest in ("_0.wav", "_1.wav", "_2.wav", ".png")}
    assert {path.name for path in samples.iterdir()} == expected
    levels = np.asarray(MuLaw(16).waveform(np.arange(16)))
    heard, rate = soundfile.read(samples / "00000004_0.wav")
    assert (heard.shape, rate) == ((48,), 8000)
    assert np.abs(heard[:, None] - levels).min(axis=1).max() < 1e-4
    with Image.open(samples / "00000004.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_a_run_shows_tensorboard_the_same_sound(run):
    (events,) = (run[0] / "tensorboard").iterdir()
    content = events.read_bytes()
    places = [found.start() for found in re.finditer(b"RIFF", content)]
    shown = [soundfile.read(io.BytesIO(content[place:]))[0] for place in places]
    written = [soundfile.read(run[0] / "samples" / f"{step:08d}_{i}.wav")[0] for step in (2, 4) for i in range(3)]
    np.testing.assert_allclose(shown, written, atol=1e-4)
    assert all(f"samples/{i}".encode() in content for i in range(3))


def test_a_result_is_in_bits_per_sample_beside_two_tables(run):
    path, printed = run
    data = WavFolder(str(path.parent / "waves"), 8000, length=48, context=16, values=MuLaw(16), valid=0.2, test=0.2)
    test = json.loads((path / "metrics.jsonl").read_text().splitlines()[-1])
    assert test["dims"] == pytest.approx(data.load().test.counted.sum(axis=1).mean())
    assert set(test["baselines"]) == {"histogram", "first-order Markov table"}
    assert f"{test['bits_per_dim']:.4f} bits/sample" in printed
    for part in ("first-order Markov table", "histogram", "samples per example on average, of 48", "windows of 48 with 16"):
        assert part in printed


def test_sample_writes_sound_and_a_picture(run, tmp_path, capsys):
    path = shutil.copytree(run[0], tmp_path / "run")
    main(["sample", str(path), "--batch", "2", "--seed", "5", "--png", str(tmp_path / "p.png"), "--out", str(tmp_path / "s.npz")])
    assert "2 samples in" in capsys.readouterr().out
    with np.load(tmp_path / "s.npz") as arrays:
        x = arrays["x"]
    for i in range(2):
        heard = read_wav(path / "samples" / f"seed_5_{i}.wav", 8000)
        np.testing.assert_array_equal(MuLaw(16)(jax.random.key(0), heard), x[i])
    assert not (path / "samples" / "seed_5.png").exists()
    with Image.open(tmp_path / "p.png") as picture:
        assert min(picture.size) > 200
    main(["sample", str(path), "--batch", "1"])
    assert (path / "samples" / "seed_0.png").exists()
    assert arjax.load(path).model.num_sites == 48


def test_a_file_written_to_a_pipe_which_cannot_know_its_length_is_read(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.arange(50, dtype=np.int16), 8000, "PCM_16")
    content = path.read_bytes()
    place = content.index(b"data") + 4
    path.write_bytes(content[:place] + b"\xff\xff\xff\xff" + content[place + 4 :])
    np.testing.assert_array_equal(read_wav(path, 8000), np.arange(50))
