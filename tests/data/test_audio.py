"""Spoken digits."""

import numpy as np
from faults import fault
from named_files import real

from arjax.data import SpokenDigits


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
