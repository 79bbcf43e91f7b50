"""Models: one file is one factorisation of p(x)."""

from arjax.models.histogram import Histogram
from arjax.models.made import MADE
from arjax.models.rnn import RNN

__all__ = ["MADE", "RNN", "Histogram"]
