"""How arrays inside a computation are laid out over a mesh of devices, by the names of its axes.

    data, fsdp   the batch is split over both; over fsdp parameters and the optimizer's state are, too (Rajbhandari et al. 2020)
    tensor       what is wide inside a layer is split: heads, hidden units, symbols (Shoeybi et al. 2019)

The mesh is the one that `jax.set_mesh` names. Without one, or on one of other names, nothing here does anything, so that models
know no devices.
"""

import math

import jax
from jax.sharding import AxisType, PartitionSpec

AXES = ("data", "fsdp", "tensor")
BATCH = ("data", "fsdp")
TENSOR = "tensor"


def constrain(x: jax.Array, *axes) -> jax.Array:
    """x, whose i-th axis is split over the mesh axes `axes[i]` (BATCH, TENSOR, or None for whole; None for those not given). An
    axis that cannot be split equally stays whole."""
    mesh = jax.sharding.get_abstract_mesh()
    # Inside shard_map, or where shardings are part of types, layout is the caller's business.
    if mesh.empty or mesh.axis_names != AXES or mesh.size == 1 or set(mesh.axis_types) != {AxisType.Auto}:
        return x
    names = (axes + (None,) * x.ndim)[: x.ndim]
    return jax.lax.with_sharding_constraint(
        x, PartitionSpec(*(_divisible(mesh, *part) for part in zip(names, x.shape, strict=True)))
    )


def constrain_batch(tree, batch: int):
    """The tree whose arrays [batch, ...] are split over the batch; the others stay as they are."""
    return jax.tree.map(lambda x: constrain(x, BATCH) if x.ndim and x.shape[0] == batch else x, tree)


def _divisible(mesh, axes, size: int):
    names = (axes,) if isinstance(axes, str) else axes or ()
    count = math.prod(mesh.shape[name] for name in names)
    return axes if count > 1 and size % count == 0 else None
