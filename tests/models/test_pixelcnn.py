"""PixelCNN against loops, its blind spot, its channels and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from normal import Normal

import arjax
from arjax import Cond, CondSpec, Model
from arjax.heads import Bernoulli, Categorical, CoupledDiscretizedMixtureOfLogistics
from arjax.models import PixelCNN
from arjax.orders import AnyOrder, Snake
from arjax.sampling import ancestral, naive
from arjax.testing import lively_params

KEY = jax.random.key(0)


def jacobian(net, shape):
    """[T, T]: how much theta at t depends on x at s, for real values; over many x, since at one of them units may be silent."""
    model = Model(net, Normal(), shape)
    params = lively_params(model, KEY)
    x = jax.random.normal(jax.random.key(1), (32, 1, *shape))
    derivative = jax.vmap(jax.jacobian(lambda x: arjax.theta(model, params, x)[0, :, 0]))(x)
    return np.abs(np.asarray(derivative)).sum(axis=0).reshape(model.num_sites, model.num_sites)


def seen_by_hand(shape, kernels):
    """[T, T] bool: which pixels are seen through a strict convolution and then others, by following every tap."""
    height, width = shape
    seen = {(i, j): {(i, j)} for i in range(height) for j in range(width)}
    for layer, kernel in enumerate(kernels):
        reach, below = kernel // 2, {}
        for i, j in seen:
            taps = {
                (i - r, j + s) for r in range(reach + 1) for s in range(-reach, reach + 1) if r or s < 0 or (s == 0 and layer)
            }
            below[i, j] = set().union(*(seen[tap] for tap in taps if tap in seen))
        seen = below
    table = np.zeros((height * width, height * width), bool)
    for (i, j), pixels in seen.items():
        for r, s in pixels:
            table[i * width + j, r * width + s] = True
    return table


@pytest.mark.parametrize(("kernel", "block_kernel", "blocks"), [(3, 3, 2), (5, 3, 1), (3, 5, 1)])
def test_the_receptive_field_is_what_its_taps_can_reach(kernel, block_kernel, blocks):
    net = PixelCNN(width=6, blocks=blocks, head=(6,), kernel=kernel, block_kernel=block_kernel)
    np.testing.assert_array_equal(jacobian(net, (6, 7)) > 0, seen_by_hand((6, 7), [kernel] + [block_kernel] * blocks))


def test_there_is_a_blind_spot_to_the_right():
    # However many blocks: from the lower left corner of a picture, a row up is seen one pixel to the right, and no more.
    seen = jacobian(PixelCNN(width=6, blocks=6, head=(6,), kernel=3), (4, 8))[3 * 8].reshape(4, 8) > 0
    np.testing.assert_array_equal(seen, [[j <= 3 - i and i < 3 for j in range(8)] for i in range(4)])


def test_channels_are_generated_in_turn():
    seen = jacobian(PixelCNN(width=24, blocks=2, head=(24,), kernel=3), (2, 2, 3)) > 0
    for pixel in range(4):
        inside = seen[3 * pixel : 3 * pixel + 3, 3 * pixel : 3 * pixel + 3]
        np.testing.assert_array_equal(inside, np.tri(3, 3, -1, bool))
    assert seen[9:12, 0:9].all()


def test_the_whole_network_is_what_the_loops_compute():
    net, (height, width) = PixelCNN(width=2, blocks=2, head=(3,), kernel=3, coordinates=True), (3, 4)
    model = Model(net, Categorical(5), (height, width), cond=CondSpec(classes=2))
    params = {name: np.asarray(leaf, np.float64) for name, leaf in lively_params(model, KEY).items()}
    rng = np.random.default_rng(0)
    x, label = rng.integers(0, 5, (2, height, width)), np.array([1, 0])

    def conv(i, h, strict=False):
        w, b = params[f"w{i}"], params[f"b{i}"]
        rows, columns = w.shape[:2]
        out = np.zeros((*h.shape[:3], len(b))) + b
        for y, z, r, s in np.ndindex(height, width, rows, columns):
            down, right = r - rows + 1, s - columns // 2
            before = down < 0 or right < 0 or (right == 0 and not strict)
            if before and y + down >= 0 and 0 <= z + right < width:
                out[:, y, z] += h[:, y + down, z + right] @ w[r, s]
        return out

    places = np.array([[[2 * y / 2 - 1, 2 * z / 3 - 1] for z in range(width)] for y in range(height)])
    h = conv(0, 2 * x[..., None] / 4 - 1, strict=True) + places @ params["w_place"]
    for block in range(2):
        inside = conv(2 + 3 * block, np.maximum(conv(1 + 3 * block, np.maximum(h, 0)), 0))
        inside += params["label_b"][label][:, None, None, block]
        h = h + conv(3 + 3 * block, np.maximum(inside, 0))
    expected = conv(8, np.maximum(conv(7, np.maximum(h, 0)), 0)).reshape(2, height * width, 5)
    theta = arjax.theta(model, lively_params(model, KEY), x, cond=Cond(label))
    np.testing.assert_allclose(theta, expected, rtol=1e-4, atol=1e-4)


def test_its_size_is_that_of_the_full_kernels_less_the_rows_below():
    # 15 blocks of 16 channels with a head of 32 are 53,569 parameters in implementations that store masked rows too.
    model = Model(PixelCNN(width=16, blocks=15, head=(32,)), Bernoulli(), (28, 28))
    size = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(lambda: arjax.init(model, KEY))))
    assert size == 53569 - 3 * 7 * 32 - 15 * 3 * 16 * 16


@pytest.mark.parametrize(
    ("net", "head", "shape"),
    [
        (PixelCNN(width=8, blocks=3, head=(8,)), Bernoulli(), (10, 9)),
        (PixelCNN(width=6, blocks=2, head=()), Categorical(256), (4, 5, 3)),
        (PixelCNN(width=8, blocks=2), CoupledDiscretizedMixtureOfLogistics(256, 3), (6, 5)),
    ],
)
def test_cached_samples_are_naive_samples(net, head, shape):
    model = Model(net, head, shape)
    params = lively_params(model, KEY)
    cached, slow = (draw(model, params, jax.random.key(2), 3) for draw in (ancestral, naive))
    np.testing.assert_array_equal(cached, slow)


def test_dropout_needs_a_key_and_drops_by_it_alone():
    model = Model(PixelCNN(width=8, blocks=1, kernel=3, dropout=0.5, head=()), Normal(), (3, 3))
    params, x = lively_params(model, KEY), jnp.ones((2, 3, 3))
    certain, (one, same, other) = (
        arjax.theta(model, params, x),
        (arjax.theta(model, params, x, key=jax.random.key(seed)) for seed in (1, 1, 2)),
    )
    np.testing.assert_allclose(certain[0], certain[1], rtol=1e-5)
    np.testing.assert_array_equal(one, same)
    assert jnp.abs(one - other).max() > 0.01
    assert jnp.abs(one[0] - one[1]).max() > 0.01  # two examples lose different units


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Model(PixelCNN(), Bernoulli(), (9,)), r"needs pictures, \(H, W\) or \(H, W, channels\), not site_shape=\(9,\)"),
        (lambda: Model(PixelCNN(kernel=4), Bernoulli(), (3, 3)), "kernel=4 has no pixel in its middle; choose an odd number"),
        (lambda: Model(PixelCNN(block_kernel=2), Bernoulli(), (3, 3)), "block_kernel=2 has no pixel in its middle"),
        (lambda: Model(PixelCNN(width=8), Categorical(4), (3, 3, 3)), "width=8 cannot be shared by the 3 channels of a pixel"),
        (lambda: Model(PixelCNN(width=9, head=(8,)), Categorical(4), (3, 3, 3)), "head=8 cannot be shared by the 3 channels"),
        (lambda: Model(PixelCNN(), Bernoulli(), (3, 3), Snake()), r"PixelCNN generates row by row, not in Snake\(\)"),
        (lambda: Model(PixelCNN(), Bernoulli(), (3, 3), AnyOrder()), "PixelCNN generates in one order only"),
        (lambda: Model(PixelCNN(embedding=3), Normal(), (3, 3)), "embedding=3 needs symbols"),
        (lambda: Model(PixelCNN(), Bernoulli(), (3, 3), cond=CondSpec(members=2)), "PixelCNN knows classes"),
        (lambda: PixelCNN(width=0), "width=0 must be at least 1"),
        (lambda: PixelCNN(head=(0,)), r"head=\(0,\) must be at least 1"),
        (lambda: PixelCNN(dropout=1.0), "dropout=1.0 is not in"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_computed(build, message):
    with pytest.raises(ValueError, match=message):
        build()
