"""What a net computes in. Its parameters are float32 whatever that is, and cast where they are used.

A layer computes in the type of what it is given. A net casts what it gives to a layer to its `dtype`, and adds what comes back to
a stream that is float32; so is what it normalises, and theta.
"""

from typing import Literal

import jax.numpy as jnp

DtypeName = Literal["float32", "bfloat16"]


def product(h, w, dtype: DtypeName):
    """h [..., D], w [D, G] -> h w [..., G] float32: factors in `dtype`, sums in float32, and so what theta is made by."""
    return jnp.matmul(h.astype(dtype), w.astype(dtype), preferred_element_type=jnp.float32)
