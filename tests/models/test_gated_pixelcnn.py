"""Gated PixelCNN against loops, its rectangle of sight, its labels and its gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import check_loops, seen
from normal import Normal

import arjax
from arjax import Cond, CondSpec, Model
from arjax.heads import Bernoulli, Categorical
from arjax.models import GatedPixelCNN, PixelCNN
from arjax.testing import lively_params
from arjax.testing.cases import random_symbols

KEY = jax.random.key(0)
QUICK = jax.random.key(0, impl="rbg")  # initial parameters compile faster than by the default's


def dependence(model):
    """[T, T]: which pixels each sees, over a few x, since at one of them units may be silent."""
    return seen(model, lively_params(model, KEY), tries=8)


def test_theta_depends_on_every_pixel_above_and_to_the_left_and_there_is_no_blind_spot():
    # Reach: 1 row and 1 column from the first layer, as much again from each of the other three.
    gated = Model(GatedPixelCNN(width=6, layers=3, kernel=3, head=()), Normal(), (4, 4))
    np.testing.assert_array_equal(dependence(gated), np.tri(16, k=-1, dtype=bool))
    # The same reach with one stack: what is right above, but further to the right than above, is lost.
    plain = Model(PixelCNN(width=6, blocks=3, kernel=3, head=()), Normal(), (4, 5))
    pixel = dependence(plain)[2 * 5 + 1].reshape(4, 5)
    assert pixel[1, 2]
    assert not pixel[1, 3:].any()


def test_theta_depends_on_a_rectangle_above_and_as_far_to_the_left_and_nothing_else():
    model = Model(GatedPixelCNN(width=6, layers=1, kernel=3, head=()), Normal(), (4, 7))
    row, column = np.divmod(np.arange(28), 7)
    up, left = (place[:, None] - place[None, :] for place in (row, column))
    # Each of the two layers reaches one row further up, one column to either side there, and one pixel back in its own row.
    above = (up >= 1) & (up <= 2) & (abs(left) <= 2)
    beside = (up == 0) & (left >= 1) & (left <= 2)
    np.testing.assert_array_equal(dependence(model), above | beside)


def test_theta_of_a_channel_depends_on_the_channels_before_it():
    model = Model(GatedPixelCNN(width=12, layers=1, kernel=3, head=()), Normal(), (2, 2, 3))
    np.testing.assert_array_equal(dependence(model), np.tri(12, k=-1, dtype=bool))


def by_loops(model, p, x, order, label, local):
    """theta [T, P] for one picture [H, W, channels], in float64, pixel by pixel from the equations."""
    net, (height, width, groups) = model.net, model.site_shape
    share, layers = net.width // groups, net.layers + 1
    inputs = 2 * x.reshape(model.site_shape) / (model.head.vocab - 1) - 1

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
    return skip.reshape(model.num_sites, -1)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (GatedPixelCNN(width=4, layers=2, kernel=5, head=(6,), coordinates=True), (2, 3, 2)),
        (GatedPixelCNN(width=3, layers=1, kernel=3, block_kernel=5, head=(), coordinates=True), (3, 2, 1)),
    ],
    ids=["groups", "one"],
)
def test_theta_is_what_loops_in_float64_say_and_steps_agree(net, shape):
    model = Model(net, Categorical(5), shape, cond=CondSpec(classes=3))
    check_loops(model, by_loops, 2, tolerance=1e-4)


def test_label_b_shifts_both_gates_of_every_layer():
    model = Model(GatedPixelCNN(width=3, layers=2, kernel=3), Bernoulli(), (3, 3), cond=CondSpec(classes=3))
    params, x = lively_params(model, jax.random.key(1)), jnp.ones((2, 9), jnp.int32)

    @jax.jit
    def says(label_b, label):
        return model.apply(params | {"label_b": label_b}, x, jnp.arange(9), Cond(label=label))

    first = says(params["label_b"], jnp.array([0, 1]))
    for layer in range(3):
        for stack in range(2):
            moved = says(params["label_b"].at[1, layer, stack].add(1.0), jnp.array([0, 1])) != first
            # The vertical stack's last gate is followed by nothing: what is told comes from before it.
            assert moved[1].any() == ((layer, stack) != (2, 0))
            assert not moved[0].any()


@pytest.mark.slow
def test_init_keeps_the_size_of_signals_through_the_vertical_stack_and_every_parameter_takes_part():
    # Without the scale that makes up for the gates, four of them would leave less than a fiftieth of a gradient.
    model = Model(GatedPixelCNN(width=16, layers=5, kernel=3, head=(), embedding=2, coordinates=True), Categorical(3), (3, 3))
    net, x = arjax.init(model, QUICK), jnp.asarray(random_symbols(model, KEY, 8))
    gradient = jax.jit(jax.grad(lambda p: (model.apply(p, x, jnp.arange(9))[:, -1] ** 2).sum()))(net)
    assert all((leaf != 0).any() for leaf in jax.tree.leaves(gradient))
    sizes = [float(jnp.sqrt((gradient[f"v{k}"] ** 2).sum() / (net[f"v{k}"] ** 2).sum())) for k in (1, 5)]
    assert 0.1 < sizes[0] / sizes[1] < 10
