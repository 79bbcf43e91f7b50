"""How a model computes: compiled once, with finite gradients, and sampling with the work of one parallel pass."""

import contextlib
import copy
import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from arjax.likelihood import log_prob, theta
from arjax.protocol import HeadCapabilities, Model
from arjax.sampling import ancestral
from arjax.testing.cases import BATCH, accepted_orders, given_order, parallel, random_cond, random_symbols, split, to_data
from arjax.testing.flops import executed_flops
from arjax.testing.shape import LawBroken
from arjax.testing.steps import NO_STEP


def check_compilation(model: Model, params, key) -> None:
    """Checks that calls of the same shape compile once, whatever their key, order, condition and data."""

    def calls(model, key):
        order_key, cond_key, key = split(key, 3)
        cond = random_cond(model, cond_key, BATCH)
        for order in accepted_orders(model, order_key):
            x = ancestral(model, params, jax.random.clone(key), BATCH, order=given_order(model, order), cond=cond)
            jax.block_until_ready(theta(model, params, x, order=given_order(model, order), cond=cond))

    key, another_key = split(key, 2)
    calls(model, key)
    # The same model built anew, as a caller may; and first, because this may compile something itself.
    twin = _rebuilt(model)
    with compilations() as canary:
        jax.jit(lambda x: x + 1)(0.0)
    if not canary:
        raise RuntimeError("this release of JAX does not report its compilations as the kit expects; please report it")
    with compilations() as further:
        calls(twin, another_key)
    if further:
        raise LawBroken(f"a second call of the same shapes compiled {len(further)} more times; is something hashed by identity?")


def check_gradients(model: Model, params, key) -> None:
    """Checks that log-probabilities and their gradients are finite: at random and at extreme symbols, and for theta of +-1e4."""
    x_key, cond_key = split(key, 2)
    cond, drawn = random_cond(model, cond_key, BATCH), random_symbols(model, x_key, BATCH)
    low, high = (-1e3, 1e3) if model.head.vocab is None else (0, model.head.vocab - 1)
    extremes = {"the lowest": np.full_like(drawn, low), "the highest": np.full_like(drawn, high)}
    for name, x in {"random": drawn, **extremes}.items():
        x = _supported(model.head, parallel(model, params, x, model.permutation, cond), x)
        value, gradient = _slope(model, params, to_data(model, x, model.permutation), cond)
        _require_finite(value, f"log_prob at {name} symbols")
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
            _require_finite(leaf, f"the gradient of {jax.tree_util.keystr(path)} at {name} symbols")
        for scale in (-1e4, 1e4):
            theta = np.full((BATCH, model.num_sites, model.head.param_size), scale, np.float32)
            theta[..., ::2] *= -1
            value, gradient = _head_slope(model.head, theta, _supported(model.head, theta, x))
            _require_finite(value, f"the head's log_prob at {name} symbols and theta of +-1e4")
            _require_finite(gradient, f"the head's gradient at {name} symbols and theta of +-1e4")


def _supported(head, theta, x):
    """x itself, or of a head of real values that not all numbers belong to, the nearest that do."""
    nearest = HeadCapabilities.of(head).nearest
    return x if nearest is None else np.asarray(nearest(jnp.asarray(theta), x))


@functools.partial(jax.jit, static_argnames="model")
def _slope(model, params, x, cond):
    """(the mean log-probability, its gradient by the parameters)."""
    return jax.value_and_grad(lambda params: log_prob(model, params, x, cond=cond).mean())(params)


@functools.partial(jax.jit, static_argnames="head")
def _head_slope(head, theta, x):
    """(the mean log-probability, its gradient by theta)."""
    return jax.value_and_grad(lambda theta: head.log_prob(theta, x).mean())(theta)


def check_work(model: Model, params, key, bound: float = 1.1) -> str | None:
    """Checks that a whole cached sample executes at most `bound` times the FLOPs of one log_prob of the same batch."""
    if model.capabilities.step is None:
        return NO_STEP
    ratio = work_ratio(model, params, key, BATCH)
    if ratio > bound:
        raise LawBroken(
            f"sampling executes {ratio:.2f} times the FLOPs of one parallel pass; the bound is {bound}: "
            "step computes what the cache could hold"
        )
    return "a net without matrix products has no work to count" if math.isnan(ratio) else None


def work_ratio(model: Model, params, key, batch: int) -> float:
    """Returns the FLOPs executed by a whole cached sample / by one log_prob of the same batch (matrix products and
    convolutions). NaN for a net that has none."""
    cond_key, key = split(key, 2)
    cond = random_cond(model, cond_key, batch)
    x = to_data(model, random_symbols(model, jax.random.clone(key), batch), model.permutation)
    sampling = executed_flops(lambda params: ancestral(model, params, jax.random.clone(key), batch, cond=cond), params)
    scoring = executed_flops(lambda params: log_prob(model, params, x, cond=cond), params)
    return sampling / scoring if scoring else math.nan


@contextlib.contextmanager
def compilations():
    """A list that grows by one with every compilation inside."""
    seen = []

    def note(event, *_, **__):
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        yield seen
    finally:
        jax.monitoring.unregister_event_duration_listener(note)


def _rebuilt(value):
    """An equal value made anew; functions and classes stay, since they equal themselves alone."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return dataclasses.replace(value, **{name: _rebuilt(getattr(value, name)) for name in fields})
    if type(value) is tuple:
        return tuple(map(_rebuilt, value))
    return value if callable(value) else copy.deepcopy(value)


def _require_finite(value, what):
    finite = np.isfinite(np.asarray(value))
    if not finite.all():
        raise LawBroken(f"{what} is not finite: {int((~finite).sum())} of {finite.size} numbers")
