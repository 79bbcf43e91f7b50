"""Training: an `Experiment` of real objects goes in, a run directory that describes itself comes out.

`train.py` at the root of the repository puts these parts together; each of them also stands alone.
"""

from arjax.training.autoencoding import Autoencoding
from arjax.training.experiment import Experiment
from arjax.training.likelihood import Likelihood
from arjax.training.mesh import Mesh
from arjax.training.objective import Objective, Score
from arjax.training.optimizers import SGD, Adafactor, Adam, AdamW, Lion, Muon
from arjax.training.recipe import ModelFor, Pretrained, settle
from arjax.training.schedules import Constant, Cosine, Linear, WarmupStableDecay

__all__ = [
    "SGD",
    "Adafactor",
    "Adam",
    "AdamW",
    "Autoencoding",
    "Constant",
    "Cosine",
    "Experiment",
    "Likelihood",
    "Linear",
    "Lion",
    "Mesh",
    "ModelFor",
    "Muon",
    "Objective",
    "Pretrained",
    "Score",
    "WarmupStableDecay",
    "settle",
]
