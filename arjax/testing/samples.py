"""Samples: the same from every sampler, kept where they were observed, and of the model's law."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

from arjax.orders import arrange
from arjax.protocol import Model
from arjax.sampling import ancestral, fixed_point, naive
from arjax.testing.cases import (
    BATCH,
    accepted_orders,
    enumerate_space,
    enumerated,
    given_order,
    order_name,
    random_cond,
    random_symbols,
    repeat_cond,
    to_data,
)
from arjax.testing.law import LawBroken
from arjax.testing.tolerance import tolerance


def check_samplers(model: Model, params, key) -> None:
    """The cached, naive and fixed-point samplers return the same samples from one key, but for the few that a net in bfloat16
    may round to other symbols; where the space is enumerable, the samples follow its law (chi-square, p > 1e-4 at this key)."""
    cond_key, order_key, key, law_key = jax.random.split(key, 4)
    again = jax.random.clone  # the law wants one key for all three
    cond = random_cond(model, cond_key, BATCH)
    for order in accepted_orders(model, order_key):
        cached = ancestral(model, params, again(key), BATCH, order=given_order(model, order), cond=cond)
        _require_support(model, cached, order)
        for name, other in (
            ("naive", naive(model, params, again(key), BATCH, order=given_order(model, order), cond=cond)),
            ("fixed-point", fixed_point(model, params, again(key), BATCH, order=given_order(model, order), cond=cond)[0]),
        ):
            _require_same_samples(model, cached, other, order, name)
    if (space := enumerate_space(model)) is not None:
        samples = _many_samples(model, params, law_key, cond)
        probs = jnp.exp(enumerated(model, params, space, model.permutation, cond))
        _require_law(model, samples, space, probs, "samples do not follow the enumerated law")


def check_completion(model: Model, params, key) -> None:
    """Observed sites are kept and, where the space is enumerable, the rest follows the exact conditional. A mask that the net
    cannot honour is refused."""
    x_key, cond_key, key = jax.random.split(key, 3)
    observed = to_data(model, random_symbols(model, x_key, 1), model.permutation)
    cond = random_cond(model, cond_key, 1)
    prefix = np.zeros(model.num_sites, bool)
    prefix[model.permutation[: model.num_sites // 2]] = True
    scattered = np.zeros(model.num_sites, bool)
    scattered[model.permutation[1::2]] = True
    masks = [prefix.reshape(model.site_shape)]
    if model.num_sites > 1 and model.net.any_order:
        masks.append(scattered.reshape(model.site_shape))
    for mask in masks:
        samples = _many_samples(model, params, jax.random.clone(key), cond, observed=observed, mask=mask)
        kept = jnp.where(_per_symbol(model, mask), samples == observed, True)
        if not kept.all():
            site = int(jnp.argmax(~kept.all(axis=0).reshape(model.num_sites, -1).all(axis=1)))
            raise LawBroken(f"completion changed the observed site {site}")
        if (space := enumerate_space(model)) is not None:
            order = model.permutation[np.argsort(~mask.reshape(-1)[model.permutation], kind="stable")]
            possible = jnp.where(_per_symbol(model, mask), space == observed, True).reshape(len(space), -1).all(axis=1)
            joint = jnp.where(possible, jnp.exp(enumerated(model, params, space, order, cond)), 0)
            _require_law(model, samples, space, joint / joint.sum(), "completions do not follow the enumerated conditional")
    if model.num_sites > 1 and not model.net.any_order:
        _require_refusal(model, params, key, cond, observed, scattered.reshape(model.site_shape))


def _many_samples(model, params, key, cond, count=8192, **completion):
    """Enough samples for a chi-square test, under a condition of batch 1."""
    return ancestral(model, params, key, count, cond=repeat_cond(cond, count), **completion)


def _require_refusal(model, params, key, cond, observed, mask):
    with contextlib.suppress(ValueError):
        ancestral(model, params, jax.random.clone(key), 1, observed=observed, mask=mask, cond=cond)
        raise LawBroken("a mask that is no prefix of the order was accepted by a net that generates in one order only")


def _require_same_samples(model, cached, other, order, name):
    # Real samples agree to rounding, symbols exactly.
    allowed = tolerance(model)
    differ_by = 10 * allowed.theta if model.head.vocab is None else 0
    different = jnp.abs(cached - other) > differ_by * jnp.maximum(1, jnp.abs(other))
    if different.reshape(len(different), -1).any(axis=1).mean() > allowed.parted:
        t = int(
            jnp.argmax(arrange(different, order, model.site_shape).reshape(len(cached), model.num_sites, -1).any(axis=(0, 2)))
        )
        raise LawBroken(
            f"cached and {name} samples of one key differ first at site t={t} in order {order_name(order)}, "
            f"in {int(different.sum())} symbols"
        )


def _require_support(model, samples, order):
    outside = jnp.isnan(samples) if model.head.vocab is None else (samples < 0) | (samples >= model.head.vocab)
    if outside.any():
        t = int(jnp.argmax(arrange(outside, order, model.site_shape).reshape(len(samples), model.num_sites, -1).any(axis=(0, 2))))
        raise LawBroken(
            f"a sample at site t={t} in order {order_name(order)} is {samples[outside][0]}, which the head does not allow: "
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


def _per_symbol(model, mask):
    """[*site_shape] -> broadcastable against [B, *site_shape, *E]."""
    return jnp.asarray(mask).reshape(1, *model.site_shape, *(1 for _ in model.head.event_shape))
