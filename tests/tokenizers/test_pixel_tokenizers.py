"""Tokenizers of pixels one by one, against arithmetic in NumPy."""

import jax
import numpy as np
import pytest

from arjax.data import Digits, Levels, Npz, Scaled
from arjax.tokenizers import Binary, Bits, Palette

ONE_LINE = r"\A[^\n]*{}[^\n]*; [^\n]+\Z"  # the fault; the remedy


def images(tmp_path, shape, seed=0, **train):
    """A data set of random images of values 0..255, in a file."""
    x = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    np.savez(tmp_path / "x.npz", **({"train": x, "valid": x[:2], "test": x[:3]} | train))
    return Npz(str(tmp_path / "x.npz"), Levels(256))


@pytest.mark.parametrize(("bits", "levels"), [(1, 2), (1, 16), (4, 16), (3, 256), (8, 256), (5, 1024)])
def test_bits_are_what_a_shift_leaves_and_lie_in_the_middle_of_their_bin(bits, levels):
    tokenizer, x = Bits(bits, levels), np.arange(levels)
    shift = levels.bit_length() - 1 - bits
    tokens = np.asarray(tokenizer.encode({}, x))
    np.testing.assert_array_equal(tokens, x >> shift)
    assert tokens.dtype == np.int32
    assert tokenizer.vocab == len(set(tokens.tolist())) == 1 << bits
    back = np.asarray(tokenizer.decode({}, tokens))
    for token in range(tokenizer.vocab):
        within = [value for value in range(levels) if value >> shift == token]
        assert set(back[within]) == {within[len(within) // 2]}
    np.testing.assert_array_equal(tokenizer.encode({}, back), tokens)
    assert tokenizer.lossless == (back == x).all()


@pytest.mark.parametrize(("level", "levels"), [(0, 2), (7, 17), (127, 256), (254, 256)])
def test_one_bit_is_black_or_white(level, levels):
    tokenizer, x = Binary(level, levels), np.arange(levels)
    tokens = np.asarray(tokenizer.encode({}, x))
    assert tokens.tolist() == [int(value > level) for value in range(levels)]
    assert tokenizer.decode({}, tokens).tolist() == [(levels - 1) * int(value > level) for value in range(levels)]
    np.testing.assert_array_equal(tokenizer.encode({}, tokenizer.decode({}, tokens)), tokens)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: Bits(0), r"Bits\(0, levels=256\)"),
        (lambda: Bits(9), r"Bits\(9, levels=256\)"),
        (lambda: Bits(2, levels=17), r"Bits\(2, levels=17\)"),
        (lambda: Bits(1, levels=0), r"Bits\(1, levels=0\)"),
        (lambda: Binary(-1), r"Binary\(level=-1\)"),
        (lambda: Binary(255), r"Binary\(level=255\)"),
        (lambda: Palette(1), r"Palette\(colours=1\)"),
        (lambda: Palette(2**16 + 1), r"Palette\(colours=65537\)"),
        (lambda: Bits(2).fit(Digits(Levels(17))), "does not have 256 values a pixel"),
        (lambda: Binary().fit(Digits(Levels(17))), "does not have 256 values a pixel"),
        (lambda: Palette(2).fit(Digits(Levels(17))), "does not have 256 values a pixel"),
        (lambda: Palette(2).fit(Digits(Scaled(16))), "does not have 256 values a pixel"),
        (lambda: Palette(2).token_shape((4, 4, 1)), r"shape \(4, 4, 1\)"),
        (lambda: Palette(2).token_shape((4,)), r"shape \(4,\)"),
    ],
)
def test_a_tokenizer_that_cannot_be_says_what_to_choose(make, part):
    with pytest.raises(ValueError, match=ONE_LINE.format(part)):
        make()


GRAY = {"colours": np.array([[3.0], [90.4], [200.6]], np.float32)}
RGB = {"colours": np.array([[0, 0, 0], [250, 10, 9.5], [256, 255, 254.4]], np.float32)}


@pytest.mark.parametrize(
    ("tokenizer", "learned", "shape"),
    [(Bits(3), {}, (2, 2)), (Binary(), {}, (2, 2)), (Palette(3), GRAY, (2, 2)), (Palette(3), RGB, (2, 2, 3))],
)
def test_what_is_out_of_range_is_named(tokenizer, learned, shape):
    for wrong in (-1, 256):
        x = np.full((1, *shape), 7)
        x[0, 1, 0] = wrong
        with pytest.raises(ValueError, match=ONE_LINE.format(rf"pixel {wrong} is not in 0\.\.255")):
            tokenizer.encode(learned, x)
    for wrong in (-1, tokenizer.vocab):
        tokens = np.zeros((1, 2, 2), int)
        tokens[0, 0, 1] = wrong
        with pytest.raises(ValueError, match=ONE_LINE.format(rf"token {wrong} is not in 0\.\.{tokenizer.vocab - 1}")):
            tokenizer.decode(learned, tokens)


@pytest.mark.parametrize(
    ("tokenizer", "learned", "shape"),
    [(Bits(3), {}, (3, 4)), (Binary(), {}, (3, 4)), (Palette(3), GRAY, (3, 4)), (Palette(3), RGB, (3, 4, 3))],
)
def test_a_tokenizer_is_the_same_inside_of_a_jitted_program(tokenizer, learned, shape):
    x = np.random.default_rng(3).integers(0, 256, (2, *shape))
    tokens = tokenizer.encode(learned, x)
    np.testing.assert_array_equal(jax.jit(lambda x: tokenizer.encode(learned, x))(x), tokens)
    decoded = tokenizer.decode(learned, tokens)
    assert decoded.shape == x.shape
    np.testing.assert_array_equal(jax.jit(lambda tokens: tokenizer.decode(learned, tokens))(tokens), decoded)


@pytest.mark.parametrize("tokenizer", [Bits(3), Binary()])
def test_where_nothing_is_learned_something_learned_is_refused(tokenizer):
    tokenizer.check({})
    with pytest.raises(ValueError, match=ONE_LINE.format("there is colours")):
        tokenizer.check(GRAY)


def nearest(colours, pixel):
    """The first of the nearest colours, by a loop in float64."""
    best, least = None, np.inf
    for token, colour in enumerate(np.asarray(colours, np.float64)):
        distance = sum((float(one) - float(other)) ** 2 for one, other in zip(pixel, colour, strict=True))
        if distance < least:
            best, least = token, distance
    return best


@pytest.mark.parametrize("channels", [1, 3])
def test_every_pixel_becomes_the_nearest_colour_and_comes_back_as_it(channels, tmp_path):
    shape = (12, 5, 4) if channels == 1 else (12, 5, 4, 3)
    data, tokenizer = images(tmp_path, shape), Palette(9)
    learned = tokenizer.fit(data)
    tokenizer.check(learned)
    assert learned["colours"].shape == (9, channels)
    x = data.load().train.x
    pixels = x.reshape(-1, channels)
    expected = np.array([nearest(learned["colours"], pixel) for pixel in pixels])
    tokens = np.asarray(tokenizer.encode(learned, x))
    np.testing.assert_array_equal(tokens, expected.reshape(shape[:3]))
    assert set(tokens.ravel().tolist()) == set(range(9)), "no colour is there for nothing"
    np.testing.assert_array_equal(tokenizer.decode(learned, tokens), np.round(learned["colours"])[expected].reshape(shape))


def test_of_two_colours_as_near_the_first_is_taken():
    learned = {"colours": np.array([[10.0], [20.0]], np.float32)}
    assert Palette(2).encode(learned, np.array([[[15]]])).tolist() == [[[0]]]


def test_a_colour_that_is_no_pixel_is_decoded_as_the_nearest_that_is_one():
    learned = {"colours": np.array([[-0.4, 0.4, 0.6], [255.3, 254.4, 254.6]], np.float32)}
    assert Palette(2).decode(learned, np.array([[[0, 1]]])).tolist() == [[[[0, 0, 1], [255, 254, 255]]]]


@pytest.mark.parametrize("shape", [(30, 6, 6), (30, 6, 6, 3)])
def test_the_colours_are_distinct_and_go_from_dark_to_bright(shape, tmp_path):
    colours = Palette(40).fit(images(tmp_path, shape))["colours"].astype(np.float64)
    assert len(np.unique(colours, axis=0)) == 40
    assert (np.diff(colours.sum(axis=1)) >= -1e-4).all()
    assert colours.dtype == np.float64
    assert 0 <= colours.min() < colours.max() <= 255


def test_as_many_colours_as_the_images_have_are_these_colours(tmp_path):
    shades = np.array([0, 3, 77, 255], np.uint8)
    # Nearly all of the pixels are black, as in MNIST.
    x = np.where(np.arange(4 * 10 * 10).reshape(4, 10, 10) % 50, 0, shades[np.arange(400).reshape(4, 10, 10) // 50 % 4])
    data = images(tmp_path, (2, 10, 10), train=x, valid=x, test=x)
    learned = Palette(4).fit(data)
    np.testing.assert_allclose(learned["colours"][:, 0], shades, atol=1e-3)
    np.testing.assert_array_equal(Palette(4).decode(learned, Palette(4).encode(learned, x)), x)
    with pytest.raises(ValueError, match=ONE_LINE.format("shows 4 different colours, fewer than the 5 of the palette")):
        Palette(5).fit(data)


def test_a_palette_is_a_function_of_its_seed(tmp_path):
    data = images(tmp_path, (30, 6, 6, 3))
    one, same, other = (Palette(12, seed).fit(data)["colours"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_colours_are_learned_from_the_training_split_alone(tmp_path):
    dark = np.random.default_rng(0).integers(0, 20, (9, 4, 4))
    data = images(tmp_path, (3, 4, 4), train=dark)
    assert Palette(5).fit(data)["colours"].max() < 20


def test_more_colours_err_less_and_k_means_errs_less_than_equal_steps(tmp_path):
    rng = np.random.default_rng(0)
    x = np.clip(rng.normal(rng.choice([30, 40, 200], (20, 8, 8)), 3), 0, 255).astype(np.uint8)
    data = images(tmp_path, (3, 8, 8), train=x, valid=x, test=x)

    def error(tokenizer):
        learned = tokenizer.fit(data)
        return np.square(np.asarray(tokenizer.decode(learned, tokenizer.encode(learned, x)), float) - x).mean()

    few, many = error(Palette(4)), error(Palette(16))
    assert many < few < error(Bits(2))


@pytest.mark.parametrize(
    ("learned", "part"),
    [
        ({}, "no palette of 3 colours"),
        ({"colors": GRAY["colours"]}, "no palette of 3 colours"),
        (GRAY | {"more": np.zeros(1)}, "no palette of 3 colours"),
        ({"colours": np.zeros((4, 1), np.float32)}, r"\(4, 1\).* is no palette of 3 colours"),
        ({"colours": np.zeros((3, 2), np.float32)}, r"\(3, 2\).* is no palette of 3 colours"),
        ({"colours": np.zeros(3, np.float32)}, r"\(3,\).* is no palette of 3 colours"),
        ({"colours": np.array([[0], [np.nan], [1]], np.float32)}, "not finite"),
        ({"colours": np.array([[0], [np.inf], [1]], np.float32)}, "not finite"),
    ],
)
def test_what_is_no_palette_of_so_many_colours_is_refused(learned, part):
    with pytest.raises(ValueError, match=ONE_LINE.format(part)):
        Palette(3).check(learned)


@pytest.mark.parametrize(("learned", "shape"), [(RGB, (2, 4, 4)), (GRAY, (2, 4, 4, 3)), (GRAY, (4, 4)), (RGB, (2, 4, 4, 1))])
def test_a_palette_does_not_take_images_of_other_channels(learned, shape):
    channels = learned["colours"].shape[1]
    with pytest.raises(ValueError, match=ONE_LINE.format(f"a palette of {channels} channels does not fit images of shape")):
        Palette(3).encode(learned, np.zeros(shape, int))
