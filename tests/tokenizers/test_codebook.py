import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.errors import InputError
from arjax.tokenizers import Codebook, EMACodebook

KEY = jax.random.key(0)
KINDS = (EMACodebook(7, 3), Codebook(7, 3))
EACH = pytest.mark.parametrize("quantizer", KINDS, ids=lambda quantizer: type(quantizer).__name__)


def vectors(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def drawn(quantizer):
    """(params, state), drawn on the host."""
    params, state = jax.eval_shape(quantizer.init, KEY)
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.float32(rng.normal(size=leaf.shape)), (params, state))


def codes_of(params, state):
    return np.asarray(state["codes"]) if "codes" in state else np.asarray(params["codes"]) + np.asarray(state["offset"])


def update(quantizer, *arguments):
    return jax.jit(quantizer.update)(*arguments)


def nearest(codes, h):
    return np.square(h[..., None, :].astype(np.float64) - codes).sum(axis=-1).argmin(axis=-1)


@EACH
def test_init_draws_codes_that_nobody_uses_yet(quantizer):
    params, state = jax.jit(quantizer.init)(KEY)
    codes = codes_of(params, state)
    assert codes.shape == (7, 3)
    assert len(np.unique(codes)) == 21
    np.testing.assert_array_equal(state["usage"], np.zeros(7))


@EACH
def test_nearest_is_the_nearest_code_and_quantize_its_code(quantizer):
    params, state = drawn(quantizer)
    h, codes = vectors(4, 2, 5, 3), codes_of(params, state)
    tokens = quantizer.nearest(params, state, h)
    assert tokens.dtype == jnp.int32
    np.testing.assert_array_equal(tokens, nearest(codes, h))
    q, same, _ = quantizer.quantize(params, state, h)
    np.testing.assert_array_equal(same, tokens)
    np.testing.assert_allclose(q, codes[np.asarray(tokens)], atol=1e-6)
    every = np.arange(7).reshape(7, 1)
    np.testing.assert_array_equal(quantizer.lookup(params, state, every)[:, 0], codes)
    np.testing.assert_array_equal(quantizer.nearest(params, state, codes[:, None]), every)


@EACH
def test_quantize_has_the_gradients_computed_by_hand_and_passes_on_that_of_its_result(quantizer):
    quantizer = dataclasses.replace(quantizer, commitment=0.4)
    params, state = drawn(quantizer)
    h, weights, codes = vectors(6, 3), vectors(6, 3, seed=2), codes_of(params, state)

    def both(params, h):
        q, tokens, loss = quantizer.quantize(params, state, h)
        return ((q * weights).sum(), loss), tokens

    (straight, own), tokens = jax.jit(jax.jacrev(both, argnums=(0, 1), has_aux=True))(params, h)
    np.testing.assert_array_equal(straight[1], weights)
    gaps = h - codes[np.asarray(tokens)]
    np.testing.assert_allclose(own[1], 0.4 * 2 * gaps / gaps.size, rtol=1e-5, atol=1e-7)
    loss = quantizer.quantize(params, state, h)[2]
    if not params:
        np.testing.assert_allclose(loss, 0.4 * (gaps**2).mean(), rtol=1e-5)
        return
    np.testing.assert_allclose(loss, 1.4 * (gaps**2).mean(), rtol=1e-5)
    expected = np.zeros_like(codes)
    for token, gap in zip(np.asarray(tokens), gaps, strict=True):
        expected[token] -= 2 * gap / gaps.size
    np.testing.assert_allclose(own[0]["codes"], expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(straight[0]["codes"], np.zeros_like(codes))


def test_update_weighs_minibatches_by_their_age_and_their_counts():
    quantizer = EMACodebook(2, 1, decay=0.75, revive=0)
    state = jax.tree.map(np.zeros_like, drawn(quantizer)[1])
    state = update(quantizer, {}, state, np.float32([[1], [3], [9]]), np.array([0, 0, 1]), KEY)
    state = update(quantizer, {}, state, np.float32([[8], [7], [5]]), np.array([0, 1, 1]), KEY)
    old, new = 0.25 * 0.75, 0.25
    expected = [(old * 4 + new * 8) / (old * 2 + new), (old * 9 + new * 12) / (old + new * 2)]
    np.testing.assert_allclose(state["codes"][:, 0], expected, rtol=1e-6)
    # Two codes share three vectors: usage is 1 where each has half of them.
    np.testing.assert_allclose(state["usage"], np.array([old * 2 + new, old + new * 2]) * 2 / 3, rtol=1e-6)


@EACH
def test_update_puts_dead_codes_on_different_encoder_outputs_and_leaves_the_live_ones(quantizer):
    quantizer = dataclasses.replace(quantizer, decay=0.5, revive=0.1)
    params, state = drawn(quantizer)
    state = {**state, "usage": jnp.float32([1, 0.01, 1, 0.01, 1, 0.01, 0.3])}
    if "sums" in state:
        state["sums"] = state["codes"] * state["usage"][:, None]
    before, h = codes_of(params, state), vectors(9, 3, seed=5)
    tokens = np.array([0, 0, 0, 2, 2, 2, 4, 4, 4])
    after = update(quantizer, params, state, h, tokens, KEY)
    codes = codes_of(params, after)
    landed = [np.flatnonzero(np.abs(h - codes[k]).max(axis=1) < 1e-6).tolist() for k in (1, 3, 5)]
    assert all(len(places) == 1 for places in landed)
    assert len({places[0] for places in landed}) == 3
    np.testing.assert_array_equal(np.asarray(after["usage"])[[1, 3, 5]], 1)
    # Code 6 was not used this time, but has not faded yet; the others are used.
    np.testing.assert_allclose(codes[6], before[6], rtol=1e-6)
    np.testing.assert_allclose(after["usage"][6], 0.15, rtol=1e-6)
    if params:
        np.testing.assert_array_equal(codes[[0, 2, 4]], before[[0, 2, 4]])
    else:
        means = 0.5 * before[[0, 2, 4]] + 0.5 * h.reshape(3, 3, 3).mean(axis=1) * 7 / 3
        np.testing.assert_allclose(codes[[0, 2, 4]], means / (0.5 + 0.5 * 7 / 3), rtol=1e-5, atol=1e-6)
    assert not np.array_equal(codes, codes_of(params, update(quantizer, params, state, h, tokens, jax.random.key(4))))


@EACH
def test_update_with_revive_0_moves_no_code(quantizer):
    quantizer = dataclasses.replace(quantizer, revive=0)
    params, state = drawn(quantizer)
    state |= {"usage": jnp.zeros(7)}
    before = codes_of(params, state)
    after = update(quantizer, params, state, vectors(4, 3), np.zeros(4, np.int32), KEY)
    np.testing.assert_array_equal(codes_of(params, after)[1:], before[1:])


@EACH
def test_update_places_codes_that_nobody_used_whatever_the_scale_of_the_vectors(quantizer):
    params, state = drawn(quantizer)
    state |= {"usage": jnp.zeros(7)}
    h = 1000 + 100 * vectors(64, 3)
    after = update(quantizer, params, state, h, quantizer.nearest(params, state, h), KEY)
    assert len(np.unique(quantizer.nearest(params, after, h))) >= 6
    # Fewer vectors than codes are used more than once.
    few = update(quantizer, params, state, h[:2], np.array([0, 0]), KEY)
    assert np.isfinite(codes_of(params, few)).all()


@EACH
def test_update_over_several_devices_is_that_of_one(quantizer):
    params, state = drawn(quantizer)
    h = vectors(16, 4, 3)
    tokens = nearest(codes_of(params, state), h)
    alone = update(quantizer, params, state, h, tokens, KEY)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    shared = update(quantizer, params, state, *jax.device_put((h, tokens), sharding), KEY)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), alone, shared)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 0}, "size=0 and width=64 must be at least 1"),
        ({"decay": 1.0}, r"decay=1.0 is not in \[0, 1\)"),
        ({"commitment": -1.0}, "commitment=-1.0 must be finite"),
        ({"revive": 1.5}, r"revive=1.5 is not in \[0, 1\)"),
    ],
)
def test_codebook_refuses_what_cannot_be(wrong, message):
    for kind in (EMACodebook, Codebook):
        with pytest.raises(InputError, match=message):
            kind(**wrong)
