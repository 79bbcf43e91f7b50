"""Models: one file is one factorisation of p(x)."""

from arjax.models.made import MADE

__all__ = ["MADE"]
