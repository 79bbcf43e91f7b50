"""Weights of other libraries: what they mean here, and back."""

from arjax.interop.huggingface import load_huggingface, save_huggingface

__all__ = ["load_huggingface", "save_huggingface"]
