"""The toy of known law and the binary density sets."""

import numpy as np
import pytest
from named_files import bernoulli_nats, put, real

from arjax.data import BinaryDensity, density
from arjax.data.splits import Splits

DENSITY_NATS = {
    "accidents": 45.558,
    "baudio": 49.336,
    "bbc": 277.074,
    "bnetflix": 64.560,
    "connect4": 35.337,
    "dna": 100.380,
    "jester": 63.882,
    "moviereview": 346.885,
    "mushrooms": 34.232,
    "nips": 294.638,
    "nltcs": 9.234,
    "plants": 31.266,
    "pumsb_star": 75.862,
    "voting": 738.486,
}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Three text files in the place of nltcs, and what is in them."""
    rng = np.random.default_rng(0)
    rows = Splits(*(rng.integers(0, 2, (num, 3)).astype(np.uint8) for num in (4, 2, 1)))
    text = ["".join(",".join(map(str, row)) + "\n" for row in x).encode() for x in rows]
    sources = Splits(*(put(tmp_path, s, t) for s, t in zip(density.text_sources("nltcs"), text, strict=True)))
    monkeypatch.setitem(density.SIZES, "nltcs", (3, 4, 2, 1))
    monkeypatch.setattr(density, "text_sources", lambda name: sources)
    return rows


def test_binary_density_is_read_from_its_text_files(tmp_path, tiny):
    for split, x in zip(BinaryDensity("nltcs", root=str(tmp_path)).load(), tiny, strict=True):
        np.testing.assert_array_equal(split.x, x)
        assert split.label is None


def test_binary_density_is_read_from_the_packed_file(tmp_path, tiny, monkeypatch):
    packed = {f"nltcs_{name}": np.packbits(1 - x, axis=1) for name, x in tiny._asdict().items()}
    np.savez(tmp_path / "binary_density.npz", **packed)
    content = (tmp_path / "binary_density.npz").read_bytes()
    monkeypatch.setattr(density, "PACKED", put(tmp_path, density.PACKED, content))
    for split, x in zip(BinaryDensity("nltcs", root=str(tmp_path)).load(), tiny, strict=True):
        np.testing.assert_array_equal(split.x, 1 - x)


@pytest.mark.parametrize("text", [b"0,1\n1,0", b"0,1\n1;0\n", b"0,1\n1,2\n", b"0,1\n1,/\n", b"0,1,1,0\n"])
def test_parse_text_refuses_another_form(text):
    with pytest.raises(ValueError, match=r"some.data must be .*; get it again"):
        density.parse_text(text, "some.data", (2, 2))


def test_text_sources_have_a_checksum_but_one_and_all_a_url():
    sources = {source.file: source for name in density.SIZES for source in density.text_sources(name)}
    assert [file for file, source in sources.items() if source.sha256 is None] == ["connect4.test.data"]
    assert all(source.url.endswith(f"/datasets/{file.split('.')[0]}/{file}") for file, source in sources.items())
    assert len({source.sha256 for source in sources.values()}) == 42


def test_binary_density_answers_an_unknown_name_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no binary density set 'nope'; choose one of accidents, .* voting"):
        BinaryDensity("nope")
    assert BinaryDensity("dna", root="here") == BinaryDensity("dna")
    assert BinaryDensity("dna").title == "dna, 180 binary variables, train 1600 / valid 400 / test 1186"


def test_binary_density_is_as_published():
    root = real("binary_density.npz")
    for name, nats in DENSITY_NATS.items():
        splits = BinaryDensity(name, root=root).load()
        dim, *nums = density.SIZES[name]
        assert [split.x.shape for split in splits] == [(num, dim) for num in nums], name
        np.testing.assert_allclose(bernoulli_nats(splits), nats, atol=5.1e-4, err_msg=name)
