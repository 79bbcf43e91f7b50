"""Exact samplers on one key.

    ancestral      one `lax.scan` over `step` with a fixed-size cache: about the arithmetic of one parallel pass
    naive          a full parallel pass for every site: the oracle
    fixed_point    iterate x <- sample(theta(x), noise) until nothing changes: Jacobi's method on the triangular system
                   (Song et al. 2021, algorithm 1; Wiggers and Hoogeboom 2020)

Site t draws its noise from `fold_in(key, t)`, so the three return the same samples (on accelerators whose matrix products
round to fewer bits by default, under `jax.default_matmul_precision("highest")`). `observed` and `mask` complete data: the
observed sites come first in the order and are forced, so what follows is drawn from the exact conditional.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from arjax.arguments import check_cond, check_order, check_x
from arjax.orders import arrange, restore
from arjax.protocol import Cond, Model


def ancestral(
    model: Model, params, key, batch: int, *, order=None, cond: Cond | None = None, observed=None, mask=None, transforms=()
) -> Shaped[Array, "{batch} *data"]:
    """`batch` samples [B, *site_shape, *E] from p(x | cond), or from p(x | cond, x = observed where mask).

    order: [T] or None for the model's own. observed: [B, *site_shape, *E] (or B = 1); mask: bool [*site_shape], or
    [B, *site_shape] where every row is a prefix of the order. transforms: theta -> theta, applied in turn (Temperature, TopK,
    TopP); what is sampled is then no longer the model's law. ValueError where one does not fit the model.
    """
    return _ancestral(model, params, key, *_prepare(model, batch, order, cond, observed, mask, transforms))


def naive(
    model: Model, params, key, batch: int, *, order=None, cond: Cond | None = None, observed=None, mask=None, transforms=()
) -> Shaped[Array, "{batch} *data"]:
    """As `ancestral`, by T full passes."""
    return _naive(model, params, key, *_prepare(model, batch, order, cond, observed, mask, transforms))


def fixed_point(
    model: Model, params, key, batch: int, *, order=None, cond: Cond | None = None, observed=None, mask=None, transforms=()
) -> tuple[Shaped[Array, "{batch} *data"], Int[Array, ""]]:
    """As `ancestral`, by repeated full passes: (samples, number of network evaluations, at most T + 1)."""
    return _fixed_point(model, params, key, *_prepare(model, batch, order, cond, observed, mask, transforms))


@dataclasses.dataclass(frozen=True)
class Temperature:
    """p(v) proportional to p(v)^(1 / value)."""

    value: float

    def __post_init__(self):
        if not self.value > 0:
            raise ValueError(f"Temperature({self.value}) must be positive; choose 1 to change nothing, less to sharpen")

    def __call__(self, theta: Float[Array, "*B V"]) -> Float[Array, "*B V"]:
        return theta / self.value


@dataclasses.dataclass(frozen=True)
class TopK:
    """Keep the k most probable symbols, and those as probable as the k-th (Fan et al. 2018)."""

    k: int

    def __post_init__(self):
        if self.k < 1:
            raise ValueError(f"TopK({self.k}) leaves no symbol; choose at least 1")

    def __call__(self, theta: Float[Array, "*B V"]) -> Float[Array, "*B V"]:
        least = jax.lax.top_k(theta, min(self.k, theta.shape[-1]))[0][..., -1:]
        return jnp.where(theta >= least, theta, -jnp.inf)


@dataclasses.dataclass(frozen=True)
class TopP:
    """Keep the smallest set of most probable symbols whose probabilities sum to at least p (Holtzman et al. 2020)."""

    p: float

    def __post_init__(self):
        if not 0 < self.p <= 1:
            raise ValueError(f"TopP({self.p}) is not in (0, 1]; choose 1 to keep every symbol")

    def __call__(self, theta: Float[Array, "*B V"]) -> Float[Array, "*B V"]:
        if self.p == 1:
            return theta  # rounded, the sum below may reach 1 before the last symbol
        falling = jnp.sort(theta, axis=-1, descending=True)
        probs = jax.nn.softmax(falling.astype(jnp.float32))
        # A symbol is kept if those before it do not reach p yet; the first always is.
        before = jnp.cumsum(probs, axis=-1) - probs
        least = jnp.min(jnp.where(before < self.p, falling, jnp.inf), axis=-1, keepdims=True)
        return jnp.where(theta >= least, theta, -jnp.inf)


def _prepare(model, batch, order, cond, observed, mask, transforms):
    """Check what the caller gave, on the host, and bring it into generation order: the arguments of the jitted samplers."""
    order = check_order(model, order, batch)
    cond = check_cond(model, cond, batch)
    transforms = tuple(transforms)
    # A head says so itself: that it has as many parameters as symbols may be a coincidence.
    if transforms and not getattr(model.head, "logits", False):
        raise ValueError(f"{transforms[0]} needs one logit a symbol, which {model.head} has not; use a Categorical head")
    if (observed is None) != (mask is None):
        raise ValueError("completion needs both `observed` and `mask`; give the other one too, or neither")
    if observed is None:
        x = jnp.zeros((batch, model.num_sites, *model.head.event_shape), model.dtype)
        return order, cond, x, jnp.zeros((batch, model.num_sites), bool), transforms
    observed = check_x(model, observed)
    if len(observed) not in (1, batch):
        raise ValueError(f"observed holds {len(observed)} examples for a batch of {batch}; give one, or one for each sample")
    if isinstance(mask, jax.core.Tracer) or isinstance(order, jax.core.Tracer):
        raise ValueError("completion needs a mask and an order that are concrete; close over them, not as arguments of your jit")
    mask = _check_mask(model, mask, batch)
    order = _observed_first(model, order, mask)
    x = jnp.broadcast_to(arrange(observed, order, model.site_shape), (batch, model.num_sites, *model.head.event_shape))
    return order, cond, x, arrange(mask, order, model.site_shape), transforms


def _check_mask(model, mask, batch) -> np.ndarray:
    """`mask` as bool [B, *site_shape]."""
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape not in (model.site_shape, (batch, *model.site_shape)):
        raise ValueError(
            f"mask is {mask.dtype} {mask.shape}; give booleans of shape {model.site_shape}, True where x is observed"
        )
    return np.broadcast_to(mask, (batch, *model.site_shape))


def _observed_first(model, order, mask):
    """An order in which every row's observed sites come first: `order` itself if it does, else, for a net that can,
    rearranged. ValueError where neither is possible: a net would ignore what it has not been shown yet."""
    ranked = arrange(mask, order, model.site_shape)
    late = ranked[:, 1:] & ~ranked[:, :-1]
    if not late.any():
        return order
    if not model.net.any_order:
        site = int(order[np.argwhere(late)[0][1] + 1])
        raise ValueError(
            f"site {site} is observed but comes after unobserved ones in {model.order}, and {type(model.net).__name__} generates "
            "in no other order; observe a prefix of the order, or use a net that takes any, as MADE or LMConv"
        )
    if (ranked != ranked[0]).any():
        raise ValueError("the mask differs between examples and is no prefix of the order; complete one mask at a time")
    return order[np.argsort(~ranked[0], kind="stable")]


def _draw(model, key, t, theta, transforms):
    """The symbols of site t [B, *E], from theta [B, P] and the site's own key."""
    for transform in transforms:
        theta = transform(theta)
    return model.head.sample(jax.random.fold_in(key, t), theta)


def _force(forced, observed, x):
    """`observed` where forced [...], else x; both [..., *E]."""
    return jnp.where(forced.reshape(forced.shape + (1,) * (x.ndim - forced.ndim)), observed, x)


@functools.partial(jax.jit, static_argnames=("model", "transforms"))
def _ancestral(model, params, key, order, cond, observed, forced, transforms):
    def body(carry, t):
        cache, x = carry
        cache, theta = model.apply(params, cache, x, t, order, cond, method="step")
        x = _force(forced[:, t], observed[:, t], _draw(model, key, t, theta, transforms))
        return (cache, x), x

    cache = model.apply(params, len(observed), order, cond, method="init_cache")
    _, x = jax.lax.scan(body, (cache, jnp.zeros_like(observed[:, 0])), jnp.arange(model.num_sites))
    return restore(jnp.moveaxis(x, 0, 1), order, model.site_shape)


@functools.partial(jax.jit, static_argnames=("model", "transforms"))
def _naive(model, params, key, order, cond, observed, forced, transforms):
    def body(x, t):
        theta = model.apply(params, x, order, cond)[:, t]
        drawn = _force(forced[:, t], observed[:, t], _draw(model, key, t, theta, transforms))
        return x.at[:, t].set(drawn), None

    x, _ = jax.lax.scan(body, jnp.zeros_like(observed), jnp.arange(model.num_sites))
    return restore(x, order, model.site_shape)


@functools.partial(jax.jit, static_argnames=("model", "transforms"))
def _fixed_point(model, params, key, order, cond, observed, forced, transforms):
    def sweep(x):
        theta = model.apply(params, x, order, cond)
        drawn = jax.vmap(lambda t, theta: _draw(model, key, t, theta, transforms), in_axes=(0, 1), out_axes=1)(
            jnp.arange(model.num_sites), theta
        )
        return _force(forced, observed, drawn)

    def body(carry):
        x, _, evaluations = carry
        new = sweep(x)
        return new, jnp.any(new != x), evaluations + 1

    # After n sweeps the first n sites are final, whatever the rest started from; the last sweep only confirms.
    x, _, evaluations = jax.lax.while_loop(
        lambda carry: carry[1] & (carry[2] <= model.num_sites), body, (jnp.zeros_like(observed), jnp.array(True), jnp.array(0))
    )
    return restore(x, order, model.site_shape), evaluations
