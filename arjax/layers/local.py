"""Local features: a vector that comes with every site, or with every few, brought to the sites in generation order."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Integer


def upsample(
    local: Float[Array, "B *frames F"], w: Float[Array, "hop F D"], order: Integer[Array, " T"]
) -> Float[Array, "B T D"]:
    """A transposed convolution whose kernel is as long as its stride, so that each of the `hop` sites of a frame has a linear
    map of its own (van den Oord et al. 2016, section 2.5). [B, T, D]: at t the features of site order[t]; those of a last
    frame that reaches beyond the data are not used. All in the type of `local`."""
    frames = local.reshape(len(local), -1, local.shape[-1])
    sites = jnp.einsum("bnf,hfd->bnhd", frames, w.astype(frames.dtype))
    return sites.reshape(len(local), -1, w.shape[-1])[:, order]
