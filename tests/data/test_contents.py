"""arjax/data/contents.py: what files hold, packed and unpacked without loss by a medium; and what an Exhibit saves."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from faults import fault
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from arjax.data.contents import Packed
from arjax.data.exhibit import Exhibit
from arjax.data.image_files import check_same
from arjax.data.media import Images, Sound, Table, Text
from arjax.data.sound_files import read_sound
from arjax.data.waveforms import MuLaw

RNG = np.random.default_rng(0)


def model(shape, vocab, event=()):
    """What a medium asks of a model."""
    head = SimpleNamespace(event_shape=event, vocab=vocab)
    return SimpleNamespace(site_shape=shape, num_sites=int(np.prod(shape)), head=head)


def npy(x) -> bytes:
    file = io.BytesIO()
    np.save(file, x)
    return file.getvalue()


def png(x) -> bytes:
    file = io.BytesIO()
    Image.fromarray(x).save(file, "PNG")
    return file.getvalue()


@given(st.binary(max_size=60), st.sampled_from([None, "ab", " ü\U0001f600", "\n abcdefghij"]))
@settings(max_examples=200, deadline=None)
def test_text_packs_any_bytes_without_loss(content, alphabet):
    medium, of = Text(alphabet), model((4,), 256 if alphabet is None else len(alphabet))
    packed = medium.pack("x", content, of)
    assert ((packed.x >= 0) & (packed.x < of.head.vocab)).all()
    assert [4] * (len(packed.lengths) - 1) == packed.lengths[:-1]
    assert medium.unpack("x", packed, of) == content


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((2, 3, 4), np.uint8),
        np.ones((3, 4), bool),
        np.asfortranarray(RNG.integers(0, 2, (5, 3, 4)).astype(">i4")),
        np.asfortranarray(np.eye(3, 4, dtype=np.uint64)),
        np.zeros((0, 3, 4), ">u2"),
        RNG.integers(0, 2, (1, 3, 4)).T.copy().T,
    ],
)
def test_images_pack_arrays_without_loss(x):
    packed = Images(2).pack("x.npy", npy(x), model((3, 4), 2))
    assert packed.x.shape[1:] == (3, 4)
    assert Images(2).unpack("x.npy", packed, model((3, 4), 2)) == npy(x)


TWO = model((3, 4), 2)


@pytest.mark.parametrize(
    ("name", "content", "of", "says"),
    [
        ("a.npy", npy(np.full((1, 3, 4), 2)), TWO, "the value 2 at [0, 0, 0], but the model has symbols 0..1 only"),
        ("a.npy", npy(np.zeros((1, 3, 4))), TWO, "holds float64, but symbols are integers 0..1; convert it"),
        ("a.npy", npy(np.zeros((1, 4, 3), int)), TWO, "has shape (1, 4, 3), but the model's examples are (3, 4); give [N, 3, 4]"),
        ("a.npy", npy(np.array([{}], object)), TWO, "a.npy cannot be read as an array"),
        ("a.npy", b"nothing", TWO, "a.npy cannot be read as an array"),
        ("a.png", png(np.full((3, 4), 37, np.uint8)), TWO, "the value 37 at [0, 0], but the model has 2 levels 0, 255 only"),
        ("a.png", png(np.zeros((4, 3), np.uint8)), TWO, "is L of 4x3 pixels, but the model's images are (3, 4); convert it"),
        ("a.png", png(np.zeros((3, 4, 3), np.uint8)), TWO, "a.png is RGB of 3x4 pixels"),
        ("a.png", b"\x89PNG\r\n\x1a\nnothing", TWO, "a.png cannot be read as a picture"),
        ("a.png", png(np.zeros((3, 4), np.uint8)), model((3, 4), 300), "are more than an image's levels; give .npy"),
        ("a.wav", b"RIFF", TWO, "files of the model's symbols end in one of .npy .png .bmp .pgm .ppm .tif; save it as such"),
    ],
)
def test_images_refuse_to_pack_what_the_model_has_no_symbols_for(name, content, of, says):
    assert says in fault(Images(2).pack, name, content, of)


def test_pack_array_takes_two_arrays_of_other_integers_together():
    packed = [Images(2).pack("x.npy", npy(np.ones((2, 3, 4), dtype)), TWO) for dtype in (np.int64, np.uint64)]
    assert np.concatenate([each.x for each in packed]).dtype == np.int32


@pytest.mark.parametrize("dtype", ["V1000000000", "<c8", "O", "(9,)<i8", "<i3", 7])
def test_unpack_array_refuses_another_dtype_than_of_symbols(dtype):
    with pytest.raises((ValueError, TypeError)):
        Images(2).unpack("x.npy", Packed(np.zeros((2, 3, 4), np.int32), [12, 12], {"dtype": dtype, "one": False}), TWO)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda content: content + content, "a.npy cannot be read as an array"),
        (lambda content: content + b"\0", "24 bytes, and 25 are there"),
        (lambda content: content.replace(b"'shape'", b'"shape"'), "a.npy would not come back byte for byte; save it anew"),
        (lambda content: content.replace(b"(2, 3, 4)", b"[2, 3, 4]"), "a.npy cannot be read as an array"),
    ],
)
def test_check_same_finds_what_an_array_would_lose(spoil, says):
    content = spoil(npy(np.ones((2, 3, 4), np.uint8)))

    def come_back():
        check_same("a.npy", content, Images(2).unpack("a.npy", Images(2).pack("a.npy", content, TWO), TWO))

    assert says in fault(come_back)


def test_exhibit_saves_its_picture_texts_and_waveforms(tmp_path):
    both = Exhibit(np.zeros((2, 2, 3), np.uint8), texts=("a", "b"))
    assert both.save(tmp_path / "deep" / "x") == f"{tmp_path}/deep/x.txt, {tmp_path}/deep/x.png"
    assert (tmp_path / "deep" / "x.txt").read_text() == f"a\n{'-' * 40}\nb\n"
    assert both.save(tmp_path / "y", tmp_path / "z.png").endswith("z.png")
    x = RNG.integers(0, 16, (2, 50))
    said = Sound(MuLaw(16), 8000).exhibit(x).save(tmp_path / "s")
    assert said == f"{tmp_path}/s_0.wav to s_1.wav, drawn in {tmp_path}/s.png"
    np.testing.assert_array_equal(MuLaw(16)(None, read_sound(tmp_path / "s_1.wav", 8000)), x[1])


def test_table_completed_has_a_blank_for_each_hidden_value():
    x, hidden = RNG.integers(0, 2, (2, 5)), np.array([False, True, True, False, False])
    for medium in (Table(), Images(2)):  # arrays of another shape than a picture's are rows
        shown = medium.completed(x, hidden, x[:, None], np.ones_like(x, bool)).texts
        assert shown[::2] == tuple(f"{row[0]},_,_,{row[3]},{row[4]}" for row in x)
        assert shown[1::2] == medium.exhibit(x).texts
