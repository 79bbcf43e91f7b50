"""The conformance kit: does a net obey the law?

`check(model)` runs every part; each part can be run on its own. A broken net raises `LawBroken`, which names the site (t, in
generation order), the order and the size of the fault. Use a small instance of your net: T up to about 64 sites; spaces of up
to 4096 outcomes are enumerated, and only there can sums and samples be held against the whole law.
"""

import jax

from arjax.protocol import Model
from arjax.testing.cases import accepted_orders, enumerate_space, lively_params, random_cond
from arjax.testing.decays import check_decays
from arjax.testing.dependence import dependence, dependences
from arjax.testing.execution import check_compilation, check_gradients, check_work, work_ratio
from arjax.testing.law import (
    LawBroken,
    check_causality,
    check_normalization,
    check_order_per_example,
    check_prefill,
    check_step,
)
from arjax.testing.samples import check_completion, check_samplers

__all__ = [
    "PARTS",
    "LawBroken",
    "accepted_orders",
    "check",
    "check_causality",
    "check_compilation",
    "check_completion",
    "check_decays",
    "check_gradients",
    "check_normalization",
    "check_order_per_example",
    "check_prefill",
    "check_samplers",
    "check_step",
    "check_work",
    "dependence",
    "dependences",
    "enumerate_space",
    "lively_params",
    "random_cond",
    "work_ratio",
]

PARTS = (
    check_causality,
    check_step,
    check_order_per_example,
    check_normalization,
    check_samplers,
    check_completion,
    check_compilation,
    check_gradients,
    check_work,
    check_prefill,
    check_decays,
)


def check(model: Model, params=None, key=None) -> None:
    """Every part of the kit. params: None draws lively ones, no leaf at zero, so that nothing passes for being absent.

    Matrix products are computed in full float32, also where an accelerator would round them to fewer bits by default.
    """
    key = jax.random.key(0) if key is None else key
    params_key, *keys = jax.random.split(key, 1 + len(PARTS))
    params = lively_params(model, params_key) if params is None else params
    with jax.default_matmul_precision("highest"):
        for part, part_key in zip(PARTS, keys, strict=True):
            part(model, params, part_key)
