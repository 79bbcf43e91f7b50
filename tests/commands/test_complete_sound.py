"""`python -m arjax complete` of sound: recordings continued, and what their true rest costs."""

import re

import jax
import numpy as np
import pytest
from PIL import Image
from trained import write_run_of_random_parameters

import arjax
from arjax.__main__ import main
from arjax.data import WavFolder
from arjax.data.waveforms import MuLaw, read_wav, write_wav
from arjax.heads import Categorical
from arjax.models import WaveNet
from arjax.protocol import Model

RATE, LENGTH, KEPT = 8000, 32, 12
# Of the last two, the test split: one goes on in a second window, one ends within the first.
SIZES = (40, 40, 40, 40, 50, 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Recordings, and a run of random parameters over them."""
    folder = tmp_path_factory.mktemp("sound")
    for i, size in enumerate(SIZES):
        write_wav(folder / "sounds" / f"{i}.wav", np.sin(np.arange(size) * (i + 1) / 3) / 2, RATE)
    data = WavFolder(str(folder / "sounds"), RATE, length=LENGTH, context=4, values=MuLaw(16), test=0.2)
    model = Model(WaveNet(width=4, stacks=1, layers=3), Categorical(16), (LENGTH,))
    write_run_of_random_parameters(folder / "run", data, model)
    return folder


def symbols(folder, i):
    """Recording i as the model knows it, [T]."""
    return np.asarray(MuLaw(16)(None, read_wav(folder / "sounds" / f"{i}.wav", RATE)))


def test_test_recordings_are_continued_from_their_start_and_their_true_rest_is_scored(folder, capsys):
    main(["complete", str(folder / "run"), "--seconds", str(KEPT / RATE), "--completions", "2", "--seed", "3"])
    stem = folder / "run" / "samples" / "complete_3"
    first, second = capsys.readouterr().out.splitlines()
    where = f"{stem}_0_true.wav to complete_3_1_1.wav, the first 8 drawn in {stem}.png"
    assert first == f"2 recordings, 0.0015 s kept, and 2 completions of each in {where}"
    model, params = arjax.load(folder / "run")
    x = np.zeros((2, LENGTH), np.int32)
    ends = (LENGTH, SIZES[5])
    for row, i, end in zip(x, (4, 5), ends, strict=True):
        # What is padded is silence, which is a symbol like others.
        row[:] = np.asarray(MuLaw(16)(None, np.zeros(LENGTH, np.int16)))
        row[:end] = symbols(folder, i)[:end]
    each = np.asarray(model.head.log_prob(arjax.theta(model, params, x), x), np.float64)
    nats = np.array([-each[b, KEPT:end].sum() for b, end in enumerate(ends)])
    dims = np.mean(ends) - KEPT
    error = nats.std(ddof=1) / np.sqrt(2)
    assert second.startswith(f"-log p(hidden | visible) of the truth: {nats.mean():.3f} ± {error:.3f} nats per example")
    assert f"= {nats.mean() / dims / np.log(2):.4f} bits per hidden sample, {dims:g} of them" in second
    observed = np.repeat(x, 2, axis=0)
    drawn = arjax.sample(model, params, jax.random.key(3), 4, observed=observed, mask=np.arange(LENGTH) < KEPT)
    for b, (i, end) in enumerate(zip((4, 5), ends, strict=True)):
        for k in range(2):
            heard = MuLaw(16)(None, read_wav(stem.with_name(f"complete_3_{b}_{k}.wav"), RATE))
            np.testing.assert_array_equal(heard, drawn[2 * b + k])
            np.testing.assert_array_equal(heard[:KEPT], symbols(folder, i)[:KEPT])
        true = MuLaw(16)(None, read_wav(stem.with_name(f"complete_3_{b}_true.wav"), RATE))
        np.testing.assert_array_equal(true, symbols(folder, i)[:end])
    with Image.open(stem.with_suffix(".png")) as picture:
        assert min(picture.size) > 300


def test_a_recording_of_ones_own_is_continued_behind_all_of_it_or_behind_the_seconds_that_are_kept(folder, tmp_path, capsys):
    png, sound = tmp_path / "x.png", tmp_path / "mine.wav"
    write_wav(sound, np.sin(np.arange(20) / 2) / 2, RATE)
    flags = ["complete", str(folder / "run"), "--audio", str(sound), "--completions", "1", "--png", str(png)]
    main(flags)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{sound}, 0.0025 s kept, and 1 completions of each in")
    # Seconds that the file has not are not kept.
    main([*flags, "--seconds", str(25 / RATE)])
    assert capsys.readouterr().out.splitlines() == [line]
    main([*flags, "--seconds", str(KEPT / RATE)])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{sound}, 0.0015 s kept")
    model, params = arjax.load(folder / "run")
    x = np.zeros((1, LENGTH), np.int32)
    x[0, :20] = np.asarray(MuLaw(16)(None, read_wav(sound, RATE)))
    nats = -float(model.head.log_prob(arjax.theta(model, params, x), x)[0, KEPT:20].sum())
    assert re.match(rf"-log p\(hidden \| visible\) of the truth: {nats:.3f} nats per example = .*, 8 of them", second)
