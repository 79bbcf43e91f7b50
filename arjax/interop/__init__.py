"""Weights and nets of other libraries: what they mean here, and of weights the way back."""

from arjax.interop.adapted import from_equinox, from_nnx
from arjax.interop.huggingface import load_huggingface, save_huggingface

__all__ = ["from_equinox", "from_nnx", "load_huggingface", "save_huggingface"]
