"""Characters and bytes as symbols: strings and the bytes of files to symbols, and back.

A symbol is the place of a character in an alphabet, or a byte. A byte-order mark at the start of a text is no character of it.
"""

import json
import zlib

import numpy as np

from arjax.errors import InputError


def encode(text: str, alphabet: str, where: str) -> np.ndarray:
    """Returns the place of each character in `alphabet`, [len(text)] of the smallest unsigned integers that hold it. InputError
    naming the characters that the alphabet lacks.

    where: names the text in the message.
    """
    # What a command line could not decode comes as surrogates, which no alphabet has: they are named like other characters.
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    known = np.frombuffer(alphabet.encode("utf-32-le"), np.uint32)
    table = np.full(max(points.max(initial=0), known.max()) + 1, -1, np.int32)
    table[known] = np.arange(len(known))
    codes = table[points]
    if (codes < 0).any():
        first = int(np.argmax(codes < 0))
        lacking = sorted({chr(point) for point in np.unique(points[codes < 0])})
        named = ", ".join(map(repr, lacking[:8])) + (f" and {len(lacking) - 8} more" if len(lacking) > 8 else "")
        raise InputError(
            f"{where} has {named}, first at character {first}, which the alphabet of {len(alphabet)} lacks; "
            "add what is lacking to the alphabet, or replace it in the text"
        )
    return codes.astype(np.min_scalar_type(len(known) - 1))


def without_mark(text: str) -> str:
    """Returns a text without the byte-order mark, U+FEFF, that some editors write before it."""
    return text.removeprefix("\ufeff")


def with_line_feeds(text: str) -> str:
    """Returns a text whose lines end in \\n, also where they ended in \\r\\n or \\r."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decoded(content: bytes, where: str) -> str:
    """Returns the text of a file in UTF-8, its line ends as they are, without a byte-order mark. InputError where it is none.

    where: names the file in the message.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:2]:
        raise InputError(f"{where} is in UTF-16 or UTF-32, not UTF-8; convert it, as by iconv -f UTF-16 -t UTF-8")
    try:
        return without_mark(content.decode())
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not UTF-8: byte {error.start} is {content[error.start]:#04x}; convert it") from error


def decode(x, alphabet: str) -> list[str]:
    """Turns symbols [B, length] into B strings."""
    return ["".join(alphabet[i] for i in row) for row in np.asarray(x)]


def pack_text(content: bytes, alphabet: str) -> tuple[np.ndarray, bytes]:
    """Turns any bytes, read as UTF-8, into (symbols [n], what the alphabet lacks: characters, and bytes that are no UTF-8, with
    their places). In the symbols a space stands for these, or where there is none the first symbol."""
    text = content.decode("utf-8", "surrogateescape")
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    known = np.frombuffer(alphabet.encode("utf-32-le"), "<u4")
    order = np.argsort(known)
    place = order[np.minimum(np.searchsorted(known, points, sorter=order), len(known) - 1)]
    places = np.flatnonzero(known[place] != points)
    place[places] = max(alphabet.find(" "), 0)
    gaps = np.diff(places, prepend=0).astype("<u4")
    return place, zlib.compress(gaps.tobytes() + points[places].tobytes(), 9) if len(places) else b""


def unpack_text(symbols: np.ndarray, rest: bytes, alphabet: str) -> bytes:
    """Returns what `pack_text` was given. InputError if it cannot have been given anything."""
    points = np.frombuffer(alphabet.encode("utf-32-le"), "<u4")[symbols]
    if rest:
        try:
            # One byte more than there can be is none that NumPy takes; and a limit of 0 would be none.
            found = np.frombuffer(zlib.decompressobj().decompress(rest, 8 * len(points) + 1), "<u4")
            gaps, replaced = np.split(found, 2)
            points[np.cumsum(gaps, dtype=np.int64)] = replaced
        except (zlib.error, ValueError, IndexError) as error:
            raise InputError("what the alphabet lacks of the text cannot be read; restore the file") from error
    try:
        return points.tobytes().decode("utf-32-le", "surrogatepass").encode("utf-8", "surrogateescape")
    except UnicodeError as error:
        raise InputError("the text has characters that are none; restore the file") from error


def utf8_lengths(alphabet: str) -> np.ndarray:
    """Counts the bytes that each character of an alphabet takes in UTF-8, [len(alphabet)]."""
    return np.array([len(character.encode()) for character in alphabet])


def show_utf8(x) -> list[str]:
    """Turns bytes [B, length] into B strings; what is no UTF-8 becomes U+FFFD."""
    return [row.astype(np.uint8).tobytes().decode(errors="replace") for row in np.asarray(x)]


def read_utf8(text: str) -> np.ndarray:
    """Returns a string as its bytes in UTF-8, uint8 [N]; surrogates, which stand for what Python could not decode, are the bytes
    that were there. InputError for other surrogates, which JSON can write."""
    try:
        return np.frombuffer(text.encode(errors="surrogateescape"), np.uint8)
    except UnicodeEncodeError as error:
        raise InputError(f"the text has {text[error.start]!r}, which is half of a character; leave it out") from None


def _letters() -> list[str]:
    """The character that stands for each byte, as in GPT-2's encoder.py: itself if that prints, else the next from U+0100 on."""
    prints = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in prints]
    return [chr(byte) if byte in prints else chr(256 + others.index(byte)) for byte in range(256)]


LETTERS = _letters()
# The added token that ends a document, as GPT-2 writes it.
END_OF_TEXT = "<|endoftext|>"


def symbols_json(alphabet: str | None, ends: bool) -> str:
    """Returns a tokenizer.json with which Hugging Face's `tokenizers` splits a text into the characters of an alphabet, or into
    bytes if that is None: byte-pair encoding without pairs. Characters that the alphabet lacks are left out.

    ends: is there one more symbol, which ends a text?
    """
    part = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True} if alphabet is None else None
    symbols = {symbol: number for number, symbol in enumerate(LETTERS if alphabet is None else alphabet)}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    described = {
        "version": "1.0",
        "added_tokens": [{"id": len(symbols), "content": END_OF_TEXT, "special": True} | flags] if ends else [],
        "pre_tokenizer": part,
        "decoder": part or {"type": "Fuse"},
        "model": {"type": "BPE", "vocab": symbols, "merges": []},
    }
    return json.dumps(described, ensure_ascii=False)
