"""Tokenizers: data to a shorter or simpler sequence of integers, and back."""

from arjax.tokenizers.tokenizer import Learned, Tokenizer

__all__ = ["Learned", "Tokenizer"]
