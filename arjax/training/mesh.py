"""The mesh of devices, and what lies where on it. The same code runs on one device and on many, of one process or of several.

A batch is split along `data` and `fsdp`. Of the state every large array is split along `fsdp`, on its longest axis that can be
divided, whatever net it belongs to; along `tensor` those that the net names in `tensor_axes`. The compiler gathers what a layer
needs when it needs it, and scatters what its gradient gives.
"""

import dataclasses

import jax
import numpy as np
from jax.experimental.multihost_utils import process_allgather
from jax.sharding import AxisType, NamedSharding, PartitionSpec, SingleDeviceSharding

from arjax.description import check_types
from arjax.errors import InputError
from arjax.sharding import AXES, BATCH, TENSOR
from arjax.training.objective import declared

# Arrays of fewer elements are kept whole: gathering them takes longer than it saves.
SMALLEST = 1024


@dataclasses.dataclass(frozen=True)
class Mesh:
    """How many devices share a batch, and how many of them share the state. One of the three may be -1: as many as there are."""

    data: int = -1
    """Devices that share every batch; -1 for all that the other axes leave."""
    fsdp: int = 1
    """Devices that share every batch and the state: parameters, their average, the optimizer's."""
    tensor: int = 1
    """Devices that share what is wide inside the layers of a transformer."""

    def __post_init__(self):
        check_types(self)
        for name in AXES:
            size = getattr(self, name)
            if size != -1 and size < 1:
                raise InputError(f"Mesh({name}={size}) must be at least 1; choose -1 for all devices")
        if self._sizes.count(-1) > 1:
            raise InputError(f"{self} leaves more than one axis open; choose -1 for one of them")

    @property
    def _sizes(self) -> tuple[int, int, int]:
        return self.data, self.fsdp, self.tensor

    def build(self) -> jax.sharding.Mesh:
        """Returns the mesh over the first devices there are. InputError if there are fewer, or if some process would have
        none."""
        devices = jax.devices()
        fixed = int(np.prod([size for size in self._sizes if size != -1]))
        if -1 in self._sizes and len(devices) % fixed:
            raise InputError(f"{self}: {len(devices)} devices cannot be shared by {fixed}; choose a divisor, or fewer of each")
        sizes = tuple(len(devices) // fixed if size == -1 else size for size in self._sizes)
        count = int(np.prod(sizes))
        if count > len(devices):
            raise InputError(f"{self} asks for more devices than there are ({len(devices)}); choose fewer, or data=-1 for all")
        if count < len(devices) and jax.process_count() > 1:
            raise InputError(
                f"{self} uses {count} of {len(devices)} devices, but every process must take part; choose data=-1 for all"
            )
        return jax.make_mesh(sizes, AXES, axis_types=(AxisType.Auto,) * 3, devices=devices[:count])


def title(mesh: jax.sharding.Mesh) -> str:
    """Says how many devices of what kind there are, and how they share the work."""
    split = " x ".join(f"{name} {size}" for name, size in mesh.shape.items() if size > 1)
    hosts = f" of {jax.process_count()} processes" if jax.process_count() > 1 else ""
    return f"devices: {mesh.size} {jax.default_backend()}{hosts}" + (f" ({split})" if split else "")


def doubts_of_mesh(mesh: jax.sharding.Mesh, model) -> list[str]:
    """Says which axes of the mesh do nothing for the model."""
    count = mesh.shape[TENSOR]
    if count == 1 or declared(model).tensor_axes:
        return []
    return [f"the net splits nothing over the mesh axis tensor: groups of {count} devices all compute the same; use --mesh.data"]


def shares(mesh: jax.sharding.Mesh) -> int:
    """Returns the number of parts that a batch is split into."""
    return mesh.shape["data"] * mesh.shape["fsdp"]


def check_batch(size: int, accumulate: int, mesh: jax.sharding.Mesh) -> None:
    """Raises InputError unless every device gets as many examples of every micro-batch of a batch of this size."""
    multiple = accumulate * shares(mesh)
    if size % multiple:
        times = f" times accumulate={accumulate}" if accumulate > 1 else ""
        devices, next_one = f"{shares(mesh)} devices{times}", -(-size // multiple) * multiple
        raise InputError(f"batch_size={size} is not divisible by {devices}; choose {next_one}, or fewer devices")


def replicated(mesh: jax.sharding.Mesh) -> NamedSharding:
    """Returns the sharding in which every device holds the whole array."""
    return NamedSharding(mesh, PartitionSpec())


def over_batch(mesh: jax.sharding.Mesh) -> NamedSharding:
    """Returns the sharding in which every device holds its share of the first axis."""
    return NamedSharding(mesh, PartitionSpec(BATCH))


def over_state(abstract, mesh: jax.sharding.Mesh, model):
    """Returns the same tree of shapes, each with its sharding. A model's net may say in `tensor_axes` of an array, by how its
    dotted path ends, which of its axes lies along `tensor`."""
    tensor_axes = declared(model).tensor_axes or {}

    def placed(path, leaf):
        name = "." + jax.tree_util.keystr(path, simple=True, separator=".")
        wide = next((axis for end, axis in tensor_axes.items() if name.endswith(f".{end}")), None)
        spec = _state_spec(leaf.shape, wide, mesh.shape["fsdp"], mesh.shape[TENSOR])
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=NamedSharding(mesh, spec))

    return jax.tree_util.tree_map_with_path(placed, abstract)


def on_one_device(abstract):
    """Returns the same tree of shapes, each on the first device of this process."""
    sharding = SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), abstract)


def local_rows(batch_size: int, mesh: jax.sharding.Mesh) -> np.ndarray:
    """Returns the places in a global batch of this size that this process's devices hold, in rising order."""
    places = over_batch(mesh).addressable_devices_indices_map((batch_size,)).values()
    return np.unique(np.concatenate([np.arange(batch_size)[index] for index in places]))


def place_batch(batch, mesh: jax.sharding.Mesh):
    """Makes of this process's rows of a batch, a tree of NumPy arrays [rows, ...], global arrays [B, ...] over the batch."""
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(over_batch(mesh), x), batch)


def place_padded(batch, mesh: jax.sharding.Mesh):
    """Places a whole batch of any size, the same on every process: one that cannot be shared equally is filled up with its last
    example."""

    def place(x):
        x = np.pad(x, [(0, -len(x) % shares(mesh)), *[(0, 0)] * (x.ndim - 1)], "edge")
        return jax.make_array_from_callback(x.shape, over_batch(mesh), lambda index: x[index])

    return jax.tree.map(place, batch)


def to_host(x) -> np.ndarray:
    """Returns the whole array, on every process. Every process must call it."""
    return np.asarray(x) if x.is_fully_addressable or x.is_fully_replicated else process_allgather(x, tiled=True)


def _state_spec(shape, wide: int | None, fsdp: int, tensor: int) -> PartitionSpec:
    axes: list[str | None] = [None] * len(shape)
    if int(np.prod(shape)) < SMALLEST:
        return PartitionSpec()
    # Of what Adafactor remembers some has fewer axes than its array.
    if wide is not None and tensor > 1 and -len(shape) <= wide < len(shape) and shape[wide] % tensor == 0:
        axes[wide] = TENSOR
    free = [axis for axis, name in enumerate(axes) if name is None and shape[axis] % fsdp == 0]
    if fsdp > 1 and free:
        axes[max(free, key=lambda axis: shape[axis])] = "fsdp"
    return PartitionSpec(*axes)
