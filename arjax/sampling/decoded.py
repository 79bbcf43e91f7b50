"""Generation in two stages (van den Oord et al. 2017, section 3.3): tokens from their model, and images from the tokens, as one
program."""

import functools
from typing import Any, NamedTuple

import jax

from arjax.errors import InputError
from arjax.protocol import Cond, Model
from arjax.sampling.ancestral import from_start
from arjax.sampling.prepare import prepare
from arjax.sharding import automatic


class Decoded(NamedTuple):
    """`tokens`: int32 [B, *site_shape]; `x`: what they stand for, [B, *shape]."""

    tokens: jax.Array
    x: jax.Array


def decoded(
    model: Model, params, tokenizer: Any, key, batch: int, *, order=None, cond: Cond | None = None, transforms=()
) -> Decoded:
    """Draws `batch` samples of tokens as `arjax.sample` draws them, and what they are decoded to.

    tokenizer: of images, with what it learned, as `arjax.load(run).tokenizer`. The other arguments and errors are those of
    `arjax.sample`; InputError for a tokenizer of text, whose tokens stand for texts of several lengths.
    """
    if len(model.site_shape) == 1:
        raise InputError(f"tokens of shape {model.site_shape} are no images'; draw them with arjax.sample and decode each text")
    if tokenizer.tokenizer.vocab != model.head.vocab:
        raise InputError(
            f"{model.head} draws {model.head.vocab} symbols, but the tokenizer has {tokenizer.tokenizer.vocab} tokens; give the "
            "one that the model was trained on"
        )
    key, *given = prepare(model, key, batch, order, cond, None, None, transforms)
    return _decoded(model, params, tokenizer.tokenizer, dict(tokenizer.learned), key, *given)


@functools.partial(jax.jit, static_argnames=("model", "tokenizer"))
@functools.partial(automatic, split=True)
def _decoded(model, params, tokenizer, learned, key, order, cond, x, forced, transforms):
    tokens = from_start(model, params, key, order, cond, x, forced, transforms)
    return Decoded(tokens, tokenizer.decode(learned, tokens))
