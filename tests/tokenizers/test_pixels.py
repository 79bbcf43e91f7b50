"""Tokenizers of pixels one by one, against arithmetic in NumPy."""

import jax
import numpy as np
import pytest

from arjax.data import Digits, Levels, Scaled
from arjax.errors import InputError
from arjax.tokenizers import Binary, Bits, Palette

ONE_LINE = r"\A[^\n]*{}[^\n]*; [^\n]+\Z"  # the fault; the remedy
GRAY = {"colours": np.array([[3.0], [90.4], [200.6]], np.float32)}
RGB = {"colours": np.array([[0, 0, 0], [250, 10, 9.5], [256, 255, 254.4]], np.float32)}


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
def test_binary_is_black_or_white(level, levels):
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
        (lambda: Binary(-1), r"Binary\(level=-1\)"),
        (lambda: Binary(255), r"Binary\(level=255\)"),
        (lambda: Palette(1), r"Palette\(colours=1\)"),
        (lambda: Palette(2**16 + 1), r"Palette\(colours=65537\)"),
        (lambda: Bits(2).fit(Digits(Levels(17))), "does not have 256 values a pixel"),
        (lambda: Palette(2).fit(Digits(Scaled(16))), "does not have 256 values a pixel"),
        (lambda: Palette(2).token_shape((4, 4, 1)), r"shape \(4, 4, 1\)"),
        (lambda: Palette(2).token_shape((4,)), r"shape \(4,\)"),
        (lambda: Bits(3).check(GRAY), "what was learned has 'colours', unlike a tokenizer that learns nothing"),
    ],
)
def test_bits_binary_and_palette_refuse_what_cannot_be(make, part):
    with pytest.raises(InputError, match=ONE_LINE.format(part)):
        make()


EACH = pytest.mark.parametrize(
    ("tokenizer", "learned", "shape"),
    [(Bits(3), {}, (3, 4)), (Binary(), {}, (3, 4)), (Palette(3), GRAY, (3, 4)), (Palette(3), RGB, (3, 4, 3))],
)


@EACH
def test_encode_and_decode_name_what_is_out_of_range(tokenizer, learned, shape):
    for wrong in (-1, 256):
        x = np.full((1, *shape), 7)
        x[0, 1, 0] = wrong
        with pytest.raises(InputError, match=ONE_LINE.format(rf"pixel {wrong} is not in 0\.\.255")):
            tokenizer.encode(learned, x)
    for wrong in (-1, tokenizer.vocab):
        tokens = np.zeros((1, 2, 2), int)
        tokens[0, 0, 1] = wrong
        with pytest.raises(InputError, match=ONE_LINE.format(rf"token {wrong} is not in 0\.\.{tokenizer.vocab - 1}")):
            tokenizer.decode(learned, tokens)


@EACH
def test_encode_and_decode_are_the_same_inside_of_a_jitted_program(tokenizer, learned, shape):
    tokenizer.check(learned)
    x = np.random.default_rng(3).integers(0, 256, (2, *shape))
    tokens = tokenizer.encode(learned, x)
    decoded = tokenizer.decode(learned, tokens)
    assert decoded.shape == x.shape
    both = jax.jit(lambda x, tokens: (tokenizer.encode(learned, x), tokenizer.decode(learned, tokens)))(x, tokens)
    jax.tree.map(np.testing.assert_array_equal, both, (tokens, decoded))
