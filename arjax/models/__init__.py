"""Models: one file is one factorisation of p(x), or one way to find or count its parts."""

from arjax.models.bayes_net import BayesNet, NeuralBayesNet
from arjax.models.chow_liu import chow_liu
from arjax.models.histogram import Histogram
from arjax.models.made import MADE
from arjax.models.rnn import RNN

__all__ = ["MADE", "RNN", "BayesNet", "Histogram", "NeuralBayesNet", "chow_liu"]
