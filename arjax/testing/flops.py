"""Count the multiply-and-add work that a computation really executes.

XLA's cost analysis counts a loop's body once, whatever its trip count. Here a scan counts its body as often as it is long, a
while loop as often as it runs, a cond the branch it takes. Only `dot_general` and `conv_general_dilated` count, two operations
for each product, and what they read. What no value decides is read off the jaxpr; where loops or branches decide, the jaxpr
runs once, as one program that counts how often it enters each part of itself.
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

    def __mul__(self, times):
        return Work(self.flops * times, self.read * times)


NONE = Work(0, 0)
CONTROL = ("scan", "while", "cond")


def executed_work(function, *args) -> Work:
    """Returns the work that `function(*args)` executes."""
    jaxpr = jax.make_jaxpr(function)(*args)
    parts = _parts(jaxpr, {})
    if len(parts) == 1:
        return parts[id(_open(jaxpr))]
    places = {part: place for place, part in enumerate(parts)}
    start = jnp.zeros(len(parts), jnp.int32)
    times = jax.jit(lambda leaves: _run(jaxpr, leaves, start, places)[1])(jax.tree.leaves(args))
    return sum((work * int(count) for work, count in zip(parts.values(), np.asarray(times), strict=True)), NONE)


def executed_flops(function, *args) -> int:
    """Returns the FLOPs of the matrix products and convolutions that `function(*args)` executes."""
    return executed_work(function, *args).flops


def sequential_steps(function, *args) -> int:
    """How many steps `function(*args)` takes one after the other: the length of its scans, one inside another multiplied, those
    that follow each other summed; 1 if it has none. Loops of no fixed length count as one step."""
    return max(1, _scanned(jax.make_jaxpr(function)(*args)))


def _scanned(jaxpr) -> int:
    steps = 0
    for eqn in _open(jaxpr).eqns:
        inner = sum(map(_scanned, _inner(eqn)))
        steps += eqn.params["length"] * max(1, inner) if eqn.primitive.name == "scan" else inner
    return steps


def _parts(jaxpr, parts) -> dict[int, Work]:
    """By its id, every jaxpr that `_run` enters, and the work of its equations that no value decides."""
    fixed = [_fixed(eqn) for eqn in _open(jaxpr).eqns]
    parts[id(_open(jaxpr))] = sum((work for work in fixed if work is not None), NONE)
    for eqn, work in zip(_open(jaxpr).eqns, fixed, strict=True):
        if work is None:
            for inner in _inner(eqn):
                _parts(inner, parts)
    return parts


def _fixed(eqn) -> Work | None:
    """The work of an equation, None where values decide it."""
    inner = [_sum(map(_fixed, _open(jaxpr).eqns)) for jaxpr in _inner(eqn)]
    match eqn.primitive.name:
        case "scan":
            return None if None in inner else inner[0] * eqn.params["length"]
        case "while":
            return NONE if set(inner) == {NONE} else None
        case "cond":
            return inner[0] if len(set(inner)) == 1 else None
    return _sum(inner) if inner else _products(eqn)


def _sum(works) -> Work | None:
    works = list(works)
    return None if None in works else sum(works, NONE)


def _inner(eqn) -> list:
    """The jaxprs that an equation runs: of control flow, and of what calls one on its own inputs (jit, a custom derivative,
    remat). A scatter's or a reduction's inner function combines two numbers instead, and is left to its primitive."""
    jaxprs = [
        value
        for param in eqn.params.values()
        for value in (param if isinstance(param, tuple) else (param,))
        if isinstance(value, ClosedJaxpr | Jaxpr)
    ]
    if eqn.primitive.name in CONTROL:
        return jaxprs
    shapes = [var.aval.shape for var in eqn.invars]
    return [jaxpr for jaxpr in jaxprs if [var.aval.shape for var in _open(jaxpr).invars] == shapes][:1]


def _open(jaxpr) -> Jaxpr:
    return jaxpr.jaxpr if isinstance(jaxpr, ClosedJaxpr) else jaxpr


def _run(jaxpr, args, times, places):
    """(values of the outputs, how often each part has been entered); traceable."""
    consts, jaxpr = (jaxpr.consts if isinstance(jaxpr, ClosedJaxpr) else ()), _open(jaxpr)
    env = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))
    if places:  # none where the work is known
        times = times.at[places[id(jaxpr)]].add(1)
    for eqn in jaxpr.eqns:
        inputs = [var.val if isinstance(var, Literal) else env[var] for var in eqn.invars]
        if _fixed(eqn) is None:
            outputs, times = _decide(eqn, inputs, times, places)
        elif eqn.primitive.name not in CONTROL and (inner := _inner(eqn)):
            outputs, _ = _run(inner[0], inputs, times, {})
        else:
            outputs = eqn.primitive.bind(*inputs, **eqn.params)
            outputs = outputs if eqn.primitive.multiple_results else [outputs]
        env.update(zip(eqn.outvars, outputs, strict=True))
    return [var.val if isinstance(var, Literal) else env[var] for var in jaxpr.outvars], times


def _decide(eqn, inputs, times, places):
    """`_run` for an equation whose work its values decide."""
    match eqn.primitive.name:
        case "scan":
            return _scan(eqn, inputs, times, places)
        case "while":
            return _while(inputs, times, places, **eqn.params)
        case "cond":
            which, *operands = inputs
            branches = [lambda *args, jaxpr=jaxpr: _run(jaxpr, args[1:], args[0], places) for jaxpr in eqn.params["branches"]]
            return jax.lax.switch(which.astype(jnp.int32), branches, times, *operands)
    return _run(_inner(eqn)[0], inputs, times, places)


def _scan(eqn, inputs, times, places):
    body = eqn.params["jaxpr"]
    # Which inputs and outputs are carried is told by their shapes, since its spelling differs between releases of JAX: what is
    # scanned over has one axis more outside than inside.
    num_columns = sum(v.aval.ndim > inner.aval.ndim for v, inner in zip(eqn.invars, _open(body).invars, strict=True))
    num_carry = sum(v.aval.ndim == inner.aval.ndim for v, inner in zip(eqn.outvars, _open(body).outvars, strict=True))
    num_consts = len(inputs) - num_columns - num_carry
    consts, carry, columns = inputs[:num_consts], inputs[num_consts:][:num_carry], inputs[num_consts + num_carry :]

    def step(carry, row):
        outputs, times = _run(body, [*consts, *carry[1], *row], carry[0], places)
        return (times, outputs[:num_carry]), outputs[num_carry:]

    length, reverse = eqn.params["length"], eqn.params["reverse"]
    (times, carry), columns = jax.lax.scan(step, (times, carry), columns, length, reverse)
    return [*carry, *columns], times


def _while(inputs, times, places, *, cond_jaxpr, cond_nconsts, body_jaxpr, body_nconsts, **_):
    cond_consts, body_consts = inputs[:cond_nconsts], inputs[cond_nconsts:][:body_nconsts]

    def proceed(carry, times):
        (further,), times = _run(cond_jaxpr, [*cond_consts, *carry], times, places)
        return further, carry, times

    def body(state):
        _, carry, times = state
        return proceed(*_run(body_jaxpr, [*body_consts, *carry], times, places))

    start = proceed(inputs[cond_nconsts + body_nconsts :], times)
    _, carry, times = jax.lax.while_loop(lambda state: state[0], body, start)
    return carry, times


def _products(eqn) -> Work:
    """Two FLOPs for each product that a contraction sums, none for anything else."""
    flops = _flops(eqn)
    return Work(flops, sum(var.aval.size * var.aval.dtype.itemsize for var in eqn.invars)) if flops else NONE


def _flops(eqn) -> int:
    if eqn.primitive.name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        return 2 * math.prod(eqn.outvars[0].aval.shape) * math.prod(eqn.invars[0].aval.shape[d] for d in contracted)
    if eqn.primitive.name == "conv_general_dilated":
        kernel = eqn.invars[1].aval.shape
        out_channels = kernel[eqn.params["dimension_numbers"].rhs_spec[0]]
        return 2 * math.prod(eqn.outvars[0].aval.shape) * math.prod(kernel) // out_channels
    return 0
