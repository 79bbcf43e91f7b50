"""What tests of nets share: passes and steps in generation order, each one program a model; what each site sees."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from arjax.orders import inverse
from arjax.testing import lively_params, random_cond
from arjax.testing.cases import random_symbols


def float64(params):
    """The parameters as an oracle of NumPy reads them."""
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)


@functools.partial(jax.jit, static_argnames="model")
def passed(model, params, x, order, cond=None, key=None):
    """theta [B, T, P] of x [B, T, *E] in generation order."""
    return model.apply(params, x, order, cond, key=key)


@functools.partial(jax.jit, static_argnames=("model", "known"))
def stepped(model, params, x, order, cond=None, known=0):
    """theta [B, T - known, P] by `step`, from `known` sites on after a prefill; x [B, T, *E] in generation order."""

    def body(cache, t):
        return model.apply(params, cache, x[:, jnp.maximum(t - 1, 0)], t, order, cond, method="step")

    cache = model.apply(params, len(x), order, cond, method="init_cache")
    if known:
        cache = model.apply(params, cache, x[:, :known], known, order, cond, method="prefill")
    return jnp.moveaxis(jax.lax.scan(body, cache, jnp.arange(known, x.shape[1]))[1], 0, 1)


def check_steps(model, params, x, order, cond=None, rtol=1e-5):
    """Asserts that steps give what one pass does."""
    theta = passed(model, params, x, order, cond)
    np.testing.assert_allclose(stepped(model, params, x, order, cond), theta, atol=rtol * np.abs(theta).max())


def check_loops(model, by_loops, batch, tolerance=2e-5):
    """Asserts that a pass gives by_loops(model, params, x, order, label, local) for each example, in float64, and that steps give
    what the pass does."""
    key = jax.random.key(0)
    params, order = lively_params(model, key), model.permutation
    x, cond = random_symbols(model, key, batch), random_cond(model, key, batch)
    theta, p = passed(model, params, x, jnp.asarray(order), cond), float64(params)
    for b in range(batch):
        label, local = (None if leaf is None else np.asarray(leaf[b]) for leaf in (cond.label, cond.local))
        expected = by_loops(model, p, np.asarray(x[b]), order, label, local)
        np.testing.assert_allclose(theta[b], expected, rtol=tolerance, atol=tolerance)
    check_steps(model, params, x, jnp.asarray(order), cond)


@functools.partial(jax.jit, static_argnames="model")
def _moved(model, params, x, tangents, order, cond):
    return jax.jvp(lambda x: model.apply(params, x, order, cond), (x,), (tangents,))[1]


def seen(model, params, order=None, cond=None, tries=1):
    """[T, T] bool, in generation order: does theta at t (row) move with the real value at s (column)? A derivative that is not
    exactly zero at one of `tries` x at least; a unit may be silent at one of them."""
    sites = model.num_sites
    x = np.random.default_rng(1).normal(size=(tries * sites, sites)).astype(np.float32)
    tangents = np.tile(np.eye(sites, dtype=np.float32), (tries, 1))
    moved = _moved(model, params, x, tangents, jnp.asarray(model.permutation if order is None else order), cond)
    return (np.asarray(moved).reshape(tries, sites, sites, -1) != 0).any(axis=(0, 3)).T


def seen_by_taps(order, shape, kernels):
    """[T, T] bool: which pixels are seen through a strict convolution and then others, by following every tap that leads to a
    pixel generated before, or after the first to the same."""
    rank = inverse(order).reshape(shape)
    seen = {pixel: {pixel} for pixel in np.ndindex(shape)}
    for layer, kernel in enumerate(kernels):
        reach, below = kernel // 2, {}
        for i, j in seen:
            taps = [(i + r, j + s) for r in range(-reach, reach + 1) for s in range(-reach, reach + 1)]
            before = [tap for tap in taps if tap in seen and (rank[tap] < rank[i, j] or (layer and tap == (i, j)))]
            below[i, j] = set().union(*(seen[tap] for tap in before))
        seen = below
    table = np.zeros((rank.size, rank.size), bool)
    for pixel, pixels in seen.items():
        for other in pixels:
            table[rank[pixel], rank[other]] = True
    return table
