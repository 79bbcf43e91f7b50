"""Vector quantization (van den Oord, Vinyals, Kavukcuoglu 2017): the nearest of K codes e_k stands for a vector h.

    token = argmin_k |h - e_k|^2                                                        (section 3.1, eq. 1 and 2)
    loss  = mean (stop(h) - e)^2 + commitment mean (h - stop(e))^2,   e = e_token       (section 3.2, eq. 3)

`Codebook` learns its codes from the first term, by gradient. `EMACodebook` does without it: a code is the mean of the vectors
that it stood for, in an exponential moving average over minibatches (appendix A.1),

    N_k <- decay N_k + (1 - decay) n_k,   m_k <- decay m_k + (1 - decay) sum of the n_k vectors h of code k,   e_k = m_k / N_k

Here n_k and the sums are divided by n / K, the uniform share of a minibatch of n vectors, which leaves e_k what it is and makes
N_k the `usage` of code k: 1 when all are used equally, at any batch size. Means are over vectors and components, as in the
authors' code in Sonnet; the paper sums.

A code that no vector is near would never move. As in Jukebox (Dhariwal et al. 2020, section 3.1) a code whose usage falls below
`revive` is put on a random vector of the minibatch, with a usage of 1. Usage starts at 0, so that the first minibatch puts
almost every code where the encoder's outputs are, whatever their scale. Here the others keep their code untouched.
"""

import dataclasses
import math
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from arjax.description import check_types
from arjax.errors import InputError


class Quantizer(Protocol):
    """Vectors to one of finitely many, named by an integer, inside of a network that learns by gradient.

    A frozen dataclass. `params` is learned by gradient, `state` is not; both are dicts of float32 arrays, {} for nothing.
    Rounding has no gradient, so `quantize` lends it that of the identity: q = h + stop(lookup(nearest(h)) - h), the
    straight-through estimator (Bengio, Leonard, Courville 2013).
    """

    size: int
    """K, the number of codes; a token is 0..K-1."""
    width: int
    """D, the length of the vectors."""

    def init(self, key: jax.Array) -> tuple[Any, Any]:
        """Draws (params, state). Works under jit."""
        ...

    def nearest(self, params, state, h: jax.Array) -> jax.Array:
        """Returns the token of each vector h [..., D], int32 [...]."""
        ...

    def lookup(self, params, state, tokens: jax.Array) -> jax.Array:
        """Returns what stands for tokens [...], float32 [..., D]."""
        ...

    def quantize(self, params, state, h: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Returns lookup(nearest(h)) [..., D] of h [..., D], whose gradient reaches h straight through, the tokens [...], and the
        quantizer's own part [] of what is minimised."""
        ...

    def update(self, params, state, h: jax.Array, tokens: jax.Array, key: jax.Array) -> Any:
        """Returns the state after a minibatch h [..., D] that became these tokens [...]: what is learned, but not by gradient."""
        ...


def _check(codebook) -> None:
    check_types(codebook)
    if codebook.size < 1 or codebook.width < 1:
        raise InputError(f"size={codebook.size} and width={codebook.width} must be at least 1; choose positive numbers")
    if not 0 <= codebook.decay < 1:
        raise InputError(f"decay={codebook.decay} is not in [0, 1); choose what a moving average keeps at every step")
    if not 0 <= codebook.commitment < math.inf:
        raise InputError(f"commitment={codebook.commitment} must be finite and not negative; choose 0 for none")
    if not 0 <= codebook.revive < 1:
        raise InputError(f"revive={codebook.revive} is not in [0, 1); choose a part of the uniform share, 0 to revive no code")


@dataclasses.dataclass(frozen=True)
class EMACodebook:
    """A codebook that follows the means of what it stands for. All of it is `state`: codes and sums [K, D], usage [K]."""

    size: int = 512
    """The number of codes."""
    width: int = 64
    """Length of a code."""
    decay: float = 0.99
    """Decay of the moving averages."""
    commitment: float = 0.25
    """How much the encoder is drawn to its codes."""
    revive: float = 0.1
    """Usage, relative to an even share, below which a code is dead and is moved; 0 moves none."""

    __post_init__ = _check

    def init(self, key):
        """Draws ({}, {"codes", "sums", "usage"}); the codes are random, and used by nobody yet."""
        codes = _initial_codes(self, key)
        return {}, {"codes": codes, "sums": jnp.zeros_like(codes), "usage": jnp.zeros(self.size, jnp.float32)}

    def nearest(self, params, state, h):
        return _nearest(state["codes"], h)

    def lookup(self, params, state, tokens):
        return state["codes"][tokens]

    def quantize(self, params, state, h):
        tokens = self.nearest(params, state, h)
        codes = self.lookup(params, state, tokens)
        return _straight_through(h, codes), tokens, self.commitment * jnp.square(h - codes).mean()

    def update(self, params, state, h, tokens, key):
        h, share = jax.lax.stop_gradient(h).reshape(-1, self.width), self.size / tokens.size
        usage = _usage(self, state, tokens)
        sums = jnp.zeros_like(state["sums"]).at[tokens.ravel()].add(h * share)
        sums = self.decay * state["sums"] + (1 - self.decay) * sums
        # Without revival a usage can fade until its quotient is rounding only: such a code stays where it is.
        codes = jnp.where((usage > _FAINT)[:, None], sums / jnp.maximum(usage, _FAINT)[:, None], state["codes"])
        dead, restarts = (usage < self.revive)[:, None], _restarts(self, h, key)
        return {
            "codes": jnp.where(dead, restarts, codes),
            "sums": jnp.where(dead, restarts, sums),
            "usage": jnp.where(dead[:, 0], 1, usage),
        }


@dataclasses.dataclass(frozen=True)
class Codebook:
    """A codebook learned by gradient: codes = params["codes"] + state["offset"], both [K, D].

    Only the optimizer changes `params`; the offset is where revival moves a code, measured from `params` as they are then: train
    it with ema=0, so that it is evaluated with these. `state["usage"]` is [K].
    """

    size: int = 512
    """The number of codes."""
    width: int = 64
    """Length of a code."""
    decay: float = 0.99
    """Decay of the moving average of usage."""
    commitment: float = 0.25
    """How much the encoder is drawn to its codes."""
    revive: float = 0.1
    """Usage, relative to an even share, below which a code is dead and is moved; 0 moves none."""

    __post_init__ = _check

    def init(self, key):
        """Draws ({"codes"}, {"offset", "usage"})."""
        codes = _initial_codes(self, key)
        return {"codes": codes}, {"offset": jnp.zeros_like(codes), "usage": jnp.zeros(self.size, jnp.float32)}

    def nearest(self, params, state, h):
        return _nearest(params["codes"] + state["offset"], h)

    def lookup(self, params, state, tokens):
        return (params["codes"] + state["offset"])[tokens]

    def quantize(self, params, state, h):
        tokens = self.nearest(params, state, h)
        codes, stop = self.lookup(params, state, tokens), jax.lax.stop_gradient
        loss = jnp.square(stop(h) - codes).mean() + self.commitment * jnp.square(h - stop(codes)).mean()
        return _straight_through(h, codes), tokens, loss

    def update(self, params, state, h, tokens, key):
        usage, h = _usage(self, state, tokens), jax.lax.stop_gradient(h).reshape(-1, self.width)
        dead = usage < self.revive
        offset = _restarts(self, h, key) - jax.lax.stop_gradient(params["codes"])
        return {"offset": jnp.where(dead[:, None], offset, state["offset"]), "usage": jnp.where(dead, 1, usage)}


_FAINT = 1e-6


def _initial_codes(codebook, key):
    """[K, D] random vectors of a length of about 1."""
    return jax.random.normal(key, (codebook.size, codebook.width), jnp.float32) / math.sqrt(codebook.width)


def _nearest(codes, h):
    """|h - e|^2 = |h|^2 - 2 h e + |e|^2 by one matrix product; |h|^2 is the same for every code, and left out."""
    flat = jax.lax.stop_gradient(h).reshape(-1, h.shape[-1])
    # In full precision: accelerators would multiply in fewer bits, and a near tie would depend on the machine.
    products = jnp.matmul(flat, codes.T, precision="highest")
    distances = jnp.square(codes).sum(axis=1)[None] - 2 * products
    return jnp.argmin(distances, axis=1).astype(jnp.int32).reshape(h.shape[:-1])


def _straight_through(h, codes):
    return h + jax.lax.stop_gradient(codes - h)


def _usage(codebook, state, tokens):
    """[K]: the moving average of how often each code was used, relative to the uniform share."""
    now = jnp.zeros_like(state["usage"]).at[tokens.ravel()].add(codebook.size / tokens.size)
    return codebook.decay * state["usage"] + (1 - codebook.decay) * now


def _restarts(codebook, h, key):
    """h [n, D] -> [K, D]: random vectors of the minibatch, all different if there are as many."""
    return h[jax.random.permutation(key, len(h))[jnp.arange(codebook.size) % len(h)]]
