"""Tokenizers: data to a shorter or simpler sequence of integers, and back."""

from arjax.tokenizers.codebook import Codebook, EMACodebook
from arjax.tokenizers.fsq import FSQ
from arjax.tokenizers.tokenizer import Learned, Tokenizer
from arjax.tokenizers.vqvae import VQVAE

__all__ = ["FSQ", "VQVAE", "Codebook", "EMACodebook", "Learned", "Tokenizer"]
