"""Do the methods of a net and of its head take and return what the protocol says? They are traced, and nothing is compiled, so
that a mistake is named before JAX or Flax meets it elsewhere.
"""

import inspect
import re
import textwrap
import traceback
from pathlib import Path
from typing import Any, NamedTuple

import flax
import jax
import jax.numpy as jnp
import numpy as np

from arjax.errors import one_line
from arjax.protocol import Model, Net


class LawBroken(AssertionError):
    """A net, head or model does not do what the law says."""


def check_shape(model: Model, params, key) -> None:
    """Checks that the net's methods take the protocol's arguments and return its shapes: theta [B, T, P] of `__call__`, a cache
    of fixed shapes and dtypes and theta [B, P] of `step`, the same cache of `prefill`; and the head's log_prob and sample."""
    head, sites, num_params = model.head, model.num_sites, model.head.param_size
    batch, another = [size for size in (3, 5, 7, 11) if size not in (sites, num_params)][:2]
    x = jax.ShapeDtypeStruct((batch, sites, *head.event_shape), model.dtype)
    theta = jax.ShapeDtypeStruct((batch, sites, num_params), jnp.float32)
    order, cond = jax.ShapeDtypeStruct((sites,), jnp.int32), model.example_cond(batch)

    _require(model, "__call__", _call(model, params, x, order, cond), theta, "[B, T, P]")
    _require_one_meaning(model, params, x, order, cond)
    site = jax.ShapeDtypeStruct((batch, *head.event_shape), model.dtype)
    _require(head, "log_prob", _traced(head, "log_prob", head.log_prob, theta, x), _like(theta, (batch, sites)), "[...]")
    _require(head, "sample", _traced(head, "sample", head.sample, key, _like(theta, (batch, num_params))), site, "[..., *E]")
    if model.capabilities.step is None:
        return
    cache = _init_cache(model, params, batch, order, cond)
    fixed = cache == _init_cache(model, params, another, order, model.example_cond(another))
    hint = f"; init_cache gives the same shapes for a batch of {batch} and of {another}: make them of `batch`" if fixed else ""
    t = jax.ShapeDtypeStruct((), jnp.int32)
    stepped = _method(model, "step", params, cache, site, t, order, cond, hint=hint)
    if len(stepped) != 2:
        raise LawBroken(f"{_name(model)}.step returns {'; '.join(map(str, stepped))}; return (cache, theta)")
    if stepped[1] == cache and stepped[0] != cache:
        raise LawBroken(f"{_name(model)}.step returns (theta, cache); return (cache, theta)")
    _require_same_cache(model, "step", cache, stepped[0], hint)
    _require(model, "step", stepped[1:], _like(theta, (batch, num_params)), "[B, P]")
    if model.capabilities.prefill is not None:
        (filled,) = _method(model, "prefill", params, cache, x, t, order, cond)
        _require_same_cache(model, "prefill", cache, filled, "")


class Shapes(NamedTuple):
    """Of a tree, its structure and each leaf's path, and shape and dtype: a dataclass need not take these in place of arrays."""

    structure: Any
    paths: tuple[str, ...]
    leaves: tuple[jax.ShapeDtypeStruct, ...]

    @classmethod
    def of(cls, tree) -> "Shapes":
        leaves = jax.tree_util.tree_leaves_with_path(tree)
        paths = tuple(jax.tree_util.keystr(path) for path, _ in leaves)
        return cls(jax.tree.structure(tree), paths, tuple(_like(leaf, jnp.shape(leaf)) for _, leaf in leaves))

    def __str__(self):
        shown = (f"{path}: {_words(leaf)}".removeprefix(": ") for path, leaf in zip(self.paths, self.leaves, strict=True))
        return textwrap.shorten(", ".join(shown), 200) or "nothing"


def initial(model: Model):
    """The shapes and dtypes of the net's parameters. LawBroken where `init` fails, or makes more than parameters."""
    x = jnp.zeros((1, model.num_sites, *model.head.event_shape), model.dtype)
    order, cond = jnp.asarray(model.permutation), model.example_cond(1)
    _require_signature(model, "__call__", x, order, cond, key=None)
    (made,) = _traced(model, "__call__", lambda key: model.bound.init(key, x, order, cond), jax.random.key(0))
    variables = jax.tree.unflatten(made.structure, made.leaves)
    if state := sorted(set(variables) - {"params"}):
        raise LawBroken(_STATE.format(net=_name(model), state=", ".join(state)))
    return variables.get("params", {})


_STATE = (
    "{net} keeps state in {state}, as nn.BatchNorm does; a net's parameters are its only state, and no example depends on "
    "others: choose nn.LayerNorm or nn.RMSNorm"
)


def _call(model, params, x, order, cond):
    return _method(model, "__call__", params, x, order, cond, key=None)


def _init_cache(model, params, batch, order, cond):
    _require_signature(model, "init_cache", batch, order, cond)

    def made(params, order, cond):
        return model.apply(params, batch, order, cond, method="init_cache")

    return _traced(model, "init_cache", made, params, order, cond)[0]


def _method(model, method, params, *args, hint="", **kwargs):
    """The Shapes of what a method of the net returns; `args` may hold those of a cache."""
    _require_signature(model, method, *args, **kwargs)

    def made(params, *args):
        given = (jax.tree.unflatten(s.structure, arg) if s else arg for s, arg in zip(shapes, args, strict=True))
        return model.apply(params, *given, method=method, **kwargs)

    shapes = [arg if isinstance(arg, Shapes) else None for arg in args]
    leaves = (arg.leaves if isinstance(arg, Shapes) else arg for arg in args)
    return _traced(model, method, made, params, *leaves, hint=hint)


def _require_one_meaning(model, params, x, order, cond):
    """LawBroken if two traces of `__call__` differ: it draws from NumPy's or Python's generators, or counts its calls."""

    def text():
        jaxpr = jax.make_jaxpr(lambda params, x, order, cond: model.apply(params, x, order, cond))(params, x, order, cond)
        return re.sub(r"0x[0-9a-f]+", "", str(jaxpr)), [np.asarray(const).tobytes() for const in jaxpr.consts]

    if text() != text():
        raise LawBroken(
            f"{_name(model)}.__call__ computes something else each time it is traced: it draws from NumPy's or Python's random "
            "numbers, or counts; draw with a fixed seed, or from `key` where it is not None"
        )


def _require_signature(model, method, *args, **kwargs):
    found = getattr(model.bound, method, None)
    if found is None:
        raise LawBroken(f"{_name(model)} has step but no {method}; give it {method}{inspect.signature(getattr(Net, method))}")
    try:
        inspect.signature(found).bind(*args, **kwargs)
    except TypeError as error:
        written = str(inspect.signature(found)).replace("(", "(self, ", 1)
        protocol = inspect.signature(getattr(Net, method, None) or found)
        raise LawBroken(
            f"{_name(model)}.{method}{written} is not called as the protocol says ({error}); write {method}{protocol}"
        ) from error


def _traced(owner, method, function, *args, hint="") -> list[Shapes]:
    """The Shapes of what `function` returns, of `step` those of each value. LawBroken, with the remedy, where it raises."""
    found = []

    def noted(*args):
        values = function(*args)
        found[:] = map(Shapes.of, values if method == "step" and type(values) is tuple else (values,))

    try:
        jax.eval_shape(noted, *args)
    except Exception as error:
        raise LawBroken(f"{_name(owner)}.{method} {_explained(error)}{hint}") from error
    return found


_VALUES = (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError, jax.errors.TracerIntegerConversionError)
_COLLECTIONS = (
    flax.errors.ScopeCollectionNotFound,
    flax.errors.ModifyScopeVariableError,
    flax.errors.ScopeVariableNotFoundError,
)


def _explained(error) -> str:
    where = _where(error)
    if isinstance(error, (*_VALUES, jax.errors.NonConcreteBooleanIndexError)):
        return (
            f"needs the value of an array that is traced{where}: Python's `if`, `int()` and NumPy cannot have it; use jnp.where, "
            "jax.lax.cond and jax.numpy"
        )
    if isinstance(error, flax.errors.InvalidRngError):
        return (
            f"draws from a Flax collection of keys, which nobody passes{where}; draw from `key`, as "
            "nn.Dropout(rate)(h, deterministic=key is None, rng=key)"
        )
    if isinstance(error, _COLLECTIONS):
        return f"reads or writes what is no parameter of it{where} ({one_line(error)}); parameters are a net's only state"
    return f"fails{where}: {one_line(error)}"


_OTHERS = (*(str(Path(file).parent) for file in (jax.__file__, flax.__file__, __file__)), "<")


def _where(error) -> str:
    """The last line of the author's own code, of an error's traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_OTHERS)]
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno} `{frames[-1].line}`" if frames else ""


def _require(owner, method, found, expected, axes):
    """LawBroken unless what is `found` is one array of this shape and of this kind of numbers."""
    what = f"{_name(owner)}.{method} returns"
    if len(found) != 1 or found[0].structure != jax.tree.structure(0):
        raise LawBroken(f"{what} {found[0]}; return one array {axes}")
    (array,) = found[0].leaves
    if array.shape != expected.shape:
        raise LawBroken(f"{what} shape {array.shape}; return {axes} = {expected.shape}")
    kind = jnp.floating if jnp.issubdtype(expected.dtype, jnp.floating) else jnp.integer
    if not jnp.issubdtype(array.dtype, kind) or array.dtype.itemsize < expected.dtype.itemsize:
        raise LawBroken(f"{what} {array.dtype}; return {expected.dtype}")


def _require_same_cache(model, method, before, after, hint):
    """LawBroken unless the cache that a method returns has the structure, shapes and dtypes of the one it was given."""
    if before.structure != after.structure:
        shown = (after, before) if str(after) != str(before) else (after.structure, before.structure)  # a list for a tuple
        raise LawBroken(f"{_name(model)}.{method} returns {shown[0]} for the cache {shown[1]}; keep its structure{hint}")
    for path, old, new in zip(before.paths, before.leaves, after.leaves, strict=True):
        if old != new:
            raise LawBroken(
                f"{_name(model)}.{method} makes cache{path} {_words(new)} of {_words(old)}; a cache has one size and dtype from "
                f"init_cache on: write into it at t{hint}"
            )


def _like(array, shape) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.result_type(array))


def _words(leaf) -> str:
    return f"{leaf.dtype}{list(leaf.shape)}"


def _name(owner) -> str:
    return type(owner.net if isinstance(owner, Model) else owner).__name__
