"""The transformer against its equations in float64, one order for each example, and what it refuses."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import check_steps, float64, passed, stepped

import arjax
from arjax.heads import Bernoulli, Categorical, CoupledDiscretizedMixtureOfLogistics, MixtureOfGaussians
from arjax.layers.attention_mask import Causal, Strided, Window
from arjax.models import Transformer
from arjax.orders import AnyOrder, Raster, Snake
from arjax.protocol import Cond, CondSpec, Model
from arjax.testing import lively_params, random_cond
from arjax.testing.cases import random_symbols

KEY = jax.random.key(0)
SITES, T, BATCH = (2, 3), 6, 3
TINY = functools.partial(Transformer, width=8, layers=2, heads=2, mlp=12, encoder_layers=1)
CONDITION = CondSpec(classes=4, memory=(3, 5))


def model(net=None, head=None, order=None, cond=None, sites=SITES):
    return Model(net or TINY(), head or Categorical(3), sites, order or Raster(), cond or CondSpec())


def random_orders(batch=BATCH, sites=T):
    rng = np.random.default_rng(0)
    return np.stack([rng.permutation(sites) for _ in range(batch)]).astype(np.int32)


# The equations, for one example, in float64


def norm(p, h):
    h = h - h.mean()
    return h / np.sqrt((h**2).mean() + 1e-5) * p["scale"] + p["bias"]


def place(kind, p, site, sites, width):
    """The vector of a site."""
    where = np.unravel_index(site, sites)
    if kind == "learned":
        return p["table"][site]
    if kind == "axial":
        return sum(p[f"table{axis}"][at] for axis, at in enumerate(where))
    pairs = math.ceil(width / (2 * len(sites)))
    speeds = [10000.0 ** (-pair / pairs) for pair in range(pairs)]
    return np.array([wave(at * speed) for speed in speeds for at in where for wave in (math.sin, math.cos)])[:width]


def turned(vector, site, sites):
    """A head's features turned by a site's coordinates, each of which has its share of the pairs; None turns by nothing."""
    if site is None:
        return vector
    half, where = len(vector) // 2, np.unravel_index(site, sites)
    pairs, out = half // len(sites), vector.copy()
    for axis, at in enumerate(where):
        for pair in range(pairs):
            i, angle = axis * pairs + pair, at * 10000.0 ** (-pair / pairs)
            a, b = vector[i], vector[i + half]
            out[i], out[i + half] = a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)
    return out


def heads_of(vector, count):
    return vector.reshape(count, -1)


def answered(queries, keys, values, shown):
    """queries [N, K] of one site -> ([N K], weights [N, S]): softmax over what is shown, heads in groups sharing keys."""
    share = len(queries) // len(keys[0])
    y, weights = [], np.zeros((len(queries), len(keys)))
    for n, q in enumerate(queries):
        scores = np.array([q @ keys[s][n // share] / math.sqrt(len(q)) for s in shown])
        weights[n, shown] = np.exp(scores) / np.exp(scores).sum()
        y.append(sum(weights[n, s] * values[s][n // share] for s in shown))
    return np.concatenate(y), weights


def block(net, p, h, sees, query_sites, key_sites, sites, memory=None):
    """h [T][D] -> (h, weights [N, T, S]). sees[t]: the attended sites of t; memory: the sites there are [S][D]."""
    groups, head = net.kv_heads or net.heads, net.width // net.heads
    a, normed = p["attention"], [norm(p["norm_self"], each) for each in h]
    projected = [n @ a["w_in"] + a["b_in"] for n in normed]
    cuts = (net.heads * head, (net.heads + groups) * head)
    q, k, v = zip(*(np.split(each, cuts) for each in projected), strict=True)
    q = [[turned(part, query_sites[t], sites) for part in heads_of(q[t], net.heads)] for t in range(len(h))]
    k = [[turned(part, key_sites[t], sites) for part in heads_of(k[t], groups)] for t in range(len(h))]
    v = [heads_of(each, groups) for each in v]
    out, weights = [], []
    for t, each in enumerate(h):
        y, weight = answered(q[t], k, v, sees[t])
        weights.append(weight)
        each = each + y @ a["w_out"] + a["b_out"]
        if memory is not None:
            c = p["cross_attention"]
            asked = heads_of(norm(p["norm_cross"], each) @ c["w_query"] + c["b_query"], net.heads)
            known = [np.split(m @ c["w_memory"] + c["b_memory"], 2) for m in memory]
            keys, values = ([heads_of(pair[i], groups) for pair in known] for i in range(2))
            y, _ = answered(asked, keys, values, range(len(memory)))
            each = each + y @ c["w_out"] + c["b_out"]
        inside = norm(p["norm_mlp"], each) @ p["w_up"] + p["b_up"]
        inside = np.array([u * (1 + math.erf(u / math.sqrt(2))) / 2 for u in inside])
        out.append(each + inside @ p["w_down"] + p["b_down"])
    return out, np.stack(weights, axis=1)


def oracle(model, p, x, order, label=None, memory=None, memory_mask=None):
    """x [T] in generation order -> (theta [T, P], weights [layers, N, T, S])."""
    net, sites = model.net, model.site_shape
    rotary = net.positions == "rotary"

    def where(name, site):
        return 0 if rotary else place(net.positions, p.get(name, {}), site, sites, net.width)

    def content(t):
        return p["table"][0, x[t]] + (where("own", order[t]) if net.any_order else 0)

    start = p["start"] if net.bos is None else p["table"][0, net.bos]
    given = p["label_table"][label] if model.cond.classes else 0
    h = [(content(t - 1) if t else start) + where("next", order[t]) + given for t in range(len(order))]
    remembered = None
    if model.cond.memory:
        there = [s for s in range(len(memory)) if memory_mask[s]]
        remembered = [memory[s] @ p["w_memory"] + p["memory_place"][s] for s in range(len(memory))]
        for i in range(net.encoder_layers):
            nowhere = [None] * len(memory)
            remembered, _ = block(net, p[f"encoder_{i}"], remembered, [there] * len(memory), nowhere, nowhere, sites)
        remembered = [norm(p["encoder_norm"], remembered[s]) for s in there]
    shown = net.mask.seen(len(order))
    sees = [[s for s in range(t + 1) if s == 0 or shown[t, s]] for t in range(len(order))]
    asks = list(order) if rotary else [None] * len(order)
    lies = [None, *order[:-1]] if rotary and net.any_order else asks
    weights = []
    for i in range(net.layers):
        h, weight = block(net, p[f"blocks_{i}"], h, sees, asks, lies, sites, remembered)
        weights.append(weight)
    return np.stack([norm(p["last_norm"], each) @ p["v"] for each in h]), np.stack(weights)


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(model(TINY(positions="learned", any_order=True, kv_heads=1), cond=CONDITION), marks=pytest.mark.slow),
        model(TINY(positions="axial", any_order=True, layers=1, dropout=0.5), Bernoulli(), AnyOrder()),
        model(TINY(positions="sinusoidal", mask=Window(2), layers=1), cond=CondSpec(memory=(3, 5)), order=Snake()),
        model(TINY(positions="rotary", any_order=True), cond=CondSpec(classes=4)),
        model(TINY(positions="rotary", bos=1, mask=Strided(3), layers=1)),
    ],
    ids=lambda made: f"{made.net.positions}{'_any_order' * made.net.any_order}",
)
def test_theta_attention_and_steps_are_the_equations_in_float64(made):
    params, p = lively_params(made, KEY), float64(lively_params(made, KEY))
    x, cond = random_symbols(made, KEY, BATCH), random_cond(made, KEY, BATCH)
    order = random_orders() if made.net.any_order else np.broadcast_to(made.permutation, (BATCH, T))
    found = passed(made, params, x, jnp.asarray(order), cond)
    attention = jax.jit(lambda *args: made.apply(params, *args, method="attention"))(x, jnp.asarray(order), cond)
    for b in range(BATCH):
        given = (None if part is None else np.asarray(part[b]) for part in (cond.label, cond.memory, cond.memory_mask))
        theta, weights = oracle(made, p, x[b], order[b], *given)
        np.testing.assert_allclose(found[b], theta, atol=2e-5 * np.abs(theta).max())
        np.testing.assert_allclose(np.stack(attention)[:, b], weights, atol=2e-5)
    check_steps(made, params, x, jnp.asarray(order), cond, rtol=2e-5)
    if made.cond.memory:  # after a prompt, too, steps go on as one pass does
        after = stepped(made, params, x, jnp.asarray(order), cond, known=4)
        np.testing.assert_allclose(after, found[:, 4:], atol=2e-5 * np.abs(found).max())


@pytest.mark.parametrize("positions", ["learned", "axial", "sinusoidal", "rotary"])
def test_init_makes_as_many_parameters_as_the_closed_form(positions):
    d, mlp, layers, heads, groups, vocab = 8, 12, 2, 2, 1, 3
    made = model(TINY(positions=positions, any_order=True, kv_heads=groups), cond=CONDITION)
    head, norms = d // heads, 2 * d
    inner = (heads + 2 * groups) * head
    attention, mlps = (d + 1) * inner + (d + 1) * d, (d + 1) * mlp + (mlp + 1) * d
    cross = (d + 1) * d + (d + 1) * 2 * groups * head + (d + 1) * d
    own_block, whole_block = attention + mlps + 2 * norms, attention + cross + mlps + 3 * norms
    places = 2 * d * {"learned": T, "axial": sum(SITES), "sinusoidal": 0, "rotary": 0}[positions]
    memory = 5 * d + 3 * d + own_block + norms
    expected = vocab * d + d + places + 4 * d + layers * whole_block + norms + d * vocab + memory
    shapes = jax.eval_shape(lambda: arjax.init(made, KEY))
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)) == expected
    tied = jax.eval_shape(lambda: arjax.init(model(TINY(tied=True, bos=0, norm="rms")), KEY))
    assert not {"v", "start"} & set(tied)


# One order for each example


def test_log_prob_in_an_order_for_each_example_is_what_each_has_alone():
    made = model(TINY(positions="rotary", any_order=True, mask=Window(3), layers=1), order=AnyOrder(), cond=CONDITION)
    params, x, orders = lively_params(made, KEY), random_symbols(made, KEY, BATCH).reshape(BATCH, *SITES), random_orders()
    cond = random_cond(made, KEY, BATCH)
    scores = arjax.log_prob(made, params, x, order=orders, cond=cond)
    for b in range(BATCH):
        np.testing.assert_allclose(arjax.log_prob(made, params, x, order=orders[b], cond=cond)[b], scores[b], rtol=1e-5)
    assert len(np.unique(np.round(np.asarray(scores), 4))) == BATCH


def test_step_gives_the_enumerated_conditional_of_any_observed_sites_in_every_order_that_has_them_first():
    made = model(TINY(positions="axial", any_order=True, layers=1), Bernoulli(), AnyOrder(), sites=(4,))
    params = lively_params(made, KEY)
    orders = np.array(list(itertools.permutations(range(4))), np.int32)  # [24, 4]
    space = np.array(list(itertools.product((0, 1), repeat=4)), np.int32)  # [16, 4]
    every_order, every_x = np.repeat(orders, 16, axis=0), np.tile(space, (24, 1))
    joint = np.asarray(arjax.log_prob(made, params, every_x, order=every_order), np.float64).reshape(24, 16)
    np.testing.assert_allclose(np.exp(joint).sum(axis=1), 1, rtol=1e-5)
    assert joint.std(axis=0).max() > 0.1  # the orders disagree, so that each has to be held against itself
    x = jnp.asarray(np.take_along_axis(every_x, every_order, axis=1))
    sites = made.head.log_prob(stepped(made, params, x, jnp.asarray(every_order)), x).reshape(24, 16, 4)
    for order, scores, log_joint in zip(orders, np.asarray(sites, np.float64), joint, strict=True):
        for known in range(4):
            observed = space[:, order[:known]]
            agree = (observed[:, None] == observed[None]).all(axis=-1)  # [16, 16]
            ratio = log_joint - np.log((agree * np.exp(log_joint)).sum(axis=1))
            np.testing.assert_allclose(scores[:, known:].sum(axis=1), ratio, atol=2e-5)


def test_theta_is_the_same_under_masks_that_hide_nothing():
    causal, wide = (model(TINY(mask=mask, layers=1)) for mask in (Causal(), Window(T)))
    params, x = lively_params(causal, KEY), random_symbols(causal, KEY, BATCH)
    np.testing.assert_array_equal(*(passed(each, params, x, jnp.arange(T)) for each in (causal, wide)))


# Gradients


@pytest.mark.slow
def test_log_prob_has_a_gradient_in_every_parameter():
    made = model(TINY(positions="axial", any_order=True, kv_heads=1, layers=1), order=AnyOrder(), cond=CONDITION)
    params, cond = lively_params(made, KEY), random_cond(made, KEY, 12)
    x, orders = random_symbols(made, KEY, 12), jnp.asarray(random_orders(12))
    cond = cond.replace(label=jnp.arange(12) % 4, memory_mask=jnp.ones((12, 3), bool))
    gradient = jax.jit(jax.grad(lambda p: made.head.log_prob(made.apply(p, x, orders, cond), x).sum()))(params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert jnp.isfinite(leaf).all(), path
        assert (leaf != 0).any(axis=-1).all(), path  # in every row of every table, too


# What it refuses


class Wide:
    """A mask of another length than the data's."""

    def seen(self, num_sites):
        return np.ones((num_sites + 1, num_sites), bool)

    def __hash__(self):
        return 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: model(TINY(tied=True), Bernoulli()), "tied needs one logit for each symbol"),
        (lambda: model(TINY(tied=True), MixtureOfGaussians(1)), "tied needs one logit for each symbol"),
        (lambda: model(TINY(bos=3)), "bos=3 is no symbol of"),
        (lambda: model(TINY(bos=-2)), "bos=-2 is no symbol of"),
        (lambda: model(TINY(bos=0), MixtureOfGaussians(1)), "bos=0 is no symbol of"),
        (lambda: model(TINY(bos=0), CoupledDiscretizedMixtureOfLogistics(3, 1)), "bos=0 is no symbol of"),
        (lambda: model(TINY(width=4, positions="rotary")), "2 features a head are no pairs for 2 axes; choose a multiple of 4"),
        (lambda: model(TINY(mask=Wide())), r"give booleans of shape \(6, 6\)"),
        (lambda: model(cond=CondSpec(memory=(0, 2))), r"CondSpec\(memory=\(0, 2\)\) is no \(length, width\)"),
    ],
)
def test_check_model_refuses_what_no_transformer_fits(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    ("cond", "message"),
    [
        (None, "the model has memory, but the condition gives no memory"),
        (Cond(memory=np.zeros((2, 3, 4))), r"memory is float\d+ of shape \(2, 3, 4\); give real numbers of shape \(2, 3, 5\)"),
        (Cond(memory=np.zeros((2, 3, 5)), memory_mask=np.zeros((2, 3))), r"memory_mask is float\d+"),
        (Cond(memory=np.zeros((2, 3, 5)), memory_mask=np.zeros((2, 3), bool)), "memory_mask hides all of an example's memory"),
        (Cond(memory_mask=np.ones((2, 3), bool), memory=None), "the model has memory, but the condition gives no memory"),
    ],
)
def test_memory_that_does_not_fit_is_named(cond, message):
    made = model(cond=CondSpec(memory=(3, 5)))
    with pytest.raises(ValueError, match=message):
        arjax.theta(made, {}, np.zeros((2, *SITES), int), cond=cond)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (np.zeros((2, T), int), "must be a permutation"),
        (np.tile(np.arange(T), (3, 1)), r"order has shape \(3, 6\); give one \[T\], or \[B, T\] = \(2, 6\)"),
        (np.arange(T - 1), "an order of 6 sites must have shape"),
    ],
)
def test_theta_refuses_an_order_that_is_none(order, message):
    made = model(TINY(any_order=True), order=AnyOrder())
    with pytest.raises(ValueError, match=message):
        arjax.theta(made, {}, np.zeros((2, *SITES), int), order=order)


def test_bos_of_minus_one_is_the_last_symbol():
    last, named = (model(TINY(bos=bos, layers=1), Categorical(5)) for bos in (-1, 4))
    params, x = lively_params(named, KEY), random_symbols(named, KEY, 2).reshape(2, *SITES)
    np.testing.assert_array_equal(arjax.theta(last, params, x), arjax.theta(named, params, x))
