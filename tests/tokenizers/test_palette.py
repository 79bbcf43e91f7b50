"""Palettes: the nearest colour in float64, and colours that k-means puts where the pixels are."""

import numpy as np
import pytest

from arjax.data import Levels, Npz
from arjax.errors import InputError
from arjax.tokenizers import Bits, Palette

ONE_LINE = r"\A[^\n]*{}[^\n]*; [^\n]+\Z"  # the fault; the remedy
GRAY = {"colours": np.array([[3.0], [90.4], [200.6]], np.float32)}
RGB = {"colours": np.array([[0, 0, 0], [250, 10, 9.5], [256, 255, 254.4]], np.float32)}


def images(folder, train):
    """A data set that trains on these images, and holds all out that is black and white."""
    train = np.asarray(train, np.uint8)
    held_out = np.resize([0, 255], (2, *train.shape[1:])).astype(np.uint8)
    np.savez(folder / "x.npz", train=train, valid=held_out, test=held_out)
    return Npz(str(folder / "x.npz"), Levels(256))


def noise(*shape, below=256):
    return np.random.default_rng(0).integers(0, below, shape)


@pytest.mark.parametrize("channels", [1, 3])
def test_encode_takes_the_nearest_colour_and_decode_gives_it_back(channels, tmp_path):
    x = noise(12, 5, 4) if channels == 1 else noise(12, 5, 4, 3)
    data, tokenizer = images(tmp_path, x), Palette(9)
    learned = tokenizer.fit(data)
    tokenizer.check(learned)
    assert learned["colours"].shape == (9, channels)
    distances = np.square(x.reshape(-1, 1, channels) - learned["colours"].astype(np.float64)).sum(axis=-1)
    expected = distances.argmin(axis=-1)  # the first of equals
    tokens = np.asarray(tokenizer.encode(learned, x))
    np.testing.assert_array_equal(tokens, expected.reshape(12, 5, 4))
    assert set(tokens.ravel().tolist()) == set(range(9)), "no colour is there for nothing"
    np.testing.assert_array_equal(tokenizer.decode(learned, tokens), np.round(learned["colours"])[expected].reshape(x.shape))


def test_encode_takes_the_first_of_two_colours_as_near():
    learned = {"colours": np.array([[10.0], [20.0]], np.float32)}
    assert Palette(2).encode(learned, np.array([[[15]]])).tolist() == [[[0]]]


def test_decode_gives_the_nearest_pixel_of_a_colour_that_is_none():
    learned = {"colours": np.array([[-0.4, 0.4, 0.6], [255.3, 254.4, 254.6]], np.float32)}
    assert Palette(2).decode(learned, np.array([[[0, 1]]])).tolist() == [[[[0, 0, 1], [255, 254, 255]]]]


@pytest.mark.parametrize("shape", [(30, 6, 6), (30, 6, 6, 3)])
def test_fit_finds_distinct_colours_from_dark_to_bright(shape, tmp_path):
    data = images(tmp_path, noise(*shape))
    found = Palette(40).fit(data)["colours"]
    colours = found.astype(np.float64)
    assert len(np.unique(colours, axis=0)) == 40
    assert (np.diff(colours.sum(axis=1)) >= -1e-4).all()
    assert found.dtype == np.float32
    assert 0 <= colours.min() < colours.max() <= 255
    # A palette is a function of its seed.
    np.testing.assert_array_equal(Palette(40).fit(data)["colours"], found)
    assert (Palette(40, seed=2).fit(data)["colours"] != found).any()


def test_fit_finds_all_colours_where_there_are_as_many_and_refuses_more(tmp_path):
    shades = np.array([0, 3, 77, 255], np.uint8)
    # Nearly all of the pixels are black, as in MNIST.
    x = np.where(np.arange(4 * 10 * 10).reshape(4, 10, 10) % 50, 0, shades[np.arange(400).reshape(4, 10, 10) // 50 % 4])
    data = images(tmp_path, x)
    learned = Palette(4).fit(data)
    np.testing.assert_allclose(learned["colours"][:, 0], shades, atol=1e-3)
    np.testing.assert_array_equal(Palette(4).decode(learned, Palette(4).encode(learned, x)), x)
    with pytest.raises(InputError, match=ONE_LINE.format("shows 4 different colours, fewer than the 5 of the palette")):
        Palette(5).fit(data)


def test_fit_learns_from_the_training_split_alone(tmp_path):
    assert Palette(5).fit(images(tmp_path, noise(9, 4, 4, below=20)))["colours"].max() < 20


def test_fit_of_more_colours_errs_less_and_k_means_errs_less_than_equal_steps(tmp_path):
    rng = np.random.default_rng(0)
    x = np.clip(rng.normal(rng.choice([30, 40, 200], (20, 8, 8)), 3), 0, 255).astype(np.uint8)
    data = images(tmp_path, x)

    def error(tokenizer):
        learned = tokenizer.fit(data)
        return np.square(np.asarray(tokenizer.decode(learned, tokenizer.encode(learned, x)), float) - x).mean()

    few, many = error(Palette(4)), error(Palette(16))
    assert many < few < error(Bits(2))


@pytest.mark.parametrize(
    ("learned", "part"),
    [
        ({"colours": np.zeros((4, 1), np.float32)}, r"\(4, 1\), not float32 \(3, 1\) as in a palette of 3 colours"),
        ({"colours": np.zeros(3, np.float32)}, r"\(3,\), not float32 \(3, 1\) as in a palette of 3 colours"),
    ],
)
def test_check_refuses_what_is_no_palette_of_so_many_colours(learned, part):
    with pytest.raises(InputError, match=ONE_LINE.format(part)):
        Palette(3).check(learned)


@pytest.mark.parametrize(("learned", "shape"), [(RGB, (2, 4, 4)), (GRAY, (2, 4, 4, 3)), (GRAY, (4, 4))])
def test_encode_refuses_images_of_other_channels(learned, shape):
    channels = learned["colours"].shape[1]
    with pytest.raises(InputError, match=ONE_LINE.format(f"a palette of {channels} channels does not fit images of shape")):
        Palette(3).encode(learned, np.zeros(shape, int))
