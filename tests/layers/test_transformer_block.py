"""What a block computes at each site alone: its normalisation and its activation."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.layers.transformer_block import ACTIVATIONS, EPSILON, LayerNorm


def test_layer_norm_and_its_derivatives_are_those_of_flax():
    rng = np.random.default_rng(0)
    h, change, scale, bias = (rng.standard_normal(shape).astype(np.float32) for shape in ((2, 3, 8), (2, 3, 8), (8,), (8,)))
    params = {"params": {"scale": scale, "bias": bias}}

    @jax.jit
    def derivatives(params, h):
        found = []
        for norm in (LayerNorm(), nn.LayerNorm(EPSILON, use_fast_variance=False)):

            def loss(params, h, norm=norm):
                return jnp.sin(norm.apply(params, h)).sum()

            forward = jax.jvp(norm.apply, (params, h), (params, change))
            second = jax.jvp(jax.grad(loss, argnums=1), (params, h), (params, change))
            found.append((forward, second, jax.vmap(jax.grad(loss), (None, 0))(params, h[:, None])))
        return found

    ours, theirs = derivatives(params, 3 * h + 2)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), ours, theirs)
    np.testing.assert_array_equal(LayerNorm().init(jax.random.key(0), h)["params"]["scale"], np.ones(8))


@pytest.mark.parametrize(("dtype", "rounding"), [("float32", 2e-7), ("bfloat16", 8e-3)])
def test_gelu_is_h_times_the_normal_distribution_in_float64(dtype, rounding):
    h = jnp.linspace(-9, 9, 1801).astype(dtype)
    exact = [value * (1 + math.erf(value / math.sqrt(2))) / 2 for value in np.asarray(h, np.float64)]
    y = ACTIVATIONS["gelu"](h)
    assert y.dtype == h.dtype
    assert (np.abs(np.asarray(y, np.float64) - exact) <= rounding * np.maximum(np.abs(h.astype(jnp.float32)), 1)).all()
