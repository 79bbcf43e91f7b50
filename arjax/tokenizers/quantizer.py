"""What a quantizer is: vectors to one of finitely many, named by an integer, inside of a network that learns by gradient.

Rounding has no gradient, so `quantize` lends it that of the identity: q = h + stop(lookup(nearest(h)) - h), the straight-through
estimator (Bengio, Leonard, Courville 2013).
"""

from typing import Any, Protocol

import jax


class Quantizer(Protocol):
    """A frozen dataclass. `params` is learned by gradient, `state` is not; both are dicts of float32 arrays, {} for nothing."""

    size: int
    """K, the number of codes; a token is 0..K-1."""
    width: int
    """D, the length of the vectors."""

    def init(self, key: jax.Array) -> tuple[Any, Any]:
        """(params, state). Works under jit."""
        ...

    def nearest(self, params, state, h: jax.Array) -> jax.Array:
        """h [..., D] -> the token of each vector, int32 [...]."""
        ...

    def lookup(self, params, state, tokens: jax.Array) -> jax.Array:
        """Tokens [...] -> what stands for them, float32 [..., D]."""
        ...

    def quantize(self, params, state, h: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """h [..., D] -> (lookup(nearest(h)) [..., D], whose gradient reaches h straight through, the tokens [...], the
        quantizer's own part [] of what is minimised)."""
        ...

    def update(self, params, state, h: jax.Array, tokens: jax.Array, key: jax.Array) -> Any:
        """The state after a minibatch h [..., D] that became these tokens [...]: what is learned, but not by gradient."""
        ...
