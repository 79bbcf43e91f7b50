"""Causal convolution against loops over its equation, against XLA's own, and its step against itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.layers.causal_conv import causal_conv, causal_conv_ring, causal_conv_step
from arjax.layers.inputs import upsample

RNG = np.random.default_rng(0)


def by_loops(h, w, dilation):
    """[T, D], [kernel, D, G] -> [T, G] in float64."""
    y = np.zeros((len(h), w.shape[-1]))
    for t in range(len(h)):
        for j, tap in enumerate(w[::-1]):
            if t - j * dilation >= 0:
                y[t] += h[t - j * dilation] @ tap
    return y


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (2, 1), (2, 4), (3, 2), (3, 5), (2, 30)])
def test_causal_conv_and_its_step_are_the_sum_over_the_taps(kernel, dilation):
    h, w = (RNG.normal(size=shape).astype(np.float32) for shape in ((2, 11, 3), (kernel, 3, 4)))
    y = causal_conv(jnp.asarray(h), jnp.asarray(w), dilation)
    for b in range(2):
        np.testing.assert_allclose(y[b], by_loops(h[b].astype(np.float64), w.astype(np.float64), dilation), atol=1e-5)
    ring = causal_conv_ring(kernel, dilation, 2, 3)
    assert ring.shape == ((kernel - 1) * dilation + 1, 2, 3)
    _, stepped = jax.lax.scan(
        lambda ring, inputs: causal_conv_step(ring, inputs[1], inputs[0], jnp.asarray(w), dilation),
        ring,
        (jnp.arange(11), jnp.moveaxis(h, 1, 0)),
    )
    np.testing.assert_allclose(jnp.moveaxis(stepped, 0, 1), y, atol=1e-5)


def test_causal_conv_and_its_gradients_are_xlas():
    h, w = (jnp.asarray(RNG.normal(size=shape), jnp.float32) for shape in ((2, 9, 3), (3, 3, 4)))

    def theirs(h, w):
        return jax.lax.conv_general_dilated(h, w, (1,), [(4, 0)], rhs_dilation=(2,), dimension_numbers=("NWC", "WIO", "NWC"))

    for convolve in (theirs, lambda h, w: causal_conv(h, w, 2)):
        assert convolve(h, w).shape == (2, 9, 4)
    ours, expected = (
        jax.value_and_grad(lambda h, w, f=f: jnp.sin(f(h, w)).sum(), argnums=(0, 1))(h, w)
        for f in (lambda h, w: causal_conv(h, w, 2), theirs)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), ours, expected)


@pytest.mark.parametrize(("sites", "frames", "hop"), [((7,), (3,), 3), ((6,), (2,), 3), ((2, 3), (2, 3), 1)])
def test_upsample_gives_each_site_of_a_frame_a_map_of_its_own_and_follows_the_order(sites, frames, hop):
    local, w = (RNG.normal(size=shape).astype(np.float32) for shape in ((2, *frames, 4), (hop, 4, 5)))
    order = RNG.permutation(np.prod(sites))
    features = upsample(jnp.asarray(local), jnp.asarray(w), jnp.asarray(order))
    assert features.shape == (2, len(order), 5)
    for t, site in enumerate(order):
        expected = local.reshape(2, -1, 4)[:, site // hop] @ w[site % hop]
        np.testing.assert_allclose(features[:, t], expected, rtol=1e-5, atol=1e-5)
