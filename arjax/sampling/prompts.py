"""The prompts of `generate`, checked: several sequences of symbols, or inside a trace one array of them."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from arjax.arguments import check_values
from arjax.errors import InputError


def is_traced(tree) -> bool:
    """Is any leaf of it traced?"""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(tree))


def check_prompts(model, prompts, lengths, tokens: int):
    """Returns (x int32 [B, L], zero after each prompt, L = the longest prompt + `tokens`; lengths int32 [B]), as NumPy unless
    traced. InputError if there is no prompt, or if one has a symbol that the model lacks."""
    if model.head.vocab is None or model.head.event_shape:
        raise InputError(
            f"prompts are sequences of symbols, which {model.head} does not model; use arjax.sample(..., observed=...)"
        )
    if lengths is not None and not is_traced(lengths):
        if np.shape(lengths) != (len(prompts),) or np.min(lengths) < 0 or np.max(lengths) > np.shape(prompts)[1]:
            raise InputError(f"lengths={lengths} do not fit prompts of shape {np.shape(prompts)}; give 0..L for each of them")
        lengths, prompts = None, [prompt[:length] for prompt, length in zip(prompts, lengths, strict=True)]
    if not len(prompts):
        raise InputError("there is no prompt to continue; give at least one, which may be empty")
    if not is_traced((prompts, lengths)):
        prompts = [_check_prompt(model, i, prompt) for i, prompt in enumerate(prompts)]
        x = np.zeros((len(prompts), max(map(len, prompts)) + tokens), np.int32)
        for row, prompt in zip(x, prompts, strict=True):
            row[: len(prompt)] = prompt
        return x, np.array([len(prompt) for prompt in prompts], np.int32)
    if isinstance(prompts, list | tuple):
        if len({jnp.shape(prompt) for prompt in prompts}) > 1:
            raise InputError("traced prompts differ in length; give one array [B, L], and lengths=")
        prompts = jnp.stack(prompts)
    if prompts.ndim != 2 or not jnp.issubdtype(prompts.dtype, jnp.integer) or not prompts.shape[1]:
        raise InputError(f"prompts are {prompts.dtype} {prompts.shape}; give integers [B, L], L at least 1")
    longest = np.full(len(prompts), prompts.shape[1], np.int32)
    if lengths is not None and (lengths.shape != longest.shape or not jnp.issubdtype(lengths.dtype, jnp.integer)):
        raise InputError(f"lengths are {lengths.dtype} {lengths.shape}; give integers of shape {longest.shape}")
    lengths = longest if lengths is None else lengths.astype(jnp.int32)
    x = jnp.pad(jnp.asarray(prompts, jnp.int32), ((0, 0), (0, tokens)))
    return jnp.where(jnp.arange(x.shape[1])[None] < lengths[:, None], x, 0), lengths


def _check_prompt(model, i, prompt) -> np.ndarray:
    """int32 [length]. InputError unless it is symbols of the model's."""
    prompt = np.asarray(prompt)
    if prompt.ndim != 1:
        raise InputError(f"prompt {i} has shape {prompt.shape}; give integers of shape [length]")
    if prompt.size:  # of no type, where there is nothing
        check_values(model, prompt, f"prompt {i}")
    return prompt.astype(np.int32)
