"""Characters and bytes as symbols, and back."""

import tracemalloc
import zlib

import numpy as np
import pytest
from faults import fault

from arjax.data.characters import decode, decoded, encode, pack_text, read_utf8, show_utf8, unpack_text, utf8_lengths


@pytest.mark.parametrize("text", ["naïve — café 😀\r\n", "\x00\x01 tab\t", "日本語", ""])
def test_encode_gives_any_unicode_the_symbols_that_decode_shows_as_it(text):
    letters = "".join(sorted(set(text))) or "a"
    codes = encode(text, letters, "here")
    assert codes.dtype == np.uint8
    assert [letters[code] for code in codes] == list(text)
    assert decode(codes[None], letters) == [text]
    assert show_utf8(read_utf8(text)[None].astype(np.int32)) == [text]
    assert read_utf8(text).tolist() == list(text.encode())


def test_encode_takes_the_alphabets_order_and_two_bytes_for_more_than_256_characters():
    assert encode("baña 😀", "abñ 😀", "here").tolist() == [1, 0, 2, 0, 3, 4]
    letters = "".join(map(chr, range(1000, 1300)))
    assert encode(letters, letters, "here").dtype == np.uint16


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\udcffx", "here has 'x', '\\udcff', first at character 1, which the alphabet of 2 lacks"),
        ("ab" * 9 + "é\tc", "here has '\\t', 'c', 'é', first at character 18"),
        ("".join(map(chr, range(100, 150))), "and 42 more"),
    ],
)
def test_encode_names_what_the_alphabet_lacks(text, says):
    assert says in fault(encode, text, "ab", "here")


def test_show_utf8_replaces_what_is_none_and_read_utf8_takes_it_as_it_was_typed():
    assert show_utf8(np.array([[97, 0xFF, 98], [0xC3, 0xA9, 0xC3]])) == ["a\ufffdb", "é\ufffd"]
    # As Python hands over the arguments of a command line.
    assert read_utf8(b"a\xffb".decode(errors="surrogateescape")).tolist() == [97, 0xFF, 98]
    assert "the text has '\\ud800', which is half of a character" in fault(read_utf8, "a\ud800")


def test_utf8_lengths_are_the_bytes_that_characters_take():
    assert utf8_lengths("aé—😀").tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("content", [b"", b"abba", "héllo wörld 😀".encode(), b"a\xff\xfe\0b", bytes(range(256))])
@pytest.mark.parametrize("letters", ["ab", " abdehlorw", "é"])
def test_unpack_text_gives_back_what_pack_text_was_given(content, letters):
    symbols, rest = pack_text(content, letters)
    assert ((symbols >= 0) & (symbols < len(letters))).all()
    assert unpack_text(symbols, rest, letters) == content
    assert bool(rest) == (not set(content.decode(errors="surrogateescape")) <= set(letters))


def test_decoded_leaves_out_a_byte_order_mark_at_the_start_alone():
    assert decoded(b"\xef\xbb\xbfab\r\n", "x") == "ab\r\n"
    assert decoded("a\ufeffb".encode(), "x") == "a\ufeffb"


@pytest.mark.parametrize("code", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_decoded_refuses_other_codes_with_what_to_do(code):
    assert "x is in UTF-16 or UTF-32, not UTF-8; convert it, as by iconv" in fault(decoded, "hello".encode(code), "x")
    assert "x is not UTF-8: byte 1 is 0xe9; convert it" in fault(decoded, "hé".encode("latin1"), "x")


@pytest.mark.parametrize("rest", [b"no zlib", b"x\x9cK\x04\x00\x00b\x00b", zlib.compress(bytes(17)), zlib.compress(bytes(24))])
def test_unpack_text_refuses_another_rest(rest):
    with pytest.raises(ValueError, match="what the alphabet lacks of the text cannot be read; restore the file"):
        unpack_text(np.array([0, 1]), rest, "ab")


@pytest.mark.parametrize("length", [0, 1, 5])
def test_unpack_text_takes_no_memory_for_a_rest_of_more_characters_than_there_are(length):
    rest = zlib.compress(bytes(2**24))
    tracemalloc.start()
    try:
        fault(unpack_text, np.zeros(length, int), rest, "ab")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
