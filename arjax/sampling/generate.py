"""Continuations of sequences of several lengths: prompts in, each continued until it is long enough or stops.

All lengths are traced numbers, so that one program serves prompts of all lengths and any number of tokens.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Int32

from arjax.arguments import check_cond, check_count, check_values
from arjax.errors import InputError
from arjax.heads.noise import threefry
from arjax.protocol import Cond, Model
from arjax.sampling.ancestral import init_cache, step
from arjax.sampling.prepare import check_transforms
from arjax.sharding import BATCH, automatic, constrain, varying


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
    stop: int | None = None,
) -> Generated:
    """Continues each of `prompts`, B integer arrays [length], by up to `tokens` symbols from p(x | prompt, cond).

    lengths: [B] or None: `prompts` is one array [B, L], of which row b has the first lengths[b], at least one. Inside a trace
      both may be traced; what their values are is then not checked.

    A row ends behind the symbol `stop`, where it draws it. The loop ends with the last row. For models of symbols on one axis in
    raster order. The symbols are those of `ancestral` with the prompts observed, at the same key. cond, transforms: as there.
    InputError, before anything runs, where there is no prompt, a symbol or `stop` is none of the model's, a prompt and `tokens`
    go past its sites, or the model is of another kind.

    Compiles once for a number of prompts, whatever their lengths and `tokens`, and for a net with `prefill` up to eight times
    more, once for each eighth of the model's sites that the shortest prompt may end in.
    """
    key = threefry(key)
    x, lengths, width, cond, transforms, last = _prepare(model, prompts, lengths, tokens, cond, transforms, stop)
    if not _is_traced((params, key, x, lengths, cond, transforms)):
        (generated,) = _chunks(model, params, key, x, lengths, width, cond, transforms, last, model.num_sites)
        return generated
    order = model.permutation
    cache, t = _start(model, params, x, lengths, order, cond)
    end, until = lengths + np.int32(tokens), np.int32(model.num_sites)
    _, x, t, end = _advance_kept(model, params, key, cache, x, t, end, until, lengths, last, order, cond, transforms)
    return Generated(x[:, :width], jnp.minimum(end, jnp.maximum(lengths, t)))


def stream(
    model: Model, params, key, prompts, *, tokens: int, cond: Cond | None = None, transforms=(), stop: int | None = None, every=16
) -> Iterator[Generated]:
    """Yields what `generate` returns, as far as it has got after every so many sites, counted from the end of the shortest
    prompt. The last is the whole; together they cost what `generate` does, and share one program with it. InputErrors at the
    call."""
    key, given = threefry(key), _prepare(model, prompts, None, tokens, cond, transforms, stop)
    every = check_count("every", every)
    if _is_traced((params, key, given)):
        raise InputError("stream shows what is drawn on the way, which nothing inside a trace can; use generate")
    return _chunks(model, params, key, *given, every)


def _prepare(model, prompts, lengths, tokens, cond, transforms, stop):
    """(x int32 [B, T], zero behind each prompt; lengths int32 [B]; the width of what is generated; cond, transforms, stop)."""
    _check_model(model)
    tokens = check_count("tokens", tokens)
    stop = None if stop is None else check_count("stop", stop, least=0)
    x, lengths, longest = _check_prompts(model, prompts, lengths)
    _check_room(model, longest, tokens)
    if stop is not None and stop >= model.head.vocab:
        raise InputError(f"stop={stop} is no symbol of the model's; choose one of 0..{model.head.vocab - 1}, or None")
    cond, transforms = check_cond(model, cond, len(x)), check_transforms(model, transforms)
    return x, lengths, int(longest.max() + tokens), cond, transforms, np.int32(-1 if stop is None else stop)


def _chunks(model, params, key, x, lengths, width, cond, transforms, stop, every):
    end, order = lengths + np.int32(width - lengths.max()), model.permutation
    cache, t = _start(model, params, x, lengths, order, cond)
    until = int(lengths.min())
    while True:
        until = min(until + every, model.num_sites)
        cache, x, t, end = _advance(model, params, key, cache, x, t, end, np.int32(until), lengths, stop, order, cond, transforms)
        reached, ends = int(t), np.array(end)
        yield Generated(np.array(x)[:, :width], np.minimum(ends, np.maximum(lengths, reached)))
        if reached >= ends.max():
            return


def _start(model, params, prompts, lengths, order, cond):
    """(cache, t): what all of `prompts`, NumPy int32 [B, T] of `lengths` [B], have in common has entered, and t is the next site.

    A net with `prefill` takes it in one pass. It is given the prompts padded to one of at most eight lengths, each of which is
    compiled once. Another net starts at t = 0, and sees its prompt in steps.
    """
    if model.capabilities.prefill is None:
        return _empty(model, params, len(prompts), order, cond), np.int32(0)
    known, unit = lengths.min(), -(-model.num_sites // 8)
    padded = model.num_sites if _is_traced(known) else min(-(-known // unit) * unit, model.num_sites)
    return _filled(model, params, prompts[:, :padded], known, order, cond), known


_empty = jax.jit(automatic(init_cache, split=True), static_argnames=("model", "batch"))


@functools.partial(jax.jit, static_argnames="model")
@functools.partial(automatic, split=True)
def _filled(model, params, x, n, order, cond):
    cache = _empty(model, params, len(x), order, cond)
    return model.apply(params, cache, x, n, order, cond, method="prefill")


@functools.partial(automatic, split=True)
def _advanced(model, params, key, cache, x, t, end, until, lengths, stop, order, cond, transforms):
    """(cache, x, t, end) at site `until`, or once every row has ended.

    x: int32 [B, T], of which row b is known up to t or to lengths[b], and zero from there on. Row b ends before site end[b] (all
    [B]), or behind the symbol `stop`, if it draws it after its prompt; -1 stops nowhere.
    """

    def unfinished(carry):
        _, _, t, end = carry
        return (t < until) & jnp.any(t < end)

    def body(carry):
        cache, x, t, end = carry
        before = x[:, jnp.maximum(t - 1, 0)]
        # What stands behind a row's end is zero, and so forced as well.
        drawn = (lengths <= t) & (t < end)
        cache, new = step(model, params, key, cache, before, t, order, cond, x[:, t], ~drawn, transforms)
        return cache, x.at[:, t].set(new), t + 1, jnp.where(drawn & (new == stop), t + 1, end)

    x = constrain(x, BATCH)
    start = varying((cache, x, t, end), params, key, cache, x, t, end, until, lengths, stop, order, cond, transforms)
    return jax.lax.while_loop(unfinished, body, start)


# The cache given is used up, its memory serves the new one; inside a trace memory is the caller's business.
_advance = jax.jit(_advanced, static_argnames="model", donate_argnames="cache")
_advance_kept = jax.jit(_advanced, static_argnames="model")


def _check_model(model):
    """InputError unless it is one of symbols, on one axis, in raster order."""
    if model.head.vocab is None or model.head.event_shape:
        raise InputError(
            f"prompts are sequences of symbols, which {model.head} does not model; use arjax.sample(..., observed=...)"
        )
    if len(model.site_shape) > 1 or (model.permutation != np.arange(model.num_sites)).any():
        raise InputError(
            f"prompts are read in raster order on one axis, but the model's sites are {model.site_shape} in {model.order}; "
            "use arjax.sample(..., observed=..., mask=...)"
        )


def _check_prompts(model, prompts, lengths):
    """(x int32 [B, T], zero behind each prompt; lengths int32 [B]; how long each may be, NumPy [B])."""
    if lengths is not None and not _is_traced(lengths):
        if np.shape(lengths) != (len(prompts),) or np.min(lengths) < 1 or np.max(lengths) > np.shape(prompts)[1]:
            raise InputError(f"lengths={lengths} do not fit prompts of shape {np.shape(prompts)}; give 1..L for each of them")
        lengths, prompts = None, [prompt[:length] for prompt, length in zip(prompts, lengths, strict=True)]
    if not _is_traced((prompts, lengths)):
        prompts = [_check_prompt(model, i, prompt) for i, prompt in enumerate(prompts)]
        x = np.zeros((len(prompts), model.num_sites), np.int32)
        for row, prompt in zip(x, prompts, strict=True):
            row[: len(prompt)] = prompt
        lengths = np.array([len(prompt) for prompt in prompts], np.int32)
        return x, lengths, lengths
    if isinstance(prompts, list | tuple):
        if len({jnp.shape(prompt) for prompt in prompts}) > 1:
            raise InputError("traced prompts differ in length; give one array [B, L], and lengths=")
        prompts = jnp.stack(prompts)
    if prompts.ndim != 2 or not jnp.issubdtype(prompts.dtype, jnp.integer) or not 0 < prompts.shape[1] <= model.num_sites:
        raise InputError(f"prompts are {prompts.dtype} {prompts.shape}; give integers [B, L], L in 1..{model.num_sites}")
    longest = np.full(len(prompts), prompts.shape[1], np.int32)
    if lengths is not None and (lengths.shape != longest.shape or not jnp.issubdtype(lengths.dtype, jnp.integer)):
        raise InputError(f"lengths are {lengths.dtype} {lengths.shape}; give integers of shape {longest.shape}")
    lengths = longest if lengths is None else lengths.astype(jnp.int32)
    x = jnp.pad(jnp.asarray(prompts, jnp.int32), ((0, 0), (0, model.num_sites - prompts.shape[1])))
    return jnp.where(jnp.arange(model.num_sites)[None] < lengths[:, None], x, 0), lengths, longest


def _is_traced(tree) -> bool:
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(tree))


def _check_prompt(model, i, prompt) -> np.ndarray:
    """int32 [length]. InputError unless it is symbols of the model's, at least one, and not more than the model has sites."""
    prompt = np.asarray(prompt)
    if prompt.size == 0:
        raise InputError(f"prompt {i} is empty; sample without a prompt, by arjax.sampling.ancestral")
    if prompt.ndim != 1:
        raise InputError(f"prompt {i} has shape {prompt.shape}; give integers of shape [length]")
    if len(prompt) > model.num_sites:
        raise InputError(f"prompt {i} of {len(prompt)} symbols is longer than the model's {model.num_sites} sites; shorten it")
    check_values(model, prompt, f"prompt {i}")
    return prompt.astype(np.int32)


def _check_room(model, lengths, tokens):
    """InputError unless there are prompts, and room for at least one more symbol behind each of them."""
    if not len(lengths):
        raise InputError("there is no prompt to continue; give at least one")
    longest = int(lengths.max())
    if longest + tokens > model.num_sites:
        raise InputError(
            f"prompt {int(lengths.argmax())} of {longest} symbols and tokens={tokens} make {longest + tokens}, past the model's "
            f"{model.num_sites} sites; choose fewer tokens or a shorter prompt"
        )
