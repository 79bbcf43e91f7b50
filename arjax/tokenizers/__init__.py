"""Tokenizers: data to a shorter or simpler sequence of integers, and back."""

from arjax.tokenizers.bpe import BPE
from arjax.tokenizers.text import TokenizedText
from arjax.tokenizers.tokenizer import Learned, Tokenizer

__all__ = ["BPE", "Learned", "TokenizedText", "Tokenizer"]
