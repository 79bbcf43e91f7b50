"""Heads: theta -> the distribution of one symbol."""

from arjax.heads.bernoulli import Bernoulli
from arjax.heads.categorical import Categorical

__all__ = ["Bernoulli", "Categorical"]
