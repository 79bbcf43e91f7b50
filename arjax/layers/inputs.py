"""How data enter a net: symbols one step late, pixels, labels, local features."""

import math

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from arjax.protocol import Spec


def start(x, t):
    """Returns x [B, ...] after the start, and zeros of the same shape at t = 0, where there is no symbol t-1. `t` is traced."""
    return jnp.where(t == 0, jnp.zeros_like(x), x)


def shift(x):
    """Returns [B, T, ...]: at t what x has at t-1, zeros at t = 0."""
    return jnp.concatenate([jnp.zeros_like(x[:, :1]), x[:, :-1]], axis=1)


def enter(x, w, event: tuple[int, ...]):
    """Returns W e(x), where e(x) is one-hot or the number itself, without ever making a one-hot vector.

    x [..., *E], w [C, V, G] -> [..., G]: the sum over a symbol's C values of the row that w has for each, looked up; or with
    w [C, 1, G], where a bit or a real value enters as itself, of w times the value.
    """
    x = x.reshape(*x.shape[: x.ndim - len(event)], len(w))
    if w.shape[1] == 1:
        return x.astype(jnp.float32) @ w[:, 0]
    return sum(rows[x[..., c]] for c, rows in enumerate(w))


def pixel_features(x, spec: Spec | None, dtype, table=None, *, ones: bool = False):
    """Returns the features [..., F] by which pixels x [..., *E] enter: a real value as itself, a symbol as a number from -1, the
    lowest, to 1, the highest, or with a table [V, width] its row; those of a symbol's several values side by side.

    ones: one more feature that is 1, and tells what is known from the zeros around it.
    """
    if table is not None:
        features = table[x]
    elif spec.vocab is None:
        features = x.astype(jnp.float32)
    else:
        features = 2 * x.astype(jnp.float32) / max(spec.vocab - 1, 1) - 1
    # Not a reshape to -1, here and in the nets: of no examples that has no answer.
    width = pixel_width(spec, None if table is None else table.shape[1])
    features = features.reshape(*x.shape[: x.ndim - len(spec.event)], width).astype(dtype)
    return jnp.concatenate([features, jnp.ones_like(features[..., :1])], axis=-1) if ones else features


def pixel_maps(features, spec: Spec | None):
    """Returns the features [B, T, F] of data in raster order as maps [B, H, W, the features of a pixel's sites side by side]."""
    height, width = spec.sites[:2]
    return features.reshape(len(features), height, width, features.shape[1] // (height * width) * features.shape[2])


def pixel_width(spec: Spec | None, embedding: int | None) -> int:
    """Returns F, the features of a pixel but for the one."""
    return math.prod(spec.event) * (embedding or 1)


def embedding_table(net):
    """Returns the net's parameter `table` [V, embedding], None for a net that embeds nothing."""
    return net.param("table", nn.initializers.normal(1.0), (net.spec.vocab, net.embedding)) if net.embedding else None


def label_table(net, *shape: int, name: str = "label_b"):
    """Returns the net's parameter of this name [classes, *shape]; zeros [1, *shape] where there are no labels."""
    classes = net.spec.cond.classes
    return net.param(name, nn.initializers.zeros, (classes, *shape)) if classes else jnp.zeros((1, *shape))


def label_bias(table, cond, spec: Spec | None, dtype=jnp.float32):
    """Returns the rows of a `label_table` for the labels of a condition: [B or 1, *shape]."""
    return (table[cond.label] if spec.cond.classes else table).astype(dtype)


def upsample(
    local: Float[Array, "B *frames F"], w: Float[Array, "hop F D"], order: Integer[Array, " T"]
) -> Float[Array, "B T D"]:
    """Returns local features brought to the sites: at t those of site order[t], in the type of `local`.

    A transposed convolution whose kernel is as long as its stride, so that each of the `hop` sites of a frame has a linear map
    of its own (van den Oord et al. 2016, section 2.5). Those of a last frame that reaches beyond the data are not used.
    """
    frames = local.reshape(len(local), -1, local.shape[-1])
    sites = jnp.einsum("bnf,hfd->bnhd", frames, w.astype(frames.dtype))
    return sites.reshape(len(local), -1, w.shape[-1])[:, order]
