"""The ring buffer against a list that grows; keys and values against one array of all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.cache import init_key_value, init_ring, read_ring, write_key_value, write_key_values, write_ring


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_read_ring_finds_what_a_growing_list_remembers(slots):
    h = np.random.default_rng(0).normal(size=(13, 2, 3)).astype(np.float32)

    @jax.jit
    def run(h):
        def body(ring, inputs):
            t, now = inputs
            ring = write_ring(ring, now, t)
            return ring, jnp.stack([read_ring(ring, t, lag) for lag in range(slots)])

        return jax.lax.scan(body, init_ring(slots, 2, 3), (jnp.arange(len(h)), h))

    last, seen = run(h)
    assert last.shape == (slots, 2, 3)
    past = [np.zeros((2, 3), np.float32)] * slots
    for t in range(len(h)):
        past.append(h[t])
        for lag in range(slots):
            np.testing.assert_array_equal(seen[t, lag], past[-1 - lag])


@pytest.mark.parametrize("lag", [-1, 3])
def test_read_ring_refuses_what_the_ring_does_not_hold(lag):
    with pytest.raises(ValueError, match=rf"lag={lag} is not in 0\.\.2, all that a ring of 3 slots holds; make it longer"):
        read_ring(init_ring(3, 1, 1), jnp.int32(0), lag)


@pytest.mark.parametrize(("sites", "segment"), [(7, 7), (7, 3), (7, 1), (6, 3), (2, 32)])
def test_write_key_value_writes_where_it_says_whatever_the_segments(sites, segment):
    rows = np.random.default_rng(0).normal(size=(sites, 2, 2, 3, 4)).astype(np.float32)  # [S, key or value, B, N, K]
    cache = init_key_value(2, 3, sites, 4, segment)
    write = jax.jit(write_key_value)
    for t in range(sites):
        cache = write(cache, rows[t, 0], rows[t, 1], t)
        whole = np.where(np.arange(sites)[:, None, None, None, None] <= t, rows, 0)
        np.testing.assert_array_equal(np.concatenate(cache.keys, axis=2), whole[:, 0].transpose(1, 2, 0, 3))
        np.testing.assert_array_equal(np.concatenate(cache.values, axis=2), whole[:, 1].transpose(1, 2, 0, 3))


@pytest.mark.parametrize("first", [1, 3, 4, 7])
def test_write_key_values_writes_what_single_writes_do(first):
    rows = jax.random.normal(jax.random.key(0), (2, 2, first, 3, 4))  # [key or value, B, T, N, K]
    one_by_one = at_once = init_key_value(2, 3, 7, 4, 3)
    for t in range(first):
        one_by_one = write_key_value(one_by_one, rows[0, :, t], rows[1, :, t], t)
    for a, b in zip(jax.tree.leaves(write_key_values(at_once, *rows)), jax.tree.leaves(one_by_one), strict=True):
        np.testing.assert_array_equal(a, b)


def test_write_key_values_refuses_more_than_there_is_room_for():
    with pytest.raises(ValueError, match="8 sites do not fit into a cache of 7"):
        write_key_values(init_key_value(1, 1, 7, 2, 3), jnp.zeros((1, 8, 1, 2)), jnp.zeros((1, 8, 1, 2)))
