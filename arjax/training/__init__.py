"""Training: an `Experiment` of real objects goes in, a run directory that describes itself comes out.

`train.py` at the root of the repository puts these parts together; each of them also stands alone.
"""

from arjax.training.autoencoding import Autoencoding
from arjax.training.density_estimation import DensityEstimation
from arjax.training.experiment import Experiment
from arjax.training.mesh import Mesh
from arjax.training.objective import Likelihood, Objective
from arjax.training.optimizers import Adam, AdamW
from arjax.training.reconstruction import Reconstruction
from arjax.training.task import Score, Task

__all__ = [
    "Adam",
    "AdamW",
    "Autoencoding",
    "DensityEstimation",
    "Experiment",
    "Likelihood",
    "Mesh",
    "Objective",
    "Reconstruction",
    "Score",
    "Task",
]
