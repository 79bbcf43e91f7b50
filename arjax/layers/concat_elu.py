"""Concat-ELU: a nonlinearity that keeps what elu loses (Salimans et al. 2017, section 3; Shang et al. 2016)."""

import jax
import jax.numpy as jnp


def concat_elu(h):
    """[..., D] -> [..., 2 D]: elu of h and of -h. Zeros stay zeros, so that what is not known yet still is not."""
    return jax.nn.elu(jnp.concatenate([h, -h], axis=-1))
