"""Byte-pair encoding: lossless on every byte string, and the library's own tokens on text."""

import collections
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from bpe_files import (
    END,
    LEARNED,
    SHAPED,
    SHAPED_LEARNED,
    TRAINED,
    WORDS,
    OneText,
    array,
    fault,
    gpt2_shaped,
    learned_from,
    text_of,
)
from hypothesis import example, given, settings
from tokenizers import Tokenizer

from arjax.data import Digits, WikipediaSample
from arjax.data.characters import LETTERS
from arjax.tokenizers import BPE
from arjax.tokenizers.byte_level import pieces

BOTH = pytest.mark.parametrize(("bpe", "learned"), [(TRAINED, LEARNED), (SHAPED, SHAPED_LEARNED)], ids=["trained", "gpt2"])


def library(learned):
    return Tokenizer.from_str(learned["json"].tobytes().decode())


# Bytes that are seldom met at random: parts of characters, white space, what the splitting expression looks for
PARTS = (b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xff", b"\xc2\xa0", b" ", b"\n", b"'ll", b"the", END.encode())
contents = st.binary(max_size=60) | st.lists(st.sampled_from(PARTS) | st.binary(max_size=2), max_size=30).map(b"".join)
words = st.sampled_from([*WORDS, " ", "\n", "'s", "\u3000", "\x85", "!!", "7", END])
texts = st.text(max_size=60) | st.lists(words, max_size=40).map("".join)


@BOTH
@settings(max_examples=100, deadline=None)
@given(content=contents)
def test_decode_gives_every_byte_string_back(bpe, learned, content):
    tokens = bpe.encode(learned, array(content))
    assert tokens.dtype == np.int32
    assert bpe.decode(learned, tokens).tobytes() == content
    assert bpe.bytes_per_symbol(learned)[tokens].sum() == len(content)


@BOTH
def test_decode_gives_every_byte_alone_nothing_noise_and_repetition_back(bpe, learned):
    noise = np.random.default_rng(1).integers(0, 256, 20_000).astype(np.uint8).tobytes()
    for content in (*(bytes([byte]) for byte in range(256)), bytes(range(256)) * 3, b"", noise, b"a" * 200_000):
        assert bpe.decode(learned, bpe.encode(learned, array(content))).tobytes() == content


def test_encode_makes_what_is_no_utf_8_single_bytes_and_does_not_touch_the_rest():
    left, right = array("the café".encode()), array(b"the\n")
    tokens = TRAINED.encode(LEARNED, np.concatenate([left, array(b"\xff\xc3"), right]))
    single = [library(LEARNED).token_to_id(LETTERS[byte]) for byte in b"\xff\xc3"]
    np.testing.assert_array_equal(tokens, [*TRAINED.encode(LEARNED, left), *single, *TRAINED.encode(LEARNED, right)])


@BOTH
@settings(max_examples=100, deadline=None)
@given(text=texts, size=st.integers(1, 8))
@example(text=text_of(40_000) + END + text_of(10), size=4096)
def test_encode_gives_the_librarys_tokens_of_a_text_wherever_it_is_cut(bpe, learned, text, size):
    whole, cut = library(learned), list(pieces(text.encode(), (END,), size))
    assert bpe.encode(learned, array(text.encode())).tolist() == whole.encode(text).ids
    assert "".join(cut) == text
    assert [token for piece in cut for token in whole.encode(piece).ids] == whole.encode(text).ids


def test_encode_cuts_an_added_token_with_spaces_nowhere():
    learned, text = learned_from(gpt2_shaped(added=("<|end of text|>",))), ("a <|end of text|> b" * 500) + "<|end of"
    assert BPE(264).encode(learned, array(text.encode())).tolist() == library(learned).encode(text).ids


def test_encode_finds_an_added_token_as_it_is_written_and_decode_gives_it_back():
    text = f"the{END} the"
    tokens = SHAPED.encode(SHAPED_LEARNED, array(text.encode()))
    assert tokens.tolist() == [257, 263, 258]
    assert SHAPED.decode(SHAPED_LEARNED, tokens).tobytes() == text.encode()
    assert SHAPED.bytes_per_symbol(SHAPED_LEARNED)[[0, 257, 258, 259, 263]].tolist() == [1, 3, 4, 2, 13]


def test_encode_takes_no_part_of_a_file_that_cuts_pads_or_decorates():
    padding = {"direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "x"}
    padded = gpt2_shaped(
        truncation={"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        padding={"strategy": {"Fixed": 9}} | padding,
    )
    x = array(b"the the the")
    np.testing.assert_array_equal(SHAPED.encode(learned_from(padded), x), SHAPED.encode(SHAPED_LEARNED, x))


def test_fit_always_learns_the_most_frequent_pair():
    # By hand, on words of letters with the space in front of each, of which the splitting expression makes one part each.
    words = ["Ġ" + word for word in text_of(500).split() if word.isascii() and word.isalpha()]
    learned = BPE(266).fit(OneText("".join(words).replace("Ġ", " ").encode()))
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


@pytest.mark.slow  # a process of its own
def test_fit_learns_the_same_in_another_process():
    folders = (Path(__file__).parents[2], Path(__file__).parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders)), "PYTHONHASHSEED": "7"}
    script = "import sys, bpe_files; sys.stdout.buffer.write(bpe_files.LEARNED['json'].tobytes())"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, env=environment)
    assert run.stdout == LEARNED["json"].tobytes()


def test_fit_learns_the_same_again_and_nothing_from_what_is_no_utf_8():
    plain = BPE(258).fit(OneText(b"ababab cdcdcd"))
    broken = BPE(258).fit(OneText(b"ababab\xff\xff\xff\xff\xff\xff cdcdcd"))
    np.testing.assert_array_equal(plain["json"], broken["json"])


def test_fit_learns_from_a_long_word_in_time_that_grows_with_its_length():
    word = np.random.default_rng(0).choice([*b"ACGT"], 1_000_000).astype(np.uint8)  # the whole word: minutes
    began = time.process_time()
    learned = TRAINED.fit(OneText(word.tobytes()))
    assert time.process_time() - began < 10
    tokens = TRAINED.encode(learned, word)
    assert tokens.tolist() == library(learned).encode(word.tobytes().decode()).ids
    np.testing.assert_array_equal(TRAINED.decode(learned, tokens), word)


def test_fit_refuses_too_few_tokens_with_the_number_there_is():
    message = fault(lambda: BPE(1000).fit(OneText(b"abab abab")))
    assert message == "the text gives only 258 tokens; set --data.vocab 258, or --tokenizer.vocab 258 and the head's to match"
    assert BPE(256).encode(BPE(256).fit(OneText(b"abab")), array(b"abab")).tolist() == [64, 65, 64, 65]  # "!" is 0


def test_fit_reads_a_file_as_it_is_and_finds_it_under_the_data_root(tmp_path):
    content = json.dumps(gpt2_shaped()).encode()
    (tmp_path / "gpt2.json").write_bytes(content)
    assert BPE(264, str(tmp_path / "gpt2.json")).fit(OneText(b""))["json"].tobytes() == content
    data = WikipediaSample(root=str(tmp_path))
    assert BPE(264, "gpt2.json").fit(data)["json"].tobytes() == content
    message = fault(lambda: BPE(300, "gpt2.json").fit(data))
    assert f"{tmp_path / 'gpt2.json'}: vocab=300, but the tokenizer.json has 264 tokens; set --data.vocab 264, or" in message
    assert "there is no file none.json" in fault(lambda: BPE(264, "none.json").fit(data))


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: SHAPED.check({}), "BPE learns a uint8 array named json, not []"),
        (lambda: SHAPED.check({"json": np.zeros(3)}), "BPE learns a uint8 array named json"),
        (lambda: SHAPED.check({"json": np.zeros((2, 2), np.uint8)}), "BPE learns a uint8 array named json"),
        (lambda: SHAPED.check(SHAPED_LEARNED | {"more": 1}), "BPE learns a uint8 array named json"),
        (lambda: BPE(255), "vocab=255 is fewer than the 256 bytes"),
        (lambda: SHAPED.decode(SHAPED_LEARNED, [1, 264, 2]), "token 264 is not in 0..263; give tokens of this tokenizer"),
        (lambda: SHAPED.decode(SHAPED_LEARNED, [-1]), "token -1 is not in 0..263"),
        (lambda: SHAPED.decode(SHAPED_LEARNED, [[1]]), "one row of whole numbers, not int64 of shape (1, 1)"),
        (lambda: SHAPED.decode(SHAPED_LEARNED, [1.0]), "one row of whole numbers, not float64 of shape (1,)"),
        (lambda: SHAPED.encode(SHAPED_LEARNED, [257]), "byte 257 is not in 0..256"),
        (lambda: SHAPED.encode(SHAPED_LEARNED, np.zeros((2, 2), np.uint8)), "one row of whole numbers"),
        (lambda: SHAPED.token_shape((28, 28)), "BPE encodes text, not examples of shape (28, 28)"),
        (lambda: SHAPED.fit(Digits()), "BPE encodes text, and Digits consists of images"),
        (lambda: SHAPED.over(Digits(), SHAPED_LEARNED), "BPE encodes text, and Digits consists of images"),
        (lambda: BPE(300).over(WikipediaSample(), SHAPED_LEARNED), "vocab=300, but the tokenizer.json has 264 tokens"),
    ],
)
def test_bpe_refuses_wrong_input_in_one_line(call, part):
    assert part in fault(call)
