"""What of a net multiplies an activation, read off the program that computes theta, whatever the parameters are called.

A parameter does where its product with data is summed over, by `dot_general` or a convolution. Data are the symbols and the
condition, and what is computed of them; the order, the member and what is computed of them (masks, places) are not. The product
with a one-hot vector looks up a row: that parameter is a table, as one is that symbols index.

A product element by element may be summed over later, as a cumulative sum over sites does, or never: a parameter of several axes
that has such products with data may decay or not.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import Literal

from arjax.protocol import Model, NetCapabilities, decaying
from arjax.testing.cases import random_cond, random_symbols, split
from arjax.testing.flops import _inner, _open
from arjax.testing.shape import LawBroken

# What a value is: one of these, or where no data reach it, the set of the parameters that it is made of.
_DATA, _ONE_HOT = "data", "one-hot"
# What leaves a one-hot vector one.
_KEEPS = {"broadcast_in_dim", "concatenate", "convert_element_type", "copy", "gather", "mul", "pad", "reshape", "select_n"}
_KEEPS |= {"slice", "squeeze", "transpose"}


class Products(NamedTuple):
    """The dotted paths of parameters whose products with an activation are summed over, or taken element by element."""

    summed: set[str]
    scaled: set[str]


def products_of(model: Model, params, key) -> Products:
    """Reads which parameters of a net multiply an activation."""
    x_key, cond_key = split(key, 2)
    # A single example: for many, a net may look up its products with an embedding instead of computing each.
    x, cond, order = random_symbols(model, x_key, 1), random_cond(model, cond_key, 1), jnp.asarray(model.permutation)

    def theta(params, x, told):
        return model.apply(params, x, order, told.replace(member=cond.member))

    return products(theta, params, x, cond.replace(member=None))


def check_decays(model: Model, params, key) -> str | None:
    """Checks that a net that declares `decays` names in it what multiplies an activation, and nothing else."""
    declared = set(_paths(decaying(params, model.capabilities.decays), bool))
    found = products_of(model, params, key)
    if (missing := found.summed - declared) and model.capabilities.decays == NetCapabilities.decays:
        return (
            f"the net declares no `decays`, and weight decay leaves out {', '.join(sorted(missing))}, which multiply activations"
        )
    if missing:
        raise LawBroken(f"{', '.join(sorted(missing))} multiply an activation, but `decays` does not name them")
    if wrong := declared - found.summed - (found.scaled & set(_paths(params, lambda leaf: leaf.ndim > 1))):
        raise LawBroken(f"`decays` names {', '.join(sorted(wrong))}, which multiply no activation")
    return None


def products(function, params, *data) -> Products:
    """Reads which of `params` function(params, *data) multiplies with an activation."""
    program, found = jax.make_jaxpr(function)(params, *data), Products(set(), set())
    args = [frozenset([path]) for path in _paths(params)] + [_DATA] * len(jax.tree.leaves(data))
    _follow(program.jaxpr, args, found)
    return found


def _paths(tree, wanted=lambda _: True) -> list[str]:
    """The dotted paths of the leaves that are `wanted`."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path, leaf in leaves if wanted(leaf)]


def _follow(program, args, found) -> list:
    """The kinds of a program's results, given those of its arguments; adds to `found`."""
    kinds = dict(zip(program.invars, args, strict=True))

    def kind(var):
        return frozenset() if isinstance(var, Literal) else kinds.get(var, frozenset())

    for eqn in program.eqns:
        kinds |= zip(eqn.outvars, _results(eqn, [kind(var) for var in eqn.invars], found), strict=True)
    return [kind(var) for var in program.outvars]


def _results(eqn, args, found) -> list:
    name, bodies = eqn.primitive.name, [_open(body) for body in _inner(eqn)]
    match name:
        case "scan":
            return _scan(bodies[0], args, found, eqn.params["num_consts"], eqn.params["num_carry"])
        case "cond":
            each = [_follow(body, args[1:], found) for body in bodies]
            return [functools.reduce(_both, (args[0], *kinds)) for kinds in zip(*each, strict=True)]
        case "while":
            return [_DATA] * len(eqn.outvars)
        case "dot_general" | "conv_general_dilated" | "mul":
            for one, other in (args[:2], args[1::-1]):
                if isinstance(one, frozenset) and other == _DATA:
                    (found.scaled if name == "mul" else found.summed).update(one)
    if bodies:
        return _follow(bodies[0], args, found)
    kind = functools.reduce(_both, args, frozenset())
    if name == "eq" and kind == _DATA:
        kind = _ONE_HOT
    elif (kind == _ONE_HOT and name not in _KEEPS) or (name == "gather" and args[1] == _DATA):
        kind = _DATA
    return [kind] * len(eqn.outvars)


def _scan(body, args, found, consts, carried):
    """What is carried may be data from the second step on."""
    while True:
        results = _follow(body, args, found)
        carry = [*map(_both, args[consts : consts + carried], results[:carried])]
        after = [*args[:consts], *carry, *args[consts + carried :]]
        if after == args:
            return results
        args = after


def _both(one, other):
    """The kind of what is made of two. A one-hot vector with zeros for some of its places stays one."""
    if isinstance(one, frozenset) and isinstance(other, frozenset):
        return one | other
    return _ONE_HOT if {one, other} in ({_ONE_HOT}, {_ONE_HOT, frozenset()}) else _DATA
