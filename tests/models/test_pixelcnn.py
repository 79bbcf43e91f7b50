"""PixelCNN against loops, its blind spot, its channels and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import float64, passed, seen, seen_by_taps
from normal import Normal

import arjax
from arjax import Cond, CondSpec, Model
from arjax.heads import Bernoulli, Categorical
from arjax.models import PixelCNN
from arjax.testing import lively_params

KEY = jax.random.key(0)


def sight(net, shape):
    """[T, T]: which pixels each sees, over many x, since at one of them units may be silent."""
    model = Model(net, Normal(), shape)
    return seen(model, lively_params(model, KEY), tries=16)


@pytest.mark.parametrize(("kernel", "block_kernel", "blocks"), [(3, 3, 2), (5, 3, 1)])
def test_theta_depends_on_what_its_taps_can_reach(kernel, block_kernel, blocks):
    net = PixelCNN(width=6, blocks=blocks, head=(6,), kernel=kernel, block_kernel=block_kernel)
    np.testing.assert_array_equal(sight(net, (4, 6)), seen_by_taps(np.arange(24), (4, 6), [kernel] + [block_kernel] * blocks))


def test_theta_has_a_blind_spot_to_the_right():
    # However many blocks: from the lower left corner of a picture, a row up is seen one pixel to the right, and no more.
    found = sight(PixelCNN(width=6, blocks=4, head=(6,), kernel=3), (4, 8))[3 * 8].reshape(4, 8)
    np.testing.assert_array_equal(found, [[j <= 3 - i and i < 3 for j in range(8)] for i in range(4)])


def test_theta_of_a_channel_depends_on_those_before_it():
    found = sight(PixelCNN(width=24, blocks=2, head=(24,), kernel=3), (2, 2, 3))
    for pixel in range(4):
        inside = found[3 * pixel : 3 * pixel + 3, 3 * pixel : 3 * pixel + 3]
        np.testing.assert_array_equal(inside, np.tri(3, 3, -1, bool))
    assert found[9:12, 0:9].all()


def test_theta_is_what_loops_in_float64_say():
    net, (height, width) = PixelCNN(width=2, blocks=2, head=(3,), kernel=3, coordinates=True), (3, 4)
    model = Model(net, Categorical(5), (height, width), cond=CondSpec(classes=2))
    params = float64(lively_params(model, KEY))
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
    theta = passed(model, lively_params(model, KEY), x.reshape(2, 12), jnp.arange(12), Cond(label))
    np.testing.assert_allclose(theta, expected, rtol=1e-4, atol=1e-4)


def test_pixelcnn_has_the_size_of_the_full_kernels_less_the_rows_below():
    # 15 blocks of 16 channels with a head of 32 are 53,569 parameters in implementations that store masked rows too.
    model = Model(PixelCNN(width=16, blocks=15, head=(32,)), Bernoulli(), (28, 28))
    size = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(lambda: arjax.init(model, KEY))))
    assert size == 53569 - 3 * 7 * 32 - 15 * 3 * 16 * 16
