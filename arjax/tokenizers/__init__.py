"""Tokenizers: data to a shorter or simpler sequence of integers, and back."""

from arjax.tokenizers.bpe import BPE
from arjax.tokenizers.codebook import Codebook, EMACodebook, Quantizer
from arjax.tokenizers.fsq import FSQ
from arjax.tokenizers.palette import Palette
from arjax.tokenizers.pixels import Binary, Bits
from arjax.tokenizers.tokenizer import Fitted, Learned, Tokenizer
from arjax.tokenizers.vqvae import VQVAE

__all__ = [
    "BPE",
    "FSQ",
    "VQVAE",
    "Binary",
    "Bits",
    "Codebook",
    "EMACodebook",
    "Fitted",
    "Learned",
    "Palette",
    "Quantizer",
    "Tokenizer",
]
