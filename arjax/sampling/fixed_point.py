"""The fixed point of x = sample(theta(x), noise), by full passes over all sites at once.

    x <- sample(theta(x), noise)        until nothing changes: noise is one draw, the one of `ancestral`

x_t depends on x_<t alone, so that the system is triangular: there is one fixed point, the ancestral sample, and Jacobi's method
reaches it from anywhere (Song, Meng, Liao, Ermon 2021, algorithm 1; a forecast of Wiggers and Hoogeboom 2020 is where it
starts). How many passes it takes is told by how often a wrong guess of the sites before changes a symbol.

What is final is known without a pass to confirm it. Let all sites before f be final, and c >= f the first site that a pass
changed. Site f was drawn from final sites. As long as what was drawn there is what stood there, the same holds of the next one:
sites f to c are all final now. So every pass settles at least one site, T passes settle all, and often the last settles many.

XLA draws the noise before the loop over passes, since nothing in it changes there; docs/fixed_point.md has the figures.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Shaped

from arjax.arguments import check_x
from arjax.errors import InputError
from arjax.orders import arrange, restore
from arjax.protocol import Cond, Model
from arjax.sampling.ancestral import draw, force
from arjax.sampling.prepare import prepare
from arjax.sharding import BATCH, automatic, constrain, varying


def fixed_point(
    model: Model,
    params,
    key,
    batch: int,
    *,
    order=None,
    cond: Cond | None = None,
    observed=None,
    mask=None,
    transforms=(),
    start=None,
) -> tuple[Shaped[Array, "{batch} *data"], Int[Array, ""]]:
    """Draws as `ancestral` does, by repeated full passes: (samples, evaluations of the net, at most the unobserved sites).

    start: the guess to begin with, [*site_shape, *E] or one for each sample [B, *site_shape, *E]; None for zeros. The samples do
      not depend on it, the evaluations do: samples of the same key by nearly the same model are a good guess.

    Real values (`vocab` None) are settled only where they stop changing to the last bit. InputErrors as there, and where `start`
    does not fit the model.
    """
    key, order, cond, observed, forced, transforms = prepare(model, key, batch, order, cond, observed, mask, transforms)
    guess = None if start is None else _check_start(model, start, batch)
    return _fixed_point(model, params, key, order, cond, observed, forced, guess, transforms)


@functools.partial(jax.jit, static_argnames="model")
@functools.partial(automatic, split=True)
def _fixed_point(model, params, key, order, cond, observed, forced, guess, transforms):
    sites = jnp.arange(model.num_sites, dtype=jnp.int32)

    def evaluate(carry):
        x, final, evaluations = carry
        theta = model.apply(params, x, order, cond)
        drawn = jax.vmap(lambda t, theta: draw(model, key, t, theta, transforms), in_axes=(0, 1), out_axes=1)(sites, theta)
        new = force(forced | (sites < final)[None], x, drawn)
        changed = (new != x).any(axis=[axis for axis in range(new.ndim) if axis != 1])
        unchanged = jnp.where(changed.any(), jnp.argmax(changed).astype(jnp.int32), model.num_sites)
        return new, jnp.minimum(jnp.maximum(final, unchanged) + 1, model.num_sites), evaluations + 1

    # What is observed comes first in the order of every row.
    known = forced.sum(axis=1).min(initial=model.num_sites)
    guess = jnp.zeros_like(observed) if guess is None else arrange(guess, order, model.site_shape)
    start = constrain(force(forced, observed, guess), BATCH), known.astype(jnp.int32), jnp.int32(0)
    start = varying(start, params, key, order, cond, observed, forced, guess, transforms)
    x, _, evaluations = jax.lax.while_loop(lambda carry: carry[1] < model.num_sites, evaluate, start)
    return restore(x, order, model.site_shape), evaluations


def _check_start(model, start, batch) -> jax.Array:
    """`start` as [B, *site_shape, *E]. InputError if it is none of the model's data: what is not finite, or no symbol, may reach
    the sites before it (0 times NaN is NaN)."""
    shape, vocab = (*model.site_shape, *model.head.event_shape), model.head.vocab
    if np.shape(start) not in (shape, (batch, *shape)):
        raise InputError(f"start has shape {np.shape(start)}; give one example {shape}, or one for each sample {(batch, *shape)}")
    start = start if isinstance(start, jax.Array) else np.asarray(start)
    start = check_x(model, start if start.ndim > len(shape) else start[None], "start")
    return jnp.broadcast_to(start if vocab is None else jnp.clip(start, 0, vocab - 1), (batch, *shape))
