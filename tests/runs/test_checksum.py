import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from arjax.runs.checksum import checksums
from arjax.training import Mesh


def tree():
    rng = np.random.default_rng(0)
    return {
        "params": {"w": jnp.asarray(rng.normal(size=(16, 24)), jnp.float32), "b": jnp.zeros(24)},
        "half": jnp.asarray(rng.normal(size=(8, 3)), jnp.bfloat16),
        "step": jnp.int32(7),
        "used": jnp.asarray([True, False]),
        "state": (),
    }


def test_every_part_has_one_and_an_empty_one_none():
    sums = checksums(tree())
    assert set(sums) == {"params", "half", "step", "used"}
    assert all(len(value) == 16 and set(value) <= set("0123456789abcdef") for value in sums.values())


def test_any_flipped_bit_changes_it():
    before, rng = checksums(tree()), np.random.default_rng(1)
    for name, bits in (("params", np.uint32), ("half", np.uint16), ("step", np.uint32)):
        for _ in range(20):
            changed = tree()
            part = changed[name]["w"] if name == "params" else changed[name]
            raw = np.array(part).reshape(-1).view(bits)
            raw[rng.integers(raw.size)] ^= bits(1 << int(rng.integers(8 * raw.itemsize)))
            part = jnp.asarray(raw.view(part.dtype).reshape(part.shape))
            changed[name] = changed[name] | {"w": part} if name == "params" else part
            after = checksums(changed)
            assert after[name] != before[name]
            assert {key: value for key, value in after.items() if key != name} == {
                key: value for key, value in before.items() if key != name
            }


def test_elements_and_arrays_that_changed_places_change_it():
    a, b = jnp.arange(6.0).reshape(2, 3), jnp.arange(6.0, 12.0).reshape(2, 3)
    one = checksums({"p": [a, b]})["p"]
    assert one != checksums({"p": [b, a]})["p"]
    assert one != checksums({"p": [a[::-1], b]})["p"]
    assert one != checksums({"p": [a[:, ::-1], b]})["p"]


def test_it_does_not_depend_on_the_mesh():
    x, mesh = tree(), Mesh(data=2, fsdp=4).build()
    spread = jax.device_put(x["params"]["w"], NamedSharding(mesh, PartitionSpec("data", "fsdp")))
    assert checksums({"w": spread}) == checksums({"w": x["params"]["w"]})


def test_what_was_not_read_has_none():
    assert set(checksums({"params": {"w": ...}, "step": jnp.int32(1)})) == {"step"}
