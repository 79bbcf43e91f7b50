"""The contract on the device: the conformance kit for a tiny model of each family, and how far rounding goes there.

In full float32 every part of the kit must pass. By default an accelerator computes products of float32 in fewer bits (TF32 on
NVIDIA's GPUs, bfloat16 on TPUs): there `step` and `__call__` may differ by as much as those bits.
"""

import contextlib
import functools
import math
from collections.abc import Iterable

import jax
import numpy as np

from arjax import testing
from arjax.measure.results import rounded, table
from arjax.sampling import ancestral, naive
from arjax.testing.cases import tolerance
from benchmarks.accelerator.part import Row, Setting
from tests.zoo import QUICK, ZOO

ALSO = ("transformer_bfloat16", "pixelcnn_bfloat16", "wavenet_bfloat16", "lmconv_bfloat16")  # kernels that float32 does not use
TINY = ("made", "histogram")
TOLERANCES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 3e-2, 0.1)
FEWER_BITS = 3e-2  # of TF32 and bfloat16
PRECISIONS = {"float32": "highest", "default": None}
BATCH = 128


def rows(setting: Setting) -> Iterable[Row]:
    """Lists a row of each family."""
    return [Row(name, functools.partial(law, name)) for name in (TINY if setting.tiny else (*sorted(QUICK), *ALSO))]


def law(name: str) -> dict:
    """Returns figures of a row of the zoo, and as an error what of the law it breaks: by precision of products the smallest
    tolerance within which steps agree with the parallel pass, and the share of cached samples that are not the naive ones."""
    model, key = ZOO[name], jax.random.key(0)
    params, allowed = testing.lively_params(model, key), tolerance(model)
    with jax.default_matmul_precision("highest"):
        broken = [error for part in testing.PARTS if (error := _broken(part, model, params, key))]
    figures = {}
    for title, precision in PRECISIONS.items():
        with jax.default_matmul_precision(precision):
            within = needed(testing.check_step, model, params, key)
            figures |= {f"tolerance_{title}": within, f"parted_{title}": parted(model, params, key, within)}
    if figures["parted_float32"] > allowed.parted:
        broken.append(f"{figures['parted_float32']:.1%} of the cached samples are not the naive ones")
    if not figures["tolerance_default"] <= FEWER_BITS:
        broken.append(f"by default steps agree within {figures['tolerance_default']} only")
    return figures | ({"error": "; ".join(broken)} if broken else {})


def _broken(part, model, params, key) -> str | None:
    try:
        part(model, params, key)
    except testing.LawBroken as error:
        return f"{part.__name__}: {error}"
    return None


def needed(check, model, params, key) -> float:
    """Returns the smallest of `TOLERANCES` within which a check of the kit passes, or infinity."""
    for allowed in TOLERANCES:
        with contextlib.suppress(testing.LawBroken):
            check(model, params, key, allowed)
            return allowed
    return math.inf


def parted(model, params, key, within: float) -> float:
    """Returns the share of cached samples that differ from the naive ones of the same key; real values by more than 10 times
    `within`."""
    cond = testing.random_cond(model, key, BATCH)
    fast, slow = (np.asarray(draw(model, params, key, BATCH, cond=cond)) for draw in (ancestral, naive))
    apart = 10 * within * np.maximum(1, np.abs(slow)) if model.head.vocab is None else 0
    return float((~(np.abs(fast - slow) <= apart)).reshape(BATCH, -1).any(axis=1).mean())


def report(rows: dict[str, dict]) -> str:
    """Writes a table; parted samples are cached ones that differ from the naive ones of the same key."""
    kinds = ("float32", "by default")
    heads = ["row", "law in float32", *(f"{what}, {kind}" for what in ("step agrees within", "parted samples") for kind in kinds)]
    figures = ("tolerance_float32", "tolerance_default", "parted_float32", "parted_default")
    return table(
        heads,
        [
            [name, "broken" if "error" in row else "holds", *(rounded(row.get(figure)) for figure in figures)]
            for name, row in rows.items()
        ],
    )
