"""Byte-pair encoding: lossless on every byte string, and the library's own tokens on text."""

import collections
import dataclasses
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from tokenizers import Tokenizer

from arjax.data import Bytes, Characters, Digits
from arjax.data.splits import encoded, is_stream, original_bytes, shown, unit
from arjax.data.text import Parts
from arjax.tokenizers import BPE
from arjax.tokenizers.byte_level import LETTERS
from arjax.tokenizers.pieces import groups, pieces

TESTS = Path(__file__).parents[1]
ONE_LINE = r"\A[^\n]+; [^\n]+\Z"  # the fault; the remedy
END = "<|endoftext|>"
WORDS = ("the", "quick", "brown", "fox", "dogs,", "don't", "they?", "naïve", "café", "—", "日本語", "😀", "12 34\n\n\tAnd\r\n")


def text_of(words, seed=0):
    drawn = np.random.default_rng(seed).choice(WORDS, words)
    return " ".join(drawn)


class Text(NamedTuple):
    """A data set as far as `fit` looks at it."""

    train: bytes

    def texts(self) -> Parts:
        return Parts(*(np.frombuffer(part, np.uint8) for part in (self.train, b"", b"")))


def gpt2_shaped(merges=("t h", "th e", "Ġ the", "Ã ©", "! !", "Ċ Ċ", "Ġ Ġ"), added=(END,), **settings):
    """A tokenizer.json laid out as GPT-2's: the bytes, the merges, then the added tokens, which are in the vocabulary too."""
    tokens = [*LETTERS, *(merge.replace(" ", "") for merge in merges), *added]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip"), False) | {"normalized": True, "special": True}
    model = {
        "dropout": None,
        "unk_token": "",
        "continuing_subword_prefix": "",
        "end_of_word_suffix": "",
        "fuse_unk": False,
        "vocab": {token: i for i, token in enumerate(tokens)},
        "merges": list(merges),
    }
    whole = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": tokens.index(token), "content": token} | flags for token in added],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True},
        "model": model | settings.pop("model", {}),
    }
    return whole | settings


def learned_from(description):
    return {"json": np.frombuffer(json.dumps(description).encode(), np.uint8)}


def array(content: bytes):
    return np.frombuffer(content, np.uint8)


TRAINED = BPE(300)
LEARNED = TRAINED.fit(Text(text_of(3000).encode()))
SHAPED = BPE(264)
SHAPED_LEARNED = learned_from(gpt2_shaped())
BOTH = pytest.mark.parametrize(("bpe", "learned"), [(TRAINED, LEARNED), (SHAPED, SHAPED_LEARNED)], ids=["trained", "gpt2"])


def library(learned):
    return Tokenizer.from_str(learned["json"].tobytes().decode())


def ids(library, *strings):
    return [token for string in strings for token in library.encode(string).ids]


def fault(make) -> str:
    with pytest.raises(ValueError, match=ONE_LINE) as info:
        make()
    return str(info.value)


# Bytes that are seldom met at random: parts of characters, white space, what the splitting expression looks for
PARTS = (b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xff", b"\xc2\xa0", b" ", b"\n", b"'ll", b"the", END.encode())
contents = st.binary(max_size=60) | st.lists(st.sampled_from(PARTS) | st.binary(max_size=2), max_size=30).map(b"".join)
words = st.sampled_from([*WORDS, " ", "\n", "'s", "\u3000", "\x85", "!!", "7", END])
texts = st.text(max_size=60) | st.lists(words, max_size=40).map("".join)


# Lossless


@BOTH
@settings(max_examples=300, deadline=None)
@given(content=contents)
def test_every_byte_string_comes_back(bpe, learned, content):
    tokens = bpe.encode(learned, array(content))
    assert tokens.dtype == np.int32
    assert bpe.decode(learned, tokens).tobytes() == content
    assert bpe.bytes_per_symbol(learned)[tokens].sum() == len(content)


@BOTH
def test_every_byte_alone_and_all_of_them_come_back(bpe, learned):
    for content in (*(bytes([byte]) for byte in range(256)), bytes(range(256)) * 3, b""):
        assert bpe.decode(learned, bpe.encode(learned, array(content))).tobytes() == content


@BOTH
def test_a_megabyte_of_noise_and_of_one_letter_come_back(bpe, learned):
    noise = np.random.default_rng(1).integers(0, 256, 100_000).astype(np.uint8)
    for x in (noise, np.full(1_000_000, ord("a"), np.uint8)):
        np.testing.assert_array_equal(bpe.decode(learned, bpe.encode(learned, x)), x)


def test_what_is_no_utf_8_becomes_single_bytes_and_the_rest_is_not_touched():
    left, right = array("the café".encode()), array(b"the\n")
    tokens = TRAINED.encode(LEARNED, np.concatenate([left, array(b"\xff\xc3"), right]))
    expected = [TRAINED.encode(LEARNED, left), [LETTERS_ID[0xFF], LETTERS_ID[0xC3]], TRAINED.encode(LEARNED, right)]
    np.testing.assert_array_equal(tokens, np.concatenate(expected))


LETTERS_ID = [library(LEARNED).token_to_id(letter) for letter in LETTERS]


# The library's own tokens


@BOTH
@settings(max_examples=300, deadline=None)
@given(text=texts)
def test_the_tokens_of_a_text_are_the_librarys(bpe, learned, text):
    assert bpe.encode(learned, array(text.encode())).tolist() == library(learned).encode(text).ids


@BOTH
def test_a_long_text_in_pieces_has_the_librarys_tokens_of_the_whole(bpe, learned):
    text = text_of(40_000) + END + text_of(10)
    assert len(list(pieces(text.encode()))) > 2
    assert bpe.encode(learned, array(text.encode())).tolist() == library(learned).encode(text).ids


@BOTH
@settings(max_examples=300, deadline=None)
@given(text=texts, size=st.integers(1, 8))
def test_a_text_cut_anywhere_has_the_tokens_of_the_whole(bpe, learned, text, size):
    whole, cut = library(learned), list(pieces(text.encode(), (END,), size))
    assert "".join(cut) == text
    assert ids(whole, *cut) == whole.encode(text).ids


def test_a_cut_is_made_before_every_word_and_in_no_literal():
    assert list(pieces(b"a bc  d\n\ne \xff f", size=1)) == ["a", " bc", "  d", "\n\ne", " ", b"\xff", " f"]
    assert list(pieces(b"a x b c x b", ("x b",), size=1)) == ["a", " x b", " c", " x b"]
    assert list(pieces(b"abc " * 5, size=6)) == ["abc abc", " abc abc", " abc "]
    assert list(groups(iter(["ab", b"c", "d", "e"]), size=3)) == [["ab", b"c"], ["d", "e"]]


def test_an_added_token_with_spaces_is_cut_nowhere():
    bpe, learned = BPE(264), learned_from(gpt2_shaped(added=("<|end of text|>",)))
    text = ("a <|end of text|> b" * 10) + "<|end of"
    whole = library(learned)
    for size in range(1, 30):
        cut = pieces(text.encode(), ("<|end of text|>",), size)
        assert ids(whole, *cut) == whole.encode(text).ids
    assert bpe.encode(learned, array(text.encode())).tolist() == whole.encode(text).ids


def test_an_added_token_is_found_as_it_is_written_and_decoded_so():
    text = f"the{END} the"
    tokens = SHAPED.encode(SHAPED_LEARNED, array(text.encode()))
    assert tokens.tolist() == [257, 263, 258]
    assert SHAPED.decode(SHAPED_LEARNED, tokens).tobytes() == text.encode()
    assert SHAPED.bytes_per_symbol(SHAPED_LEARNED)[[0, 257, 258, 259, 263]].tolist() == [1, 3, 4, 2, 13]


def test_what_cuts_pads_or_decorates_in_a_file_has_no_part_in_the_tokens():
    padded = gpt2_shaped(
        truncation={"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        padding={"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0}
        | {"pad_token": "x"},
    )
    x = array(b"the the the")
    np.testing.assert_array_equal(SHAPED.encode(learned_from(padded), x), SHAPED.encode(SHAPED_LEARNED, x))


# Learning


def test_the_pair_learned_is_always_the_most_frequent_one():
    # By hand, on words of letters with the space in front of each, of which the splitting expression makes one part each.
    words = ["Ġ" + word for word in text_of(500).split() if word.isascii() and word.isalpha()]
    learned = BPE(266).fit(Text("".join(words).replace("Ġ", " ").encode()))
    pairs = json.loads(learned["json"].tobytes())["model"]["merges"]
    assert len(pairs) == 10
    split = [list(word) for word in words]
    for left, right in pairs:
        counts = collections.Counter(pair for word in split for pair in itertools.pairwise(word))
        assert counts[left, right] == max(counts.values()) >= 2
        split = [merged(word, left, right) for word in split]


def merged(word, left, right):
    out = []
    for symbol in word:
        if out and (out[-1], symbol) == (left, right):
            out[-1] += symbol
        else:
            out.append(symbol)
    return out


def test_the_same_text_teaches_the_same_also_in_another_process():
    again = TRAINED.fit(Text(text_of(3000).encode()))
    np.testing.assert_array_equal(again["json"], LEARNED["json"])
    environment = os.environ | {"PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}", "PYTHONHASHSEED": "7"}
    script = "import sys, test_bpe as t; sys.stdout.buffer.write(t.LEARNED['json'].tobytes())"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, cwd=TESTS, env=environment)
    assert run.stdout == LEARNED["json"].tobytes()


def test_only_the_training_part_teaches_and_what_is_no_utf_8_teaches_nothing():
    plain = BPE(258).fit(Text(b"ababab cdcdcd"))
    broken = BPE(258).fit(Text(b"ababab\xff\xff\xff\xff\xff\xff cdcdcd"))
    np.testing.assert_array_equal(plain["json"], broken["json"])


def test_too_few_tokens_are_refused_with_the_number_there_is():
    message = fault(lambda: BPE(1000).fit(Text(b"abab abab")))
    assert message == "the text gives only 258 tokens; set --tokenizer.vocab 258 and the head's to match"
    assert "vocab=255 is fewer than the 256 bytes" in fault(lambda: BPE(255))
    assert BPE(256).encode(BPE(256).fit(Text(b"abab")), array(b"abab")).tolist() == [64, 65, 64, 65]  # "!" is 0


def test_a_file_is_read_as_it_is_and_found_under_the_data_root(tmp_path):
    content = json.dumps(gpt2_shaped()).encode()
    (tmp_path / "gpt2.json").write_bytes(content)
    learned = BPE(264, str(tmp_path / "gpt2.json")).fit(Text(b""))
    assert learned["json"].tobytes() == content
    data = Bytes("x", root=str(tmp_path))
    np.testing.assert_array_equal(BPE(264, "gpt2.json").fit(data)["json"], learned["json"])
    message = fault(lambda: BPE(300, "gpt2.json").fit(data))
    assert f"{tmp_path / 'gpt2.json'}: vocab=300, but the tokenizer.json has 264 tokens; set --tokenizer.vocab 264" in message
    assert "there is no file none.json" in fault(lambda: BPE(264, "none.json").fit(data))


@pytest.mark.slow
def test_a_megabyte_teaches_1024_tokens_in_ten_seconds():
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    words = ["".join(rng.choice(letters, size)) for size in rng.integers(2, 9, 5000)]
    text = Text(" ".join(rng.choice(words, 200_000)).encode()[:1_000_000])
    start = time.perf_counter()
    learned = BPE(1024).fit(text)
    assert time.perf_counter() - start < 10
    x = text.texts().train
    np.testing.assert_array_equal(BPE(1024).decode(learned, BPE(1024).encode(learned, x)), x)


# Wrong files


def without(letter):
    described = gpt2_shaped(merges=())
    described["model"]["vocab"] = {token: i for i, token in enumerate(t for t in described["model"]["vocab"] if t != letter)}
    return described | {"added_tokens": []}


def with_flag(name):
    described = gpt2_shaped()
    described["added_tokens"][0][name] = True
    return described


def with_number(number):
    described = gpt2_shaped()
    described["model"]["vocab"]["!!"] = number
    return described


@pytest.mark.parametrize(
    ("described", "part"),
    [
        ({}, "describes no model"),
        ([], "describes no model"),
        (None, "describes no model"),
        ({"model": "BPE"}, "describes no model"),
        (gpt2_shaped(model={"type": "WordPiece"}), "is 'WordPiece', not BPE"),
        (gpt2_shaped(normalizer={"type": "NFC"}), "normalizes text"),
        (gpt2_shaped(pre_tokenizer=None), "splits text by None"),
        (gpt2_shaped(pre_tokenizer={"type": "Whitespace"}), "splits text by {'type': 'Whitespace'}"),
        (gpt2_shaped(pre_tokenizer={"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}), "splits text by"),
        (gpt2_shaped(pre_tokenizer={"type": "ByteLevel", "add_prefix_space": True}), "adds a space to the start"),
        (gpt2_shaped(model={"dropout": 0.1}), "dropout=0.1"),
        (gpt2_shaped(model={"continuing_subword_prefix": "##"}), "continuing_subword_prefix='##'"),
        (gpt2_shaped(model={"end_of_word_suffix": "</w>"}), "end_of_word_suffix='</w>'"),
        (gpt2_shaped(model={"vocab": None}), "has no vocabulary"),
        (gpt2_shaped(model={"vocab": [1, 2]}), "has no vocabulary"),
        (gpt2_shaped(model={"merges": None}), "cannot be read"),
        (gpt2_shaped(model={"merges": [["a"]]}), "cannot be read"),
        (gpt2_shaped(model={"merges": ["t h e"]}), "cannot be read"),
        (gpt2_shaped(model={"merges": ["q q"]}), "cannot be read"),
        (gpt2_shaped() | {"added_tokens": 7}, "added tokens that are none"),
        (gpt2_shaped() | {"added_tokens": [{"id": 263}]}, "an added token without text"),
        (gpt2_shaped() | {"added_tokens": [{"id": 263, "content": ["x"]}]}, "an added token without text"),
        (gpt2_shaped() | {"added_tokens": [{"id": 263, "content": END}]}, "cannot be read"),
        (gpt2_shaped(added=("a b",)) | {"added_tokens": []}, "the token 'a b' of the tokenizer.json stands for no bytes"),
        (gpt2_shaped(added=("é",)), "the added token 'é' of the tokenizer.json stands for other bytes as well"),
        (with_flag("lstrip"), "lstrip=true"),
        (with_flag("single_word"), "single_word=true"),
        (with_number(None), "has the number None"),
        (with_number(True), "has the number True"),
        (with_number(9999), "are not numbered from 0"),
        (with_number(3), "are not numbered from 0"),
        (without("Ā"), "has no token for 1 of the 256 bytes, first 0x00"),
    ],
)
def test_another_kind_of_file_is_refused_in_one_line(described, part):
    assert part in fault(lambda: SHAPED.check(learned_from(described)))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_in_one_line_or_still_lossless(data):
    content = bytearray(SHAPED_LEARNED["json"].tobytes())
    start = data.draw(st.integers(0, len(content) - 1))
    content[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    learned = {"json": array(bytes(content))}
    try:
        SHAPED.check(learned)
    except ValueError:
        fault(lambda: SHAPED.check(learned))
        return
    x = array(bytes(range(256)) + "the thé\n\n!!".encode() + END.encode())
    np.testing.assert_array_equal(SHAPED.decode(learned, SHAPED.encode(learned, x)), x)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"9" * 5000, SHAPED_LEARNED["json"].tobytes()[:-20]],
    ids=["empty", "brace", "binary", "deep", "long", "truncated"],
)
def test_what_is_no_json_is_refused_in_one_line(content):
    fault(lambda: SHAPED.check({"json": array(content)}))


@pytest.mark.parametrize(
    "learned", [{}, {"json": np.zeros(3)}, {"json": np.zeros((2, 2), np.uint8)}, SHAPED_LEARNED | {"more": 1}]
)
def test_what_is_nothing_that_was_learned_is_refused(learned):
    assert "BPE learns a uint8 array named json" in fault(lambda: SHAPED.check(learned))


# Wrong inputs


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: SHAPED.decode(SHAPED_LEARNED, [1, 264, 2]), "tokens are 0..263, but at place 1 stands 264"),
        (lambda: SHAPED.decode(SHAPED_LEARNED, [-1]), "tokens are 0..263, but at place 0 stands -1"),
        (lambda: SHAPED.decode(SHAPED_LEARNED, [[1]]), "one row of whole numbers, not int64 of shape (1, 1)"),
        (lambda: SHAPED.decode(SHAPED_LEARNED, [1.0]), "one row of whole numbers, not float64 of shape (1,)"),
        (lambda: SHAPED.encode(SHAPED_LEARNED, [256]), "bytes are 0..255, but at place 0 stands 256"),
        (lambda: SHAPED.encode(SHAPED_LEARNED, np.zeros((2, 2), np.uint8)), "one row of whole numbers"),
        (lambda: SHAPED.token_shape((28, 28)), "BPE encodes text, not examples of shape (28, 28)"),
        (lambda: SHAPED.fit(Digits()), "Digits has no texts"),
        (lambda: SHAPED.over(Digits(), SHAPED_LEARNED), "Digits has no texts"),
        (lambda: BPE(300).over(Bytes("x"), SHAPED_LEARNED), "vocab=300, but the tokenizer.json has 264 tokens"),
    ],
)
def test_wrong_inputs_are_refused_in_one_line(call, part):
    assert part in fault(call)


# The data set of the tokens


@pytest.fixture
def file(tmp_path):
    (tmp_path / "words.txt").write_bytes(text_of(5000).encode())
    return str(tmp_path / "words.txt")


@pytest.mark.parametrize("test", [0.1, 0.0])
def test_windows_count_tokens_and_no_byte_is_lost_but_the_tail(file, test):
    data = Bytes(file, length=16, valid=0.15, test=test)
    tokenized = TRAINED.over(data, LEARNED)
    splits, tokens = tokenized.load(), tokenized.tokens()
    assert TRAINED.token_shape((16,)) == (16,)
    np.testing.assert_array_equal(splits.train.x, np.lib.stride_tricks.sliding_window_view(tokens.train, 16))
    for split, part, original in zip(splits[1:], tokens[1:], data.texts()[1:], strict=True):
        assert tokenized.decode(part).tobytes() == original.tobytes()
        assert split.x.shape == (len(part) // 16, 16)
        tail = part[split.x.size :]
        assert original_bytes(tokenized, split.x).sum() + tokenized.bytes_per_symbol[tail].sum() == len(original)
        assert len(tail) < 16
        assert tokenized.decode(np.concatenate([split.x.ravel(), tail])).tobytes() == original.tobytes()
    assert np.may_share_memory(splits.valid.x, splits.test.x) == (test == 0)


def test_characters_give_the_tokens_of_their_utf_8(file):
    alphabet = "".join(sorted(set(text_of(5000))))
    by_characters = TRAINED.over(Characters(file, alphabet, length=8, valid=0.5, test=0), LEARNED)
    text = text_of(5000)
    assert by_characters.tokens().valid.tolist() == library(LEARNED).encode(text[len(text) // 2 :]).ids


def test_it_says_what_it_is(file):
    tokenized = TRAINED.over(Bytes(file, length=16, root="here"), LEARNED)
    assert TRAINED.title == "BPE of 300 tokens"
    assert tokenized.title == (
        "words.txt, BPE of 300 tokens, windows of 16; train the first 0.9 of it, then valid 0.05, test the last 0.05"
    )
    assert (unit(tokenized), is_stream(tokenized), tokenized.values.vocab, tokenized.root) == ("token", True, 300, "here")
    assert tokenized == tokenized
    assert len({tokenized, TRAINED.over(tokenized.data, LEARNED)}) == 2
    assert dataclasses.replace(tokenized).load().test.x.shape[1] == 16


def test_it_shows_and_reads_text(file):
    tokenized = TRAINED.over(Bytes(file), LEARNED)
    assert shown(tokenized, encoded(tokenized, "naïve — café 😀\r\n")[None]) == ["naïve — café 😀\r\n"]
    assert shown(tokenized, np.array([[LETTERS_ID[0x61], LETTERS_ID[0xFF]]])) == ["a\ufffd"]
    assert tokenized.decode(tokenized.read(b"a\xffb".decode(errors="surrogateescape"))).tobytes() == b"a\xffb"


def test_a_window_longer_than_a_part_is_refused_in_tokens(file):
    message = fault(TRAINED.over(Bytes(file, length=1000), LEARNED).load)
    assert "words.txt: its validation part has " in message
    assert " tokens, less than one window of length=1000" in message
