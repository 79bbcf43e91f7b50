"""The conformance kit: does a net obey the law?

`check(model)` runs every part; each part can be run on its own. A broken net raises `LawBroken`, which names the site (t, in
generation order), the order and the size of the fault. Use a small instance of your net: T up to about 64 sites; spaces of up
to 4096 outcomes are enumerated, and only there can sums and samples be held against the whole law.
"""

import contextlib
import copy
import dataclasses
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

from arjax.flops import executed_flops
from arjax.likelihood import log_prob, theta
from arjax.orders import arrange, restore
from arjax.protocol import Cond, Model, init
from arjax.sampling import ancestral, fixed_point, naive

ENUMERABLE = 4096
BATCH = 4


class LawBroken(AssertionError):
    """A net, head or model does not do what the law says."""


def check(model: Model, params=None, key=None) -> None:
    """Every part of the kit. params: None draws lively ones, no leaf at zero, so that nothing passes for being absent."""
    key = jax.random.key(0) if key is None else key
    params = lively_params(model, key) if params is None else params
    check_causality(model, params, key)
    check_step(model, params, key)
    check_normalization(model, params, key)
    check_samplers(model, params, key)
    check_completion(model, params, key)
    check_compilation(model, params, key)
    check_gradients(model, params, key)
    check_work(model, params, key)


def check_causality(model: Model, params, key) -> None:
    """theta ignores the future: changing the symbol at s leaves theta[:, :s+1] bit-identical, for every order the model accepts;
    and for some s it changes something after s. Real symbols: the Jacobian is exactly zero there, too."""
    x = _random_symbols(model, key, model.num_sites)
    x = jnp.broadcast_to(x[:1], x.shape)  # row s will differ from this at site s alone
    cond = random_cond(model, key, len(x))
    sites = jnp.arange(model.num_sites)
    for order in accepted_orders(model, key):
        changed = _to_data(model, x.at[sites, sites].set(_another_symbol(model, x[sites, sites])), order)
        before = theta(model, params, _to_data(model, x, order), order=_given(model, order), cond=cond)
        after = theta(model, params, changed, order=_given(model, order), cond=cond)
        moved = np.asarray(jnp.abs(after - before).max(axis=-1))  # [s, t]
        _refuse_future(model, order, moved, "the symbol at t={s} is replaced")
        if model.num_sites > 1 and not moved.any():
            raise LawBroken(
                f"theta depends on no earlier symbol at all in order {_name(order)}: the check of causality is vacuous"
            )
        if model.head.vocab is None:
            _check_jacobian(model, params, x[:1], order, jax.tree.map(lambda leaf: leaf[:1] if leaf.ndim else leaf, cond))


def check_step(model: Model, params, key, tolerance: float = 1e-5) -> None:
    """`step` computes what `__call__` does, site by site, to a relative `tolerance` (float32); at t = 0 it ignores its x."""
    x = _random_symbols(model, key, BATCH)
    cond = random_cond(model, key, BATCH)

    @jax.jit
    def stepped(order):
        def body(carry, t):
            cache, previous = carry
            cache, theta = model.apply(params, cache, previous, t, order, cond, method="step")
            return (cache, x[:, t]), theta

        start = model.apply(params, BATCH, order, cond, method="init_cache"), x[:, -1]
        return jnp.moveaxis(jax.lax.scan(body, start, jnp.arange(model.num_sites))[1], 0, 1)

    for order in accepted_orders(model, key):
        expected = theta(model, params, _to_data(model, x, order), order=_given(model, order), cond=cond)
        error = jnp.abs(stepped(order) - expected).max(axis=(0, 2)) / jnp.maximum(1, jnp.abs(expected).max())
        if not jnp.all(error <= tolerance):
            t = int(jnp.argmax(~(error <= tolerance)))
            raise LawBroken(f"step and call disagree at site t={t} in order {_name(order)}: relative difference {error[t]:.2g}")


def check_normalization(model: Model, params, key, tolerance: float = 1e-5) -> None:
    """Probabilities sum to one: over one symbol at every site, and over the whole space where it is enumerable."""
    if model.head.vocab is None:
        return
    cond = random_cond(model, key, 1)
    symbols = _all_events(model)
    if len(symbols) <= ENUMERABLE:
        x = _random_symbols(model, key, 1)
        for order in accepted_orders(model, key):
            at = theta(model, params, _to_data(model, x, order), order=_given(model, order), cond=cond)[0]
            total = jnp.exp(jax.vmap(lambda symbol, at=at: model.head.log_prob(at, _repeat(symbol, len(at))))(symbols)).sum(
                axis=0
            )
            if not jnp.all(jnp.abs(total - 1) <= tolerance):
                t = int(jnp.argmax(~(jnp.abs(total - 1) <= tolerance)))
                raise LawBroken(
                    f"the probabilities of the symbols at site t={t} in order {_name(order)} sum to {total[t]:.6f}, not 1"
                )
    if (space := enumerate_space(model)) is not None:
        for order in accepted_orders(model, key):
            total = jnp.exp(_enumerated(model, params, space, order, cond)).sum()
            if not abs(total - 1) <= 10 * tolerance:
                raise LawBroken(
                    f"the probabilities of all {len(space)} outcomes in order {_name(order)} sum to {total:.6f}, not 1"
                )


def check_samplers(model: Model, params, key) -> None:
    """The cached, naive and fixed-point samplers return the same samples from one key; where the space is enumerable, the
    samples follow its law (chi-square, p > 1e-4 at this key)."""
    cond = random_cond(model, key, BATCH)
    for order in accepted_orders(model, key):
        cached = ancestral(model, params, key, BATCH, order=_given(model, order), cond=cond)
        _require_support(model, cached, order)
        for name, other in (
            ("naive", naive(model, params, key, BATCH, order=_given(model, order), cond=cond)),
            ("fixed-point", fixed_point(model, params, key, BATCH, order=_given(model, order), cond=cond)[0]),
        ):
            _require_same_samples(model, cached, other, order, name)
    if (space := enumerate_space(model)) is not None:
        cond = random_cond(model, key, 1)
        samples = _many_samples(model, params, key, cond)
        probs = jnp.exp(_enumerated(model, params, space, model.permutation, cond))
        _require_law(model, samples, space, probs, "samples do not follow the enumerated law")


def check_completion(model: Model, params, key) -> None:
    """Observed sites are kept and, where the space is enumerable, the rest follows the exact conditional. A mask that the net
    cannot honour is refused."""
    observed = _to_data(model, _random_symbols(model, key, 1), model.permutation)
    prefix = np.zeros(model.num_sites, bool)
    prefix[model.permutation[: model.num_sites // 2]] = True
    scattered = np.zeros(model.num_sites, bool)
    scattered[model.permutation[1::2]] = True
    masks = [prefix.reshape(model.site_shape)]
    if model.num_sites > 1 and model.net.any_order:
        masks.append(scattered.reshape(model.site_shape))
    elif model.num_sites > 1:
        with contextlib.suppress(ValueError):
            cond = random_cond(model, key, 1)
            ancestral(model, params, key, 1, observed=observed, mask=scattered.reshape(model.site_shape), cond=cond)
            raise LawBroken("a mask that is no prefix of the order was accepted by a net that generates in one order only")
    cond = random_cond(model, key, 1)
    for mask in masks:
        samples = _many_samples(model, params, key, cond, observed=observed, mask=mask)
        kept = jnp.where(_per_symbol(model, mask), samples == observed, True)
        if not kept.all():
            site = int(jnp.argmax(~kept.all(axis=0).reshape(model.num_sites, -1).all(axis=1)))
            raise LawBroken(f"completion changed the observed site {site}")
        if (space := enumerate_space(model)) is not None:
            order = model.permutation[np.argsort(~mask.reshape(-1)[model.permutation], kind="stable")]
            possible = jnp.where(_per_symbol(model, mask), space == observed, True).reshape(len(space), -1).all(axis=1)
            joint = jnp.where(possible, jnp.exp(_enumerated(model, params, space, order, cond)), 0)
            _require_law(model, samples, space, joint / joint.sum(), "completions do not follow the enumerated conditional")


def check_compilation(model: Model, params, key) -> None:
    """Calls of the same shape compile once, whatever their key, order, condition and data."""
    compilations = 0

    def count(event, *_, **__):
        nonlocal compilations
        compilations += event == "/jax/core/compile/backend_compile_duration"

    def calls(model, key):
        for order in accepted_orders(model, key):
            cond = random_cond(model, key, BATCH)
            x = ancestral(model, params, key, BATCH, order=_given(model, order), cond=cond)
            jax.block_until_ready(log_prob(model, params, x, order=_given(model, order), cond=cond))

    calls(model, key)
    # The same model built anew, as a caller may; and first, because this may compile something itself.
    twin, another_key = _rebuilt(model), jax.random.fold_in(key, 1)
    jax.monitoring.register_event_duration_secs_listener(count)
    try:
        calls(twin, another_key)
    finally:
        jax.monitoring.unregister_event_duration_listener(count)
    if compilations:
        raise LawBroken(f"a second call of the same shapes compiled {compilations} more times; is something hashed by identity?")


def check_gradients(model: Model, params, key) -> None:
    """Log-probabilities and their gradients are finite: at random and at extreme symbols, and for theta of +-1e4."""
    vocab, shape = model.head.vocab, (BATCH, model.num_sites, *model.head.event_shape)
    low, high = (-1e3, 1e3) if vocab is None else (0, vocab - 1)
    cond = random_cond(model, key, BATCH)
    extremes = {"the lowest": jnp.full(shape, low, model.dtype), "the highest": jnp.full(shape, high, model.dtype)}
    for name, x in {"random": _random_symbols(model, key, BATCH), **extremes}.items():
        data = _to_data(model, x, model.permutation)
        value, gradient = jax.value_and_grad(lambda p, x=data: log_prob(model, p, x, cond=cond).mean())(params)
        _require_finite(value, f"log_prob at {name} symbols")
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
            _require_finite(leaf, f"the gradient of {jax.tree_util.keystr(path)} at {name} symbols")
        for scale in (-1e4, 1e4):
            at = jnp.full((BATCH, model.num_sites, model.head.param_size), scale).at[..., ::2].multiply(-1)
            value, gradient = jax.value_and_grad(lambda at, x=x: model.head.log_prob(at, x).mean())(at)
            _require_finite(value, f"the head's log_prob at {name} symbols and theta of +-1e4")
            _require_finite(gradient, f"the head's gradient at {name} symbols and theta of +-1e4")


def check_work(model: Model, params, key, bound: float = 1.1) -> None:
    """A whole cached sample executes at most `bound` times the FLOPs of one log_prob of the same batch."""
    ratio = work_ratio(model, params, key, BATCH)
    if ratio > bound:
        raise LawBroken(f"sampling executes {ratio:.2f} times the FLOPs of one parallel pass; the bound is {bound}")


def work_ratio(model: Model, params, key, batch: int) -> float:
    """FLOPs executed by a whole cached sample / by one log_prob of the same batch (matrix products and convolutions). NaN for
    a net that has none."""
    cond = random_cond(model, key, batch)
    x = ancestral(model, params, key, batch, cond=cond)
    sampling = executed_flops(lambda params: ancestral(model, params, key, batch, cond=cond), params)
    scoring = executed_flops(lambda params: log_prob(model, params, x, cond=cond), params)
    return sampling / scoring if scoring else math.nan


def accepted_orders(model: Model, key) -> list[np.ndarray]:
    """The model's own order and, for a net that takes any, its reverse and two random ones."""
    if not model.net.any_order:
        return [model.permutation]
    keys = jax.random.split(key)
    drawn = [np.asarray(jax.random.permutation(k, model.num_sites).astype(np.int32)) for k in keys]
    return [model.permutation, model.permutation[::-1].copy(), *drawn]


def lively_params(model: Model, key):
    """Initial parameters with noise of scale 0.5 on every leaf, so that no weight or bias is zero."""
    leaves, tree = jax.tree.flatten(init(model, key))
    keys = jax.random.split(jax.random.fold_in(key, 1), len(leaves))
    return tree.unflatten([leaf + 0.5 * jax.random.normal(k, leaf.shape) for leaf, k in zip(leaves, keys, strict=True)])


def random_cond(model: Model, key, batch: int) -> Cond:
    """A random condition of the kind that the model declares."""
    label_key, member_key = jax.random.split(key)
    label = None if model.cond.classes is None else jax.random.randint(label_key, (batch,), 0, model.cond.classes)
    member = None if model.cond.members is None else jax.random.randint(member_key, (), 0, model.cond.members)
    return Cond(label, member)


def enumerate_space(model: Model) -> np.ndarray | None:
    """Every outcome [V^dims, *site_shape, *E], or None if they are more than `ENUMERABLE` or real."""
    vocab = model.head.vocab
    if vocab is None or vocab**model.num_dims > ENUMERABLE:
        return None
    outcomes = np.array(list(itertools.product(range(vocab), repeat=model.num_dims)), np.int32)
    return outcomes.reshape(-1, *model.site_shape, *model.head.event_shape)


def _enumerated(model, params, space, order, cond):
    """log p of every outcome of the space, in this order, under a condition of batch 1."""
    cond = Cond(None if cond.label is None else jnp.repeat(cond.label, len(space)), cond.member)
    return log_prob(model, params, space, order=_given(model, order), cond=cond)


def _rebuilt(value):
    """An equal value made anew; functions and classes stay, since they equal themselves alone."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return dataclasses.replace(value, **{name: _rebuilt(getattr(value, name)) for name in fields})
    if type(value) is tuple:
        return tuple(map(_rebuilt, value))
    return value if callable(value) else copy.deepcopy(value)


def _many_samples(model, params, key, cond, count=8192, **completion):
    """Enough samples for a chi-square test, under a condition of batch 1."""
    cond = Cond(None if cond.label is None else jnp.repeat(cond.label, count), cond.member)
    return ancestral(model, params, key, count, cond=cond, **completion)


def _refuse_future(model, order, moved, what):
    """moved[s, t]: how much theta_t moves when s does. LawBroken if it moves for any t <= s."""
    future = np.where(np.tri(len(moved), dtype=bool), moved, 0)
    if future.any() or np.isnan(future).any():
        s, t = np.unravel_index(np.argmax(np.nan_to_num(future, nan=np.inf)), future.shape)
        raise LawBroken(
            f"theta sees the {'present' if s == t else 'future'} at site t={t} in order {_name(order)}: "
            f"it moves by {future[s, t]:.2g} when {what.format(s=s)}"
        )


def _check_jacobian(model, params, x, order, cond):
    def at(x):
        return theta(model, params, _to_data(model, x, order), order=_given(model, order), cond=cond)[0]

    jacobian = jax.jacobian(at)(x)  # [T, P, 1, T, *E]
    sizes = jnp.abs(jacobian).reshape(model.num_sites, model.head.param_size, model.num_sites, -1).max(axis=(1, 3))
    _refuse_future(model, order, np.asarray(sizes).T, "the symbol at t={s} moves by one (its Jacobian)")


def _require_same_samples(model, cached, other, order, name):
    # Real samples agree to rounding, symbols exactly.
    tolerance = 1e-4 if model.head.vocab is None else 0
    different = jnp.abs(cached - other) > tolerance * jnp.maximum(1, jnp.abs(other))
    if different.any():
        t = int(
            jnp.argmax(arrange(different, order, model.site_shape).reshape(len(cached), model.num_sites, -1).any(axis=(0, 2)))
        )
        raise LawBroken(
            f"cached and {name} samples of one key differ first at site t={t} in order {_name(order)}, "
            f"in {int(different.sum())} symbols"
        )


def _require_support(model, samples, order):
    outside = jnp.isnan(samples) if model.head.vocab is None else (samples < 0) | (samples >= model.head.vocab)
    if outside.any():
        t = int(jnp.argmax(arrange(outside, order, model.site_shape).reshape(len(samples), model.num_sites, -1).any(axis=(0, 2))))
        raise LawBroken(
            f"a sample at site t={t} in order {_name(order)} is {samples[outside][0]}, which the head does not allow: "
            f"{int(outside.sum())} such symbols"
        )


def _require_law(model, samples, space, probs, complaint):
    """Chi-square of samples against the probabilities of all outcomes, rare outcomes pooled. No sample may be impossible."""
    radix = model.head.vocab ** np.arange(model.num_dims)[::-1]
    counts = np.bincount(np.asarray(samples).reshape(len(samples), -1) @ radix, minlength=len(space))
    expected = np.asarray(probs, np.float64) * len(samples)
    if impossible := int(counts[expected == 0].sum()):
        raise LawBroken(f"{complaint}: {impossible} of {len(samples)} samples have probability zero")
    common = expected >= 5
    counts = np.append(counts[common], counts[~common].sum())
    expected = np.append(expected[common], expected[~common].sum())
    if expected[-1] < 5:
        # A pool too rare for the test on its own joins the largest outcome.
        largest = np.argmax(expected)
        counts[largest], expected[largest] = counts[largest] + counts[-1], expected[largest] + expected[-1]
        counts, expected = counts[:-1], expected[:-1]
    if len(expected) < 2:
        return
    p_value = scipy.special.chdtrc(len(expected) - 1, ((counts - expected) ** 2 / expected).sum())
    if not p_value > 1e-4:
        raise LawBroken(f"{complaint}: chi-square p = {p_value:.2g} over {len(expected)} outcomes and {len(samples)} samples")


def _require_finite(value, what):
    if not jnp.isfinite(value).all():
        raise LawBroken(f"{what} is not finite: {int((~jnp.isfinite(value)).sum())} of {value.size} numbers")


def _all_events(model):
    """Every value of one symbol [V^|E|, *E]."""
    values = itertools.product(range(model.head.vocab), repeat=math.prod(model.head.event_shape))
    return jnp.array(list(itertools.islice(values, ENUMERABLE + 1))).reshape(-1, *model.head.event_shape)


def _repeat(symbol, count):
    return jnp.broadcast_to(symbol, (count, *symbol.shape))


def _random_symbols(model, key, batch):
    """[batch, T, *E] in generation order."""
    shape = (batch, model.num_sites, *model.head.event_shape)
    return jax.random.normal(key, shape) if model.head.vocab is None else jax.random.randint(key, shape, 0, model.head.vocab)


def _another_symbol(model, x):
    return x + 1 if model.head.vocab is None else (x + 1) % model.head.vocab


def _per_symbol(model, mask):
    """[*site_shape] -> broadcastable against [B, *site_shape, *E]."""
    return jnp.asarray(mask).reshape(1, *model.site_shape, *(1 for _ in model.head.event_shape))


def _to_data(model, x, order):
    return restore(x, jnp.asarray(order), model.site_shape)


def _given(model, order):
    """The `order` argument: None for a net that generates in its own order only."""
    return jnp.asarray(order) if model.net.any_order else None


def _name(order):
    return f"[{', '.join(map(str, order[:8]))}{', ...' if len(order) > 8 else ''}]"
