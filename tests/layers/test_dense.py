"""layers/dense.py: the gradients that `conv` has of its own."""

import jax
import jax.numpy as jnp
import numpy as np

from arjax.layers.dense import conv


def test_conv_has_the_gradients_of_a_double_loop_at_every_stride():
    rng = np.random.default_rng(0)
    for stride, (rows, columns) in ((1, (2, 3)), (2, (2, 3)), (1, (1, 1))):
        h, w = rng.standard_normal((2, 4, 6, 3)), rng.standard_normal((rows, columns, 3, 5))
        padding = ((rows - 1, 0), (columns // 2, columns - 1 - columns // 2))
        g = rng.standard_normal((2, 4 // stride, 6 // stride, 5))
        padded = np.pad(h, ((0, 0), *padding, (0, 0)))
        of_h, of_w = np.zeros_like(padded), np.zeros_like(w)
        for i, j in np.ndindex(g.shape[1:3]):
            window = np.s_[:, i * stride : i * stride + rows, j * stride : j * stride + columns]
            of_w += np.einsum("brsc,bg->rscg", padded[window], g[:, i, j])
            of_h[window] += np.einsum("rscg,bg->brsc", w, g[:, i, j])
        (above, _), (left, _) = padding
        of_h = of_h[:, above:, left : left + h.shape[2]]

        def loss(h, w, padding=padding, stride=stride, g=g):
            return jnp.sum(conv(h, w, jnp.zeros(5), padding, stride) * g)

        found = jax.grad(loss, (0, 1))(jnp.float32(h), jnp.float32(w))
        for one, other in zip(found, (of_h, of_w), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_conv_is_differentiated_forwards_twice_and_for_many_weights():
    h, w, dw = (jax.random.normal(jax.random.key(i), shape) for i, shape in enumerate([(2, 4, 4, 2), *[(2, 3, 2, 2)] * 2]))
    padding, axes = ((1, 0), (1, 1)), ("NHWC", "HWIO", "NHWC")

    def ours(w):
        return jnp.sum(jnp.sin(conv(h, w, jnp.zeros(2), padding)))

    def plain(w):
        return jnp.sum(jnp.sin(jax.lax.conv_general_dilated(h, w, (1, 1), padding, dimension_numbers=axes)))

    def measured(f):
        return jax.jit(lambda w, dw: (jax.jvp(jax.grad(f), (w,), (dw,)), jax.vmap(jax.grad(f))(jnp.stack([w, dw]))))(w, dw)

    for one, other in zip(jax.tree.leaves(measured(ours)), jax.tree.leaves(measured(plain)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
