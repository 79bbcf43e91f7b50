"""The tokens of a text as a data set, and what they are to a person and to a file."""

import numpy as np
import pytest
import tokenizers
from bpe_files import LEARNED, SHAPED, SHAPED_LEARNED, TRAINED, array, text_of
from trained import stream

from arjax import Model
from arjax.data import TokenFile
from arjax.data.media import Text
from arjax.heads import Categorical
from arjax.models import RNN
from arjax.tokenizers import BPE
from arjax.tokenizers.text import TextTokens
from arjax.tokenizers.tokenizer import Fitted

TEXT = text_of(5000)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "words.txt"
    path.write_bytes(TEXT.encode())
    return str(path)


@pytest.mark.parametrize("test", [0.1, 0.0])
def test_load_cuts_windows_of_tokens_and_loses_no_byte_but_the_tail(file, test):
    data = stream(file, "bytes", length=16, valid=0.15, test=test)
    tokenized = TRAINED.over(data, LEARNED)
    splits, parts = tokenized.load(), data.texts()
    tokens = [TRAINED.encode(LEARNED, part) for part in parts]
    assert TRAINED.token_shape((16,)) == (16,)
    np.testing.assert_array_equal(splits.train.x, np.lib.stride_tricks.sliding_window_view(tokens[0], 16))
    for split, part, original in zip(splits[1:], tokens[1:], parts[1:], strict=True):
        assert split.x.shape == (len(part) // 16, 16)
        tail = part[split.x.size :]
        assert len(tail) < 16
        assert TRAINED.decode(LEARNED, np.concatenate([split.x.ravel(), tail])).tobytes() == original.tobytes()
        assert tokenized.medium.original_bytes(split.x).sum() + TRAINED.bytes_per_symbol(LEARNED)[tail].sum() == len(original)
    assert np.may_share_memory(splits.valid.x, splits.test.x) == (test == 0)


def test_load_gives_characters_the_tokens_of_their_utf_8(file):
    data = stream(file, length=8, valid=0.5, test=0)
    text = TEXT.replace("\r\n", "\n")
    tokens = TRAINED.encode(LEARNED, array(text[len(text) // 2 :].encode()))
    np.testing.assert_array_equal(TRAINED.over(data, LEARNED).load().valid.x.ravel(), tokens[: len(tokens) // 8 * 8])


def test_tokenized_text_says_what_it_is(file):
    tokenized = TRAINED.over(stream(file, "bytes", length=16, root="here"), LEARNED)
    assert tokenized.title == (
        "words.txt, BPE of 300 tokens, windows of 16; the end of each document held out: valid 0.05, test 0.05"
    )
    assert (tokenized.values.vocab, tokenized.root) == (300, "here")
    assert tokenized == tokenized
    assert len({tokenized, TRAINED.over(tokenized.data, LEARNED)}) == 2


def test_text_tokens_show_read_and_count_text():
    medium = TRAINED.over(stream("words.txt", "bytes", length=16), LEARNED).medium
    assert (medium.noun, medium.unit, medium.stream, medium.lossless, medium.flags) == ("texts", "token", True, True, {"mask"})
    tokens = medium.encode("naïve — café 😀\r\n")
    assert medium.exhibit(tokens[None]).texts == ("naïve — café 😀\r\n",)
    assert medium.original(tokens) is None
    assert medium.original_bytes(tokens[None]).tolist() == [len("naïve — café 😀\r\n".encode())]
    assert medium.exhibit(TRAINED.encode(LEARNED, array(b"a\xff"))[None]).texts == ("a\ufffd",)
    typed = medium.encode(b"a\xffb".decode(errors="surrogateescape"))
    assert TRAINED.decode(LEARNED, typed).tobytes() == b"a\xffb"
    x = np.arange(ord("a"), ord("e"))[None]  # the numbers of tokens, each of which has a string
    strings = [medium.exhibit(x[:, i : i + 1]).texts[0] for i in range(4)]
    shown = medium.completed(x, np.arange(4) > 1, x[:, None, ::-1], np.ones((1, 4), bool), blank="?")
    assert shown.texts == ("".join(strings[:2]) + "??", "".join(strings[::-1]))


def test_pack_takes_any_bytes_and_unpack_gives_them_back():
    medium, model = (
        TRAINED.over(stream("words.txt", "bytes", length=16), LEARNED).medium,
        Model(RNN(width=2), Categorical(300), (5,)),
    )
    for content in (b"", b"the \xff fox", bytes(range(256))):
        packed = medium.pack("any.bin", content, model)
        assert packed.x.shape == (len(packed.lengths), 5)
        assert medium.unpack("any.bin", packed, model) == content


@pytest.mark.parametrize(
    "medium",
    [
        Text("\n dehlorwö"),
        Text(),
        TextTokens(Fitted(TRAINED, LEARNED)),
        TextTokens(Fitted(SHAPED, SHAPED_LEARNED)),
        Text(ends=True),
    ],
    ids=["characters", "bytes", "tokens", "GPT-2's", "bytes with an end"],
)
def test_tokenizer_json_is_the_symbols_and_gives_the_text_back(medium):
    library = tokenizers.Tokenizer.from_str(medium.tokenizer_json())
    ids = library.encode("hello wörld\n", add_special_tokens=False).ids
    assert ids == medium.encode("hello wörld\n").tolist()
    assert library.decode(ids, skip_special_tokens=False) == "hello wörld\n"


def test_tokens_that_were_made_elsewhere_are_shown_by_the_tokenizer_beside_them(tmp_path):
    tokens = SHAPED.encode(SHAPED_LEARNED, array(b"the the fox<|endoftext|>" * 40)).astype(np.uint16)
    for name in ("train", "val"):
        tokens.tofile(tmp_path / f"{name}.bin")
    (tmp_path / "tokenizer.json").write_bytes(SHAPED_LEARNED["json"].tobytes())
    data, notes = TokenFile(str(tmp_path), length=len(tokens)).examined()
    assert (data.subwords, data.vocab, notes) == (264, 264, ())
    bpe = BPE(data.subwords, data.tokenizer)
    tokenized = bpe.over(data, bpe.fit(data))
    splits = tokenized.load()
    np.testing.assert_array_equal(splits.train.x, [tokens])
    assert tokenized.medium.exhibit(splits.train.x).texts == ("the the fox<|endoftext|>" * 40,)
