"""arjax/data/sound_folder.py: recordings of one's own."""

import numpy as np
import pytest
import soundfile
from faults import fault

from arjax.data import Levels, SoundFolder
from arjax.data.dataset import examine
from arjax.heads import Categorical
from arjax.models import WaveNet
from arjax.orders import Raster

RATE = 8000


def put(path, samples, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, "PCM_16", format={".flac": "FLAC"}.get(path.suffix, "WAV"))


def folder(tmp_path, count=10):
    """Recording i is 3 + i samples of the value i, of class a or b."""
    for i in range(count):
        put(tmp_path / "wavs" / "ab"[i % 2] / f"{i:02d}.{'WAV' if i % 3 else 'wav'}", np.full(3 + i, i, np.int16))
    return str(tmp_path / "wavs")


def small(path, *args, **changed):
    return SoundFolder(path, *args, **{"length": 6, "context": 2} | changed)


def test_sound_folder_fills_in_rate_and_classes_and_counts_every_sample_once(tmp_path):
    data, notes = examine(small(folder(tmp_path), valid=0.2, test=0.2))
    assert (data.sample_rate, data.classes, data.open, notes) == (RATE, ("a", "b"), False, ())
    splits = data.load()
    recordings = [sorted(set(split.x[split.counted].tolist())) for split in splits]
    assert sorted(i for some in recordings for i in some) == list(range(10))
    assert [len(some) for some in recordings] == [6, 2, 2]
    for split, some in zip(splits, recordings, strict=True):
        assert split.counted.sum() == sum(3 + i for i in some)
        # Recording i is of class i % 2.
        assert (split.label == split.x[:, 0] % 2).all()
        assert set(split.label) == {0, 1}
    for part in ("wavs", "8000 Hz", "mu-law, 256 levels", "windows of 6 with 2 of context", "by seed 0: valid 0.2, test 0.2"):
        assert part in data.title
    model = data.model(WaveNet(width=4, stacks=1, layers=2), order=Raster(), classes=2)
    assert (model.head, model.site_shape, model.cond.classes) == (Categorical(256), (6,), 2)


def test_sound_folder_that_is_open_loads_what_it_is_filled_in_with(tmp_path):
    data = small(folder(tmp_path))
    for split, same in zip(data.load(), examine(data).data.load(), strict=True):
        np.testing.assert_array_equal(split.x, same.x)
    relative = small("wavs", root=str(tmp_path))
    np.testing.assert_array_equal(relative.load().train.x, data.load().train.x)
    assert set(small(folder(tmp_path), seed=1).load().test.x[:, 0]) != set(data.load().test.x[:, 0])


def test_sound_folder_says_what_it_mixed_resampled_and_left_out(tmp_path):
    path = folder(tmp_path)
    tone = np.sin(np.arange(40) / 4) / 2
    put(tmp_path / "wavs" / "a" / "x.flac", np.stack([tone, -tone], axis=1))
    put(tmp_path / "wavs" / "b" / "y.wav", tone, 16000)
    (tmp_path / "wavs" / "a" / "z.wav").write_bytes(b"RIFF")
    (tmp_path / "wavs" / "notes.txt").write_text("not sound")
    data, notes = examine(small(path))
    assert data.sample_rate == RATE
    assert notes == (
        f"files of {path} that are no recordings are left out: 1 of .txt",
        f"1 of 13 recordings are left out; the first: {path}/a/z.wav is no WAV file, it does not begin as one; convert it, or "
        "remove it",
        "1 of 12 recordings have several channels, which are mixed into one",
        "1 of 12 recordings are resampled to 8000 Hz: 1 of 16000 Hz",
    )
    assert sum(split.counted.sum() for split in data.load()) == sum(range(3, 13)) + 40 + 20


def test_sound_folder_without_class_folders_has_no_labels(tmp_path):
    for i in range(4):
        put(tmp_path / f"{i}.wav", np.full(5, i, np.int16))
    data, _ = examine(small(str(tmp_path), test=0))
    splits = data.load()
    assert data.classes == ()
    assert splits.train.label is None
    assert splits.test is splits.valid


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: small("nowhere").load(), "there is no folder nowhere"),
        (lambda path: small(f"{path}/a/00.wav").load(), "is no folder; give the one"),
        (lambda path: small(None).load(), "no folder of recordings is named; give one by --data.path FOLDER"),
        (lambda path: small(f"{path}/b").load(), "has 2 examples, and each of train, valid and test needs one"),
        (
            lambda path: small(path, 11025, resample=False, test=0).load(),
            "has 8000 samples a second, not sample_rate=11025; allow",
        ),
        (lambda path: small(path, 0), "sample_rate=0 is not in 1..768000"),
        (lambda path: small(path, valid=0), "fractions held out"),
        (lambda path: small(path, values=Levels(256)), "cannot become sound again"),
    ],
)
def test_sound_folder_names_what_cannot_be_used(make, says, tmp_path):
    assert says in fault(lambda: make(folder(tmp_path, 5)))
