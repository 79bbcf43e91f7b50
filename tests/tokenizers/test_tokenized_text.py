"""The tokens of a text as a data set."""

import dataclasses

import numpy as np
import pytest
from bpe_files import LEARNED, TRAINED, array, text_of

from arjax.data import Bytes, Characters
from arjax.errors import InputError

TEXT = text_of(5000)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "words.txt"
    path.write_bytes(TEXT.encode())
    return str(path)


@pytest.mark.parametrize("test", [0.1, 0.0])
def test_load_cuts_windows_of_tokens_and_loses_no_byte_but_the_tail(file, test):
    data = Bytes(file, length=16, valid=0.15, test=test)
    tokenized = TRAINED.over(data, LEARNED)
    splits, tokens = tokenized.load(), tokenized.tokens()
    assert TRAINED.token_shape((16,)) == (16,)
    np.testing.assert_array_equal(splits.train.x, np.lib.stride_tricks.sliding_window_view(tokens.train, 16))
    for split, part, original in zip(splits[1:], tokens[1:], data.texts()[1:], strict=True):
        assert TRAINED.decode(LEARNED, part).tobytes() == original.tobytes()
        assert split.x.shape == (len(part) // 16, 16)
        tail = part[split.x.size :]
        assert tokenized.medium.original_bytes(split.x).sum() + TRAINED.bytes_per_symbol(LEARNED)[tail].sum() == len(original)
        assert len(tail) < 16
        assert TRAINED.decode(LEARNED, np.concatenate([split.x.ravel(), tail])).tobytes() == original.tobytes()
    assert np.may_share_memory(splits.valid.x, splits.test.x) == (test == 0)


def test_tokens_of_characters_are_those_of_their_utf_8(file):
    tokenized = TRAINED.over(Characters(file, "".join(sorted(set(TEXT))), length=8, valid=0.5, test=0), LEARNED)
    expected = TRAINED.encode(LEARNED, array(TEXT[len(TEXT) // 2 :].encode()))
    np.testing.assert_array_equal(tokenized.tokens().valid, expected)


def test_tokenized_text_says_what_it_is(file):
    tokenized = TRAINED.over(Bytes(file, length=16, root="here"), LEARNED)
    assert tokenized.title == (
        "words.txt, BPE of 300 tokens, windows of 16; train the first 0.9 of it, then valid 0.05, test the last 0.05"
    )
    assert (tokenized.medium.unit, tokenized.medium.stream, tokenized.values.vocab, tokenized.root) == (
        "token",
        True,
        300,
        "here",
    )
    assert tokenized == tokenized
    assert len({tokenized, TRAINED.over(tokenized.data, LEARNED)}) == 2
    assert dataclasses.replace(tokenized).load().test.x.shape[1] == 16


def test_tokenized_text_shows_and_reads_text(file):
    tokenized = TRAINED.over(Bytes(file), LEARNED)
    medium = tokenized.medium
    assert medium.exhibit(medium.encode("naïve — café 😀\r\n")[None]).texts == ("naïve — café 😀\r\n",)
    assert medium.exhibit(TRAINED.encode(LEARNED, array(b"a\xff"))[None]).texts == ("a\ufffd",)
    assert tokenized.decode(medium.encode(b"a\xffb".decode(errors="surrogateescape"))).tobytes() == b"a\xffb"


def test_load_refuses_a_window_longer_than_a_part_in_tokens(file):
    line = r"words.txt: its validation part has \d+ tokens, less than one window of length=1000; [^\n]+\Z"
    with pytest.raises(InputError, match=line):
        TRAINED.over(Bytes(file, length=1000), LEARNED).load()
