"""The conformance kit: does a net obey the law?

`check(model)` runs every part; each part can be run on its own. A broken net raises `LawBroken`, which names the site (t, in
generation order), the order, the size of the fault and, for the usual ones, the remedy. Use a small instance of your net: T up to
about 64 sites; spaces of up to 4096 outcomes are enumerated, and only there can sums and samples be held against the whole law.

    arjax.testing.check(model, report=print)  # a line for each part
"""

import contextlib
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import AxisType

from arjax.protocol import Model
from arjax.testing.cases import accepted_orders, enumerate_space, lively_params, random_cond, split
from arjax.testing.decays import check_decays
from arjax.testing.dependence import dependence, dependences, influences
from arjax.testing.execution import check_compilation, check_gradients, check_work, work_ratio
from arjax.testing.law import check_causality, check_normalization, check_order_per_example
from arjax.testing.samples import check_completion, check_head, check_samplers
from arjax.testing.shape import LawBroken, check_shape
from arjax.testing.steps import check_prefill, check_step

__all__ = [
    "PARTS",
    "LawBroken",
    "Part",
    "accepted_orders",
    "check",
    "check_causality",
    "check_compilation",
    "check_completion",
    "check_decays",
    "check_gradients",
    "check_head",
    "check_normalization",
    "check_order_per_example",
    "check_prefill",
    "check_samplers",
    "check_shape",
    "check_step",
    "check_work",
    "dependence",
    "dependences",
    "enumerate_space",
    "influences",
    "lively_params",
    "random_cond",
    "work_ratio",
]

# In the order in which the author of a net needs them. Each returns what it left out and why, or None.
PARTS = (
    check_shape,
    check_causality,
    check_step,
    check_prefill,
    check_order_per_example,
    check_normalization,
    check_head,
    check_gradients,
    check_work,
    check_decays,
    check_samplers,
    check_completion,
    check_compilation,
)


class Part(NamedTuple):
    """One part of the kit, passed: its name, its time, and what it `skipped` and why (None: nothing)."""

    name: str
    seconds: float
    skipped: str | None

    def __str__(self):
        return f"{self.name:<17} {self.seconds:6.2f} s" + (f"   skipped: {self.skipped}" if self.skipped else "")


def check(model: Model, params=None, key=None, report: Callable[[str], object] | None = None) -> tuple[Part, ...]:
    """Runs every part of the kit, and returns a summary: what each part took and left out.

    params: None draws lively ones, no leaf at zero, so that nothing passes for being absent.
    report: takes a line after each part, as `print` does; None is quiet.

    Matrix products are computed in full float32, also where an accelerator would round them to fewer bits by default, and all of
    it on one device, whatever mesh the caller has set.
    """
    parts = []
    with jax.default_matmul_precision("highest"), _one_device():
        key = jax.random.key(0) if key is None else key
        params_key, *keys = split(key, 1 + len(PARTS))
        params = lively_params(model, params_key) if params is None else jax.tree.map(jnp.asarray, jax.device_get(params))
        for part, part_key in zip(PARTS, keys, strict=True):
            began = time.perf_counter()
            skipped = part(model, params, part_key)
            parts.append(Part(part.__name__.removeprefix("check_"), time.perf_counter() - began, skipped))
            if report is not None:
                report(str(parts[-1]))
    return tuple(parts)


def _one_device():
    """A context without the caller's mesh: the kit applies nets itself, which are written for Auto axes."""
    if jax.sharding.get_abstract_mesh().empty:
        return contextlib.nullcontext()
    return jax.set_mesh(jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:1]))
