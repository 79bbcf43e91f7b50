"""Files that promise more than they hold, and honest ones of eight megabytes: each read with the memory limited to what is
promised for it. A program of its own, because a limit on memory is one of the whole process.

    python tests/hostile/hostile_files.py        a line of JSON for each: [name, how it ended]
"""

import dataclasses
import functools
import gzip
import io
import json
import resource
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.numpy
from readers import HEADER, LEARNED, READERS, RUN, X, npy, outcome, wav, zipped

from arjax.coding import stream
from arjax.data import sources

MB = 2**20
# What a reader may take besides: for a file of a few kilobytes this is all.
BESIDES = 48 * MB


class Case(NamedTuple):
    """content: made when it is needed. memory: what reading it may take, in bytes."""

    reader: str
    content: Callable[[], bytes]
    memory: int = BESIDES


def _promising(size: int, method=zipfile.ZIP_DEFLATED) -> bytes:
    """An .npz whose directory and header agree on an array of this size, of which nothing is there."""
    file = io.BytesIO()
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (size, 1)})
    with zipfile.ZipFile(file, "w", method) as archive:
        for name in ("train", "valid", "test"):
            archive.writestr(f"{name}.npy", header.getvalue())
        for info in archive.infolist():
            info.file_size = len(header.getvalue()) + size
    return file.getvalue()


def _in_every_part(array: bytes) -> dict[str, bytes]:
    return dict.fromkeys(("train.npy", "valid.npy", "test.npy"), array)


def _npy_promising(*shape: int, descr="|u1") -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    return header.getvalue() + b"\0" * 24


def _safetensors(header: dict, data=b"", length=None) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def _stream(**changes) -> bytes:
    """A compressed stream with other fields of its header."""
    return stream.write(dataclasses.replace(HEADER, **changes), np.arange(5, dtype=np.uint32))


def _run(**changes) -> bytes:
    """run.json with other fields of its model."""
    content = json.loads(RUN)
    content["experiment"]["model"] |= changes
    return json.dumps(content).encode()


def _tokenizer_of_many_tokens() -> bytes:
    """Of 20000 tokens that no merge makes."""
    content = json.loads(READERS["tokenizer.json"].valid)
    vocab = content["model"]["vocab"]
    vocab |= {
        "".join("abcdefghijklmnop"[number >> shift & 15] for shift in (16, 12, 8, 4, 0)) * 9: number
        for number in range(258, 20000)
    }
    content["added_tokens"] = []
    return json.dumps(content).encode()


HOSTILE = {
    "idx of 2^96 values": Case("idx", lambda: b"\0\0\x08\x03" + b"\xff" * 12),
    "idx of no value on long axes": Case("idx", lambda: b"\0\0\x08\x03" + b"\0" * 4 + b"\xff" * 8),
    "gzip of 300 megabytes": Case("gzip", lambda: gzip.compress(bytes(300 * MB), 1), 2 * sources.MAX_BYTES + BESIDES),
    "npz of 2^33 bytes": Case("npz", lambda: _promising(2**33)),
    "npz of 2^30 bytes": Case("npz", lambda: _promising(2**30)),
    "stored npz of 2^30 bytes": Case("npz", lambda: _promising(2**30, zipfile.ZIP_STORED)),
    "npy of 10^15 bytes": Case("npz member", lambda: _npy_promising(10**15)),
    "npy of 2^128 bytes": Case("npz member", lambda: _npy_promising(2**64, 2**64)),
    "npy of huge values": Case("npz member", lambda: _npy_promising(2, 2, descr=f"|V{2**31 - 1}")),
    "npz by lzma": Case("npz", lambda: zipped(_in_every_part(npy(X)), zipfile.ZIP_LZMA)),
    "wav of 2^32 bytes": Case("wav", lambda: wav(b"", 1, 16)[:-4] + struct.pack("<I", 2**32 - 2)),
    "wav of countless chunks": Case("wav", lambda: wav(b"\0\0", 1, 16, before=b"junk\0\0\0\0" * 100_000)),
    "npy by itself of 10^15 bytes": Case("npy", lambda: _npy_promising(10**15)),
    "npy in lists in lists": Case("npy header", lambda: b"[" * 9000),
    "png of 2^62 pixels": Case("png", lambda: READERS["png"].valid.replace(struct.pack(">II", 4, 3), b"\x7f\xff\xff\xff" * 2)),
    "rest of 300 megabytes": Case("rest", lambda: zlib.compress(bytes(300 * MB), 1)),
    "stream of 2^31 examples": Case("stream", lambda: _stream(shape=(2**31, 1), runs=((2**31 - 1, 1), (1, 0)))),
    "stream of no value and 2^31 examples": Case("stream", lambda: _stream(shape=(2**31, 0, 1), batch=1, runs=((2**31, 1),))),
    "stream of 2^63 examples": Case("stream", lambda: _stream(shape=(2**63, 1), runs=((2**63, 1),))),
    "safetensors with a header of 2^63 bytes": Case("learned", lambda: _safetensors({}, length=2**63)),
    "safetensors with a header of 99 megabytes": Case("learned", lambda: _safetensors({}, length=99_000_000)),
    "safetensors of 2^60 values": Case(
        "learned", lambda: _safetensors({"colours": {"dtype": "F32", "shape": [2**30, 2**30], "data_offsets": [0, 2**62]}})
    ),
    "safetensors of no value on long axes": Case(
        "learned", lambda: _safetensors({"colours": {"dtype": "F32", "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}})
    ),
    "settings of 10^9 layers": Case(
        "config.json", lambda: READERS["config.json"].valid.replace(b'"n_layer": 1', b'"n_layer": 1000000000')
    ),
    "settings of 10^30 tokens": Case(
        "config.json", lambda: READERS["config.json"].valid.replace(b'"vocab_size": 11', b'"vocab_size": 1' + b"0" * 30)
    ),
    "run.json of 2^31 sites": Case("run.json", lambda: _run(site_shape=[2**31])),
    "run.json of 10^400 sites": Case("run.json", lambda: _run(site_shape=[10**400, 2])),
    "run.json in lists in lists": Case("run.json", lambda: RUN.replace(b'"steps": 10', b'"steps": ' + b"[" * 900 + b"]" * 900)),
    "run.json of a strip along a curve": Case(
        "run.json", lambda: _run(site_shape=[1, 2**14], order={"class": "arjax.orders:Hilbert"}), 512 * MB
    ),
    "metrics of a million digits": Case("metrics.jsonl", lambda: b'{"step": ' + b"9" * 10**6 + b"}\n\n"),
    "tokenizer.json in lists in lists": Case("tokenizer.json", lambda: b"[" * 10**6),
}

LENGTH = 8 * MB
_noise = np.random.default_rng(0).integers(0, 2, LENGTH, np.uint8)
# Honest files of some megabytes, and what each may take for one of its bytes. Some are refused, having been read.
HONEST = {
    "bytes": (24, _noise.tobytes),
    "characters": (24, lambda: "\N{LION FACE}".encode() + (_noise + ord("a")).tobytes()),
    "npz": (4, lambda: zipped(_in_every_part(npy(_noise.reshape(-1, 8)[: 2**18])), 0)),
    "wav": (12, lambda: wav(_noise.tobytes(), 1, 8)),
    "wav of real numbers": (12, lambda: wav(_noise.astype("<f4").tobytes()[:LENGTH], 3, 32)),
    "learned": (4, lambda: safetensors.numpy.save(LEARNED | {"more": _noise})),
    "safetensors": (4, lambda: safetensors.numpy.save({"more": _noise[: LENGTH // 2].astype(np.float16)})),
    "tokenizer.json": (64, _tokenizer_of_many_tokens),
    # Of the characters of JSON "[]," makes the most.
    "run.json": (64, lambda: RUN.replace(b'"steps": 10', b'"steps": [' + b"[]," * (MB // 3) + b"0]")),
    "config.json": (
        64,
        lambda: READERS["config.json"].valid.replace(b'"n_embd": 6', b'"n_embd": [' + b"[]," * 300_000 + b"0]"),
    ),
    "metrics.jsonl": (64, lambda: READERS["metrics.jsonl"].valid * (MB // len(READERS["metrics.jsonl"].valid))),
}


def limited(memory: int, call: Callable[[], object]):
    """call(), with so much memory besides what the process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory, limits[1]))
    try:
        return call()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def endings() -> Iterator[tuple[str, str]]:
    """The name of each case, and how reading it ended."""
    honest = {
        f"megabytes of {name}": Case(name, content, BESIDES + factor * len(content()))
        for name, (factor, content) in HONEST.items()
    }
    for reader in READERS.values():  # what is imported or started once is no part of a file's memory
        with tempfile.TemporaryDirectory() as folder:
            outcome(reader, reader.valid, Path(folder))
    for name, case in (HOSTILE | honest).items():
        content = case.content()
        with tempfile.TemporaryDirectory() as folder:
            read = functools.partial(outcome, READERS[case.reader], content, Path(folder))
            try:
                yield name, limited(case.memory, read) or "read"
            except BaseException as error:  # MemoryError, most of all
                yield name, f"failed: {error!r}"
    try:
        yield "the limit itself", str(limited(BESIDES, lambda: len(bytearray(2 * BESIDES))))
    except MemoryError:
        yield "the limit itself", "failed: MemoryError"


if __name__ == "__main__":
    for ending in endings():
        print(json.dumps(ending), flush=True)
