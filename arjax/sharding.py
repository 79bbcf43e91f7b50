"""How arrays inside a computation are laid out over a mesh of devices, by the names of its axes.

    data, fsdp   the batch is split over both; over fsdp parameters and the optimizer's state are, too (Rajbhandari et al. 2020)
    tensor       what is wide inside a layer is split: heads, hidden units, symbols (Shoeybi et al. 2019)

The mesh is the one that `jax.set_mesh` names. One that has none of these names splits the batch over its first axis. Without a
mesh nothing here does anything, so that models know no devices.

A net is written for axes that are Auto, where layouts are the compiler's. Where shardings are part of types (Explicit axes, those
of `jax.make_mesh` by default), `automatic` makes them Auto inside. Inside `jax.shard_map` layouts are the caller's; there
`varying` gives a loop's start the type of what it becomes.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.sharding import AxisType, PartitionSpec

AXES = ("data", "fsdp", "tensor")
BATCH = ("data", "fsdp")
TENSOR = "tensor"


def constrain(x: jax.Array, *axes) -> jax.Array:
    """x, whose i-th axis is split over the mesh axes `axes[i]` (BATCH, TENSOR, or None for whole; None for those not given). An
    axis that cannot be split equally stays whole. On a mesh of other axes than AXES, what is not split is the compiler's."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or mesh.size == 1 or set(mesh.axis_types) != {AxisType.Auto} or not isinstance(x, Tracer):
        return x
    spec = _spec(mesh, x.shape, axes)
    if mesh.axis_names != AXES:
        spec = PartitionSpec(*(PartitionSpec.UNCONSTRAINED if names is None else names for names in spec))
    return jax.lax.with_sharding_constraint(x, spec)


def held(shape: tuple[int, ...], *axes) -> int:
    """How many values one device holds of an array of this shape, split as `constrain` splits it."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or set(mesh.axis_types) != {AxisType.Auto}:
        return math.prod(shape)
    parts = (part if isinstance(part, tuple) else (part,) for part in _spec(mesh, shape, axes) if part is not None)
    return math.prod(shape) // math.prod(mesh.shape[name] for names in parts for name in names)


def constrain_batch(tree, batch: int):
    """The tree whose arrays [batch, ...] are split over the batch; the others stay as they are."""
    return jax.tree.map(lambda x: constrain(x, BATCH) if x.ndim and x.shape[0] == batch else x, tree)


def automatic(function, *, split: bool = False):
    """Returns `function(model, params, *given)`, whose results are arrays [B, ...] or without a batch, so that inside it no mesh
    axis is Explicit.

    The type of a result [B, ...] says that its rows are split as those of what is given; where nothing given [B, ...] is, as
    `constrain` splits a batch, or with split=False not at all.
    """

    @functools.wraps(function)
    def inside(model, params, *given):
        mesh = _mesh((params, given))
        if not mesh.explicit_axes:
            return function(model, params, *given)
        inner = mesh.update_axis_types(dict.fromkeys(mesh.explicit_axes, AxisType.Auto))
        rows = {x.shape[0]: _rows(x) for x in jax.tree.leaves(given) if _is_array(x) and x.ndim and _rows(x)}

        def untyped(x):
            # What is on no mesh enters this one by a product: a reshard's gradient would leave it, which fails under vmap.
            x = x * 1 if jax.typeof(x).sharding.mesh.empty and jnp.issubdtype(x.dtype, jnp.inexact) else x
            with jax.sharding.use_abstract_mesh(inner):
                return jax.reshard(x, PartitionSpec())

        def typed(x):
            free = _spec(mesh, x.shape, (BATCH,) if split else ())
            return jax.reshard(x, PartitionSpec(rows[x.shape[0]]) if x.ndim and x.shape[0] in rows else free)

        with jax.sharding.use_abstract_mesh(mesh):
            params, given = jax.tree.map(lambda x: untyped(x) if _is_array(x) else x, (params, given))
            with jax.sharding.use_abstract_mesh(inner):
                results = function(model, params, *given)
            return jax.tree.map(typed, results)

    return inside


def varying(tree, *given):
    """The tree, each array of which varies over the devices of a caller's `jax.shard_map` where anything given does: what a loop
    starts with has the type of what it becomes."""
    if not jax.sharding.get_abstract_mesh().manual_axes:
        return tree
    arrays = [x for x in jax.tree.leaves(given) if _is_array(x)]
    keys = [jnp.issubdtype(x.dtype, jax.dtypes.prng_key) for x in arrays]
    arrays = [jax.random.key_data(x) if key else x for x, key in zip(arrays, keys, strict=True)]
    never = functools.reduce(jnp.logical_or, (jnp.zeros_like(x, shape=(), dtype=bool) for x in arrays))
    return jax.tree.map(lambda x: jnp.where(never, x, x), tree)


def _mesh(tree):
    """The abstract mesh of the context, or of the first array that has one in its type."""
    meshes = (jax.typeof(x).sharding.mesh for x in jax.tree.leaves(tree) if _is_array(x))
    context = jax.sharding.get_abstract_mesh()
    return next((mesh for mesh in meshes if not mesh.empty), context) if context.empty else context


def _rows(x):
    """The mesh axes over which the type of x [B, ...] splits its rows; None for none."""
    return jax.typeof(x).sharding.spec[0]


def _is_array(x) -> bool:
    return isinstance(x, jax.Array)


def _spec(mesh, shape, axes) -> PartitionSpec:
    """The split of an array of this shape that `constrain` describes."""
    names = (axes + (None,) * len(shape))[: len(shape)]
    return PartitionSpec(*(_divisible(mesh, *part) for part in zip(names, shape, strict=True)))


def _divisible(mesh, axes, size: int):
    names = (axes,) if isinstance(axes, str) else axes or ()
    if axes == BATCH and not set(AXES) & set(mesh.axis_names):
        names = mesh.axis_names[:1]
    names = tuple(name for name in names if name in mesh.axis_names)
    count = math.prod(mesh.shape[name] for name in names)
    return names if count > 1 and size % count == 0 else None
