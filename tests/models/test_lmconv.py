"""LMConv against loops, what a pixel sees in any order, completions and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import check_steps, float64, passed, seen, seen_by_taps
from normal import Normal

import arjax
from arjax import Cond, CondSpec, Model
from arjax.heads import Bernoulli, Categorical, CoupledDiscretizedMixtureOfLogistics
from arjax.models import LMConv
from arjax.orders import AnyOrder, Column, Hilbert, Random, Raster, Spiral, inverse, s_curves
from arjax.sampling import naive
from arjax.testing import lively_params
from arjax.testing.cases import random_symbols

KEY = jax.random.key(0)


@pytest.mark.parametrize(("kernel", "block_kernel", "blocks"), [(5, 3, 1), (3, 5, 1)])
def test_theta_depends_on_just_the_earlier_pixels_that_its_taps_reach(kernel, block_kernel, blocks):
    model = Model(LMConv(width=4, blocks=blocks, kernel=kernel, block_kernel=block_kernel), Normal(), (4, 5))
    params = lively_params(model, KEY)
    for order in (Raster(), s_curves()[5], Spiral(), Hilbert(), Random(0)):
        order = order.permutation((4, 5))
        expected = seen_by_taps(order, (4, 5), [kernel] + [block_kernel] * 2 * blocks)
        np.testing.assert_array_equal(seen(model, params, order, tries=4), expected)
        assert not np.triu(expected).any()


def test_theta_tells_a_neighbour_of_value_zero_from_one_that_is_unknown():
    model = Model(LMConv(width=4, blocks=1), Normal(), (1, 3), AnyOrder())
    params, x = lively_params(model, KEY), jnp.zeros((1, 1, 3))
    # The pixel in the middle, generated second: after the one to its left, and after the one to its right.
    left, right = (arjax.theta(model, params, x, order=order)[0, 1] for order in ([0, 1, 2], [2, 1, 0]))
    assert np.abs(left - right).max() > 1e-3


def test_theta_is_what_loops_in_float64_say_and_steps_agree():
    # Three blocks: the last is told of the first, the one in the middle of none.
    net, (height, width) = LMConv(width=3, blocks=3, kernel=3, coordinates=True), (3, 4)
    model = Model(net, Categorical(5), (height, width), AnyOrder(), CondSpec(classes=2))
    params = float64(lively_params(model, KEY))
    rng = np.random.default_rng(0)
    x, label, order = rng.integers(0, 5, (2, height, width)), np.array([1, 0]), Random(4).permutation((height, width))
    rank = inverse(order).reshape(height, width)

    def conv(i, h):
        w, b = params[f"w{i}"], params[f"b{i}"]
        out = np.zeros((*h.shape[:3], len(b))) + b
        for y, z, r, s in np.ndindex(height, width, *w.shape[:2]):
            down, right = y + r - 1, z + s - 1
            inside = 0 <= down < height and 0 <= right < width
            if inside and (rank[down, right] < rank[y, z] or (i > 0 and (down, right) == (y, z))):
                out[:, y, z] += h[:, down, right] @ w[r, s]
        return out

    def elu(h):
        return np.where(h > 0, h, np.expm1(np.minimum(h, 0)))

    def both(h):
        return np.concatenate([elu(h), elu(-h)], axis=-1)

    places = np.array([[[2 * y / 2 - 1, 2 * z / 3 - 1] for z in range(width)] for y in range(height)])
    values = np.stack([2 * x / 4 - 1, np.ones(x.shape)], axis=-1)
    h, first = conv(0, values) + places @ params["w_place"], None
    for block in range(3):
        u = conv(2 * block + 1, both(h))
        u = (u - u.mean(axis=-1, keepdims=True)) / np.sqrt(u.var(axis=-1, keepdims=True) + 1e-5)
        u = params["scale"][block] * u + params["shift"][block]
        if block == 2:
            u = u + both(first) @ params["w_skip0"]
        gate = conv(2 * block + 2, both(u)) + params["label_b"][label][:, None, None, block]
        h = h + gate[..., :3] / (1 + np.exp(-gate[..., 3:]))
        first = h if block == 0 else first
    expected = (elu(h) @ params["w_out"] + params["b_out"]).reshape(2, height * width, 5)[:, order]
    given, x = lively_params(model, KEY), jnp.asarray(x.reshape(2, -1)[:, order])
    np.testing.assert_allclose(passed(model, given, x, jnp.asarray(order), Cond(label)), expected, rtol=1e-4, atol=1e-4)
    check_steps(model, given, x, jnp.asarray(order), Cond(label))


def test_theta_of_whole_colours_depends_on_all_channels_of_the_neighbours():
    model = Model(LMConv(width=4, blocks=1, kernel=3), CoupledDiscretizedMixtureOfLogistics(4, 2), (1, 2))
    params, x = lively_params(model, KEY), np.zeros((1, 1, 2, 3), np.int32)
    before = arjax.theta(model, params, x)[0, 1]
    for channel in range(3):
        changed = x.copy()
        changed[0, 0, 0, channel] = 3
        assert np.abs(arjax.theta(model, params, changed)[0, 1] - before).max() > 1e-3


def test_step_is_what_one_pass_gives_in_every_order():
    # Kernels of two sizes, of pixels of three values; one program for all orders.
    model = Model(
        LMConv(width=4, blocks=2, kernel=3, block_kernel=5), CoupledDiscretizedMixtureOfLogistics(8, 2), (4, 5), AnyOrder()
    )
    params, x = lively_params(model, KEY), random_symbols(model, KEY, 3)
    for order in (s_curves()[3], Hilbert(), Random(2)):
        check_steps(model, params, x, jnp.asarray(order.permutation((4, 5))))


@pytest.mark.slow
def test_sample_completes_a_half_hidden_picture_from_the_half_that_is_seen():
    model = Model(LMConv(width=6, blocks=1, kernel=3), Bernoulli(), (4, 4), AnyOrder(s_curves()[0], s_curves()))
    params, rng = lively_params(model, KEY), np.random.default_rng(0)
    observed, mask = rng.integers(0, 2, (5, 4, 4)), np.arange(4)[:, None] >= np.full(4, 2)  # the lower half, which comes last
    order = Column().permutation((4, 4))
    drawn = arjax.sample(model, params, jax.random.key(3), 5, observed=observed, mask=mask, order=order)
    np.testing.assert_array_equal(drawn[:, 2:], observed[:, 2:])
    # The lower half, then the upper one, both column by column.
    explicit = np.array([8, 12, 9, 13, 10, 14, 11, 15, 0, 4, 1, 5, 2, 6, 3, 7])
    slow = naive(model, params, jax.random.key(3), 5, observed=observed, mask=mask, order=explicit)
    np.testing.assert_array_equal(drawn, slow)
    # What is drawn above depends on what is seen below.
    theta = arjax.theta(model, params, observed, order=explicit)[:, 9]
    assert np.ptp(theta) > 1e-3
