"""Lossless compression with a model's own conditionals: the probabilities that sample a symbol also say how to write it down.

    compress, decompress     arrays of symbols to a stream that says what it needs to be read, and back
    read_header              what a stream says of itself

A symbol of probability p takes -log2 p bits (Shannon 1948; range coding: Martin 1979), so that a stream is as long as the model's
own negative log-likelihood. Both sides walk through the sites with `step`, in one order.
"""

from arjax.coding.codec import compress, decompress
from arjax.coding.stream import Header, read_header

__all__ = ["Header", "compress", "decompress", "read_header"]
