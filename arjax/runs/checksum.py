"""What tells a state that came back as it was from one that did not: a sum over all bits, taken on the devices.

    sum_i bits_i m_i  mod 2^32,   m_i odd and unlike its neighbours, for two sequences m

Flipping any one bit changes it for certain, whatever else with a chance of 2^-64 to stay unseen. Sums of integers do not depend
on their order: the same state has the same sum on every mesh.
"""

import jax
import jax.numpy as jnp


def checksums(tree) -> dict[str, str]:
    """Of each part at the top of the tree, by its name, 16 hexadecimal digits. Waits for the arrays. A part with a leaf `...`,
    which was not read, has none; nor has an empty one."""
    parts = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        parts.setdefault(jax.tree_util.keystr(path[:1], simple=True), []).append(leaf)
    known = {name: leaves for name, leaves in parts.items() if all(leaf is not ... for leaf in leaves)}
    return {name: "".join(f"{int(word):08x}" for word in words) for name, words in jax.device_get(_sums(known)).items()}


@jax.jit
def _sums(parts):
    return {name: sum(map(_sum, leaves, range(len(leaves)))) for name, leaves in parts.items()}


def _sum(leaf, place: int):
    """[2] uint32 of one array. `place`: among the leaves, so that two that changed places are found."""
    bits = _bits(jnp.asarray(leaf))
    at = jnp.full(bits.shape, place * 0x9E3779B1 % 2**32, jnp.uint32)
    for axis, size in enumerate(bits.shape):
        at = at * jnp.uint32(size) + jax.lax.broadcasted_iota(jnp.uint32, bits.shape, axis)
    return jnp.stack([(bits * (2 * _mixed(at, seed) + 1)).sum(dtype=jnp.uint32) for seed in (0x85EBCA77, 0xC2B2AE3D)])


def _bits(leaf):
    """The array's bits as uint32, an axis more where an element has more of them."""
    if leaf.dtype == bool:
        return leaf.astype(jnp.uint32)
    size = leaf.dtype.itemsize
    words = jnp.dtype(f"uint{8 * min(size, 4)}")
    return jax.lax.bitcast_convert_type(leaf, words).astype(jnp.uint32)


def _mixed(at, seed: int):
    at = (at ^ (at >> 16)) * jnp.uint32(seed)
    return at ^ (at >> 13)
