"""A tokenizer.json of Hugging Face's `tokenizers`, read as byte-level byte-pair encoding, and bytes cut into what it may get.

The library reads far more than can be promised to be lossless, and breaks off in its own ways on files it cannot read. So the
file is read as plain JSON here and refused in one line if it is not what it should be; the library is given only what decides the
tokens: the vocabulary, the merges and the added tokens.

What is no UTF-8 is no string for a library that takes strings, so it stands apart, as bytes. A long text is cut, so that all
cores encode it in bounded memory, and no cut may change a token. GPT-2 splits a text by the expression (Radford et al. 2019)

    's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+

and encodes what it matches part by part. No match reaches across a place that has white space behind it and none before it: a
match with white space after its first character is white space only. Left of such a place no match sees further than the
character before it (the one that looks ahead, \\s+(?!\\S), starts in white space, which ends before that character), and none
looks back, so on either side the matches are those of the whole text. Added tokens ("<|endoftext|>") are found before the text is
split; where one of them has such a place in it, no text is cut.
"""

import dataclasses
import functools
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from arjax.data.characters import END_OF_TEXT, LETTERS
from arjax.errors import InputError, brief, one_line, require

_BYTES = {letter: byte for byte, letter in enumerate(LETTERS)}
_GIVE = "give the tokenizer.json of a byte-level BPE, as GPT-2's"


@dataclasses.dataclass(frozen=True, eq=False)
class Vocabulary:
    """What the tokens are.

    library: what encodes strings. spelled: the bytes of all tokens, one after the other, uint8. size, integers [vocab]: how many
    are those of each token. byte_tokens: the token of each single byte, int32 [256]. literals: the added tokens, which are found
    as they are written. end: the token END_OF_TEXT, if it is one of these.
    """

    library: Any
    spelled: np.ndarray
    size: np.ndarray
    byte_tokens: np.ndarray
    literals: tuple[str, ...]
    end: int | None

    def bytes_of(self, tokens: np.ndarray) -> np.ndarray:
        """Returns the bytes of tokens [n], uint8."""
        starts, sizes = (np.cumsum(self.size) - self.size)[tokens], self.size[tokens]
        # Byte i of the result is that of `spelled` which stands as far from its token's first as it does here.
        shifts = starts - (np.cumsum(sizes) - sizes)
        return self.spelled[np.repeat(shifts, sizes) + np.arange(sizes.sum())]


@functools.lru_cache(maxsize=8)
def read_vocabulary(content: bytes) -> Vocabulary:
    """Reads the tokenizer.json of a byte-level byte-pair encoding that gives every text back. InputError if it is another."""
    try:
        described = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the tokenizer.json is no JSON ({type(error).__name__}); {_GIVE}") from error
    model = described.get("model") if isinstance(described, dict) else None
    if not isinstance(model, dict):
        raise InputError(f"the tokenizer.json describes no model; {_GIVE}")
    _check_settings(described, model)
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
    spelled = [
        token.encode() if token in literals else bytes(_BYTES[letter] for letter in token)
        for token in sorted(known, key=known.get)
    ]
    return Vocabulary(
        library,
        np.frombuffer(b"".join(spelled), np.uint8),
        np.array([len(content) for content in spelled]),
        np.array([ids[letter] for letter in LETTERS], np.int32),
        tuple(literals),
        literals.get(END_OF_TEXT),
    )


def _check_settings(described, model):
    """InputError unless these settings are those of a byte-level byte-pair encoding that gives every text back."""
    splitting = described.get("pre_tokenizer")
    splitting = splitting if isinstance(splitting, dict) else {"type": splitting}
    # Where a setting stands, its value where a file does not say it, and the values that lose nothing.
    for part, settings, name, default, right in (
        ("model", model, "type", "BPE", ("BPE",)),
        ("model", model, "dropout", None, (0, None)),
        ("model", model, "continuing_subword_prefix", None, ("", None)),
        ("model", model, "end_of_word_suffix", None, ("", None)),
        ("normalizer", described, "normalizer", None, (None,)),
        ("pre_tokenizer", splitting, "type", None, ("ByteLevel",)),
        ("pre_tokenizer", splitting, "use_regex", True, (True,)),
        ("pre_tokenizer", splitting, "add_prefix_space", True, (False,)),
    ):
        value = settings.get(name, default)
        if value not in right:
            raise InputError(f"the {part} of the tokenizer.json has {name}={brief(value)}, not {right[-1]!r}; {_GIVE}")


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
            raise InputError(f"the token {brief(token)} of the tokenizer.json has the number {brief(number)}; {_GIVE}")
    for entry in entries:
        for name in ("lstrip", "rstrip", "single_word"):
            if entry.get(name):
                raise InputError(
                    f"the added token {brief(entry['content'])} has {name}=true; set it to false in the tokenizer.json"
                )
    for token in ids:
        letters = all(letter in _BYTES for letter in token) and token != ""
        if token not in literals and not letters:
            raise InputError(f"the token {brief(token)} of the tokenizer.json stands for no bytes; {_GIVE}")
        if token in literals and letters and not all("!" <= letter <= "~" for letter in token):
            raise InputError(f"the added token {brief(token)} of the tokenizer.json stands for other bytes as well; {_GIVE}")
    return ids, literals


def _built(described, model, ids):
    """The library's tokenizer, given only what decides the tokens."""
    needed = {
        "version": "1.0",
        "added_tokens": described.get("added_tokens") or [],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": ids, "merges": model.get("merges"), "ignore_merges": bool(model.get("ignore_merges"))},
    }
    library = require("tokenizers", extra="tokens")
    try:
        return library.Tokenizer.from_str(json.dumps(needed))
    except Exception as error:  # the library raises nothing narrower
        raise InputError(f"the tokenizer.json cannot be read ({one_line(error)}); {_GIVE}") from error


_LONE = r"\udc80-\udcff"  # what Python decodes to, with errors="surrogateescape", where bytes are no UTF-8


def pieces(content: bytes, literals: Sequence[str] = (), size: int = 4096) -> list[str | bytes]:
    """Cuts bytes, in order, into non-empty pieces: the valid UTF-8 as strings, and what is no UTF-8 as bytes.

    literals: what is never to be cut. size: about how many characters a string has; more only where there is no place for a cut.
    """
    cut = rf"[^{_LONE}]{{{size},}}?(?<=[!-~])(?=[ \n])"  # only what every definition of white space agrees on
    if any(re.search(r"[!-~][ \n]", literal) for literal in literals):
        cut = r"(?!)"
    found = re.findall(rf"[{_LONE}]+|{cut}|[^{_LONE}]+", content.decode(errors="surrogateescape"))
    return [piece.encode(errors="surrogateescape") if "\udc80" <= piece[0] <= "\udcff" else piece for piece in found]
