"""Models: one file is one factorisation of p(x), or one way to find or count its parts."""

from arjax.models.bayes_net import BayesNet, NeuralBayesNet
from arjax.models.chow_liu import chow_liu
from arjax.models.columns import Columns
from arjax.models.gated_pixelcnn import GatedPixelCNN
from arjax.models.histogram import Histogram
from arjax.models.lmconv import LMConv
from arjax.models.made import MADE
from arjax.models.pixelcnn import PixelCNN
from arjax.models.pixelcnnpp import PixelCNNPP
from arjax.models.rnn import RNN
from arjax.models.transformer import Transformer
from arjax.models.wavenet import WaveNet

__all__ = [
    "MADE",
    "RNN",
    "BayesNet",
    "Columns",
    "GatedPixelCNN",
    "Histogram",
    "LMConv",
    "NeuralBayesNet",
    "PixelCNN",
    "PixelCNNPP",
    "Transformer",
    "WaveNet",
    "chow_liu",
]
