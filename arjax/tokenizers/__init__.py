"""Tokenizers: data to a shorter or simpler sequence of integers, and back."""

from arjax.tokenizers.palette import Palette
from arjax.tokenizers.pixels import Binary, Bits
from arjax.tokenizers.tokenizer import Fitted, Learned, Tokenizer

__all__ = ["Binary", "Bits", "Fitted", "Learned", "Palette", "Tokenizer"]
