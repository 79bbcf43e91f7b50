"""The sample of the English Wikipedia, which is not enwik8."""

import bz2

import numpy as np
import pytest

from arjax.data import WikipediaSample
from arjax.data.splits import encoded, is_stream, original_bytes, shown, unit


def test_it_says_what_it_is_and_what_it_is_not():
    data = WikipediaSample(length=64, root="here")
    name, cuts = "English Wikipedia sample (not enwik8)", "train the first 0.9 of it, then valid 0.05, test the last 0.05"
    assert data.title == f"{name}, bytes, windows of 64; {cuts}"
    assert (unit(data), is_stream(data), data.values.vocab) == ("byte", True, 256)
    assert data == WikipediaSample(length=64)
    assert shown(data, encoded(data, "café")[None]) == ["café"]
    with pytest.raises(ValueError, match=r"length=0 must be at least one symbol"):
        WikipediaSample(length=0)


def test_another_file_under_its_name_is_refused(tmp_path):
    (tmp_path / "enwiki_sample.xml.bz2").write_bytes(bz2.compress(b"<mediawiki>"))
    with pytest.raises(ValueError, match=r"\A[^\n]+enwiki_sample.xml.bz2 has the wrong checksum[^\n]+; [^\n]+\Z"):
        WikipediaSample(root=str(tmp_path)).load()


def test_its_parts_are_nine_tenths_and_twice_a_twentieth_of_the_published_file(data_root):
    file = data_root / "enwiki_sample.xml.bz2"
    if not file.exists():
        pytest.skip("$ARJAX_DATA has no enwiki_sample.xml.bz2")
    content = bz2.decompress(file.read_bytes())
    data = WikipediaSample(length=512, root=str(data_root))
    parts, splits = data.texts(), data.load()
    assert len(content) == 6_089_746
    assert b"".join(part.tobytes() for part in parts) == content
    assert [len(part) for part in parts] == [5_480_771, 304_487, 304_488]
    assert splits.train.x.shape == (5_480_771 - 511, 512)
    assert splits.test.x.shape == (304_488 // 512, 512)
    np.testing.assert_array_equal(splits.test.x.ravel(), parts.test[: 304_488 // 512 * 512])
    assert original_bytes(data, splits.test.x).tolist() == [512] * len(splits.test.x)
    assert data.show(splits.train.x[:1])[0].startswith("<mediawiki")
