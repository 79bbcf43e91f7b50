"""Byte-pair encoding: arjax's BPE beside the `tokenizers` library called directly, one process, the same vocabulary and text.

    python benchmarks/tokenizer_speed.py                    # tinyshakespeare under $ARJAX_DATA
    python benchmarks/tokenizer_speed.py some/text.txt      # any UTF-8 file

First the seconds to learn 1024 tokens from the first megabyte. Then the whole text is encoded and decoded by both, in turn, after
the two have been shown to give the same tokens and the same text; what is printed is the median rate of `RUNS` turns, in millions
of bytes a second. The library gets the text as one string, arjax as bytes; each keeps to its own way of using the cores.
"""

import os
import statistics
import sys
import time
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer

from arjax.data.media import Text
from arjax.data.medium import Medium
from arjax.data.sources import data_root, read_file
from arjax.data.splits import Parts
from arjax.tokenizers import BPE

VOCAB, RUNS = 1024, 7


class Megabyte(NamedTuple):
    """The first megabyte of a text, which is all that BPE.fit asks for."""

    content: bytes
    medium: Medium = Text()

    def texts(self) -> Parts:
        part = np.frombuffer(self.content[:1_000_000], np.uint8)
        return Parts(part, part, part)


def seconds(function, *arguments) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def rates(size, **turns) -> dict[str, float]:
    """The median MB/s of each function, called in turn."""
    times = [{name: seconds(function) for name, function in turns.items()} for _ in range(RUNS)]
    return {name: size / 1e6 / statistics.median(time[name] for time in times) for name in turns}


def main():
    where, content = read_file(sys.argv[1] if len(sys.argv) > 1 else str(data_root(None) / "tinyshakespeare.txt"), None)
    bpe, x, text = BPE(VOCAB), np.frombuffer(content, np.uint8), content.decode()
    learned = bpe.fit(Megabyte(content))
    fit = statistics.median(seconds(bpe.fit, Megabyte(content)) for _ in range(3))
    library = Tokenizer.from_str(learned["json"].tobytes().decode())
    tokens, theirs = bpe.encode(learned, x), library.encode(text).ids
    if tokens.tolist() != theirs or bpe.decode(learned, tokens).tobytes() != content or library.decode(theirs) != text:
        raise SystemExit("the two differ")
    print(f"{where}: {len(content):,} bytes, {len(tokens):,} tokens of {VOCAB}, {os.cpu_count()} cores")
    print(f"{fit:.2f} s to learn {VOCAB} tokens from {min(len(content), 1_000_000):,} bytes")
    encode = rates(len(x), arjax=lambda: bpe.encode(learned, x), library=lambda: np.array(library.encode(text).ids))
    decode = rates(len(x), arjax=lambda: bpe.decode(learned, tokens), library=lambda: library.decode(theirs))
    for name, rate in (("encode", encode), ("decode", decode)):
        print(f"{name}: {rate['arjax']:.2f} MB/s, the library {rate['library']:.2f} MB/s")


if __name__ == "__main__":
    main()
