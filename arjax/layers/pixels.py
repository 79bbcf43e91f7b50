"""How pixels enter a net: as numbers from -1 to 1, or as learned vectors."""

import jax.numpy as jnp

from arjax.errors import InputError
from arjax.protocol import Spec


def check_embedding(model) -> None:
    """InputError where the model's net embeds real values."""
    if model.net.embedding and model.head.vocab is None:
        raise InputError(f"embedding={model.net.embedding} needs symbols, but the head's values are real; choose embedding=None")


def pixel_features(x, spec: Spec, table=None):
    """x [..., *E] -> [..., F] float32: a real value as itself, a symbol as a number from -1, the lowest, to 1, the highest, or
    with a table [V, width] its row; those of a symbol's several values side by side."""
    if table is not None:
        features = table[x]
    elif spec.vocab is None:
        features = x.astype(jnp.float32)
    else:
        features = 2 * x.astype(jnp.float32) / max(spec.vocab - 1, 1) - 1
    return features.reshape(*x.shape[: x.ndim - len(spec.event)], -1)
