"""PixelCNN++ against loops, what its pixels see, its cache and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loops import conv_by_loops, transpose_by_loops
from nets import float64, passed, seen
from normal import Normal

import arjax
from arjax import Cond, CondSpec, Model
from arjax.heads import Bernoulli, Categorical, CoupledDiscretizedMixtureOfLogistics, DiscretizedMixtureOfLogistics
from arjax.layers.residual import concat_elu
from arjax.models import PixelCNNPP
from arjax.testing import lively_params

KEY = jax.random.key(0)


# The network


def test_theta_is_what_loops_in_float64_say():
    height, width = 4, 4
    model = Model(PixelCNNPP(width=2, resnets=1, levels=2, coordinates=True), Categorical(5), (height, width), cond=CondSpec(2))
    params = lively_params(model, KEY)
    p = float64(params)
    rng = np.random.default_rng(0)
    x, label = rng.integers(0, 5, (2, height, width)), np.array([1, 0])
    shift = p["label_b"][label]

    def f(h):
        both = np.concatenate([h, -h], axis=-1)
        return np.where(both > 0, both, np.expm1(np.minimum(both, 0)))

    def conv(p, h, stride=1):
        return conv_by_loops(h, p["w"], p["b"], stride)

    def block(p, bias, h, skip=None, told=None):
        """(h after it, what it tells)."""
        inside = conv(p["conv_in"], f(h))
        if skip is not None:
            inside += f(skip) @ p["w_skip"]
        if told is not None:
            inside += told
        both = conv(p["conv_out"], f(inside)) + bias
        h = h + both[..., :2] / (1 + np.exp(-both[..., 2:]))
        return h, f(h) @ p["w_tell"] if "w_tell" in p else None

    def run(p, number, h, told):
        """(h of a stream, what its five blocks tell): one on the way down, two on the lower level, two on the way up."""
        bias, low_p = shift[:, None, None, number], p["coarser"]
        fine, tells0 = block(p["blocks_0"], bias[..., 0, :], h, None, told[0])
        halved = conv(p["halve"], fine, 2)
        low, tells3 = block(low_p["blocks_0"], bias[..., 3, :], halved, None, told[3])
        last, tells4 = block(low_p["blocks_1"], bias[..., 4, :], low, halved, told[4])
        doubled = transpose_by_loops(last, p["double"]["w"], p["double"]["b"])
        first, tells1 = block(p["blocks_1"], bias[..., 1, :], doubled, fine, told[1])
        top, tells2 = block(p["blocks_2"], bias[..., 2, :], first, h, told[2])
        return top, (tells0, tells1, tells2, tells3, tells4)

    seen = np.stack([2 * x / 4 - 1, np.ones(x.shape)], axis=-1)
    down, right = np.zeros_like(seen), np.zeros_like(seen)
    down[:, 1:], right[:, :, 1:] = seen[:, :-1], seen[:, :, :-1]
    places = np.array([[[2 * y / 3 - 1, 2 * z / 3 - 1] for z in range(4)] for y in range(4)]) @ p["w_place"]
    _, told = run(p["u"], 0, conv(p["first"], down) + places[..., :2], [None] * 5)
    h, _ = run(p["ul"], 1, conv(p["above"], down) + places[..., 2:] + right @ p["w_left"], told)
    expected = np.where(h > 0, h, np.expm1(np.minimum(h, 0))) @ p["w_theta"] + p["b_theta"]
    theta = passed(model, params, x.reshape(2, 16), jnp.arange(16), Cond(label))
    np.testing.assert_allclose(theta, expected.reshape(2, 16, 5), rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def seen_by_hand(shape, resnets, levels):
    """[T, T] bool: which pixels each pixel's theta sees, by following every tap of every layer: a set for each place of a map."""
    height, width = shape

    def conv(seen, size, kernel, stride=1):
        taps = {2: (-1, 0), 3: (-1, 0, 1)}[kernel]
        return {
            (i, j): set().union(*(seen.get((stride * i + r, stride * j + e), set()) for r in (-1, 0) for e in taps))
            for i, j in np.ndindex(*size)
        }

    def double(seen, size, kernel):
        out = {place: set() for place in np.ndindex(*size)}
        for (i, j), pixels in seen.items():
            for r in (0, 1):
                for e in {2: (0, 1), 3: (-1, 0, 1)}[kernel]:
                    if (2 * i + r, 2 * j + e) in out:
                        out[2 * i + r, 2 * j + e] |= pixels
        return out

    def join(*maps):
        return {place: set().union(*(seen[place] for seen in maps)) for place in maps[0]}

    def run(h, kernel, told, level=0):
        size, said, passed = (height >> level, width >> level), [], [h]

        def block(h, *skip):
            others = [*skip, *([told.pop(0)] if told else [])]
            inside = join(conv(h, size, kernel), *others)
            h = join(h, conv(inside, size, kernel))
            said.append(h)
            return h

        for _ in range(resnets):
            h = block(h)
            passed.append(h)
        if level + 1 < levels:
            low = conv(h, (size[0] // 2, size[1] // 2), kernel, 2)
            low, more = run(low, kernel, told, level + 1)
            said += more
            h = double(low, size, kernel)
        else:
            passed.pop()
        for skip in reversed(passed):
            h = block(h, skip)
        return h, said

    def known(places):
        return {place: {p for p in places(*place) if 0 <= p[0] < height and 0 <= p[1] < width} for place in np.ndindex(*shape)}

    first = known(lambda i, j: {(i - r, j + e) for r in (1, 2) for e in (-1, 0, 1)})
    _, said = run(first, 3, [])
    last, _ = run(known(lambda i, j: {(i - 1, j - 1), (i - 1, j), (i - 1, j + 1), (i, j - 1)}), 2, said)
    table = np.zeros((height * width,) * 2, bool)
    for (i, j), pixels in last.items():
        for y, z in pixels:
            table[i * width + j, y * width + z] = True
    return table


def test_concat_elu_keeps_what_elu_loses():
    np.testing.assert_allclose(concat_elu(jnp.array([2.0, -1.0])), [2, np.expm1(-1), np.expm1(-2), 1], rtol=1e-6)


def test_concat_elu_has_the_value_and_the_derivatives_of_elu():
    h = jnp.array([-60.0, -3.0, -1e-3, -1e-9, 0.0, 1e-9, 1e-3, 3.0, 60.0])
    both = np.concatenate([h, -h]).astype(np.float64)
    np.testing.assert_allclose(concat_elu(h), np.where(both > 0, both, np.expm1(np.minimum(both, 0))), rtol=2e-7)
    slopes = np.repeat([1, -1], len(h)) * np.exp(np.minimum(both, 0))  # at zero 1 and -1
    forward = jax.jvp(concat_elu, (h,), (jnp.ones_like(h),))[1]
    np.testing.assert_allclose(forward, slopes, rtol=1e-6, atol=1e-7)
    (backward,) = jax.vjp(concat_elu, h)[1](jnp.arange(18.0))
    np.testing.assert_allclose(backward, (slopes * np.arange(18)).reshape(2, 9).sum(axis=0), rtol=1e-6, atol=1e-6)


def test_pixelcnnpp_has_the_papers_size_at_its_settings():
    # Counted by hand for 160 channels: 32 blocks of each stream, what they are told and what they skip to, two halvings, two
    # doublings and the ends.
    model = Model(PixelCNNPP(), CoupledDiscretizedMixtureOfLogistics(256, 10), (32, 32))
    blocks = 32 * sum(2 * kernel * (2 * 160 * 160 + 2 * 160 * 320) + 160 + 320 for kernel in (2, 3))
    aside = (32 + 2 * 17) * 320 * 160
    resized = 4 * sum(2 * kernel * 160 * 160 + 160 for kernel in (2, 3))
    ends = (6 + 3) * 4 * 160 + 2 * 160 + 4 * 160 + 160 * 100 + 100
    size = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(lambda: arjax.init(model, KEY))))
    assert size == blocks + aside + resized + ends == 53_610_020


@pytest.mark.parametrize(("levels", "shape", "all_of_it"), [(1, (3, 9), False), (2, (6, 4), True), (3, (4, 8), False)])
def test_theta_depends_on_every_earlier_pixel_that_its_taps_can_reach_and_no_other(levels, shape, all_of_it):
    model = Model(PixelCNNPP(width=4, resnets=1, levels=levels), Normal(), shape)
    found = seen(model, lively_params(model, KEY), tries=2)
    np.testing.assert_array_equal(found, seen_by_hand(shape, 1, levels))
    earlier = np.tri(model.num_sites, k=-1, dtype=bool)
    assert not (found & ~earlier).any()
    assert (found == earlier).all() == all_of_it


# The start and the cache


@pytest.mark.slow
def test_init_gives_finite_and_small_theta_even_at_extreme_pictures():
    model = Model(PixelCNNPP(width=4, resnets=1, levels=2), DiscretizedMixtureOfLogistics(256, 3), (4, 4))
    # A key whose draws compile faster than the default's.
    params, noise = arjax.init(model, jax.random.key(0, impl="rbg")), np.random.default_rng(0).integers(0, 256, 16)
    x = np.stack([np.zeros(16, int), np.full(16, 255), 255 * (noise > 127), noise])

    @jax.jit
    def loss(params):
        theta = model.apply(params, x, jnp.arange(16))
        return -model.head.log_prob(theta, x).mean(), theta

    (value, theta), gradient = jax.value_and_grad(loss, has_aux=True)(params)
    assert jnp.abs(theta).max() < 20
    assert all(np.isfinite(leaf).all() for leaf in [value, *jax.tree.leaves(gradient)])
    assert value < 12  # nats a pixel; guessing takes log 256 = 5.5


def cache_bytes(model, batch):
    params = jax.eval_shape(lambda: arjax.init(model, KEY))
    order = jnp.asarray(model.permutation)
    leaves = jax.eval_shape(lambda p: jax.tree.leaves(model.apply(p, batch, order, method="init_cache")), params)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)


def test_init_cache_holds_rows_not_maps():
    low, high = (Model(PixelCNNPP(width=4, resnets=1, levels=2), Bernoulli(), (height, 8)) for height in (8, 64))
    assert cache_bytes(low, 2) == cache_bytes(high, 2)


def test_init_cache_of_64_pictures_at_the_papers_settings_has_248_megabytes():
    # Counted by hand for one picture. Of every block: u's row before each of its two convolutions, a row for ul, and ul's rings.
    blocks = {32: 11, 16: 11, 8: 10}
    floats = sum(count * (2 * 320 * width + 160 * width + 2 * 320 * (width + 2)) for width, count in blocks.items())
    # Where a map is halved, the row and the ring before that; where it is doubled, two rows of each stream.
    floats += sum(160 * width + 160 * (width + 2) + 2 * 2 * 160 * width for width in (32, 16))
    # The row that is being drawn and what the first convolution read, of four numbers a pixel, and what is above.
    floats += 2 * 4 * 32 + 160 * 32
    # Of all pictures together: the labels' shifts, which are none.
    shifts = 2 * 32 * 320
    model = Model(PixelCNNPP(), CoupledDiscretizedMixtureOfLogistics(256, 10), (32, 32))
    assert cache_bytes(model, 64) == 4 * (64 * floats + shifts) == 248_037_376
