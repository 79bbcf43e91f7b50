"""Samples: what the head draws from their own theta, kept where they were observed, and of the model's law."""

import contextlib
import functools
import math

import jax
import numpy as np

from arjax.errors import InputError
from arjax.heads.noise import threefry
from arjax.orders import arrange, inverse
from arjax.protocol import Model
from arjax.sampling import ancestral
from arjax.testing.cases import (
    BATCH,
    ENUMERABLE,
    accepted_orders,
    all_events,
    enumerate_space,
    enumerated,
    generator,
    given_order,
    log_probs,
    order_name,
    parallel,
    random_cond,
    random_symbols,
    repeat_cond,
    split,
    to_data,
    tolerance,
)
from arjax.testing.shape import LawBroken

SAMPLES = 8192


def check_samplers(model: Model, params, key) -> str | None:
    """Checks that a sample is x = sample(theta(x), noise), as every sampler's is that draws one site after the other from its own
    noise, but for the few that a net in bfloat16 may round to other symbols; where the space is enumerable, the samples follow
    its law (chi-square, p > 1e-4 at this key)."""
    cond_key, order_key, key, law_key = split(key, 4)
    cond = random_cond(model, cond_key, BATCH)
    for order in accepted_orders(model, order_key):
        # The law wants one key for both.
        drawn = np.asarray(ancestral(model, params, jax.random.clone(key), BATCH, order=given_order(model, order), cond=cond))
        x = arrange(drawn, order, model.site_shape)
        _require_same_samples(model, x, _drawn(model.head, jax.random.clone(key), parallel(model, params, x, order, cond)), order)
    if (space := enumerate_space(model)) is None:
        return f"the law of the samples: the space has more than {ENUMERABLE} outcomes"
    samples = _many_samples(model, params, law_key, cond)
    probs = enumerated(model, params, space, model.permutation, cond)
    _require_law(model, samples, space, probs, "samples do not follow the enumerated law")
    return None


def _drawn(head, key, theta) -> np.ndarray:
    """The symbols [B, T, *E] that a head draws from theta [B, T, P], each site with its own key."""
    key, sites = threefry(key), range(theta.shape[1])
    return np.stack([_sampled(head, jax.random.fold_in(key, t), theta[:, t]) for t in sites], axis=1)


def check_head(model: Model, params, key) -> str | None:
    """Checks the head alone, for theta of several sizes: no symbol outside its support has a probability or is drawn, and where
    its symbols are few enough, samples follow their probabilities (chi-square, p > 1e-4 at this key)."""
    head = model.head
    if head.vocab is None:
        return "real values cannot be counted"
    symbols, dims = all_events(model), math.prod(head.event_shape)
    enumerable = len(symbols) <= ENUMERABLE
    symbols = symbols if enumerable else symbols[:1]
    key, theta_key = split(key, 2)
    outside = np.zeros((2 * dims, dims), np.int32)
    outside[np.arange(2 * dims), np.arange(2 * dims) % dims] = np.repeat([-1, head.vocab], dims)
    values = np.concatenate([symbols, outside.reshape(-1, *head.event_shape)])
    for size, theta in zip((0, 1, 8), generator(theta_key).standard_normal((3, 1, head.param_size), np.float32), strict=True):
        theta = size * theta
        logs = np.asarray(log_probs(head, np.repeat(theta, len(values), axis=0), values))
        if not (logs[len(symbols) :] == -np.inf).all():
            which = outside[np.argmax(logs[len(symbols) :] != -np.inf)].tolist()
            raise LawBroken(f"log_prob of the symbol {which} is finite, outside of 0..{head.vocab - 1}; return -inf there")
        samples = _drawn(head, jax.random.clone(key), np.broadcast_to(theta, (BATCH, SAMPLES // BATCH, head.param_size)))
        samples = samples.reshape(SAMPLES, *head.event_shape)
        if (samples < 0).any() or (samples >= head.vocab).any():
            raise LawBroken(f"the head draws symbols outside of 0..{head.vocab - 1}, from {samples.min()} to {samples.max()}")
        if enumerable:
            probs = np.exp(logs[: len(symbols)].astype(np.float64))
            _require_law(model, samples, symbols, probs, f"the head's samples do not follow its log_prob at theta of size {size}")
    return None if enumerable else f"the law of one symbol: it has more than {ENUMERABLE} values"


@functools.partial(jax.jit, static_argnames="head")
def _sampled(head, key, theta):
    return head.sample(key, theta)


def check_completion(model: Model, params, key) -> str | None:
    """Checks that observed sites are kept and, where the space is enumerable, the rest follows the exact conditional. A mask
    that the net cannot honour is refused."""
    x_key, cond_key, key = split(key, 3)
    observed = to_data(model, random_symbols(model, x_key, 1), model.permutation)
    cond = random_cond(model, cond_key, 1)
    ranks = inverse(model.permutation).reshape(model.site_shape)
    prefix, scattered = ranks < model.num_sites // 2, ranks % 2 == 1
    space = enumerate_space(model)
    for mask in (prefix, scattered) if model.num_sites > 1 and model.capabilities.any_order else (prefix,):
        samples = _many_samples(model, params, jax.random.clone(key), cond, observed=observed, mask=mask)
        kept = np.where(_per_symbol(model, mask), samples == observed, True)
        if not kept.all():
            site = int(np.argmax(~kept.all(axis=0).reshape(model.num_sites, -1).all(axis=1)))
            raise LawBroken(f"completion changed the observed site {site}")
        if space is not None:
            order = model.permutation[np.argsort(~mask.reshape(-1)[model.permutation], kind="stable")]
            possible = np.where(_per_symbol(model, mask), space == observed, True).reshape(len(space), -1).all(axis=1)
            joint = np.where(possible, enumerated(model, params, space, order, cond), 0)
            _require_law(model, samples, space, joint / joint.sum(), "completions do not follow the enumerated conditional")
    if model.num_sites > 1 and not model.capabilities.any_order:
        with contextlib.suppress(InputError):
            ancestral(model, params, jax.random.clone(key), 1, observed=observed, mask=scattered, cond=cond)
            raise LawBroken("a mask that is no prefix of the order was accepted by a net that generates in one order only")
    return None if space is not None else f"the law of completions: the space has more than {ENUMERABLE} outcomes"


def _many_samples(model, params, key, cond, **completion) -> np.ndarray:
    """Samples under the condition of the first example: where the space is enumerable, enough for a chi-square test."""
    batches = 1 if enumerate_space(model) is None else SAMPLES // BATCH
    cond, keys = repeat_cond(cond, BATCH), split(key, batches)
    return np.concatenate([ancestral(model, params, key, BATCH, cond=cond, **completion) for key in keys])


def _require_same_samples(model, x, other, order):
    """LawBroken where samples [B, T, *E] are not what the head draws from their own theta."""
    # Real samples agree to rounding, symbols exactly.
    allowed = tolerance(model)
    differ_by = 10 * allowed.theta if model.head.vocab is None else 0
    different = ~(np.abs(x - other) <= differ_by * np.maximum(1, np.abs(other)))  # a NaN, too
    if different.reshape(len(different), -1).any(axis=1).mean() > allowed.parted:
        t = int(np.argmax(different.reshape(len(x), model.num_sites, -1).any(axis=(0, 2))))
        raise LawBroken(
            f"cached and naive samples of one key differ first at site t={t} in order {order_name(order)}, in "
            f"{int(different.sum())} symbols; the noise of a head's sample may depend on key and shape alone"
        )


def _require_law(model, samples, space, probs, complaint):
    """Chi-square of samples against the probabilities of all outcomes, rare outcomes pooled. No sample may be impossible."""
    digits, vocab = np.asarray(samples).reshape(len(samples), -1), model.head.vocab
    digits = digits[((digits >= 0) & (digits < vocab)).all(axis=1)]
    counts = np.bincount(digits @ vocab ** np.arange(digits.shape[1])[::-1], minlength=len(space))
    expected = np.asarray(probs, np.float64) * len(samples)
    if impossible := len(samples) - int(counts[expected > 0].sum()):
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
    from scipy.special import chdtrc

    p_value = chdtrc(len(expected) - 1, ((counts - expected) ** 2 / expected).sum())
    if not p_value > 1e-4:
        raise LawBroken(f"{complaint}: chi-square p = {p_value:.2g} over {len(expected)} outcomes and {len(samples)} samples")


def _per_symbol(model, mask):
    """[*site_shape] -> broadcastable against [B, *site_shape, *E]."""
    return mask.reshape(1, *model.site_shape, *(1 for _ in model.head.event_shape))
