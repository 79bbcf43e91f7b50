"""Attention against loops in float64, what masks show and hide, and what turning keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.cache import init_key_value, write_key_values
from arjax.layers.attention import MANY, attend, attend_before, attend_prefix, has_ampere, weights
from arjax.layers.attention_mask import Causal, Strided, Window, attended
from arjax.layers.position import PositionEmbedding, angles, grid, turn

KEY = jax.random.key(0)


def drawn(batch=2, sites=5, attended=7, heads=4, groups=2, width=3, seed=0):
    """q [B, T, N, K], k and v [B, S, M, K], a mask [B, T, S] that shows everyone something."""
    rng = np.random.default_rng(seed)
    shapes = ((batch, sites, heads, width), (batch, attended, groups, width), (batch, attended, groups, width))
    mask = rng.random((batch, sites, attended)) < 0.5
    mask[..., 0] = True
    return *(jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in shapes), jnp.asarray(mask)


def looped(q, k, v, mask):
    """(y, weights [B, N, T, S]): softmax over s of q_t . k_s / sqrt(K), over the s that are shown, in float64."""
    q, k, v = (np.asarray(part, np.float64) for part in (q, k, v))
    shared = q.shape[2] // k.shape[2]
    mask = np.broadcast_to(mask, (len(q), q.shape[1], k.shape[1]))
    y, each = np.zeros_like(q), np.zeros((len(q), q.shape[2], q.shape[1], k.shape[1]))
    for b, t, n in np.ndindex(q.shape[:3]):
        shown = [s for s in range(k.shape[1]) if mask[b, t, s]]
        scores = [sum(q[b, t, n] * k[b, s, n // shared]) / np.sqrt(q.shape[-1]) for s in shown]
        total = sum(np.exp(scores))
        for s, score in zip(shown, scores, strict=True):
            each[b, n, t, s] = np.exp(score) / total
            y[b, t, n] += each[b, n, t, s] * v[b, s, n // shared]
    return y, each


@pytest.mark.parametrize(("heads", "groups"), [(4, 4), (3, 1)])
def test_attend_and_weights_are_the_loop_in_float64(heads, groups):
    q, k, v, mask = drawn(heads=heads, groups=groups)
    y, each = looped(q, k, v, mask)
    np.testing.assert_allclose(attend(q, k, v, mask), y, atol=2e-6)
    np.testing.assert_allclose(weights(q, k, mask), each, atol=1e-6)
    # A mask may be the same for all examples or all sites.
    y, _ = looped(q, k, v, mask[:1, :1])
    np.testing.assert_allclose(attend(q, k, v, mask[:1, :1]), y, atol=2e-6)


# As many examples as make the values be added by a loop, too: only for one query a group of heads.
@pytest.mark.parametrize(("batch", "groups"), [(2, 2), (MANY // 4, 4)])
@pytest.mark.parametrize(("sites", "segment"), [(1, 1), (7, 3)])
def test_attend_prefix_over_segments_is_attend_at_every_t(sites, segment, batch, groups):
    q, k, v, _ = drawn(batch=batch, groups=groups, sites=sites, attended=sites)
    seen = jnp.asarray(attended(Window(3), sites))
    everything = attend(q, k, v, seen[None])

    @jax.jit
    def one(q, k, v, t, seen):
        cache = write_key_values(init_key_value(batch, groups, sites, 3, segment), k, v)
        return attend_prefix(q, cache, t, seen)

    # What is not known yet must not be read, wherever a segment ends.
    for t in range(sites):
        known = (np.arange(sites) <= t)[None, :, None, None]
        full = [jnp.asarray(np.where(known, part, np.float32(1e30))) for part in (k, v)]
        np.testing.assert_allclose(one(q[:, t], *full, t, seen[t]), everything[:, t], atol=2e-6)


@pytest.mark.parametrize("mask", [Causal(), Window(7), Window(100), Strided(90)], ids=str)
def test_attend_before_in_blocks_and_its_gradients_are_those_of_one_table(mask):
    seen = attended(mask, 150)
    q, k, v, _ = drawn(batch=1, sites=150, attended=150, heads=4, groups=2)

    @jax.jit
    def both(*qkv):
        values = [lambda *qkv: attend_before(*qkv, seen), lambda *qkv: attend(*qkv, jnp.asarray(seen)[None])]
        return [(*jax.vjp(value, *qkv), jax.jvp(value, qkv, qkv)[1]) for value in values]

    (ours, back, forward), (theirs, their_back, their_forward) = both(q, k, v)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
    np.testing.assert_allclose(forward, their_forward, atol=2e-5)
    for gradient, other in zip(back(q), their_back(q), strict=True):
        np.testing.assert_allclose(gradient, other, atol=2e-5)


@pytest.mark.skipif(not has_ampere(), reason="no CUDA device of Ampere or later is here, so that cuDNN is not compared")
def test_attend_before_through_cudnn_is_that_in_blocks():
    seen = attended(Causal(), 200)
    q, k, v, _ = drawn(sites=200, attended=200, heads=4, groups=2, width=32)
    small = [part.astype(jnp.bfloat16) for part in (q, k, v)]
    for given, tolerance in ((small, 2e-2), ((q, k, v), 2e-6)):
        exact = [part.astype(jnp.float32) for part in given]
        y, back = jax.vjp(jax.jit(lambda *qkv: attend_before(*qkv, seen)), *given)
        other, other_back = jax.vjp(jax.jit(lambda *qkv: attend(*qkv, jnp.asarray(seen)[None])), *exact)
        for ours, theirs in zip((y, *back(y)), (other, *other_back(y.astype(jnp.float32))), strict=True):
            assert np.abs(ours.astype(jnp.float32) - theirs).max() <= tolerance * np.abs(theirs).max()


def test_attend_takes_no_bit_and_no_gradient_from_what_a_mask_hides():
    q, k, v, mask = drawn(batch=1)
    mask = mask.at[:, :, 3].set(False)
    poisoned = k.at[:, 3].set(1e30), v.at[:, 3].set(1e30)
    np.testing.assert_array_equal(attend(q, k, v, mask), attend(q, *poisoned, mask))
    gradient = jax.jit(jax.grad(lambda *qkv: attend(*qkv, mask).sum(), argnums=(0, 1, 2)))
    for scale in (1, 1e4):  # scores beyond what exp can hold, too
        gradients = gradient(scale * q, *poisoned)
        assert all(np.isfinite(gradient).all() for gradient in gradients)
        np.testing.assert_array_equal(gradients[1][:, 3], 0)
        np.testing.assert_array_equal(gradients[2][:, 3], 0)


def test_attend_to_huge_scores_gives_the_strongest_and_no_nan():
    q, k, v, mask = drawn(batch=1, heads=2, groups=2)
    y, each = np.asarray(attend(1e15 * q, 1e15 * k, v, mask)), np.asarray(weights(1e15 * q, 1e15 * k, mask))
    scores = np.where(mask[:, None], np.einsum("btnk,bsnk->bnts", q, k), -np.inf)
    np.testing.assert_array_equal(each.argmax(axis=-1), scores.argmax(axis=-1))
    np.testing.assert_allclose(each.max(axis=-1), 1)
    for t, n in np.ndindex(5, 2):
        np.testing.assert_allclose(y[0, t, n], v[0, scores[0, n, t].argmax(), n], rtol=1e-6)


def test_weights_of_a_thousand_equal_scores_in_bfloat16_are_equal():
    # Summed in bfloat16, a thousand terms of 1 stick at 256.
    q, k = jnp.zeros((1, 1, 1, 2), jnp.bfloat16), jnp.zeros((1, 1000, 1, 2), jnp.bfloat16)
    v = jnp.ones((1, 1000, 1, 2), jnp.bfloat16)
    everyone = jnp.ones((1, 1, 1000), bool)
    assert weights(q, k, everyone).dtype == jnp.float32
    np.testing.assert_allclose(weights(q, k, everyone), 1e-3, rtol=1e-6)
    cache = write_key_values(init_key_value(1, 1, 1000, 2, 1000, jnp.bfloat16), k, v)
    for y in (attend(q, k, v, everyone), attend_prefix(q[:, 0], cache, 999, everyone[0, 0])):
        assert y.dtype == jnp.bfloat16
        np.testing.assert_allclose(y.astype(jnp.float32), 1, atol=2e-2)


# Masks


@pytest.mark.parametrize("size", [1, 3, 9])
def test_window_shows_the_last_symbols(size):
    seen = Window(size).seen(7)
    for t, s in np.ndindex(seen.shape):
        assert seen[t, s] == (s in range(t, t - size, -1))


@pytest.mark.parametrize("stride", [1, 3, 4])
def test_strided_shows_the_last_symbols_and_every_one_a_stride_before(stride):
    seen = Strided(stride).seen(15)
    for t in range(15):
        last = list(range(t, max(t - stride, -1), -1))
        column = list(range(t + 1 - stride, -1, -stride))
        assert set(np.flatnonzero(seen[t])) == {*last, *column}


class Given:
    """A mask that shows what it was given."""

    def __init__(self, seen):
        self.given = np.asarray(seen)

    def seen(self, num_sites):
        return self.given


def test_attended_always_shows_the_start_and_never_what_is_unknown():
    np.testing.assert_array_equal(attended(Given(np.ones((4, 4), bool)), 4), np.tri(4, dtype=bool))
    nothing = attended(Given(np.zeros((4, 4), bool)), 4)
    np.testing.assert_array_equal(nothing, np.arange(4)[None] == np.zeros((4, 1)))
    np.testing.assert_array_equal(attended(Causal(), 6), np.tri(6, dtype=bool))


@pytest.mark.parametrize("seen", [np.ones((3, 4), bool), np.ones((4, 4)), np.ones(4, bool)])
def test_attended_refuses_a_mask_of_another_shape_or_type(seen):
    with pytest.raises(ValueError, match=r"give booleans of shape \(4, 4\)"):
        attended(Given(seen), 4)


@pytest.mark.parametrize("mask", [Window, Strided])
def test_window_and_strided_refuse_to_show_no_symbol(mask):
    with pytest.raises(ValueError, match=rf"{mask.__name__}\(\w+=0\) shows no symbol; choose at least 1"):
        mask(0)


# Places


def test_turn_makes_products_depend_on_differences_of_places_only():
    rng = np.random.default_rng(0)
    q, k = jnp.asarray(rng.standard_normal((2, 1, 8)), jnp.float32)
    a, b, shift = np.array([[1.0, 5.0]]), np.array([[4.0, 2.0]]), np.array([[3.0, 7.0]])

    def product(at, to):
        return float((turn(q[None], jnp.asarray(angles(at, 8))) * turn(k[None], jnp.asarray(angles(to, 8)))).sum())

    assert product(a, b) == pytest.approx(product(a + shift, b + shift), abs=1e-4)
    assert product(a, b) != pytest.approx(product(a, b + shift), abs=1e-2)
    # Every axis counts.
    for axis in range(2):
        assert product(a, b) != pytest.approx(product(a, b + np.eye(2)[axis]), abs=1e-3)


def test_turn_keeps_the_norm_and_by_nothing_the_vector():
    h = jax.random.normal(KEY, (2, 5, 3, 8))
    by = jnp.asarray(angles(grid((5,)), 8))[None]
    turned = turn(h, by)
    np.testing.assert_allclose(jnp.linalg.norm(turned, axis=-1), jnp.linalg.norm(h, axis=-1), rtol=1e-5)
    np.testing.assert_array_equal(turned[:, 0], h[:, 0])
    # The first pair is turned by its place, in radians.
    np.testing.assert_allclose(turned[:, 2, :, 0], h[:, 2, :, 0] * np.cos(2) - h[:, 2, :, 4] * np.sin(2), atol=1e-5)


@pytest.mark.parametrize(("width", "axes"), [(3, 1), (6, 2)])
def test_angles_refuses_a_width_that_gives_an_axis_half_a_pair(width, axes):
    with pytest.raises(
        ValueError, match=rf"{width} features a head are no pairs for {axes} axes; choose a multiple of {2 * axes}"
    ):
        angles(np.zeros((1, axes)), width)


@pytest.mark.parametrize("kind", ["learned", "axial", "sinusoidal"])
def test_position_embedding_gives_every_site_a_place_of_its_own(kind):
    places = PositionEmbedding(kind, (3, 4), 8)
    sites = jnp.arange(12)
    found, params = places.init_with_output(KEY, sites)
    distance = jnp.abs(found[:, None] - found[None]).max(axis=-1) + jnp.eye(12)
    assert distance.min() > 1e-3
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == {"learned": 12 * 8, "axial": 7 * 8, "sinusoidal": 0}[kind]
    if kind == "axial":
        rows, columns = (params["params"][f"table{axis}"] for axis in range(2))
        np.testing.assert_allclose(found[7], rows[1] + columns[3], rtol=1e-6)
    if kind == "sinusoidal":
        np.testing.assert_allclose(found[7, :2], [np.sin(1), np.cos(1)], rtol=1e-6)
        np.testing.assert_allclose(found[7, 2:4], [np.sin(3), np.cos(3)], rtol=1e-6)
