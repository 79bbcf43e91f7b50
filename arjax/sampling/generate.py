"""Continues prompts of several lengths, each until it is long enough or stops.

Beyond the model's sites a window slides (arjax/sliding.py): its last `keep` symbols become the first symbols of the next window.
All lengths are traced numbers, so that one program serves prompts of all lengths, any number of tokens and all windows.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32

from arjax.arguments import check_cond, check_count
from arjax.errors import InputError
from arjax.heads.noise import threefry
from arjax.protocol import Cond, Model
from arjax.sampling.ancestral import draw, force, init_cache
from arjax.sampling.prepare import check_transforms
from arjax.sampling.prompts import check_prompts, is_traced
from arjax.sampling.stops import Stops, check_stop
from arjax.sharding import BATCH, automatic, constrain, varying
from arjax.sliding import begins, check_keep


class Generated(NamedTuple):
    """Prompts and what follows them: x [B, L], L = the longest prompt + `tokens`, zero behind a row's end; length [B]. NumPy, or
    inside a trace JAX."""

    x: Int32[Array | np.ndarray, "B L"]
    length: Int32[Array | np.ndarray, " B"]


def generate(
    model: Model,
    params,
    key,
    prompts,
    *,
    tokens: int,
    lengths=None,
    cond: Cond | None = None,
    transforms=(),
    stop: int | Sequence | Stops | None = None,
    keep: int | None = None,
) -> Generated:
    """Continues each of `prompts`, B integer arrays [length], by up to `tokens` symbols from p(x | prompt, cond).

    prompts: of any length; an empty one is continued from the start.
    lengths: [B] if `prompts` is one array [B, L], whose row b is a prompt of lengths[b] symbols; else None. Both may be traced;
      then their values are not checked, and each length must be at least one.
    stop: a symbol; or a tuple of sequences of symbols, each of any length; or the result of `stop_strings`. A row ends after the
      first stop that it draws whole; symbols of the prompt do not count.
    keep: how many of its last symbols stay when a full window slides, 0 to T - 1; None for half of the model's T sites. Symbols
      after the first T are drawn given at least `keep` before them, and at most T - 1.

    The loop ends with the last row. The model must have symbols on one axis in raster order; to continue beyond its sites, the
    data must be streams such as texts. The first T symbols are those of `ancestral` with the prompts observed, at the same key.
    The noise of symbol n is `fold_in(key, n)`. cond, transforms: as for `ancestral`. InputError, before anything runs, if there
    is no prompt, if the model lacks a symbol of a prompt or of `stop`, or if the model is of another kind.

    Compiles once for a number of prompts and a size of `stop`, whatever the lengths and `tokens`. A net with `prefill` compiles
    up to eight programs more, one for each eighth of the model's sites.
    """
    key = threefry(key)
    given = _prepare(model, prompts, lengths, tokens, cond, transforms, stop, keep)
    if is_traced((params, key, given)):
        return _inside(model, params, key, given)
    (generated,) = _chunks(model, params, key, given, given.x.shape[1])
    return generated


def stream(
    model: Model,
    params,
    key,
    prompts,
    *,
    tokens: int,
    cond: Cond | None = None,
    transforms=(),
    stop: int | Sequence | Stops | None = None,
    keep: int | None = None,
    every: int = 16,
) -> Iterator[Generated]:
    """Yields what `generate` returns, as far as it has got after every so many sites, counted from the end of the shortest
    prompt. The last is the whole; together they cost what `generate` does, and share one program with it. InputErrors at the
    call."""
    key, given = threefry(key), _prepare(model, prompts, None, tokens, cond, transforms, stop, keep)
    every = check_count("every", every)
    if is_traced((params, key, given)):
        raise InputError("stream shows what is drawn on the way, which nothing inside a trace can; use generate")
    return _chunks(model, params, key, given, every)


class _Given(NamedTuple):
    """x: int32 [B, L], zero after each prompt. lengths, end: int32 [B], where each prompt ends, and each row. stop: the table of
    Stops. order: the model's."""

    x: Any
    lengths: Any
    end: Any
    keep: int
    stop: np.ndarray
    order: np.ndarray
    cond: Cond
    transforms: Any


def _prepare(model, prompts, lengths, tokens, cond, transforms, stop, keep) -> _Given:
    tokens = check_count("tokens", tokens)
    x, lengths = check_prompts(model, prompts, lengths, tokens)
    keep, stops = check_keep(model, keep, x.shape[1]), check_stop(stop, model.head.vocab)
    cond, transforms = check_cond(model, cond, len(x)), check_transforms(model, transforms)
    return _Given(x, lengths, lengths + np.int32(tokens), keep, stops.table, model.permutation, cond, transforms)


def _chunks(model, params, key, given: _Given, every: int) -> Iterator[Generated]:
    sites, x, end, state = model.num_sites, np.array(given.x), given.end, np.zeros(len(given.x), np.int32)
    n = int(given.lengths.min())
    target = n + every
    while True:
        # All rows are known before symbol n, the first one to be drawn in the window that begins at `first`.
        first, known = np.int32(begins(n, sites, given.keep)), np.maximum(given.lengths, np.int32(n))
        part = x[:, first : first + sites]
        window = np.pad(part, ((0, 0), (0, sites - part.shape[1])))
        cache, t = _start(model, params, window, known - first, given.order, given.cond)
        at, full = first + t, first + sites
        while n < full:
            until = np.int32(min(target, full))
            cache, window, at, end, state = _advance(
                model, params, key, cache, window, at, end, state, first, until, known, *given[4:]
            )
            part[:] = np.array(window)[:, : part.shape[1]]
            n, ends = int(at), np.array(end)
            over = n >= ends.max()
            if over or n == target:
                yield Generated(x.copy(), np.minimum(ends, np.maximum(given.lengths, n)))
            if over:
                return
            target += every if n == target else 0


def _inside(model, params, key, given: _Given) -> Generated:
    """What `generate` returns, of values inside a trace."""
    sites, (x, lengths, end, keep, *rest) = model.num_sites, given
    *_, order, cond, _ = rest
    # `prefill` need not take zero symbols, and a traced length may be zero.
    enters = is_traced(lengths) or bool(lengths.min())

    def slide(carry):
        x, n, end, state = carry
        first, known = begins(n, sites, keep), jnp.maximum(lengths, n)
        window = jax.lax.dynamic_slice_in_dim(x, first, sites, axis=1)
        cache, t = _start(model, params, window, known - first, order, cond, enters and keep > 0)
        carry = cache, window, first + t, end, state
        _, window, n, end, state = _advance_kept(model, params, key, *carry, first, first + sites, known, *rest)
        return jax.lax.dynamic_update_slice_in_dim(x, window, first, axis=1), n, end, state

    n, state = lengths.min(), np.zeros(len(x), np.int32)
    if (width := x.shape[1]) <= sites:
        cache, t = _start(model, params, _padded(x, sites), lengths, order, cond)
        carry = cache, _padded(x, sites), t, end, state
        _, x, n, end, _ = _advance_kept(model, params, key, *carry, np.int32(0), np.int32(sites), lengths, *rest)
    else:
        # A window reaches past the last symbol by at most its own length.
        start = varying((_padded(x, width + sites), jnp.int32(n), end, state), params, key, x, lengths, end, rest)
        x, n, end, _ = jax.lax.while_loop(lambda carry: jnp.any(carry[1] < carry[2]), slide, start)
    return Generated(x[:, :width], jnp.minimum(end, jnp.maximum(lengths, n)))


def _padded(x, width: int):
    """x [B, L] with zeros up to [B, width]."""
    return jnp.pad(jnp.asarray(x), ((0, 0), (0, width - x.shape[1])))


def _start(model, params, window, known, order, cond, enters: bool = True):
    """(cache, t): the first t symbols of `window`, int32 [B, T], which all rows know by `known` [B], are in the cache. enters:
    may they enter in one pass?

    A net with `prefill` takes them in one pass over the window, cut to one of at most eight lengths, each of which is compiled
    once. Another net starts at t = 0, and takes the known symbols in steps.
    """
    least, unit = known.min(), -(-model.num_sites // 8)
    traced = is_traced(least)
    if model.capabilities.prefill is None or not enters or (not traced and not least):
        return _empty(model, params, len(window), order, cond), np.int32(0)
    padded = model.num_sites if traced else min(-(-least // unit) * unit, model.num_sites)
    return _filled(model, params, window[:, :padded], least, order, cond), least


_empty = jax.jit(automatic(init_cache, split=True), static_argnames=("model", "batch"))


@functools.partial(jax.jit, static_argnames="model")
@functools.partial(automatic, split=True)
def _filled(model, params, x, n, order, cond):
    cache = _empty(model, params, len(x), order, cond)
    return model.apply(params, cache, x, n, order, cond, method="prefill")


@functools.partial(automatic, split=True)
def _advanced(model, params, key, cache, x, n, end, state, first, until, known, stop, order, cond, transforms):
    """(cache, x, n, end, state) before symbol `until`, or once every row has ended.

    x: int32 [B, T], the window that begins at symbol `first`, of which row b is known before known[b], and zero from there on.
    n: the symbol to be drawn next. Row b ends before symbol end[b], or where the stops say so, of which what it drew has reached
    state[b] (all [B]).
    """

    def unfinished(carry):
        _, _, n, end, _ = carry
        return (n < until) & jnp.any(n < end)

    def body(carry):
        cache, x, n, end, state = carry
        t = n - first
        # What stands behind a row's end is zero, and so forced as well.
        drawn = (known <= n) & (n < end)
        cache, theta = model.apply(params, cache, x[:, jnp.maximum(t - 1, 0)], t, order, cond, method="step")
        new = force(~drawn, x[:, t], draw(model, key, n, theta, transforms))
        state = jnp.where(drawn, stop[state, new], state)
        return cache, x.at[:, t].set(new), n + 1, jnp.where(drawn & (state == len(stop)), n + 1, end), state

    x, stop = constrain(x, BATCH), jnp.asarray(stop)
    start = (cache, x, n, end, state)
    start = varying(start, params, key, *start, first, until, known, stop, order, cond, transforms)
    return jax.lax.while_loop(unfinished, body, start)


# The cache given is used up, its memory serves the new one; inside a trace memory is the caller's business.
_advance = jax.jit(_advanced, static_argnames="model", donate_argnames="cache")
_advance_kept = jax.jit(_advanced, static_argnames="model")
