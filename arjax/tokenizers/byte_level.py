"""A tokenizer.json of Hugging Face's `tokenizers`, read as byte-level byte-pair encoding and as nothing else.

The library reads far more than can be promised to be lossless, and breaks off in its own ways on files it cannot read. So the
file is read as plain JSON here and refused in one line if it is not what it should be; the library is given only what decides the
tokens: the vocabulary, the merges and the added tokens.
"""

import dataclasses
import functools
import json
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from arjax.errors import InputError, printable


def _letters() -> list[str]:
    """The character that stands for each byte, as in GPT-2's encoder.py: itself if that prints, else the next from U+0100 on."""
    prints = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in prints]
    return [chr(byte) if byte in prints else chr(256 + others.index(byte)) for byte in range(256)]


LETTERS = _letters()
_BYTES = {letter: byte for byte, letter in enumerate(LETTERS)}


@dataclasses.dataclass(frozen=True, eq=False)
class Vocabulary:
    """library: what encodes strings. table [bytes of all tokens, one after the other] uint8, start [V] and size [V]: where in it
    a token's bytes start, and how many they are. byte_tokens [256] int32: the token of each single byte. literals: the added
    tokens, which are found as they are written."""

    library: Any
    table: np.ndarray
    start: np.ndarray
    size: np.ndarray
    byte_tokens: np.ndarray
    literals: tuple[str, ...]


@functools.lru_cache(maxsize=8)
def read_vocabulary(content: bytes) -> Vocabulary:
    """InputError in one line, with the remedy, unless `content` is the tokenizer.json of a byte-level byte-pair encoding that
    gives every text back."""
    try:
        described = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the tokenizer.json is no JSON ({type(error).__name__}); {_GIVE}") from error
    model = described.get("model") if isinstance(described, dict) else None
    if not isinstance(model, dict):
        raise InputError(f"the tokenizer.json describes no model; {_GIVE}")
    _check_kind(described, model)
    ids, literals = _tokens(described, model)
    known = {**ids, **literals}
    if sorted(known.values()) != list(range(len(known))):
        raise InputError(f"the {len(known)} tokens of the tokenizer.json are not numbered from 0, each once; {_GIVE}")
    lacking = [byte for byte, letter in enumerate(LETTERS) if letter not in ids]
    if lacking:
        raise InputError(f"the tokenizer.json has no token for {len(lacking)} of the 256 bytes, first {lacking[0]:#04x}; {_GIVE}")
    library = _built(described, model, ids)
    if library.get_vocab() != known:
        raise InputError(f"the added tokens of the tokenizer.json are numbered otherwise than the library numbers them; {_GIVE}")
    spelled = dict.fromkeys(range(len(known)), b"")
    spelled |= {number: bytes(_BYTES[letter] for letter in token) for token, number in ids.items() if token not in literals}
    spelled |= {number: token.encode() for token, number in literals.items()}
    size = np.array([len(token) for token in spelled.values()])
    return Vocabulary(
        library,
        np.frombuffer(b"".join(spelled.values()), np.uint8),
        np.cumsum(size) - size,
        size,
        np.array([ids[letter] for letter in LETTERS], np.int32),
        tuple(literals),
    )


_GIVE = "give the tokenizer.json of a byte-level BPE, as GPT-2's"


def _check_kind(described, model):
    """InputError unless these settings are those of a byte-level byte-pair encoding that gives every text back."""
    kind = model.get("type", "BPE")  # old files do not say
    if kind != "BPE":
        raise InputError(f"the model of the tokenizer.json is {_short(kind)}, not BPE; {_GIVE}")
    if described.get("normalizer") is not None:
        raise InputError(f"the tokenizer.json normalizes text, which cannot be undone; {_GIVE}, without normalizer")
    splitting = described.get("pre_tokenizer")
    if not isinstance(splitting, dict) or splitting.get("type") != "ByteLevel" or splitting.get("use_regex", True) is not True:
        raise InputError(f"the tokenizer.json splits text by {_short(splitting)}, not by GPT-2's ByteLevel; {_GIVE}")
    if splitting.get("add_prefix_space", True) is not False:
        raise InputError(f"the tokenizer.json adds a space to the start of a text; {_GIVE}, with add_prefix_space=false")
    if model.get("dropout"):
        raise InputError(f"the tokenizer.json drops merges at random, dropout={_short(model['dropout'])}; set it to null there")
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise InputError(f"the tokenizer.json marks parts of words, {name}={_short(model[name])}; {_GIVE}")


def _tokens(described, model) -> tuple[dict[str, int], dict[str, int]]:
    """(the numbers of the tokens of the vocabulary, those of the added tokens, some of which may be in the vocabulary too)."""
    ids, added = model.get("vocab"), described.get("added_tokens") or []
    entries = added if isinstance(added, list) else [None]
    if not isinstance(ids, dict) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"the tokenizer.json has no vocabulary, or added tokens that are none; {_GIVE}")
    if not all(isinstance(entry.get("content"), str) and entry["content"] for entry in entries):
        raise InputError(f"the tokenizer.json has an added token without text; {_GIVE}")
    literals = {entry["content"]: entry.get("id") for entry in entries}
    for token, number in (*ids.items(), *literals.items()):
        if type(number) is not int:
            raise InputError(f"the token {_short(token)} of the tokenizer.json has the number {_short(number)}; {_GIVE}")
    for entry in entries:
        for name in ("lstrip", "rstrip", "single_word"):
            if entry.get(name):
                raise InputError(
                    f"the added token {_short(entry['content'])} has {name}=true; set it to false in the tokenizer.json"
                )
    for token in ids:
        letters = all(letter in _BYTES for letter in token) and token != ""
        if token not in literals and not letters:
            raise InputError(f"the token {_short(token)} of the tokenizer.json stands for no bytes; {_GIVE}")
        if token in literals and letters and not all("!" <= letter <= "~" for letter in token):
            raise InputError(f"the added token {_short(token)} of the tokenizer.json stands for other bytes as well; {_GIVE}")
    return ids, literals


def _built(described, model, ids):
    """The library's tokenizer, given only what decides the tokens."""
    needed = {
        "version": "1.0",
        "added_tokens": described.get("added_tokens") or [],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": ids, "merges": model.get("merges"), "ignore_merges": bool(model.get("ignore_merges"))},
    }
    try:
        return Tokenizer.from_str(json.dumps(needed))
    except Exception as error:  # the library raises nothing narrower
        raise InputError(f"the tokenizer.json cannot be read ({_short(error)}); {_GIVE}") from error


def _short(value) -> str:
    """In a few words, on one line."""
    text = str(value) if isinstance(value, Exception) else repr(value)
    return printable(" ".join(text.split())[:80])
