import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.tokenizers import Codebook, EMACodebook

KINDS = (EMACodebook(7, 3), Codebook(7, 3))
EACH = pytest.mark.parametrize("quantizer", KINDS, ids=lambda quantizer: type(quantizer).__name__)


def vectors(*shape, seed=1):
    return jax.random.normal(jax.random.key(seed), shape)


def codes_of(quantizer, params, state):
    return np.asarray(quantizer.lookup(params, state, jnp.arange(quantizer.size)))


def nearest_by_loops(codes, h):
    flat, tokens = h.reshape(-1, h.shape[-1]), []
    for vector in flat:
        distances = [sum((a - b) ** 2 for a, b in zip(vector, code, strict=True)) for code in codes]
        tokens.append(int(np.argmin(distances)))
    return np.reshape(tokens, h.shape[:-1])


@EACH
def test_the_token_is_the_nearest_code(quantizer):
    params, state = quantizer.init(jax.random.key(0))
    h = vectors(4, 2, 5, 3)
    tokens = quantizer.nearest(params, state, h)
    assert tokens.dtype == jnp.int32
    np.testing.assert_array_equal(tokens, nearest_by_loops(codes_of(quantizer, params, state), np.asarray(h)))
    q, same, _ = quantizer.quantize(params, state, h)
    np.testing.assert_array_equal(same, tokens)
    np.testing.assert_allclose(q, codes_of(quantizer, params, state)[np.asarray(tokens)], atol=1e-6)


@EACH
def test_every_code_is_its_own_nearest(quantizer):
    params, state = quantizer.init(jax.random.key(0))
    tokens = jnp.arange(7).reshape(7, 1)
    np.testing.assert_array_equal(quantizer.nearest(params, state, quantizer.lookup(params, state, tokens)), tokens)


@EACH
def test_the_gradient_of_a_quantized_vector_is_that_of_the_identity(quantizer):
    params, state = quantizer.init(jax.random.key(0))
    h, weights = vectors(6, 3), vectors(6, 3, seed=2)
    gradient = jax.grad(lambda h: (quantizer.quantize(params, state, h)[0] * weights).sum())(h)
    np.testing.assert_array_equal(gradient, weights)


@EACH
def test_the_gradients_of_the_loss_are_those_computed_by_hand(quantizer):
    quantizer = dataclasses.replace(quantizer, commitment=0.4)
    params, state = quantizer.init(jax.random.key(0))
    h = vectors(6, 3)
    loss, (by_params, by_h) = jax.value_and_grad(lambda params, h: quantizer.quantize(params, state, h)[2], argnums=(0, 1))(
        params, h
    )
    codes, tokens = codes_of(quantizer, params, state), np.asarray(quantizer.nearest(params, state, h))
    gaps = np.asarray(h) - codes[tokens]
    np.testing.assert_allclose(by_h, 0.4 * 2 * gaps / gaps.size, rtol=1e-5, atol=1e-7)
    if not params:
        np.testing.assert_allclose(loss, 0.4 * (gaps**2).mean(), rtol=1e-5)
        return
    np.testing.assert_allclose(loss, 1.4 * (gaps**2).mean(), rtol=1e-5)
    expected = np.zeros_like(codes)
    for token, gap in zip(tokens, gaps, strict=True):
        expected[token] -= 2 * gap / gaps.size
    np.testing.assert_allclose(by_params["codes"], expected, rtol=1e-5, atol=1e-7)


def test_a_moving_average_of_one_minibatch_is_its_means_and_has_a_closed_form():
    quantizer = EMACodebook(4, 2, decay=0.9, revive=0)
    params, state = quantizer.init(jax.random.key(0))
    h, tokens = vectors(12, 2), jnp.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    start = np.asarray(state["codes"])
    means = np.asarray(h).reshape(3, 4, 2).mean(axis=1)
    for steps in range(1, 6):
        state = quantizer.update(params, state, h, tokens, jax.random.key(steps))
        # usage: sum over s < steps of (1 - decay) decay^s times 4 codes x a third of the vectors
        np.testing.assert_allclose(state["usage"], np.array([1, 1, 1, 0]) * (1 - 0.9**steps) * 4 / 3, rtol=1e-5)
        np.testing.assert_allclose(state["codes"][:3], means, rtol=1e-5)
    np.testing.assert_array_equal(state["codes"][3], start[3])


def test_a_moving_average_weighs_minibatches_by_their_age_and_their_counts():
    quantizer = EMACodebook(2, 1, decay=0.75, revive=0)
    params, state = quantizer.init(jax.random.key(0))
    state = quantizer.update(params, state, jnp.array([[1.0], [3.0], [9.0]]), jnp.array([0, 0, 1]), jax.random.key(1))
    state = quantizer.update(params, state, jnp.array([[8.0], [7.0], [5.0]]), jnp.array([0, 1, 1]), jax.random.key(2))
    old, new = 0.25 * 0.75, 0.25
    np.testing.assert_allclose(state["codes"][0, 0], (old * 4 + new * 8) / (old * 2 + new), rtol=1e-6)
    np.testing.assert_allclose(state["codes"][1, 0], (old * 9 + new * 12) / (old + new * 2), rtol=1e-6)


@EACH
def test_revival_puts_dead_codes_on_different_encoder_outputs_and_leaves_the_live_ones(quantizer):
    quantizer = dataclasses.replace(quantizer, decay=0.5, revive=0.1)
    params, state = quantizer.init(jax.random.key(0))
    state = {**state, "usage": jnp.array([1, 0.01, 1, 0.01, 1, 0.01, 0.3])}
    if "sums" in state:
        state["sums"] = state["codes"] * state["usage"][:, None]
    before, h = codes_of(quantizer, params, state), vectors(9, 3, seed=5)
    tokens = jnp.array([0, 0, 0, 2, 2, 2, 4, 4, 4])
    after = quantizer.update(params, state, h, tokens, jax.random.key(3))
    codes = codes_of(quantizer, params, after)
    landed = [np.flatnonzero(np.abs(np.asarray(h) - codes[k]).max(axis=1) < 1e-6).tolist() for k in (1, 3, 5)]
    assert all(len(places) == 1 for places in landed)
    assert len({places[0] for places in landed}) == 3
    np.testing.assert_array_equal(np.asarray(after["usage"])[[1, 3, 5]], 1)
    # Code 6 was not used this time, but has not faded yet; the others are used.
    np.testing.assert_allclose(codes[6], before[6], rtol=1e-6)
    np.testing.assert_allclose(after["usage"][6], 0.15, rtol=1e-6)
    if params:
        np.testing.assert_array_equal(codes[[0, 2, 4]], before[[0, 2, 4]])
    else:
        means = 0.5 * before[[0, 2, 4]] + 0.5 * np.asarray(h).reshape(3, 3, 3).mean(axis=1) * 7 / 3
        np.testing.assert_allclose(codes[[0, 2, 4]], means / (0.5 + 0.5 * 7 / 3), rtol=1e-5)
    other = quantizer.update(params, state, h, tokens, jax.random.key(4))
    assert not np.array_equal(codes, codes_of(quantizer, params, other))


@EACH
def test_with_revive_0_no_code_is_moved(quantizer):
    quantizer = dataclasses.replace(quantizer, revive=0)
    params, state = quantizer.init(jax.random.key(0))
    before = codes_of(quantizer, params, state)
    state = quantizer.update(params, state, vectors(4, 3), jnp.zeros(4, jnp.int32), jax.random.key(1))
    np.testing.assert_array_equal(codes_of(quantizer, params, state)[1:], before[1:])


@EACH
def test_the_first_minibatch_places_the_codes_whatever_the_scale_of_the_vectors(quantizer):
    params, state = quantizer.init(jax.random.key(0))
    h = 1000 + 100 * vectors(64, 3)
    tokens = quantizer.nearest(params, state, h)
    state = quantizer.update(params, state, h, tokens, jax.random.key(1))
    assert len(set(np.asarray(quantizer.nearest(params, state, h)).tolist())) >= 6


@EACH
def test_fewer_vectors_than_codes_are_used_more_than_once(quantizer):
    params, state = quantizer.init(jax.random.key(0))
    state = quantizer.update(params, state, 5 + vectors(2, 3), jnp.array([0, 0]), jax.random.key(1))
    assert np.isfinite(codes_of(quantizer, params, state)).all()


@EACH
def test_an_update_over_several_devices_is_that_of_one(quantizer):
    params, state = quantizer.init(jax.random.key(0))
    h = vectors(16, 4, 3)
    tokens = quantizer.nearest(params, state, h)
    alone = jax.jit(quantizer.update)(params, state, h, tokens, jax.random.key(1))
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    shared = jax.jit(quantizer.update)(params, state, *jax.device_put((h, tokens), sharding), jax.random.key(1))
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
def test_impossible_codebooks_are_refused(wrong, message):
    for kind in (EMACodebook, Codebook):
        with pytest.raises(ValueError, match=message):
            kind(**wrong)
