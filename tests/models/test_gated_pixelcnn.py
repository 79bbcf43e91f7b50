import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from normal import Normal

import arjax
from arjax import Cond, CondSpec, Model
from arjax.heads import Bernoulli, Categorical
from arjax.models import GatedPixelCNN, PixelCNN
from arjax.orders import Snake
from arjax.testing import lively_params

KEY = jax.random.key(0)


def dependence(model):
    """[T, T] bool: which theta (row) moves with which symbol (column). The net is wide, lest every unit of the head be off."""
    params, x = lively_params(model, KEY), jax.random.normal(KEY, model.site_shape)
    jacobian = jax.jit(jax.jacobian(lambda x: arjax.theta(model, params, x[None])[0, :, 0]))(x)
    return np.asarray(jacobian).reshape(model.num_sites, model.num_sites) != 0


def test_theta_depends_on_every_pixel_above_and_to_the_left_and_there_is_no_blind_spot():
    # Reach: 1 row and 1 column from the first layer, as much again from each of the other four.
    gated = Model(GatedPixelCNN(width=12, layers=4, kernel=3, head=()), Normal(), (5, 5))
    np.testing.assert_array_equal(dependence(gated), np.tri(25, k=-1, dtype=bool))
    # The same reach with one stack: what is right above, but further to the right than above, is lost.
    plain = Model(PixelCNN(width=6, blocks=4, kernel=3, head=()), Normal(), (5, 5))
    pixel = dependence(plain)[2 * 5 + 1].reshape(5, 5)
    assert pixel[1, 2]
    assert not pixel[1, 3:].any()


def test_a_pixel_sees_a_rectangle_above_and_as_far_to_the_left_and_nothing_else():
    model = Model(GatedPixelCNN(width=12, layers=1, kernel=3, head=()), Normal(), (4, 7))
    row, column = np.divmod(np.arange(28), 7)
    up, left = (place[:, None] - place[None, :] for place in (row, column))
    # Each of the two layers reaches one row further up, one column to either side there, and one pixel back in its own row.
    above = (up >= 1) & (up <= 2) & (abs(left) <= 2)
    beside = (up == 0) & (left >= 1) & (left <= 2)
    np.testing.assert_array_equal(dependence(model), above | beside)


def test_the_channels_of_a_pixel_are_generated_in_turn():
    model = Model(GatedPixelCNN(width=24, layers=2, kernel=3, head=()), Normal(), (3, 3, 3))
    np.testing.assert_array_equal(dependence(model), np.tri(27, k=-1, dtype=bool))


def by_loops(model, params, x, label):
    """theta [H, W, channels, P] for one picture [H, W, channels], in float64, pixel by pixel from the equations."""
    p = {name: np.asarray(leaf, np.float64) for name, leaf in params.items()}
    net, (height, width, groups) = model.net, x.shape
    share, layers = net.width // groups, net.layers + 1
    inputs = 2 * np.asarray(x, np.float64) / (model.head.vocab - 1) - 1

    def at(maps, i, j):
        inside = 0 <= i < height and 0 <= j < width
        return maps[i, j] if inside else np.zeros(maps.shape[2])

    def every(function):
        return np.array([[function(i, j) for j in range(width)] for i in range(height)])

    def allowed(i, w, before_only):
        """w [taps, C, G] with what a channel group of the pixel at hand may not see removed."""
        w = w.copy()
        for c in range(w.shape[1]):
            for g in range(w.shape[2]):
                theirs, ours = c * groups // w.shape[1], g * groups // w.shape[2]
                if theirs > ours or (before_only and theirs == ours):
                    w[-1, c, g] = 0
        return w

    def left(n, h, before_only=False):
        w = allowed(n, p[f"w{n}"], before_only)
        taps = len(w)
        return every(lambda i, j: p[f"b{n}"] + sum(at(h, i, j - taps + 1 + k) @ w[k] for k in range(taps)))

    def gate(h, n):
        parts = h.reshape(height, width, n, 2, -1)
        return (np.tanh(parts[..., 0, :]) / (1 + np.exp(-parts[..., 1, :]))).reshape(height, width, -1)

    v, h, skip = inputs, None, 0
    for k in range(layers):
        w = p[f"v{k}"]
        rows, kernel = w.shape[:2]
        lowest = -1 if k == 0 else 0  # the symbols of the row at hand are not known to the vertical stack

        def window(i, j, w=w, v=v, rows=rows, kernel=kernel, lowest=lowest):
            taps = [(r, c) for r in range(rows) for c in range(kernel)]
            return sum(at(v, i + lowest - rows + 1 + r, j - kernel // 2 + c) @ w[r, c] for r, c in taps)

        pre = every(window) + p[f"v_b{k}"]
        if k == 0:
            pre += every(lambda i, j: np.array([2 * i / (height - 1) - 1, 2 * j / (width - 1) - 1]) @ p["w_place"])
        v = gate(pre + p["label_b"][label, k, 0], 1)
        told = pre @ p[f"link{k}"] + p["label_b"][label, k, 1]
        out = left(2 * k + 1, gate(left(2 * k, inputs if k == 0 else h, k == 0) + told, groups))
        if k < layers - 1:
            parts = out.reshape(height, width, groups, 2, share)
            residual, out = (parts[..., half, :].reshape(height, width, -1) for half in (0, 1))
            h = residual if k == 0 else h + residual
        skip = skip + out
    for n in range(2 * layers, 2 * layers + len(net.head) + 1):
        skip = left(n, np.maximum(skip, 0))
    return skip.reshape(height, width, groups, -1)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (GatedPixelCNN(width=4, layers=2, kernel=5, head=(6,), coordinates=True), (3, 4, 2)),
        (GatedPixelCNN(width=3, layers=1, kernel=3, block_kernel=5, head=(), coordinates=True), (4, 3, 1)),
    ],
    ids=["groups", "one"],
)
def test_theta_is_what_loops_in_float64_say(net, shape):
    model = Model(net, Categorical(5), shape, cond=CondSpec(classes=3))
    params, x = lively_params(model, KEY), np.asarray(jax.random.randint(KEY, (2, *shape), 0, 5))
    says = arjax.theta(model, params, x, cond=Cond(label=jnp.array([2, 1])))
    for b, label in enumerate((2, 1)):
        expected = by_loops(model, params, x[b], label).reshape(model.num_sites, -1)
        np.testing.assert_allclose(says[b], expected, rtol=1e-4, atol=1e-4)


def test_a_label_shifts_both_gates_of_every_layer_and_only_in_its_own_example():
    model = Model(GatedPixelCNN(width=3, layers=2, kernel=3), Bernoulli(), (3, 3), cond=CondSpec(classes=3))
    params, x = lively_params(model, jax.random.key(1)), jnp.ones((2, 3, 3), jnp.int32)

    @jax.jit
    def says(label_b, label):
        return arjax.theta(model, params | {"label_b": label_b}, x, cond=Cond(label=label))

    first, second = (says(params["label_b"], jnp.array(label)) for label in ([0, 1], [0, 2]))
    np.testing.assert_array_equal(first[0], second[0])
    assert (first[1] != second[1]).any(axis=-1).all()
    for layer in range(3):
        for stack in range(2):
            moved = says(params["label_b"].at[1, layer, stack].add(1.0), jnp.array([0, 1])) != first
            # The vertical stack's last gate is followed by nothing: what is told comes from before it.
            assert moved[1].any() == ((layer, stack) != (2, 0))
            assert not moved[0].any()


def test_a_dropout_key_changes_theta_and_without_one_it_is_deterministic():
    model = Model(GatedPixelCNN(width=16, layers=2, kernel=3, dropout=0.5), Bernoulli(), (3, 3))
    params, x = lively_params(model, jax.random.key(1)), jnp.ones((2, 3, 3), jnp.int32)
    still = arjax.theta(model, params, x)
    first, again, other = (arjax.theta(model, params, x, key=jax.random.key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(still, arjax.theta(dataclasses.replace(model, net=model.net.clone(dropout=0.0)), params, x))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first != still).any()
    assert (first[0] != first[1]).any()  # equal examples are dropped out apart


def test_every_parameter_takes_part():
    model = Model(GatedPixelCNN(width=4, layers=2, kernel=3, embedding=2, coordinates=True), Categorical(3), (3, 3))
    params, x = lively_params(model, KEY), jax.random.randint(KEY, (4, 3, 3), 0, 3)
    gradient = jax.jit(jax.grad(lambda p: arjax.log_prob(model, p, x).sum()))(params)
    assert all((leaf != 0).any() for leaf in jax.tree.leaves(gradient))


def test_signals_keep_their_size_through_the_vertical_stack():
    # Without the scale that makes up for the gates, ten of them would leave a thousandth.
    def spread(layers):
        model = Model(GatedPixelCNN(width=32, layers=layers, kernel=3, head=()), Normal(), (12, 12))
        net, x = model.bound.bind({"params": arjax.init(model, KEY)}), jax.random.normal(KEY, (4, 12, 12, 1))
        pad = ((0, 0), (1, 0), (0, 0), (0, 0))

        def conv(k, v):
            padded = jnp.pad(v, pad) if k else v
            return jax.lax.conv_general_dilated(
                padded, net.v[k], (1, 1), ((0, 0), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
            )

        told = net._vertical(x, conv, jnp.zeros((1, layers + 1, 2, 64)), jnp.zeros((1, 1, 1, 64)), [None] * (layers + 1))
        return [float(h[:, layers + 1 :].std()) for h in told]

    first, *_, last = spread(6)
    assert 0.3 < last / first < 3


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"width": 0}, r"width=0 must be at least 1; choose a positive number"),
        ({"layers": 0}, r"layers=0 must be at least 1"),
        ({"kernel": 1}, r"kernel=1 sees its own pixel only, which is not known yet; choose an odd number from 3"),
        ({"kernel": 4}, r"kernel=4 has no pixel in its middle; choose an odd number"),
        ({"block_kernel": 2}, r"block_kernel=2 has no pixel in its middle"),
        ({"head": (4, 0)}, r"head=\(4, 0\) must be at least 1"),
        ({"dropout": 1.0}, r"dropout=1.0 is not in \[0, 1\)"),
        ({"embedding": 0}, r"embedding=0 must be at least 1"),
    ],
)
def test_a_bad_field_is_named_when_the_net_is_made(fields, complaint):
    with pytest.raises(ValueError, match=complaint):
        GatedPixelCNN(**fields)


@pytest.mark.parametrize(
    ("net", "head", "shape", "rest", "complaint"),
    [
        (GatedPixelCNN(width=4), Bernoulli(), (4, 4, 3), {}, "width=4 cannot be shared by the 3 channels of a pixel; choose a"),
        (GatedPixelCNN(width=6, head=(4,)), Bernoulli(), (4, 4, 3), {}, "head=4 cannot be shared by the 3 channels of a pixel"),
        (
            GatedPixelCNN(),
            Bernoulli(),
            (16,),
            {},
            r"GatedPixelCNN needs pictures, \(H, W\) or \(H, W, channels\), not",
        ),
        (GatedPixelCNN(), Bernoulli(), (4, 4), {"order": Snake()}, r"GatedPixelCNN generates row by row, not in Snake\(\)"),
        (GatedPixelCNN(embedding=2), Normal(), (4, 4), {}, "embedding=2 needs symbols, but the head's values are real"),
        (
            GatedPixelCNN(),
            Bernoulli(),
            (4, 4),
            {"cond": CondSpec(local=2)},
            r"GatedPixelCNN knows classes, not CondSpec\(loc",
        ),
    ],
)
def test_what_does_not_fit_the_model_is_named_with_the_remedy(net, head, shape, rest, complaint):
    with pytest.raises(ValueError, match=complaint):
        Model(net, head, shape, **rest)
