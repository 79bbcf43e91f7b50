"""The mesh of devices: the state replicated, the batch split along `data`. The same code runs on one device and on many."""

import dataclasses

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec


@dataclasses.dataclass(frozen=True)
class Mesh:
    """`data` devices share every batch; -1 takes all there are."""

    data: int = -1

    def __post_init__(self):
        if self.data != -1 and self.data < 1:
            raise ValueError(f"Mesh(data={self.data}) must be at least 1; choose -1 for all devices")

    def build(self) -> jax.sharding.Mesh:
        """The mesh over the first `data` devices. ValueError if there are fewer."""
        devices = jax.devices()
        count = len(devices) if self.data == -1 else self.data
        if count > len(devices):
            raise ValueError(
                f"Mesh(data={count}) asks for more devices than there are ({len(devices)}); choose fewer, or -1 for all"
            )
        return jax.make_mesh((count,), ("data",), axis_types=(AxisType.Auto,), devices=devices[:count])


def check_batch(name: str, size: int, accumulate: int, mesh: jax.sharding.Mesh) -> None:
    """ValueError unless every device gets as many examples of every micro-batch; `name` is the size's name."""
    if size % (accumulate * mesh.size):
        times = f" times accumulate={accumulate}" if accumulate > 1 else ""
        multiple = -(-size // (accumulate * mesh.size)) * accumulate * mesh.size
        raise ValueError(f"{name}={size} is not divisible by {mesh.size} devices{times}; choose {multiple}, or fewer devices")


def replicated(mesh: jax.sharding.Mesh) -> NamedSharding:
    """Every device holds the whole array."""
    return NamedSharding(mesh, PartitionSpec())


def place_batch(batch, mesh: jax.sharding.Mesh):
    """This process's share of a batch, a tree of NumPy arrays [B / processes, ...], as global arrays [B, ...] along `data`."""
    sharding = NamedSharding(mesh, PartitionSpec("data"))
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(sharding, x), batch)


def place_padded(batch, mesh: jax.sharding.Mesh):
    """As `place_batch` for batches of any size: one that cannot be shared equally is filled up with its last example."""
    return place_batch(
        jax.tree.map(lambda x: np.pad(x, [(0, -len(x) % mesh.size), *[(0, 0)] * (x.ndim - 1)], "edge"), batch), mesh
    )
