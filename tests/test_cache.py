"""The ring buffer against a list that grows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.cache import init_ring, read_ring, write_ring


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_a_ring_remembers_what_a_growing_list_does(slots):
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
def test_what_a_ring_does_not_hold_is_refused(lag):
    with pytest.raises(ValueError, match=rf"lag={lag} is not in 0\.\.2, all that a ring of 3 slots holds; make it longer"):
        read_ring(init_ring(3, 1, 1), jnp.int32(0), lag)
