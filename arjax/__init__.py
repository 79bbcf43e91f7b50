"""arjax: autoregressive generative models in JAX/Flax, with exact likelihoods and sampling that costs about one forward pass.

Axes, in every shape and einsum:

    B batch    T site, in generation order    S attended site    D width    F MLP width    N heads    K head width
    V symbol values    P head parameters    M mixture components    E event shape    H W C image height, width, channels

(In `ensemble_log_prob` K counts the orders of an ensemble.)
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arjax import interop, testing
    from arjax.allocator import keep_freed_memory
    from arjax.data.arrays import Arrays
    from arjax.likelihood import conditional_log_prob, ensemble_log_prob, log_prob, log_probs, theta
    from arjax.protocol import Cond, CondSpec, Head, Model, Net, Spec, init
    from arjax.runs.fit import fit
    from arjax.runs.load import load
    from arjax.sampling import ancestral as sample

__all__ = [
    "Arrays",
    "Cond",
    "CondSpec",
    "Head",
    "Model",
    "Net",
    "Spec",
    "conditional_log_prob",
    "ensemble_log_prob",
    "fit",
    "init",
    "interop",
    "keep_freed_memory",
    "load",
    "log_prob",
    "log_probs",
    "sample",
    "testing",
    "theta",
]

# A name is imported when it is first asked for. A mistyped command is answered before JAX is there, and a model is built before
# orbax is, which only `load` needs.
_DEFINED_IN = dict.fromkeys(["conditional_log_prob", "ensemble_log_prob", "log_prob", "log_probs", "theta"], "arjax.likelihood")
_DEFINED_IN |= dict.fromkeys(["Cond", "CondSpec", "Head", "Model", "Net", "Spec", "init"], "arjax.protocol")
_DEFINED_IN |= {"keep_freed_memory": "arjax.allocator"}
_DEFINED_IN |= {"Arrays": "arjax.data", "fit": "arjax.runs.fit", "load": "arjax.runs.load", "sample": "arjax.sampling"}


def __getattr__(name: str):
    """Returns a public name, or a module of the package: `arjax.sampling` needs no import of its own."""
    if name in _DEFINED_IN:
        value = getattr(importlib.import_module(_DEFINED_IN[name]), "ancestral" if name == "sample" else name)
        globals()[name] = value
        return value
    module = f"arjax.{name}"
    # What Python and its tools ask for, as __path__ or _repr_html_, is no module.
    if not name.startswith("_") and importlib.util.find_spec(module):
        return importlib.import_module(module)
    raise AttributeError(f"module 'arjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
