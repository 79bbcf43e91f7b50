"""The bytes of a compressed stream.

    magic      4    b"\\x93arj"
    version    1
    header          MessagePack: what the stream was written with, what it holds, and a note of the caller
    payload         little-endian 32-bit words of the range coder
    checksum   6    of the sha256 of all before

Some 60 bytes besides the payload.
"""

import dataclasses
import hashlib
import itertools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from arjax.errors import InputError, require

MAGIC = b"\x93arj"
VERSION = 2
CHECKSUM = 6
# More than anyone compresses at once: a stream must not ask for any amount of memory.
MAX_VALUES = 2**31
MAX_BATCH = 2**12  # examples that go through a net at once, whose memory is taken before the first symbol is known


@dataclasses.dataclass(frozen=True)
class Header:
    """model, params, platform: digests of what a stream was written with, and `where` in words; contents: the crc32 of what it
    holds; shape: [N, *site_shape, *E]; batch: how many examples went through `step` at once; runs: (how many examples in a row,
    the number of sites written of each), none for all sites of all; note: bytes of the caller's."""

    model: bytes
    params: bytes
    platform: bytes
    where: str
    contents: int
    shape: tuple[int, ...]
    batch: int
    runs: tuple[tuple[int, int], ...]
    note: bytes

    @property
    def lengths(self) -> tuple[int, ...]:
        """The number of sites written of each example: N of them, which may be many more than the stream has bytes."""
        return tuple(length for count, length in self.runs for _ in range(count))


def write(header: Header, words: np.ndarray) -> bytes:
    """A stream of this header and the words, uint32 [n], of a range coder."""
    msgpack = require("msgpack", extra="compress")
    digests = header.model + header.params + header.platform
    fields = [digests, header.where, header.contents, header.shape, header.batch, header.runs, header.note]
    content = MAGIC + bytes([VERSION]) + msgpack.packb(fields) + words.astype("<u4").tobytes()
    return content + hashlib.sha256(content).digest()[:CHECKSUM]


def read_header(stream: bytes) -> Header:
    """What a stream says of itself. InputError if it is none, of another version, cut off or damaged."""
    return read(stream)[0]


def read(stream: bytes) -> tuple[Header, np.ndarray]:
    """(header, words). InputError as in `read_header`."""
    if not stream.startswith(MAGIC):
        raise InputError(f"this is no arjax stream: it begins with {stream[:4]!r}; give one that arjax compress wrote")
    content, checksum = stream[:-CHECKSUM], stream[-CHECKSUM:]
    if len(content) <= len(MAGIC) or hashlib.sha256(content).digest()[:CHECKSUM] != checksum:
        raise InputError(f"the stream of {len(stream)} bytes is damaged or cut off: its checksum is wrong; restore it")
    if content[len(MAGIC)] != VERSION:
        raise InputError(f"the stream is of version {content[len(MAGIC)]}, this arjax reads {VERSION}; use the one that wrote it")
    msgpack = require("msgpack", extra="compress")
    unpacker = msgpack.Unpacker(max_buffer_size=len(content) + 1)
    unpacker.feed(content[len(MAGIC) + 1 :])
    try:
        header = _header(unpacker.unpack())
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise InputError("the stream's header is none that arjax writes; restore it") from error
    payload = content[len(MAGIC) + 1 + unpacker.tell() :]
    if len(payload) % 4:
        raise InputError(f"the stream's payload of {len(payload)} bytes is no row of 32-bit words; restore it")
    return header, np.frombuffer(payload, "<u4").astype(np.uint32)


def _header(fields: Any) -> Header:
    """InputError or TypeError unless they are what `write` packs, and ask for no more than MAX_VALUES."""
    digests, where, contents, shape, batch, runs, note = fields
    kinds = (digests, bytes), (where, str), (contents, int), (shape, list), (batch, int), (runs, list), (note, bytes)
    if not all(type(field) is kind for field, kind in kinds) or len(digests) != 14 or not where.isprintable():
        raise InputError("fields of other kinds")
    numbers = [*shape, batch, *(number for run in runs for number in run)]
    if not shape or not all(type(number) is int and 0 <= number <= MAX_VALUES for number in numbers) or batch < 1:
        raise InputError("numbers out of bounds")
    if (
        math.prod(shape) > MAX_VALUES
        or 0 in shape[1:]
        or batch > min(max(shape[0], 1), MAX_BATCH)
        or sum(count for count, _ in runs) not in (0, shape[0])
    ):
        raise InputError("a shape out of bounds")
    rows = tuple((count, length) for count, length in runs)
    return Header(digests[:4], digests[4:10], digests[10:], where, contents, tuple(shape), batch, rows, note)


def runs_of(lengths: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Counts how many lengths in a row are the same: ((count, length), ...)."""
    return tuple((len(list(group)), length) for length, group in itertools.groupby(lengths))
