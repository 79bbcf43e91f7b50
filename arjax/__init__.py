"""arjax: autoregressive generative models in JAX/Flax, with exact likelihoods and sampling that costs about one forward pass.

Axes, in every shape and einsum:

    B batch    T site, in generation order    S attended site    D width    F MLP width    N heads    K head width
    V symbol values    P head parameters    M mixture components    E event shape    H W C image height, width, channels

(In `ensemble_log_prob` K counts the orders of an ensemble.)
"""

from arjax import interop, testing
from arjax.likelihood import conditional_log_prob, ensemble_log_prob, log_prob, theta
from arjax.protocol import Cond, CondSpec, Head, Model, Net, Spec, init
from arjax.runs.load import load
from arjax.sampling import ancestral as sample

__all__ = [
    "Cond",
    "CondSpec",
    "Head",
    "Model",
    "Net",
    "Spec",
    "conditional_log_prob",
    "ensemble_log_prob",
    "init",
    "interop",
    "load",
    "log_prob",
    "sample",
    "testing",
    "theta",
]
