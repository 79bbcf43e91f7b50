"""Count the multiply-and-add work that a computation really executes.

XLA's cost analysis counts a loop's body once, whatever its trip count. Here the jaxpr is interpreted with concrete values: a
scan runs its length, a while loop as often as it runs, a cond the branch it takes. Only `dot_general` and
`conv_general_dilated` count, two operations for each product, and what they read. Slow: for small instances.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal


class Work(NamedTuple):
    """`flops` of the matrix products and convolutions that a computation executes, and the bytes that they `read`: of both their
    operands, each time anew."""

    flops: int
    read: int

    def __add__(self, other):
        return Work(self.flops + other.flops, self.read + other.read)


NONE = Work(0, 0)


def executed_work(function, *args) -> Work:
    """The work that `function(*args)` executes."""
    return _run(jax.make_jaxpr(function)(*args), jax.tree.leaves(args))[1]


def executed_flops(function, *args) -> int:
    """FLOPs of the matrix products and convolutions that `function(*args)` executes."""
    return executed_work(function, *args).flops


def sequential_steps(function, *args) -> int:
    """How many steps `function(*args)` takes one after the other: the length of its scans, one inside another multiplied, those
    that follow each other summed; 1 if it has none. Loops of no fixed length count as one step."""
    return max(1, _scanned(jax.make_jaxpr(function)(*args)))


def _scanned(jaxpr) -> int:
    steps = 0
    for eqn in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        inner = sum(_scanned(value) for value in eqn.params.values() if isinstance(value, ClosedJaxpr | Jaxpr))
        steps += eqn.params["length"] * max(1, inner) if eqn.primitive.name == "scan" else inner
    return steps


def _run(jaxpr: ClosedJaxpr | Jaxpr, args):
    """(values of the outputs, the work executed)."""
    jaxpr, consts = getattr(jaxpr, "jaxpr", jaxpr), getattr(jaxpr, "consts", ())
    env = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))
    work = NONE
    for eqn in jaxpr.eqns:
        inputs = [var.val if isinstance(var, Literal) else env[var] for var in eqn.invars]
        outputs, executed = _execute(eqn, inputs)
        work += executed
        env.update(zip(eqn.outvars, outputs, strict=True))
    return [var.val if isinstance(var, Literal) else env[var] for var in jaxpr.outvars], work


def _execute(eqn, inputs):
    match eqn.primitive.name:
        case "scan":
            return _scan(eqn, inputs)
        case "while":
            return _while(inputs, **eqn.params)
        case "cond":
            branches = eqn.params["branches"]
            return _run(branches[int(np.clip(inputs[0], 0, len(branches) - 1))], inputs[1:])
    for inner in eqn.params.values():
        if isinstance(inner, ClosedJaxpr | Jaxpr) and _wraps(eqn, inner):
            return _run(inner, inputs)
    outputs = eqn.primitive.bind(*inputs, **eqn.params)
    return (outputs if eqn.primitive.multiple_results else [outputs]), _products(eqn)


def _wraps(eqn, inner) -> bool:
    """Does this equation (jit, a custom derivative, remat) call `inner` on its own inputs? A scatter's or a reduction's inner
    function combines two numbers instead, and is left to its primitive."""
    return [v.aval.shape for v in eqn.invars] == [aval.shape for aval in _in_avals(inner)]


def _scan(eqn, inputs):
    body, length = eqn.params["jaxpr"], eqn.params["length"]
    # Which inputs and outputs are carried is told by their shapes, since its spelling differs between releases of JAX: what is
    # scanned over has one axis more outside than inside.
    num_columns = sum(v.aval.ndim > aval.ndim for v, aval in zip(eqn.invars, _in_avals(body), strict=True))
    num_carry = sum(v.aval.ndim == aval.ndim for v, aval in zip(eqn.outvars, _out_avals(body), strict=True))
    num_consts = len(inputs) - num_columns - num_carry
    consts, carry, columns = inputs[:num_consts], inputs[num_consts:][:num_carry], inputs[num_consts + num_carry :]
    rows, work = [None] * length, NONE
    for i in reversed(range(length)) if eqn.params["reverse"] else range(length):
        outputs, executed = _run(body, [*consts, *carry, *(column[i] for column in columns)])
        carry, rows[i] = outputs[:num_carry], outputs[num_carry:]
        work += executed
    return [*carry, *(jnp.stack(column) for column in zip(*rows, strict=True))], work


def _while(inputs, *, cond_jaxpr, cond_nconsts, body_jaxpr, body_nconsts, **_):
    cond_consts, body_consts = inputs[:cond_nconsts], inputs[cond_nconsts:][:body_nconsts]
    carry, work = inputs[cond_nconsts + body_nconsts :], NONE
    while True:
        (proceed,), executed = _run(cond_jaxpr, [*cond_consts, *carry])
        work += executed
        if not proceed:
            return carry, work
        carry, executed = _run(body_jaxpr, [*body_consts, *carry])
        work += executed


def _in_avals(jaxpr):
    return [var.aval for var in getattr(jaxpr, "jaxpr", jaxpr).invars]


def _out_avals(jaxpr):
    return [var.aval for var in getattr(jaxpr, "jaxpr", jaxpr).outvars]


def _products(eqn) -> Work:
    """Two FLOPs for each product that a contraction sums, none for anything else."""
    flops = _flops(eqn)
    read = sum(var.aval.size * var.aval.dtype.itemsize for var in eqn.invars) if flops else 0
    return Work(flops, read)


def _flops(eqn) -> int:
    if eqn.primitive.name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        return 2 * math.prod(eqn.outvars[0].aval.shape) * math.prod(eqn.invars[0].aval.shape[d] for d in contracted)
    if eqn.primitive.name == "conv_general_dilated":
        kernel = eqn.invars[1].aval.shape
        out_channels = kernel[eqn.params["dimension_numbers"].rhs_spec[0]]
        return 2 * math.prod(eqn.outvars[0].aval.shape) * math.prod(kernel) // out_channels
    return 0
