"""What a net looks at, measured: the derivative of theta at one site, or at all, by every value of the data; or, of any head, how
far theta moves as a symbol is changed."""

import functools

import jax
import numpy as np

from arjax.errors import InputError
from arjax.likelihood import theta
from arjax.orders import inverse
from arjax.protocol import Cond, Model
from arjax.testing.cases import another_symbol, generator, random_cond, repeat_cond, split


def dependence(model: Model, params, site: tuple[int, ...], key) -> np.ndarray:
    """[*site_shape]: how far theta at `site` moves with the value at each, the sum of the derivatives' absolute values over theta
    and the values of a symbol, at random data. Exactly 0 where it does not depend on it.

    InputError for a head of symbols, which have no derivative, and for a site outside the data.
    """
    _require_derivative(model)
    if len(site) != len(model.site_shape) or not all(0 <= i < size for i, size in zip(site, model.site_shape, strict=True)):
        raise InputError(f"site={site} is outside the data of shape {model.site_shape}; choose one inside")
    x, cond = _random_data(model, key)
    t = inverse(model.permutation)[np.ravel_multi_index(site, model.site_shape)]
    jacobian = np.asarray(_jacobian_of_one(model, params, x, cond, t))
    return np.abs(jacobian).sum(axis=0).reshape(*model.site_shape, -1).sum(axis=-1)


def dependences(model: Model, params, key) -> np.ndarray:
    """[T, T]: row s is what `dependence` gives at site s; rows and columns are sites in row-major order, whatever the model's.

    InputError for a head of symbols, which have no derivative.
    """
    _require_derivative(model)
    x, cond = _random_data(model, key)
    sums = np.abs(_jacobian_of_all(model, params, x, cond)).sum(axis=1)
    return sums.reshape(model.num_sites, model.num_sites, -1).sum(axis=-1)[inverse(model.permutation)]


def influences(model: Model, params, x, cond: Cond | None = None, at_once: int = 64) -> np.ndarray:
    """[T, T]: row s is how far theta at site s moves, at most, as the symbol at each site becomes another; rows and columns are
    sites in row-major order. Exactly 0 where it does not depend on it.

    x: one example [1, *site_shape, *E]. cond: its condition. at_once: examples in a pass; T passes are made in all, of one each.
    """
    shape, sites = (model.num_sites, *model.head.event_shape), np.arange(model.num_sites)
    plain = np.repeat(np.asarray(x).reshape(1, *shape), at_once, axis=0)
    cond = None if cond is None else repeat_cond(cond, at_once)

    def thetas(symbols):
        return np.asarray(theta(model, params, symbols.reshape(at_once, *model.site_shape, *shape[1:]), cond=cond), np.float64)

    before, moved = thetas(plain), np.zeros((model.num_sites, model.num_sites))
    for start in range(0, model.num_sites, at_once):
        changed, some = plain.copy(), sites[start : start + at_once]
        rows = np.arange(len(some))
        changed[rows, some] = another_symbol(model, changed[rows, some])
        moved[:, some] = np.abs(thetas(changed) - before).max(axis=-1)[rows].T
    return moved[inverse(model.permutation)]


# Parameters enter as arguments: as constants, each draw of them would be compiled anew.
@functools.partial(jax.jit, static_argnames="model")
def _jacobian_of_one(model, params, x, cond, t):
    """[P, 1, *site_shape, *E]: the derivative of the theta generated t-th by x."""
    return jax.jacrev(lambda x: theta(model, params, x, cond=cond)[0, t])(x)


@functools.partial(jax.jit, static_argnames="model")
def _jacobian_of_all(model, params, x, cond):
    """[T, P, 1, *site_shape, *E]: the derivative of every theta, in generation order, by x."""
    # Forward mode takes fewer passes than there are thetas; of 192 in reverse at once, XLA on CPU (JAX 0.10.2) mixes some up.
    return jax.jacfwd(lambda x: theta(model, params, x, cond=cond)[0])(x)


def _require_derivative(model):
    if model.head.vocab is not None:
        raise InputError(f"{model.head} models symbols, which have no derivative; choose a head of real values")


def _random_data(model, key):
    x_key, cond_key = split(key, 2)
    x = generator(x_key).standard_normal((1, *model.site_shape, *model.head.event_shape), np.float32)
    return x, random_cond(model, cond_key, 1)
