"""Which tensor of GPT-2's and Image GPT's files is which parameter of a `Transformer`.

Both nets have the same blocks, and both store a matrix as [in, out], as here: queries, keys and values lie side by side in one,
their heads side by side in each. So nothing is turned or split; only lm_head.weight, [V, D], is transposed by those who read it.
Image GPT's norms have no shift.
"""

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np

from arjax.errors import InputError, brief
from arjax.models.transformer import Transformer
from arjax.protocol import Model, init

ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
# Of several names for one function, the first is written.
NAMES = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}
# Causal masks, which older versions of transformers stored with the weights.
BUFFERS = re.compile(r"(transformer\.)?h\.\d+\.attn\.(bias|masked_bias)")
PREFIX = "transformer."

# D the width, A = 3 D queries, keys and values, F the width inside the block.
_BLOCK = (
    ("norm_self.scale", "ln_1.weight", "D"),
    ("norm_self.bias", "ln_1.bias", "D"),
    ("attention.w_in", "attn.c_attn.weight", "DA"),
    ("attention.b_in", "attn.c_attn.bias", "A"),
    ("attention.w_out", "attn.c_proj.weight", "DD"),
    ("attention.b_out", "attn.c_proj.bias", "D"),
    ("norm_mlp.scale", "ln_2.weight", "D"),
    ("norm_mlp.bias", "ln_2.bias", "D"),
    ("w_up", "mlp.c_fc.weight", "DF"),
    ("b_up", "mlp.c_fc.bias", "F"),
    ("w_down", "mlp.c_proj.weight", "FD"),
    ("b_down", "mlp.c_proj.bias", "D"),
)
_LAST_NORM = (("last_norm.scale", "ln_f.weight", "D"), ("last_norm.bias", "ln_f.bias", "D"))


class Weight(NamedTuple):
    """The parameter `ours`, path joined by dots, is the tensor `theirs`, of this shape. None: those are not the same array."""

    ours: str | None
    theirs: str
    shape: tuple[int, ...]


def weights(net: Transformer, sites: int, table_rows: int, head_rows: int | None) -> Iterator[Weight]:
    """All of them, without PREFIX. table_rows: symbols that enter; head_rows: those that come out, None where the head is tied to
    the table."""
    yield Weight(None, "wte.weight", (table_rows, net.width))
    if head_rows is not None:
        yield Weight(None, "lm_head.weight", (head_rows, net.width))
    yield Weight("next.table", "wpe.weight", (sites, net.width))
    yield from _named(net, _LAST_NORM, "", "")
    for layer in range(net.layers):
        yield from _named(net, _BLOCK, f"blocks_{layer}.", f"h.{layer}.")


def fit(tensors: dict[str, np.ndarray], expected: Iterator[Weight]) -> tuple[dict, dict]:
    """(what has a parameter of its own, by our names, and the rest, by theirs). InputError, naming tensor and shapes, where
    `tensors`, with or without PREFIX, are not those expected."""
    named = {}
    for name, tensor in tensors.items():
        bare = name.removeprefix(PREFIX)
        if bare in named:
            raise InputError(f"tensor {brief(bare)} is there with and without the prefix {PREFIX!r}; keep one of them")
        named[bare] = tensor
    ours, rest = {}, {}
    for weight in expected:
        if weight.theirs not in named:
            raise InputError(f"tensor {weight.theirs} {weight.shape} is missing; give a file that fits its config.json")
        tensor = named.pop(weight.theirs)
        if tensor.shape != weight.shape:
            raise InputError(
                f"tensor {weight.theirs} has shape {tensor.shape}, but config.json says {weight.shape}; correct one of them"
            )
        (rest if weight.ours is None else ours)[weight.ours or weight.theirs] = tensor
    if named:
        name, tensor = next(iter(named.items()))
        raise InputError(f"tensor {brief(name)} {tensor.shape} has no place in the model that config.json describes; remove it")
    return ours, rest


def to_params(ours: dict[str, np.ndarray]) -> dict:
    """The tree of parameters."""
    # Copies: on the CPU a JAX array may otherwise be a view of memory that belongs to the reader of a file.
    return flax.traverse_util.unflatten_dict({name: jnp.array(tensor) for name, tensor in ours.items()}, sep=".")


def from_params(model: Model, params) -> dict[str, np.ndarray]:
    """float32 arrays by our names. InputError where `params` are another model's."""
    expected = jax.eval_shape(functools.partial(init, model), jax.random.key(0))
    given, expected = (flax.traverse_util.flatten_dict(tree, sep=".") for tree in (params, expected))
    for name in sorted(given.keys() | expected.keys()):
        have, want = (f"of shape {np.shape(tree[name])}" if name in tree else "absent" for tree in (given, expected))
        if have != want:
            raise InputError(f"the parameter {name} is {have}, but in this model {want}; give the model's own parameters")
    return {name: np.asarray(array, np.float32) for name, array in given.items()}


def to_tensors(ours: dict[str, np.ndarray], expected: Iterator[Weight]) -> dict[str, np.ndarray]:
    """By their names, what has a parameter of its own."""
    return {weight.theirs: ours[weight.ours] for weight in expected if weight.ours is not None}


def _named(net, table, ours, theirs):
    sizes = {"D": net.width, "A": 3 * net.width, "F": net.mlp or 4 * net.width}
    for our, their, letters in table:
        if net.norm == "layer" or not our.endswith(".bias"):
            yield Weight(ours + our, theirs + their, tuple(sizes[letter] for letter in letters))
