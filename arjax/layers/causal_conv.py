"""Dilated causal convolution along time (van den Oord et al. 2016, section 2.1), for all sites and for one.

    y_t = sum_j W_j h_{t - (kernel - 1 - j) dilation},   zeros in place of h_t for t < 0

W [kernel, D, G] has the present last. All taps lie side by side in one matrix product, which on a CPU is about as fast as
XLA's convolution, forwards and backwards, and a step is the same product over the taps that a ring remembers (Le Paine et al.
2016). All is computed in the type of h.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from arjax.cache import init_ring, read_ring, write_ring
from arjax.layers.dense import matmul


def causal_conv(h: Float[Array, "B T D"], w: Float[Array, "kernel D G"], dilation: int) -> Float[Array, "B T G"]:
    """y at every site."""
    return _product([_delay(h, lag) for lag in _lags(len(w), dilation)] + [h], w)


def causal_conv_ring(kernel: int, dilation: int, batch: int, width: int, dtype=jnp.float32) -> Float[Array, "slots B D"]:
    """What `causal_conv_step` needs to remember, before the start: (kernel - 1) dilation + 1 slots."""
    return init_ring((kernel - 1) * dilation + 1, batch, width, dtype)


def causal_conv_step(
    ring: Float[Array, "slots B D"], h: Float[Array, "B D"], t: Int[Array, ""], w: Float[Array, "kernel D G"], dilation: int
) -> tuple[Float[Array, "slots B D"], Float[Array, "B G"]]:
    """h_t -> (the ring that remembers it, y_t)."""
    ring = write_ring(ring, h, t)
    return ring, _product([read_ring(ring, t, lag) for lag in _lags(len(w), dilation)] + [h], w)


def _lags(kernel, dilation):
    """How far back the taps before the present reach, the oldest first."""
    return [j * dilation for j in range(kernel - 1, 0, -1)]


def _delay(h, lag):
    """[B, T, D] -> [B, T, D]: at t what h has at t - lag, zeros before the start."""
    lag = min(lag, h.shape[1])
    return jnp.pad(h, ((0, 0), (lag, 0), (0, 0)))[:, : h.shape[1]]


def _product(taps, w):
    h = jnp.concatenate(taps, axis=-1)
    return matmul(h, w.reshape(-1, w.shape[-1]))
