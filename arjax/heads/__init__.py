"""Heads: theta -> the distribution of one symbol."""

from arjax.heads.bernoulli import Bernoulli
from arjax.heads.categorical import Categorical
from arjax.heads.cell import MISSING, Cell, Law
from arjax.heads.coupled_logistics import CoupledDiscretizedMixtureOfLogistics
from arjax.heads.discretized_logistics import DiscretizedMixtureOfLogistics
from arjax.heads.gaussians import MixtureOfGaussians
from arjax.heads.logistics import MixtureOfLogistics
from arjax.heads.ordinal import Ordinal

__all__ = [
    "MISSING",
    "Bernoulli",
    "Categorical",
    "Cell",
    "CoupledDiscretizedMixtureOfLogistics",
    "DiscretizedMixtureOfLogistics",
    "Law",
    "MixtureOfGaussians",
    "MixtureOfLogistics",
    "Ordinal",
]
