import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from normal import Normal

import arjax
from arjax import Cond, CondSpec, Model, testing
from arjax.heads import Bernoulli, Categorical
from arjax.layers.inputs import shift, start
from arjax.layers.position import coordinates
from arjax.models import RNN
from arjax.orders import AnyOrder, Random, Raster, Reversed, Snake
from arjax.testing import lively_params

KEY = jax.random.key(0)
CELLS = ("lstm", "gru")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_loops(model, params, x, order, label=None, local=None):
    """theta [T, P] for one example [T] in generation order, in float64 and one number at a time where that is bearable."""
    p = {name: np.asarray(leaf, np.float64) for name, leaf in params.items()}
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
        Model(RNN(width=5), Bernoulli(), (7,)),
        Model(RNN(width=4, depth=3, embedding=3, coordinates=True), Categorical(5), (2, 3), Snake(), CondSpec(classes=3)),
        Model(RNN(width=4, depth=2, coordinates=True), Categorical(4), (3, 2, 2), Random(1)),
        Model(RNN(width=3, embedding=2), Categorical(40), (6,)),  # more symbols than there are in the batch
        Model(RNN(width=5, coordinates=True), Normal(), (4, 2), AnyOrder(Reversed(Raster()))),
        Model(RNN(width=4), Categorical(3), (7,), Reversed(Raster()), CondSpec(local=2, hop=3)),
    ],
    ids=["bits", "deep_labels", "one_hot", "many_symbols", "real", "local"],
)
def test_theta_is_what_loops_in_float64_say(model, cell):
    model = dataclasses.replace(model, net=model.net.clone(cell=cell))
    params = lively_params(model, KEY)
    shape = (3, *model.site_shape)
    x = jax.random.normal(KEY, shape) if model.head.vocab is None else jax.random.randint(KEY, shape, 0, model.head.vocab)
    cond = testing.random_cond(model, jax.random.key(1), 3)
    says = arjax.theta(model, params, x, cond=cond)
    for b in range(3):
        label, local = (None if leaf is None else np.asarray(leaf[b]) for leaf in (cond.label, cond.local))
        sequence = np.asarray(x[b]).reshape(-1)[model.permutation]
        expected = by_loops(model, params, sequence, model.permutation, label, local)
        np.testing.assert_allclose(says[b], expected, rtol=2e-5, atol=2e-5)


def by_flax(cell, params, layer, h):
    """[B, T, F] -> [B, T, D]: a layer of ours by flax's own cell, given our weights gate by gate."""
    width = params["v"].shape[0]
    w = params["w0"][0] if layer == 0 else params[f"w{layer}"]

    def split(array):
        return jnp.split(array, array.shape[-1] // width, axis=-1)

    w, u, b = split(w), split(params[f"u{layer}"]), split(params[f"b{layer}"])
    if cell == "lstm":
        theirs = nn.OptimizedLSTMCell(width)
        weights = {f"i{g}": {"kernel": w[k]} for k, g in enumerate("ifgo")}
        weights |= {f"h{g}": {"kernel": u[k], "bias": b[k]} for k, g in enumerate("ifgo")}
    else:
        theirs = nn.GRUCell(width)
        weights = {f"i{g}": {"kernel": w[k], "bias": b[k]} for k, g in enumerate("rzn")}
        weights |= {f"h{g}": {"kernel": u[k]} for k, g in enumerate("rz")}
        weights["hn"] = {"kernel": u[2], "bias": jnp.zeros(width)}
    carry, outputs = theirs.initialize_carry(KEY, h[:, 0].shape), []
    for t in range(h.shape[1]):
        carry, out = theirs.apply({"params": weights}, carry, h[:, t])
        outputs.append(out)
    return jnp.stack(outputs, axis=1)


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_flaxs_cells_with_the_same_weights_say_the_same(cell, depth):
    model = Model(RNN(cell, width=6, depth=depth, embedding=4), Categorical(9), (8,))
    params, x = lively_params(model, KEY), jax.random.randint(KEY, (3, 8), 0, 9)
    h = jnp.concatenate([jnp.zeros((3, 1, 4)), params["table"][x[:, :-1]]], axis=1)
    for layer in range(depth):
        h = by_flax(cell, params, layer, h)
    expected = h @ params["v"] + params["c"][None, None]
    np.testing.assert_allclose(arjax.theta(model, params, x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_a_site_sees_the_whole_past(cell):
    model = Model(RNN(cell, width=6, depth=2, coordinates=True), Normal(), (5,), Random(2))
    params, order = lively_params(model, KEY), model.permutation
    x = jax.random.normal(KEY, (5,))
    jacobian = jax.jacobian(lambda x: arjax.theta(model, params, x[None])[0, :, 0])(x)[:, order]
    np.testing.assert_array_equal(jacobian != 0, np.tri(5, k=-1, dtype=bool))


# The order and the place


def test_coordinates_go_from_minus_one_to_one_along_every_axis():
    np.testing.assert_allclose(coordinates((3,)), [[-1], [0], [1]])
    np.testing.assert_allclose(coordinates((2, 1)), [[-1, 0], [1, 0]])
    np.testing.assert_allclose(coordinates((2, 3)), [[-1, -1], [-1, 0], [-1, 1], [1, -1], [1, 0], [1, 1]])


def test_a_net_with_coordinates_depends_on_the_order_and_one_without_takes_only_its_own():
    told = Model(RNN(width=4, coordinates=True), Bernoulli(), (2, 3), AnyOrder())
    params, x = lively_params(told, KEY), jnp.ones((2, 2, 3), jnp.int32)
    there, back = (arjax.theta(told, params, x, order=order) for order in (np.arange(6), np.arange(6)[::-1].copy()))
    assert (there[:, 0] != back[:, 0]).all()
    with pytest.raises(ValueError, match=r"RNN generates in one order only, not in AnyOrder\(\)"):
        dataclasses.replace(told, net=told.net.clone(coordinates=False))
    untold = dataclasses.replace(told, net=told.net.clone(coordinates=False), order=Snake())
    with pytest.raises(ValueError, match="RNN generates in its own order"):
        arjax.theta(untold, arjax.init(untold, KEY), x, order=np.arange(6))


def test_the_shift_and_the_start_are_one():
    x = jax.random.normal(KEY, (2, 4, 3)) + 10
    shifted = shift(x)
    for t in range(4):
        np.testing.assert_array_equal(shifted[:, t], start(x[:, t - 1], t))
    assert (shifted[:, 0] == 0).all()


# Symbols, labels, dropout


def test_symbols_are_looked_up_alike_whichever_way_is_less_work():
    # With T = 3 the table of 7 rows is for a batch of 3 and not for one of 2.
    model = Model(RNN(width=4, embedding=3), Categorical(7), (3,))
    params, x = lively_params(model, KEY), jax.random.randint(KEY, (3, 3), 0, 7)
    together = arjax.theta(model, params, x)
    apart = jnp.concatenate([arjax.theta(model, params, x[:2]), arjax.theta(model, params, x[2:])])
    np.testing.assert_allclose(together, apart, rtol=1e-5, atol=1e-6)
    caches = [model.apply(params, batch, jnp.arange(3), None, method="init_cache") for batch in (2, 3)]
    assert [cache.rows is None for cache in caches] == [True, False]


def test_an_embedding_of_one_hot_vectors_is_the_one_hot_net():
    plain = Model(RNN(width=4), Categorical(3), (5,))
    embedded = dataclasses.replace(plain, net=plain.net.clone(embedding=3))
    params, x = lively_params(plain, KEY), jax.random.randint(KEY, (5, 5), 0, 3)
    np.testing.assert_allclose(
        arjax.theta(embedded, params | {"table": jnp.eye(3)}, x), arjax.theta(plain, params, x), rtol=1e-5, atol=1e-6
    )


def test_a_label_changes_theta_at_every_site_and_only_in_its_own_example():
    model = Model(RNN(width=8, depth=2), Bernoulli(), (4,), cond=CondSpec(classes=3))
    params, x = lively_params(model, KEY), jnp.ones((2, 4), jnp.int32)
    first, second = (arjax.theta(model, params, x, cond=Cond(label=jnp.array(label))) for label in ([0, 1], [0, 2]))
    np.testing.assert_array_equal(first[0], second[0])
    assert (first[1] != second[1]).all()


def test_a_dropout_key_changes_theta_and_without_one_it_is_deterministic():
    model = Model(RNN(width=64, depth=2, dropout=0.5), Bernoulli(), (6,))
    params, x = lively_params(model, KEY), jnp.ones((2, 6), jnp.int32)
    still = arjax.theta(model, params, x)
    first, again, other = (arjax.theta(model, params, x, key=jax.random.key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(still, arjax.theta(dataclasses.replace(model, net=model.net.clone(dropout=0.0)), params, x))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()
    assert (first != still).all()
    assert (first[0] != first[1]).all()  # equal examples are dropped out apart


def test_dropout_never_touches_the_states_that_go_on_in_time():
    # One layer: only the readout is dropped out, so the mean over keys is the deterministic theta, at the last site too.
    model = Model(RNN(width=8, dropout=0.3), Bernoulli(), (5,))
    params, x = lively_params(model, KEY), jnp.ones((4000, 5), jnp.int32)
    dropped = np.asarray(arjax.theta(model, params, x, key=KEY), np.float64)
    error = dropped.mean(axis=0) - np.asarray(arjax.theta(model, params, x[:1]))[0]
    assert (np.abs(error) <= 5 * dropped.std(axis=0) / np.sqrt(4000) + 1e-5).all()


# The start of training, sizes and construction


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3)])
def test_recurrent_weights_start_orthogonal_and_the_lstm_starts_remembering(cell, gates):
    params = arjax.init(Model(RNN(cell, width=6, depth=2), Bernoulli(), (3,)), KEY)
    for layer in range(2):
        for gate in jnp.split(params[f"u{layer}"], gates, axis=1):
            np.testing.assert_allclose(gate @ gate.T, np.eye(6), atol=1e-5)
        expected = np.repeat([0, 1, 0, 0], 6) if cell == "lstm" else np.zeros(18)
        np.testing.assert_array_equal(params[f"b{layer}"], expected)


def test_the_cache_does_not_grow_with_the_data():
    def states(sites):
        model = Model(RNN(width=6, depth=2, embedding=3), Categorical(5), (sites,))
        cache = model.apply(arjax.init(model, KEY), 4, jnp.arange(sites), None, method="init_cache")
        return [leaf.shape for leaf in jax.tree.leaves(cache)]

    assert states(5) == states(50)


@pytest.mark.parametrize("model", [Model(RNN(width=3), Categorical(4), (1,)), Model(RNN("gru", 1, 1), Bernoulli(), (6,))])
def test_odd_sizes_step_as_they_are_called(model):
    params = lively_params(model, KEY)
    testing.check_step(model, params, KEY)
    space = testing.enumerate_space(model)
    np.testing.assert_allclose(np.exp(arjax.log_prob(model, params, space)).sum(), 1, rtol=1e-5)


def test_local_features_are_followed_step_by_step():
    model = Model(RNN("gru", width=3, coordinates=True), Categorical(3), (2, 3), Random(1), CondSpec(local=2))
    testing.check_step(model, lively_params(model, KEY), KEY)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 0}, "width=0 must be at least 1; choose a positive number"),
        ({"depth": -1}, "depth=-1 must be at least 1"),
        ({"dropout": 1.0}, r"dropout=1\.0 is not in \[0, 1\); choose the rate of units to drop"),
        ({"embedding": 0}, "embedding=0 must be at least 1"),
    ],
)
def test_impossible_nets_are_refused_when_they_are_made(fields, message):
    with pytest.raises(ValueError, match=message):
        RNN(**fields)


def test_an_unknown_cell_is_refused_with_the_known_ones(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the tests' own type checker would come first
    with pytest.raises(ValueError, match="cell='elman' is not known; choose one of lstm, gru"):
        RNN("elman")


def test_an_embedding_of_real_values_is_refused():
    with pytest.raises(ValueError, match="embedding=2 needs symbols, but the head's values are real"):
        arjax.init(Model(RNN(width=3, embedding=2), Normal(), (4,)), KEY)


def test_members_are_refused():
    with pytest.raises(ValueError, match=r"RNN knows classes and local, not CondSpec\(members=2\)"):
        Model(RNN(width=3), Bernoulli(), (2,), cond=CondSpec(members=2))
