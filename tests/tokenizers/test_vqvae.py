import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from fitting import fitting

from arjax.data import Scaled
from arjax.tokenizers import FSQ, VQVAE, Codebook, EMACodebook
from arjax.tokenizers.vqvae import depth_to_space
from arjax.training import Autoencoding
from arjax.training.reconstruction import code_counts, perplexity, squared_error
from arjax.training.state import init_state, train_step

SMALL = {"width": 8, "residual_width": 4, "blocks": 1}
GREY = VQVAE((8, 12), quantizer=EMACodebook(16, 5), **SMALL)
COLOUR = VQVAE((4, 6, 3), strides=(2,), quantizer=FSQ((3, 2)), **SMALL)
LEARNED = VQVAE((6, 6), strides=(3,), quantizer=Codebook(16, 4), **SMALL)
EACH = pytest.mark.parametrize("model", [GREY, COLOUR, LEARNED], ids=["grey", "colour", "learned"])


@functools.cache
def initial(model):
    return jax.jit(model.init)(jax.random.key(0))


def learned_by(model):
    return {name: np.asarray(array) for name, array in model.flatten(*initial(model)).items()}


def images(model, count, seed=1):
    return np.random.default_rng(seed).random((count, *model.shape), np.float32)


@EACH
def test_images_become_maps_of_tokens_and_these_images(model):
    x, learned = images(model, 3), learned_by(model)
    height, width = model.token_shape(model.shape)
    tokens = model.encode(learned, x)
    assert tokens.dtype == jnp.int32
    assert tokens.shape == (3, height, width)
    assert 0 <= tokens.min() <= tokens.max() < model.vocab
    y = model.decode(learned, tokens)
    assert y.dtype == jnp.float32
    assert y.shape == x.shape
    assert 0 <= y.min() <= y.max() <= 1


def test_the_shape_of_the_tokens_is_that_of_the_image_divided_by_the_strides():
    assert VQVAE().token_shape((28, 28)) == (7, 7)
    assert GREY.token_shape((8, 12)) == (2, 3)
    assert VQVAE((30, 12, 3), strides=(3, 2)).token_shape((30, 12, 3)) == (5, 2)
    assert VQVAE((5, 7), strides=()).token_shape((5, 7)) == (5, 7)


@EACH
def test_encoding_within_a_program_is_encoding_outside(model):
    learned, x = learned_by(model), images(model, 3)
    tokens = model.encode(learned, x)
    np.testing.assert_array_equal(jax.jit(model.encode)(learned, x), tokens)
    np.testing.assert_allclose(jax.jit(model.decode)(learned, tokens), model.decode(learned, tokens), atol=1e-6)


def test_many_images_are_encoded_and_decoded_in_parts(monkeypatch):
    learned, x = learned_by(GREY), images(GREY, 7)
    tokens = np.asarray(GREY.encode(learned, x))
    pictures = np.asarray(GREY.decode(learned, tokens))
    monkeypatch.setattr("arjax.tokenizers.images.PART", 3)
    np.testing.assert_array_equal(GREY.encode(learned, x), tokens)
    np.testing.assert_allclose(GREY.decode(learned, tokens), pictures, atol=1e-6)
    assert GREY.encode(learned, x).dtype == np.int32


def test_a_token_does_not_depend_on_the_other_images():
    learned, x = learned_by(GREY), images(GREY, 4)
    together = GREY.encode(learned, x)
    for i in range(4):
        np.testing.assert_array_equal(GREY.encode(learned, x[i : i + 1])[0], together[i])


def test_channels_become_places():
    h = np.arange(2 * 3 * 4 * 12).reshape(2, 3, 4, 12)
    y = depth_to_space(jnp.asarray(h), 2)
    assert y.shape == (2, 6, 8, 3)
    for b, i, j, c in np.ndindex(y.shape):
        assert y[b, i, j, c] == h[b, i // 2, j // 2, ((i % 2) * 2 + j % 2) * 3 + c]


@EACH
def test_what_was_learned_is_a_flat_dict_that_makes_the_round_trip(model):
    params, state = initial(model)
    learned = model.flatten(params, state)
    assert all(isinstance(array, jax.Array) for array in learned.values())
    back = model.unflatten(learned)
    assert jax.tree.structure(back) == jax.tree.structure((params, state))
    jax.tree.map(np.testing.assert_array_equal, back, (params, state))
    model.check(learned)


def test_what_another_tokenizer_learned_is_refused():
    learned = learned_by(GREY)
    name = "params/encoder/enter/kernel"
    with pytest.raises(ValueError, match=f"lacks '{name}'"):
        GREY.check({key: array for key, array in learned.items() if key != name})
    with pytest.raises(ValueError, match="has 'extra'"):
        GREY.check(learned | {"extra": np.zeros(1)})
    with pytest.raises(ValueError, match=rf"'{name}' is float32 \(3, 3, 8\), not float32 \(3, 3, 8, 8\)"):
        GREY.check(learned | {name: learned[name][..., 0]})
    with pytest.raises(ValueError, match=f"'{name}' is float64"):
        GREY.check(learned | {name: learned[name].astype(np.float64)})
    with pytest.raises(ValueError, match="'state/codes' has values that are not finite"):
        GREY.check(learned | {"state/codes": np.full_like(learned["state/codes"], np.nan)})
    with pytest.raises(ValueError, match="unlike a VQ-VAE of 16 codes"):
        GREY.check(learned_by(COLOUR))


def test_what_cannot_be_encoded_or_decoded_is_refused():
    learned = learned_by(GREY)
    with pytest.raises(ValueError, match=r"x has shape \(2, 12, 8\), but this VQVAE takes \[B, 8, 12\]"):
        GREY.encode(learned, np.zeros((2, 12, 8), np.float32))
    with pytest.raises(ValueError, match=r"x has shape \(8, 12\)"):
        GREY.encode(learned, np.zeros((8, 12), np.float32))
    with pytest.raises(ValueError, match="x is uint8, but a VQVAE takes real values"):
        GREY.encode(learned, np.zeros((2, 8, 12), np.uint8))
    with pytest.raises(ValueError, match=r"tokens are int\d+ \(2, 6\), but this VQVAE's are integers \[B, 2, 3\]"):
        GREY.decode(learned, np.zeros((2, 6), int))
    with pytest.raises(ValueError, match="tokens are float"):
        GREY.decode(learned, np.zeros((2, 2, 3)))
    for wrong in (-1, 16):
        with pytest.raises(ValueError, match=f"token {wrong} is not in 0..15; give tokens of this tokenizer"):
            GREY.decode(learned, np.full((2, 2, 3), wrong))
    with pytest.raises(ValueError, match=r"an example has shape \(8, 12, 3\), but this VQVAE is of shape=\(8, 12\)"):
        GREY.token_shape((8, 12, 3))
    with pytest.raises(ValueError, match=r"train it by itself with train\.py"):
        GREY.fit(None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shape": (28,)}, r"shape=\(28,\) is not that of an image"),
        ({"shape": (28, 26)}, r"shape=\(28, 26\) is not divisible by 4, the product of strides=\(2, 2\)"),
        ({"strides": (2, 0)}, r"strides=\(2, 0\) must each be at least 1"),
        ({"width": 0}, "width=0 must be at least 1"),
        ({"blocks": -1}, "blocks=-1 must be at least 0"),
    ],
)
def test_impossible_autoencoders_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        VQVAE(**wrong)


def test_a_vqvae_is_compared_by_its_fields_and_names_itself():
    assert VQVAE() == VQVAE(quantizer=EMACodebook())
    assert hash(VQVAE()) == hash(VQVAE())
    assert VQVAE() != VQVAE(quantizer=FSQ())
    assert GREY.title == "VQ-VAE of 16 codes"
    assert not GREY.lossless


def test_the_loss_is_the_error_over_the_variance_and_the_quantizers_own():
    experiment = fitting(LEARNED, Scaled(), task=Autoencoding(variance=0.05))
    objective = functools.partial(experiment.task.loss, experiment)
    raw = np.random.default_rng(0).integers(0, 256, (4, 6, 6), np.uint8)
    params, state = initial(LEARNED)
    loss, (after, metrics) = jax.jit(objective)(params, state, {"x": raw}, jax.random.key(1))
    x = (raw / 255).astype(np.float32)
    q, tokens, own = LEARNED.quantizer.quantize(params["quantizer"], state, LEARNED.features(params, x))
    mse = ((np.asarray(LEARNED.picture(params, q)) - x) ** 2).mean()
    np.testing.assert_allclose(metrics["mse"], mse, rtol=1e-5)
    np.testing.assert_allclose(loss, mse / 0.05 + own, rtol=1e-5)
    assert metrics["used"] == len(set(np.asarray(tokens).ravel().tolist())) / 16
    assert jax.tree.structure(after) == jax.tree.structure(state)


def test_the_error_of_each_image_and_the_use_of_codes_are_those_computed_by_hand():
    x, y = images(COLOUR, 3), images(COLOUR, 3, seed=2)
    np.testing.assert_allclose(squared_error(x, y), [((a - b) ** 2).mean() for a, b in zip(x, y, strict=True)], rtol=1e-5)
    np.testing.assert_array_equal(code_counts(jnp.array([[0, 3], [3, 1]]), 5), [1, 1, 0, 2, 0])
    np.testing.assert_allclose(perplexity(jnp.full(8, 3.0)), 8, rtol=1e-5)
    np.testing.assert_allclose(perplexity(jnp.array([2.0, 2.0, 0, 0])), 2, rtol=1e-5)
    np.testing.assert_allclose(perplexity(jnp.array([5.0, 0])), 1, rtol=1e-5)
    np.testing.assert_allclose(perplexity(jnp.array([3.0, 1.0])), np.exp(-0.75 * np.log(0.75) - 0.25 * np.log(0.25)), rtol=1e-5)


@pytest.mark.parametrize(
    ("quantizer", "accumulate"), [(EMACodebook(16, 5), 1), (Codebook(16, 5), 2), (FSQ((8, 8)), 1)], ids=["ema", "learned", "fsq"]
)
def test_training_lowers_the_error(quantizer, accumulate):
    model = VQVAE((8, 8), strides=(2, 2), quantizer=quantizer, **SMALL)
    # Four kinds of images: one quarter of each is bright.
    quarter = np.random.default_rng(0).integers(0, 4, 64)
    x = np.zeros((64, 8, 8), np.uint8)
    for i, q in enumerate(quarter):
        x[i, q // 2 * 4 :, q % 2 * 4 :][:4, :4] = 255
    options = {"task": Autoencoding(), "batch_size": 64, "accumulate": accumulate}
    experiment = fitting(model, Scaled(), optax.adam(1e-2), **options)
    state = jax.jit(functools.partial(init_state, experiment))(jax.random.key(0))
    step = jax.jit(functools.partial(train_step, experiment), donate_argnums=0)
    errors = []
    for _ in range(40):
        state, metrics = step(state, {"x": x}, jax.random.key(1))
        errors.append(float(metrics["mse"]))
    assert np.isfinite(errors).all()
    assert errors[-1] < errors[0] / 4
    assert set(metrics) == {"loss", "grad_norm", "mse", "perplexity", "used"}
    learned = model.flatten(state.params, state.state)
    model.check(learned)
    decoded = model.decode(learned, model.encode(learned, (x / 255).astype(np.float32)))
    assert np.square(decoded - x / 255).mean() < errors[0] / 4
