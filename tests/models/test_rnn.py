"""RNN: its cells against loops and against flax's own, its start, and what it looks up."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import check_loops, passed, seen
from normal import Normal

import arjax
from arjax import CondSpec, Model
from arjax.heads import Bernoulli, Categorical
from arjax.layers.inputs import shift, start
from arjax.layers.position import coordinates
from arjax.models import RNN
from arjax.orders import AnyOrder, Random, Raster, Reversed, Snake
from arjax.testing import lively_params
from arjax.testing.cases import random_symbols

KEY = jax.random.key(0)
CELLS = ("lstm", "gru")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_loops(model, p, x, order, label=None, local=None):
    """theta [T, P] for one example [T] in generation order, in float64 and one number at a time where that is bearable."""
    width, depth = model.net.width, model.net.depth
    state = [(np.zeros(width), np.zeros(width)) for _ in range(depth)]
    places = np.stack(np.unravel_index(order, model.site_shape), axis=-1)
    theta = []
    for t in range(len(order)):
        a = p["b0"].copy()
        if t > 0 and model.head.vocab is None:
            a += float(x[t - 1]) * p["w0"][0, 0]
        elif t > 0 and model.net.embedding:
            a += p["table"][x[t - 1]] @ p["w0"][0]
        elif t > 0:
            a += float(x[t - 1]) * p["w0"][0, 0] if model.head.vocab == 2 else p["w0"][0, x[t - 1]]
        if label is not None:
            a += p["label_b"][label]
        if local is not None:
            hop = model.cond.hop
            a += local.reshape(-1, model.cond.local)[order[t] // hop] @ p["w_local"][order[t] % hop]
        if model.net.coordinates:
            for axis, size in enumerate(model.site_shape):
                a += (2 * places[t, axis] / (size - 1) - 1) * p["w_place"][axis]
        for layer in range(depth):
            if layer:
                a = state[layer - 1][1] @ p[f"w{layer}"] + p[f"b{layer}"]
            c, h = state[layer]
            r = h @ p[f"u{layer}"]
            gates = [slice(k * width, (k + 1) * width) for k in range(4)]
            if model.net.cell == "lstm":
                i, f, g, o = (a[gate] + r[gate] for gate in gates)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                state[layer] = c, sigmoid(o) * np.tanh(c)
            else:
                reset, update = (sigmoid(a[gate] + r[gate]) for gate in gates[:2])
                new = np.tanh(a[gates[2]] + reset * r[gates[2]])
                state[layer] = c, (1 - update) * new + update * h
        theta.append(state[-1][1] @ p["v"] + p["c"])
    return np.array(theta)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "model",
    [
        Model(RNN(width=4, depth=3, embedding=3, coordinates=True), Categorical(5), (2, 3), Snake(), CondSpec(classes=3)),
        Model(RNN(width=4, depth=2, coordinates=True), Categorical(4), (3, 2, 2), Random(1)),
        Model(RNN(width=3, embedding=2, dropout=0.5), Categorical(40), (6,)),  # more symbols than there are in the batch
        Model(RNN(width=5, coordinates=True), Normal(), (4, 2), AnyOrder(Reversed(Raster()))),
        Model(RNN(width=4, dropout=0.5), Bernoulli(), (7,), Reversed(Raster()), CondSpec(local=2, hop=3)),
    ],
    ids=["deep_labels", "one_hot", "many_symbols", "real", "local_bits"],
)
def test_theta_is_what_loops_in_float64_say_and_steps_agree(model, cell):
    model = dataclasses.replace(model, net=model.net.clone(cell=cell))
    check_loops(model, by_loops, 3)


@pytest.mark.parametrize("cell", CELLS)
def test_theta_is_that_of_flaxs_cells_with_the_same_weights(cell):
    model = Model(RNN(cell, width=6, depth=2, embedding=4), Categorical(9), (4,))
    params, x = jax.tree.map(np.asarray, lively_params(model, KEY)), random_symbols(model, KEY, 3)

    def by_flax(layer, h):
        """[B, T, F] -> [B, T, D]: a layer of ours by flax's own cell, given our weights gate by gate."""
        w, u, b = (
            np.split(part, part.shape[-1] // 6, axis=-1)
            for part in (params["w1"] if layer else params["w0"][0], params[f"u{layer}"], params[f"b{layer}"])
        )
        if cell == "lstm":
            theirs = nn.OptimizedLSTMCell(6)
            weights = {f"i{g}": {"kernel": w[k]} for k, g in enumerate("ifgo")}
            weights |= {f"h{g}": {"kernel": u[k], "bias": b[k]} for k, g in enumerate("ifgo")}
        else:
            theirs = nn.GRUCell(6)
            weights = {f"i{g}": {"kernel": w[k], "bias": b[k]} for k, g in enumerate("rzn")}
            weights |= {f"h{g}": {"kernel": u[k]} for k, g in enumerate("rz")} | {"hn": {"kernel": u[2], "bias": np.zeros(6)}}
        carry, outputs = theirs.initialize_carry(KEY, h[:, 0].shape), []
        for t in range(h.shape[1]):
            carry, out = theirs.apply({"params": weights}, carry, h[:, t])
            outputs.append(out)
        return jnp.stack(outputs, axis=1)

    h = np.concatenate([np.zeros((3, 1, 4), np.float32), params["table"][x[:, :-1]]], axis=1)
    both = jax.jit(lambda h: by_flax(1, by_flax(0, h)))
    expected = np.asarray(both(h)) @ params["v"] + params["c"][None, None]
    np.testing.assert_allclose(passed(model, params, x, jnp.arange(4)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_theta_depends_on_the_whole_past(cell):
    model = Model(RNN(cell, width=6, depth=2, coordinates=True), Normal(), (5,), Random(2))
    np.testing.assert_array_equal(seen(model, lively_params(model, KEY)), np.tri(5, k=-1, dtype=bool))


@pytest.mark.parametrize("cell", ["lstm", pytest.param("gru", marks=pytest.mark.slow)])
def test_theta_has_the_derivatives_of_its_steps(cell):
    # `step` has none of the rule for a layer's gradient. In reverse, forward, and both.
    model = Model(RNN(cell, width=3), Categorical(3), (3,))
    params, x, order = lively_params(model, KEY), random_symbols(model, KEY, 2), jnp.arange(3)
    direction = jax.tree.map(jnp.cos, params)

    def together(p):
        return jnp.sin(model.apply(p, x, order)).sum()

    def by_steps(p):
        cache, total = model.apply(p, 2, order, None, method="init_cache"), 0.0
        for t in range(3):
            cache, theta = model.apply(p, cache, x[:, t - 1], t, order, method="step")
            total += jnp.sin(theta).sum()
        return total

    def derivatives(f):
        return jax.jvp(jax.grad(f), (params,), (direction,)), jax.jvp(f, (params,), (direction,))

    ours, theirs = (jax.jit(derivatives, static_argnums=0)(f) for f in (together, by_steps))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), ours, theirs)


# The order and the place


def test_coordinates_go_from_minus_one_to_one_along_every_axis():
    np.testing.assert_allclose(coordinates((3,)), [[-1], [0], [1]])
    np.testing.assert_allclose(coordinates((2, 1)), [[-1, 0], [1, 0]])
    np.testing.assert_allclose(coordinates((2, 3)), [[-1, -1], [-1, 0], [-1, 1], [1, -1], [1, 0], [1, 1]])


def test_shift_and_start_are_one():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 3)) + 10)
    shifted = shift(x)
    for t in range(4):
        np.testing.assert_array_equal(shifted[:, t], start(x[:, t - 1], t))
    assert (shifted[:, 0] == 0).all()


# Symbols, labels, dropout


def test_init_cache_does_not_grow_with_the_data():
    def states(sites):
        model = Model(RNN(width=6, depth=2, embedding=3), Categorical(5), (sites,))
        params = jax.eval_shape(lambda: arjax.init(model, KEY))
        return jax.eval_shape(lambda p: jax.tree.leaves(model.apply(p, 4, jnp.arange(sites), None, method="init_cache")), params)

    assert states(5) == states(50)


def test_embedding_looks_symbols_up_alike_whichever_way_is_less_work():
    # With T = 3 the table of 7 rows is for a batch of 3 and not for one of 2.
    model = Model(RNN(width=4, embedding=3), Categorical(7), (3,))
    params, x = lively_params(model, KEY), random_symbols(model, KEY, 3)
    together = arjax.theta(model, params, x)
    apart = jnp.concatenate([arjax.theta(model, params, x[:2]), arjax.theta(model, params, x[2:])])
    np.testing.assert_allclose(together, apart, rtol=1e-5, atol=1e-6)
    caches = [model.apply(params, batch, jnp.arange(3), None, method="init_cache") for batch in (2, 3)]
    assert [cache.rows is None for cache in caches] == [True, False]


# The start of training, sizes and construction


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3)])
def test_init_makes_recurrent_weights_orthogonal_and_the_lstm_remember(cell, gates):
    params = arjax.init(Model(RNN(cell, width=6, depth=2), Bernoulli(), (3,)), KEY)
    for layer in range(2):
        for gate in jnp.split(params[f"u{layer}"], gates, axis=1):
            np.testing.assert_allclose(gate @ gate.T, np.eye(6), atol=1e-5)
        expected = np.repeat([0, 1, 0, 0], 6) if cell == "lstm" else np.zeros(18)
        np.testing.assert_array_equal(params[f"b{layer}"], expected)
