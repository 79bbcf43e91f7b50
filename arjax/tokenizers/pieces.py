"""Bytes cut into pieces that a byte-level tokenizer of GPT-2's kind encodes as it would encode the whole.

Two things call for a cut. What is no UTF-8 is no string for a library that takes strings, so it stands apart, as bytes. And a
long text is to be encoded piece by piece, in bounded memory and on all cores, which must not change a single token.

GPT-2 splits a text by the expression (Radford et al. 2019)

    's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+

and encodes what it matches part by part. No match reaches across a place that has white space behind it and none before it: a
match with white space after its first character is white space only. Left of such a place no match sees further than the
character before it (the one that looks ahead, \\s+(?!\\S), starts in white space, which ends before that character), and none
looks back, so on either side the matches are those of the whole text. Tokens that are found as they are written before the text
is split (GPT-2's "<|endoftext|>") must not reach across either, so places inside one are passed over.
"""

import re
from collections.abc import Iterator, Sequence

_NOT_UTF_8 = re.compile(r"([\udc80-\udcff]+)")  # as Python decodes it with errors="surrogateescape"
_CUT = re.compile(r"[!-~](?=[ \n])")  # only what every definition of white space agrees on


def pieces(content: bytes, literals: Sequence[str] = (), size: int = 2**16) -> Iterator[str | bytes]:
    """In order, none of them empty: the valid UTF-8 of `content` as strings of about `size` characters, longer only where there
    is no place for a cut, and what is no UTF-8 as bytes. `literals`: what is never to be cut."""
    for stretch in _NOT_UTF_8.split(content.decode(errors="surrogateescape")):
        if "\udc80" <= stretch[:1] <= "\udcff":
            yield stretch.encode(errors="surrogateescape")
        elif stretch:
            yield from _cut(stretch, literals, size)


def groups(parts: Iterator[str | bytes], size: int = 2**22) -> Iterator[list[str | bytes]]:
    """The same pieces in lists of about `size` characters."""
    group, count = [], 0
    for part in parts:
        group.append(part)
        count += len(part)
        if count >= size:
            yield group
            group, count = [], 0
    if group:
        yield group


def _cut(text, literals, size):
    start = 0
    while len(text) - start > size:
        places = (found.end() for found in _CUT.finditer(text, start + size - 1))
        place = next((place for place in places if not _inside(text, place, literals)), len(text))
        yield text[start:place]
        start = place
    if start < len(text):
        yield text[start:]


def _inside(text, place, literals):
    """Does one of the literals reach across the place?"""
    return any(literal in text[max(place - len(literal) + 1, 0) : place + len(literal) - 1] for literal in literals)
