"""A tokenizer.json of another kind is refused in one line, a damaged one too, and texts are cut where that changes no token."""

import hypothesis.strategies as st
import numpy as np
import pytest
from bpe_files import END, SHAPED, SHAPED_LEARNED, array, fault, gpt2_shaped, learned_from
from hypothesis import given, settings

from arjax.data.characters import LETTERS
from arjax.errors import InputError
from arjax.tokenizers.byte_level import pieces, read_vocabulary

GPT2 = gpt2_shaped()
WITHOUT_0 = {letter: byte for byte, letter in enumerate(LETTERS[1:])}


def test_pieces_are_cut_before_words_and_where_no_literal_is_cut():
    assert pieces(b"a bc  d\n\ne \xff f", size=1) == ["a", " bc", "  d", "\n\ne", " ", b"\xff", " f"]
    assert pieces(b"abc " * 5, size=6) == ["abc abc", " abc abc", " abc "]
    assert pieces(b"a x b\nc", ("  ", "\n"), size=1) == ["a", " x", " b", "\nc"]
    assert pieces(b"a x b\nc\xff d", ("x b",), size=1) == ["a x b\nc", b"\xff", " d"]


def with_added(**settings):
    return GPT2 | {"added_tokens": [GPT2["added_tokens"][0] | settings]}


def with_number(number):
    return gpt2_shaped(model={"vocab": GPT2["model"]["vocab"] | {"!!": number}})


def with_splitting(**settings):
    return GPT2 | {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False} | settings}


@pytest.mark.parametrize(
    ("described", "part"),
    [
        (None, "describes no model"),
        ({"model": "BPE"}, "describes no model"),
        (gpt2_shaped(model={"type": "WordPiece"}), "the model of the tokenizer.json has type='WordPiece', not 'BPE'"),
        (gpt2_shaped(normalizer={"type": "NFC"}), "has normalizer={'type': 'NFC'}, not None"),
        (gpt2_shaped(pre_tokenizer=None), "the pre_tokenizer of the tokenizer.json has type=None, not 'ByteLevel'"),
        (with_splitting(type="Whitespace"), "has type='Whitespace', not 'ByteLevel'"),
        (with_splitting(use_regex=False), "has use_regex=False, not True"),
        (with_splitting(add_prefix_space=True), "has add_prefix_space=True, not False"),
        (gpt2_shaped(model={"dropout": 0.1}), "has dropout=0.1, not None"),
        (gpt2_shaped(model={"continuing_subword_prefix": "##"}), "has continuing_subword_prefix='##', not None"),
        (gpt2_shaped(model={"end_of_word_suffix": "</w>"}), "has end_of_word_suffix='</w>', not None"),
        (gpt2_shaped(model={"vocab": [1, 2]}), "has no vocabulary"),
        (gpt2_shaped(model={"merges": None}), "cannot be read"),
        (gpt2_shaped(model={"merges": ["q q"]}), "cannot be read"),
        (GPT2 | {"added_tokens": 7}, "added tokens that are none"),
        (with_added(content=["x"]), "an added token without text"),
        (GPT2 | {"added_tokens": [{"id": 263, "content": END}]}, "cannot be read"),
        (gpt2_shaped(added=("a b",)) | {"added_tokens": []}, "the token 'a b' of the tokenizer.json stands for no bytes"),
        (gpt2_shaped(added=("é",)), "the added token 'é' of the tokenizer.json stands for other bytes as well"),
        (with_added(lstrip=True), "lstrip=true"),
        (with_added(single_word=True), "single_word=true"),
        (with_number(True), "has the number True"),
        (with_number(9999), "are not numbered from 0"),
        (with_number(3), "are not numbered from 0"),
        (gpt2_shaped((), (), model={"vocab": WITHOUT_0}), "has no token for 1 of the 256 bytes, first 0x00"),
    ],
)
def test_read_vocabulary_refuses_another_kind_of_file_in_one_line(described, part):
    assert part in fault(SHAPED.check, learned_from(described))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_read_vocabulary_refuses_a_damaged_file_in_one_line_or_it_is_still_lossless(data):
    content = bytearray(SHAPED_LEARNED["json"].tobytes())
    start = data.draw(st.integers(0, len(content) - 1))
    content[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    learned = {"json": array(bytes(content))}
    try:
        SHAPED.check(learned)
    except InputError:
        fault(SHAPED.check, learned)
        return
    x = array(bytes(range(256)) + "the thé\n\n!!".encode() + END.encode())
    np.testing.assert_array_equal(SHAPED.decode(learned, SHAPED.encode(learned, x)), x)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"9" * 5000, SHAPED_LEARNED["json"].tobytes()[:-20]],
    ids=["empty", "brace", "binary", "deep", "long", "truncated"],
)
def test_read_vocabulary_refuses_what_is_no_json_in_one_line(content):
    assert "the tokenizer.json is no JSON" in fault(read_vocabulary, content)
