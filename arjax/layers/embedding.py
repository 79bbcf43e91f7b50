"""How symbols enter a net: W e(x), where e(x) is one-hot or the number itself, without ever making a one-hot vector."""

import jax.numpy as jnp


def enter(x, w, event: tuple[int, ...]):
    """x [..., *E], w [C, V, G] -> [..., G]: the sum over a symbol's C values of the row that w has for each, looked up; or with
    w [C, 1, G], where a bit or a real value enters as itself, of w times the value."""
    x = x.reshape(*x.shape[: x.ndim - len(event)], len(w))
    if w.shape[1] == 1:
        return x.astype(jnp.float32) @ w[:, 0]
    return sum(rows[x[..., c]] for c, rows in enumerate(w))
