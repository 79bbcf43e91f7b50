"""PixelCNN++ against loops, what its pixels see, its cache and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loops import conv_by_loops, transpose_by_loops
from normal import Normal

import arjax
from arjax import Cond, CondSpec, Model
from arjax.heads import Bernoulli, Categorical, CoupledDiscretizedMixtureOfLogistics, DiscretizedMixtureOfLogistics
from arjax.layers.residual import concat_elu
from arjax.models import PixelCNNPP
from arjax.orders import AnyOrder, Snake
from arjax.sampling import ancestral, naive
from arjax.testing import lively_params

KEY = jax.random.key(0)


# The network


def test_theta_is_what_loops_in_float64_say():
    height, width = 4, 4
    model = Model(PixelCNNPP(width=2, resnets=1, levels=2, coordinates=True), Categorical(5), (height, width), cond=CondSpec(2))
    params = lively_params(model, KEY)
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
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
    theta = arjax.theta(model, params, x, cond=Cond(label))
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


@pytest.mark.parametrize(
    ("levels", "shape", "all_of_it"), [(1, (3, 9), False), (2, (4, 12), False), (2, (6, 4), True), (3, (4, 8), False)]
)
def test_a_pixel_sees_every_earlier_one_that_its_taps_can_reach_and_no_other(levels, shape, all_of_it):
    model = Model(PixelCNNPP(width=4, resnets=1, levels=levels), Normal(), shape)
    params = arjax.init(model, KEY)
    # The ends of the blocks as strong as the rest, so that no derivative is lost in rounding.
    params = jax.tree_util.tree_map_with_path(lambda path, leaf: 10 * leaf if "conv_out" in str(path) else leaf, params)
    x = jax.random.normal(jax.random.key(1), (1, *shape))
    derivative = jax.jit(jax.jacobian(lambda x: arjax.theta(model, params, x)[0, :, 0]))(x)
    seen = np.asarray(derivative).reshape(model.num_sites, model.num_sites) != 0
    np.testing.assert_array_equal(seen, seen_by_hand(shape, 1, levels))
    earlier = np.tri(model.num_sites, k=-1, dtype=bool)
    assert not (seen & ~earlier).any()
    assert (seen == earlier).all() == all_of_it


def test_concat_elu_keeps_what_elu_loses():
    np.testing.assert_allclose(concat_elu(jnp.array([2.0, -1.0])), [2, np.expm1(-1), np.expm1(-2), 1], rtol=1e-6)


def test_its_size_at_the_papers_settings_is_that_of_the_paper():
    # Counted by hand for 160 channels: 32 blocks of each stream, what they are told and what they skip to, two halvings, two
    # doublings and the ends.
    model = Model(PixelCNNPP(), CoupledDiscretizedMixtureOfLogistics(256, 10), (32, 32))
    blocks = 32 * sum(2 * kernel * (2 * 160 * 160 + 2 * 160 * 320) + 160 + 320 for kernel in (2, 3))
    aside = (32 + 2 * 17) * 320 * 160
    resized = 4 * sum(2 * kernel * 160 * 160 + 160 for kernel in (2, 3))
    ends = (6 + 3) * 4 * 160 + 2 * 160 + 4 * 160 + 160 * 100 + 100
    size = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(lambda: arjax.init(model, KEY))))
    assert size == blocks + aside + resized + ends == 53_610_020


# Sampling


@pytest.mark.parametrize(
    ("net", "head", "shape"),
    [
        pytest.param(PixelCNNPP(width=4, resnets=1, levels=3), Bernoulli(), (8, 8), marks=pytest.mark.slow),
        (PixelCNNPP(width=4, resnets=2, levels=2), CoupledDiscretizedMixtureOfLogistics(256, 2), (4, 6)),
        (PixelCNNPP(width=4, resnets=1, levels=1), DiscretizedMixtureOfLogistics(16, 2), (3, 5, 1)),
    ],
)
@pytest.mark.slow
def test_cached_samples_are_naive_samples(net, head, shape):
    model = Model(net, head, shape)
    params = lively_params(model, KEY)
    cached, slow = (draw(model, params, jax.random.key(2), 3) for draw in (ancestral, naive))
    np.testing.assert_array_equal(cached, slow)
    assert len(np.unique(cached)) > 1


def cache_bytes(model, batch):
    params = jax.eval_shape(lambda: arjax.init(model, KEY))
    order = jnp.asarray(model.permutation)
    leaves = jax.eval_shape(lambda p: jax.tree.leaves(model.apply(p, batch, order, method="init_cache")), params)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)


def test_the_cache_holds_rows_not_maps():
    low, high = (Model(PixelCNNPP(width=4, resnets=1, levels=2), Bernoulli(), (height, 8)) for height in (8, 64))
    assert cache_bytes(low, 2) == cache_bytes(high, 2)


def test_at_the_papers_settings_64_pictures_of_32x32_need_a_cache_of_248_megabytes():
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


# Labels, dropout, extremes


def test_a_label_changes_theta_at_every_pixel_and_only_in_its_own_example():
    model = Model(PixelCNNPP(width=4, resnets=1, levels=2), Bernoulli(), (4, 4), cond=CondSpec(classes=3))
    params, x = arjax.init(model, KEY), jnp.ones((2, 4, 4), jnp.int32)
    params |= {"label_b": jax.random.normal(KEY, params["label_b"].shape)}
    first, second = (arjax.theta(model, params, x, cond=Cond(label=jnp.array(label))) for label in ([0, 1], [0, 2]))
    np.testing.assert_array_equal(first[0], second[0])
    assert (first[1] != second[1]).all()


@pytest.mark.slow
def test_dropout_needs_a_key_and_drops_every_example_apart():
    model = Model(PixelCNNPP(width=8, resnets=1, levels=2, dropout=0.5), Normal(), (4, 4))
    params, x = lively_params(model, KEY), jnp.ones((2, 4, 4))
    still = arjax.theta(model, params, x)
    first, again, other = (arjax.theta(model, params, x, key=jax.random.key(seed)) for seed in (1, 1, 2))
    # two rows of one batch need not be added up in one order: alike is to rounding, and apart is beyond it
    np.testing.assert_allclose(still[0], still[1], rtol=1e-4)
    np.testing.assert_array_equal(first, again)
    for one, another in ((first, other), (first, still), (first[0], first[1])):
        assert not np.isclose(one, another, rtol=1e-3).any()


@pytest.mark.slow
def test_it_starts_finite_and_not_large_even_at_extreme_pictures():
    model = Model(PixelCNNPP(width=8, resnets=2, levels=2), DiscretizedMixtureOfLogistics(256, 3), (8, 8))
    params = arjax.init(model, KEY)
    noise = jax.random.randint(KEY, (8, 8), 0, 256)
    x = jnp.stack([jnp.zeros((8, 8), jnp.int32), jnp.full((8, 8), 255), 255 * (noise > 127), noise])
    assert jnp.abs(arjax.theta(model, params, x)).max() < 20
    value, gradient = jax.value_and_grad(lambda params: arjax.log_prob(model, params, x).mean())(params)
    assert all(jnp.isfinite(leaf).all() for leaf in [value, *jax.tree.leaves(gradient)])
    assert -value / 64 < 12  # nats a pixel; guessing takes log 256 = 5.5


# What is refused


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 0}, "width=0 must be at least 1; choose a positive number"),
        ({"resnets": 0}, "resnets=0 must be at least 1"),
        ({"levels": -1}, "levels=-1 must be at least 1"),
        ({"dropout": 1.0}, r"dropout=1\.0 is not in \[0, 1\); choose the rate of units to drop"),
    ],
)
def test_impossible_nets_are_refused_when_they_are_made(fields, message):
    with pytest.raises(ValueError, match=message):
        PixelCNNPP(**fields)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Model(PixelCNNPP(), Bernoulli(), (9,)), r"PixelCNNPP needs pictures, .*, not site_shape=\(9,\)"),
        (
            lambda: Model(PixelCNNPP(levels=3), Bernoulli(), (28, 30)),
            r"site_shape=\(28, 30\) cannot be halved 2 times, for levels=3; choose a height and a width that are multiples of 4",
        ),
        (
            lambda: Model(PixelCNNPP(), Categorical(256), (32, 32, 3)),
            r"\(32, 32, 3\) has 3 sites a pixel; choose site_shape=\(32, 32\) and a CoupledDiscretizedMixture.* or a PixelCNN",
        ),
        (lambda: Model(PixelCNNPP(), Bernoulli(), (4, 4), Snake()), r"PixelCNNPP generates row by row, not in Snake\(\)"),
        (lambda: Model(PixelCNNPP(), Bernoulli(), (4, 4), AnyOrder()), "PixelCNNPP generates in one order only"),
        (lambda: Model(PixelCNNPP(), Bernoulli(), (4, 4), cond=CondSpec(members=2)), "PixelCNNPP knows classes, not CondSpec"),
    ],
)
def test_models_it_cannot_serve_are_refused_with_the_remedy(build, message):
    with pytest.raises(ValueError, match=message):
        build()
