"""Recordings as windows: every sample counted once, likelihoods that add up to the whole recordings, and data sets of them."""

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import soundfile
from faults import fault
from named_files import real

import arjax
from arjax.data import Levels, SpokenDigits, WavFolder, tile
from arjax.heads import Categorical
from arjax.testing import lively_params

RNG = np.random.default_rng(0)
RATE = 8000


class LooksBack(nn.Module):
    """A net of its own parameters for each of the last three symbols, and of nothing else."""

    spec: Any = None
    any_order: ClassVar[bool] = False
    decays: ClassVar[tuple[str, ...]] = ()

    @nn.compact
    def __call__(self, x, order, cond=None, *, key=None):
        shape = (3, self.spec.vocab, self.spec.param_size)
        table = self.param("table", nn.initializers.normal(), shape)
        theta = self.param("bias", nn.initializers.normal(), shape[2:])
        theta = jnp.broadcast_to(theta, (*x.shape, shape[2]))
        for back in range(1, min(3, x.shape[1] - 1) + 1):
            theta = theta.at[:, back:].add(table[back - 1][x[:, :-back]])
        return theta


@pytest.mark.parametrize(("length", "context"), [(1, 0), (5, 3), (8, 7), (20, 7)])
def test_tile_counts_every_sample_once_and_after_its_true_context(length, context):
    recordings = [np.arange(num, dtype=np.int16) + 100 * i for i, num in enumerate((1, 4, 5, 6, 8, 9, 13, 40, 41))]
    cut = tile(recordings, length, context)
    assert cut.x.shape == cut.counted.shape == (len(cut.recording), length)
    assert (cut.x.dtype, cut.counted.dtype) == (np.int16, bool)
    # A sample's value says which recording it is of, and its place in it.
    assert sorted(cut.x[cut.counted].tolist()) == sorted(np.concatenate(recordings).tolist())
    for x, counted, i in zip(cut.x, cut.counted, cut.recording, strict=True):
        assert counted.any()
        whole = recordings[i]
        begin = int(x[0]) - 100 * i
        kept = min(length, len(whole))
        np.testing.assert_array_equal(x[:kept], whole[begin : begin + kept])
        assert not x[kept:].any()
        assert not counted[kept:].any()
        first = int(np.argmax(counted))
        assert counted[first:kept].all()
        assert first == 0 if begin == 0 else first >= context


def test_tile_cuts_no_more_windows_than_are_needed():
    for num, windows in ((1, 1), (10, 1), (11, 2), (17, 2), (18, 3), (24, 3), (25, 4)):
        assert len(tile([np.zeros(num, np.int16)], 10, 3).x) == windows


@pytest.mark.parametrize("context", [3, 2])
def test_log_prob_of_windows_adds_up_to_that_of_whole_recordings_with_enough_context(context):
    recordings = [RNG.integers(0, 5, num).astype(np.int16) for num in (2, 11, 37)]
    params = lively_params(arjax.Model(LooksBack(), Categorical(5), (4,)), jax.random.key(0))
    cut = tile(recordings, 4, context)
    model = arjax.Model(LooksBack(), Categorical(5), (4,))
    scores = np.asarray(arjax.log_prob(model, params, cut.x.astype(np.int32), counted=cut.counted))
    for i, recording in enumerate(recordings):
        whole = arjax.Model(LooksBack(), Categorical(5), (len(recording),))
        expected = float(arjax.log_prob(whole, params, recording[None].astype(np.int32))[0])
        close = np.isclose(scores[cut.recording == i].sum(), expected, rtol=1e-6, atol=1e-5)
        assert close == (context == 3 or len(recording) <= 4)


@pytest.mark.parametrize(
    ("recordings", "length", "context", "says"),
    [
        ([np.zeros(3, np.int16)], 4, 4, "context=4 must be in 0..length - 1, and length=4"),
        ([np.zeros(3, np.int16)], 4, -1, "context=-1"),
        ([], 4, 1, "there are no recordings"),
        ([np.zeros(3, np.int16), np.zeros(0, np.int16)], 4, 1, "recording 1 is int16 of shape (0,)"),
        ([np.zeros((3, 2), np.int16)], 4, 1, "recording 0 is int16 of shape (3, 2)"),
        ([np.zeros(3, np.int16), np.zeros(3)], 4, 1, "recording 1 is float64"),
    ],
)
def test_tile_names_what_cannot_be_cut(recordings, length, context, says):
    assert says in fault(lambda: tile(recordings, length, context))


# A folder


def put(path, samples, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, "PCM_16", format="WAV")
    return path


def folder(tmp_path, count=10):
    """Recording i is 3 + i samples of the value i; its path sorts as its number does."""
    for i in range(count):
        put(tmp_path / "wavs" / ("a" if i < 4 else "b") / f"{i:02d}.{'WAV' if i % 2 else 'wav'}", np.full(3 + i, i, np.int16))
    (tmp_path / "wavs" / "notes.txt").write_text("not sound")
    return str(tmp_path / "wavs")


def recordings_of(split):
    return sorted(set(split.x[split.counted].tolist()))


@pytest.mark.parametrize(
    ("count", "valid", "test", "parts"),
    [
        (10, 0.2, 0.1, [list(range(7)), [7, 8], [9]]),
        (10, 0.2, 0, [list(range(8)), [8, 9], [8, 9]]),
        (3, 0.01, 0.01, [[0], [1], [2]]),  # no part is without a file
    ],
)
def test_wav_folder_holds_out_the_last_files_and_counts_every_sample_once(count, valid, test, parts, tmp_path):
    data = WavFolder(folder(tmp_path, count), RATE, length=6, context=2, valid=valid, test=test)
    splits = data.load()
    assert [recordings_of(split) for split in splits] == parts
    assert [int(split.counted.sum()) for split in splits] == [sum(3 + i for i in part) for part in parts]
    assert all(split.x.dtype == np.int16 and split.x.shape[1:] == (6,) for split in splits)
    for part in ("wavs", "8000 Hz", "mu-law, 256 levels", "windows of 6 with 2 of context", "of the files"):
        assert part in data.title


def test_wav_folder_is_found_in_the_data_root(tmp_path):
    here = folder(tmp_path)
    relative = WavFolder("wavs", RATE, length=6, context=2, root=str(tmp_path))
    np.testing.assert_array_equal(relative.load().train.x, WavFolder(here, RATE, length=6, context=2).load().train.x)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: WavFolder("nowhere", RATE).load(), "there is no folder nowhere"),
        (lambda path: WavFolder(f"{path}/notes.txt", RATE).load(), "is no folder; give one"),
        (lambda path: WavFolder(f"{path}/b", RATE, valid=0.01, test=0.01).load(), "has 2 .wav files, too few to hold out valid="),
        (lambda path: WavFolder(path, 11025).load(), "has 8000 samples a second"),
        (lambda path: WavFolder(path, 0), "sample_rate=0"),
        (lambda path: WavFolder(path, RATE, valid=0), "fractions held out"),
        (lambda path: WavFolder(path, RATE, values=Levels(256)), "cannot become sound again"),
    ],
)
def test_wav_folder_names_what_cannot_be_used(make, says, tmp_path):
    assert says in fault(lambda: make(folder(tmp_path, 6)))


# Spoken digits


def test_spoken_digits_are_split_by_takes_and_labelled():
    root = real("fsdd.npz")
    with np.load(f"{root}/fsdd.npz") as file:
        arrays = dict(file)
    splits = SpokenDigits(label="both", root=root).load()
    chosen = (arrays["take"] >= 10, (arrays["take"] >= 5) & (arrays["take"] < 10), arrays["take"] < 5)
    lengths = np.diff(arrays["offsets"])
    for split, some in zip(splits, chosen, strict=True):
        # What is counted of the windows of a digit and speaker is as much as the speaker said of it.
        for digit, speaker in np.ndindex(10, 6):
            said = lengths[some & (arrays["digit"] == digit) & (arrays["speaker"] == speaker)]
            assert split.counted[split.label == 6 * digit + speaker].sum() == said.sum() > 0
    first = np.flatnonzero(chosen[2])[0]
    start, end = arrays["offsets"][first], arrays["offsets"][first + 1]
    np.testing.assert_array_equal(splits.test.x[0, : end - start][:4096], arrays["audio"][start:end][:4096])
    for label, expected in (("digit", splits.test.label // 6), ("speaker", splits.test.label % 6)):
        np.testing.assert_array_equal(SpokenDigits(label=label, root=root).load().test.label, expected)


def test_spoken_digits_say_in_one_line_that_they_are_missing_or_others(tmp_path):
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
