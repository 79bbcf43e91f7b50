"""The kit's first part against nets and heads that JAX or Flax would answer with an error of their own, or with none."""

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from history import History
from linear import COIN, Altered, Linear, T, one_site, parallel

from arjax import testing
from arjax.errors import InputError
from arjax.heads import Categorical
from arjax.orders import Raster
from arjax.protocol import Model
from arjax.sampling import ancestral, fixed_point, generate, naive
from arjax.testing import LawBroken

KEY = jax.random.key(0)


class Blind(nn.Module):
    """theta = c, in one method: what a net without step has."""

    spec: Any = None

    @nn.compact
    def __call__(self, x, order, cond=None, *, key=None):
        c = self.param("c", nn.initializers.zeros, (self.spec.num_sites, self.spec.param_size))
        return jnp.broadcast_to(c[None], (len(x), *c.shape)) + 0.1 * self.seen(x)

    def seen(self, x):
        return jnp.cumsum(jnp.pad(x, ((0, 0), (1, 0))), axis=1)[:, :-1, None]


class StepAlone(Blind):
    def step(self, cache, x, t, order, cond=None):
        return cache, self.c


class Keyless(nn.Module):
    spec: Any = None

    @nn.compact
    def __call__(self, x, order, cond=None):
        return jnp.zeros((*x.shape, 1))


class Drops(Blind):
    def seen(self, x):
        return nn.Dropout(0.5, deterministic=False)(super().seen(x).astype(jnp.float32))


class Normalizes(Blind):
    def seen(self, x):
        return nn.BatchNorm(use_running_average=False)(super().seen(x).astype(jnp.float32))


class Counts(Blind):
    def seen(self, x):
        return super().seen(x) + self.variable("calls", "count", lambda: jnp.zeros(())).value


def branches_on_x(net, x, order):
    if x.sum() > 0:
        return parallel(net, x, order)
    return parallel(net, x, order)


def in_numpy(net, x, order):
    return parallel(net, np.where(x > 0, 1, 0), order)


def noisy(net, x, order):
    return parallel(net, x, order) + np.random.default_rng().normal()


def misaligned(net, x, order):
    return parallel(net, x, order) + net.c[:-1][None]


def branches_on_t(net, cache, x, t, order):
    if t == 0:
        return cache, parallel(net, cache, order)[:, 0]
    return one_site(net, cache, x, t, order)


def counts_to_t(net, cache, x, t, order):
    return cache, sum(cache[:, s, None] for s in range(t))


def grows(net, cache, x, t, order):
    cache, theta = one_site(net, cache, x, t, order)
    return jnp.concatenate([cache, cache[:, :1]], axis=1), theta


def rounds(net, cache, x, t, order):
    cache, theta = one_site(net, cache, x, t, order)
    return cache.astype(jnp.bfloat16), theta


def wraps(net, cache, x, t, order):
    cache, theta = one_site(net, cache, x, t, order)
    return {"x": cache}, theta


def lists(net, cache, x, t, order):
    (cache,), theta = cache, one_site(net, cache[0], x, t, order)[1]
    return [cache], theta


def shares_a_row(net, cache, x, t, order):
    new, theta = one_site(net, jnp.broadcast_to(cache, (len(x), T)), x, t, order)
    return new, theta


def changed(function, change):
    """A method whose result is changed."""
    return lambda *args: change(function(*args))


VALUE = r"needs the value of an array that is traced at test_shape.py:\d+ `{line}`: Python's `if`, .* use jnp.where"
ROWS = r"init_cache gives the same shapes for a batch of 3 and of 7: make them of `batch`"
BROKEN = {
    "theta's rank": (Linear(changed(parallel, lambda theta: theta[..., 0])), r"__call__ .* \(3, 5\); return .* = \(3, 5, 1\)"),
    "theta's width": (Linear(changed(parallel, lambda theta: jnp.repeat(theta, 2, -1))), r"\(3, 5, 2\); return \[B, T, P\] = "),
    "theta's dtype": (Linear(changed(parallel, lambda theta: theta.astype(int))), "__call__ returns int32; return float32"),
    "theta's precision": (
        Linear(changed(parallel, lambda theta: theta.astype(jnp.bfloat16))),
        "__call__ returns bfloat16; return float32",
    ),
    "several theta": (
        Linear(changed(parallel, lambda theta: (theta, theta))),
        r"returns \[0\]: float32\[3, 5, 1\], .*return one array",
    ),
    "no key": (
        Keyless(),
        r"Keyless.__call__\(self, x, order, cond=None\) .* unexpected keyword argument 'key'\); write __call__",
    ),
    "if x": (Linear(branches_on_x), "Linear.__call__ " + VALUE.format(line="if x.sum.*")),
    "NumPy": (Linear(in_numpy), "Linear.__call__ " + VALUE.format(line="return .*")),
    "a shape inside": (Linear(misaligned), r"Linear.__call__ fails at test_shape.py:\d+ `return .*`: \w+: .*\(1, 4, 1\)"),
    "noise": (Linear(noisy), "something else each time it is traced: .* draw with a fixed seed, or from `key`"),
    "Dropout": (
        Drops(),
        r"Drops.__call__ draws from .* passes at .*; draw from `key`, as nn.Dropout\(rate\)\(h, deterministic=key is",
    ),
    "BatchNorm": (Normalizes(), "Normalizes keeps state in batch_stats, as nn.BatchNorm does; .* choose nn.LayerNorm"),
    "a variable": (Counts(), "Counts keeps state in calls"),
    "if t": (Linear(one=branches_on_t), "Linear.step " + VALUE.format(line="if t == 0:")),
    "range(t)": (Linear(one=counts_to_t), "Linear.step " + VALUE.format(line=".*range.*")),
    "theta of step": (
        Linear(one=changed(one_site, lambda out: (out[0], out[1][:, None]))),
        r"step .* \(3, 1, 1\); return \[B, P\]",
    ),
    "swapped": (Linear(one=changed(one_site, lambda out: out[::-1])), r"step returns \(theta, cache\); return \(cache, theta\)"),
    "no cache": (Linear(one=changed(one_site, lambda out: out[1])), r"step returns float32\[3, 1\]; return \(cache, theta\)"),
    "a cache that grows": (Linear(one=grows), r"step makes cache float32\[3, 6\] of float32\[3, 5\]; .* write into it at t$"),
    "a cache's dtype": (Linear(one=rounds), r"step makes cache bfloat16\[3, 5\] of float32\[3, 5\]"),
    "a cache's structure": (Linear(one=wraps), r"step returns \['x'\]: float32\[3, 5\] for the cache float32\[3, 5\]; keep its"),
    "a list": (
        Linear(first=lambda batch: (jnp.zeros((batch, T)),), one=lists),
        r"step returns PyTreeDef\(\[\*\]\) for the cache PyTreeDef\(\(\*,\)\); keep its structure",
    ),
    "one row": (Linear(first=lambda batch: jnp.zeros((1, T)), one=shares_a_row), f"step makes cache .*{ROWS}"),
    "too many rows": (Linear(first=lambda batch: jnp.zeros((16, T))), f"step fails at linear.py.*{ROWS}"),
    "no init_cache": (StepAlone(), r"StepAlone has step but no init_cache; give it init_cache\(self, batch"),
    "prefill": (
        History(lambda cache, x, n: (cache, x)),
        r"History.prefill returns \[0\]: .* for the cache float32\[3, 5, 2\]; keep",
    ),
}
HEADS = {
    "log_prob": (Altered(changed(COIN.log_prob, lambda p: p[..., None])), r"log_prob returns shape \(3, 5, 1\); .* = \(3, 5\)"),
    "sample": (Altered(sample=changed(COIN.sample, lambda x: x / 2)), "Altered.sample returns float32; return int32"),
}
MODELS = {name: (Model(net, COIN, (T,)), message) for name, (net, message) in BROKEN.items()}
MODELS |= {name: (Model(Linear(), head, (T,)), message) for name, (head, message) in HEADS.items()}


@pytest.mark.parametrize(("broken", "message"), MODELS.values(), ids=MODELS)
def test_check_names_what_has_another_shape_than_the_protocol(broken, message):
    with pytest.raises(LawBroken, match=message):
        testing.check(broken)


class NoStep(Blind):
    """A right net without step."""

    any_order: ClassVar[bool] = False


def test_check_passes_a_net_without_step_and_says_what_it_left_out():
    model, lines = Model(NoStep(), Categorical(3), (2, 2), Raster()), []
    skipped = {part.name: part.skipped for part in testing.check(model, report=lines.append) if part.skipped}
    assert skipped.keys() == {"step", "work", "prefill", "order_per_example"}
    assert skipped["step"] == skipped["work"] == "the net has no step"
    assert len(lines) == len(testing.PARTS)
    assert any(line.startswith("step ") and line.endswith("skipped: the net has no step") for line in lines)


def test_ancestral_draws_for_a_net_without_step_what_others_draw_and_generate_refuses_it():
    model = Model(NoStep(), Categorical(3), (4,))
    params, x = testing.lively_params(model, KEY), np.array([[1, 0, 2, 0]])
    drawn = ancestral(model, params, jax.random.clone(KEY), 2)
    np.testing.assert_array_equal(drawn, naive(model, params, jax.random.clone(KEY), 2))
    np.testing.assert_array_equal(drawn, fixed_point(model, params, jax.random.clone(KEY), 2)[0])
    completed = ancestral(model, params, jax.random.clone(KEY), 2, observed=x, mask=np.arange(4) < 2)
    np.testing.assert_array_equal(completed[:, :2], np.broadcast_to(x[:, :2], (2, 2)))
    with pytest.raises(InputError, match=r"NoStep has no step, by which texts are continued .* give it init_cache and step, or"):
        generate(model, params, KEY, [[1]], tokens=2)
