"""Texts to learn from, and tokenizer.json files laid out as GPT-2's."""

import json
from typing import NamedTuple

import numpy as np
import pytest

from arjax.data.characters import LETTERS
from arjax.data.media import Text
from arjax.data.medium import Medium
from arjax.data.splits import Parts
from arjax.errors import InputError
from arjax.tokenizers import BPE

END = "<|endoftext|>"
WORDS = ("the", "quick", "brown", "fox", "dogs,", "don't", "they?", "naïve", "café", "—", "日本語", "😀", "12 34\n\n\tAnd\r\n")


def text_of(words, seed=0):
    return " ".join(np.random.default_rng(seed).choice(WORDS, words))


def array(content: bytes):
    return np.frombuffer(content, np.uint8)


class OneText(NamedTuple):
    """A data set as far as `fit` looks at it. What is held out would teach q q before everything else."""

    train: bytes
    root: str | None = None
    medium: Medium = Text()

    def texts(self) -> Parts:
        return Parts(*(array(part) for part in (self.train, b"qq " * 5000, b"qq " * 5000)))


def gpt2_shaped(merges=("t h", "th e", "Ġ the", "Ã ©", "! !", "Ċ Ċ", "Ġ Ġ"), added=(END,), **settings):
    """A tokenizer.json laid out as GPT-2's: the bytes, the merges, then the added tokens, which are in the vocabulary too."""
    tokens = [*LETTERS, *(merge.replace(" ", "") for merge in merges), *added]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip"), False) | {"normalized": True, "special": True}
    unset = dict.fromkeys(("unk_token", "continuing_subword_prefix", "end_of_word_suffix"), "")
    model = {"dropout": None, **unset, "fuse_unk": False, "vocab": {token: i for i, token in enumerate(tokens)}}
    decorates = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False}
    whole = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": tokens.index(token), "content": token} | flags for token in added],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
        "post_processor": decorates,
        "decoder": decorates,
        "model": model | {"merges": list(merges)} | settings.pop("model", {}),
    }
    return whole | settings


def fault(function, *arguments) -> str:
    """The one line with which the call is refused: the fault; the remedy."""
    with pytest.raises(InputError, match=r"\A[^\n]+; [^\n]+\Z") as error:
        function(*arguments)
    return str(error.value)


def learned_from(description):
    return {"json": array(json.dumps(description).encode())}


TRAINED = BPE(300)
LEARNED = TRAINED.fit(OneText(text_of(3000).encode()))
SHAPED = BPE(264)
SHAPED_LEARNED = learned_from(gpt2_shaped())
