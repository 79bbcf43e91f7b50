import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.errors import InputError
from arjax.tokenizers import FSQ, VQVAE, Codebook, EMACodebook
from arjax.tokenizers.vqvae import depth_to_space

SMALL = {"width": 4, "residual_width": 3, "blocks": 1}
GREY = VQVAE((8, 12), quantizer=EMACodebook(16, 5), **SMALL)
COLOUR = VQVAE((4, 6, 3), strides=(2,), quantizer=FSQ((3, 2)), **SMALL)
LEARNED = VQVAE((6, 6), strides=(3,), quantizer=Codebook(16, 4), **SMALL)


def drawn(model):
    """What a model might have learned, drawn on the host."""
    rng, (params, state) = np.random.default_rng(0), jax.eval_shape(model.init, jax.random.key(0))
    return {name: rng.normal(0, 1, leaf.shape).astype(np.float32) for name, leaf in model.flatten(params, state).items()}


def images(model, count):
    return np.random.default_rng(1).random((count, *model.shape), np.float32)


@pytest.mark.parametrize("model", [GREY, COLOUR], ids=["grey", "colour"])
def test_encode_and_decode_turn_images_into_maps_of_tokens_and_back(model, monkeypatch):
    x, learned = images(model, 3), drawn(model)
    tokens = model.encode(learned, x)
    assert tokens.dtype == np.int32
    assert tokens.shape == (3, *model.token_shape(model.shape))
    assert 0 <= tokens.min() < tokens.max() < model.vocab
    y = model.decode(learned, tokens)
    assert y.dtype == np.float32
    assert y.shape == x.shape
    assert 0 <= y.min() < y.max() <= 1
    inside = jax.jit(lambda x, tokens: (model.encode(learned, x), model.decode(learned, tokens)))(x, tokens)
    # In parts of one image: many pass through in bounded memory, and no token depends on the other images.
    monkeypatch.setattr("arjax.tokenizers.images.PART", 1)
    for tokens_too, y_too in (inside, (model.encode(learned, x), model.decode(learned, tokens))):
        np.testing.assert_array_equal(tokens_too, tokens)
        np.testing.assert_allclose(y_too, y, atol=1e-6)


def test_token_shape_is_that_of_the_image_divided_by_the_strides():
    assert VQVAE().token_shape((28, 28)) == (7, 7)
    assert GREY.token_shape((8, 12)) == (2, 3)
    assert VQVAE((30, 12, 3), strides=(3, 2)).token_shape((30, 12, 3)) == (5, 2)
    assert VQVAE((5, 7), strides=()).token_shape((5, 7)) == (5, 7)


def test_depth_to_space_makes_channels_places():
    h = np.arange(2 * 3 * 4 * 12).reshape(2, 3, 4, 12)
    y = depth_to_space(jnp.asarray(h), 2)
    assert y.shape == (2, 6, 8, 3)
    for b, i, j, c in np.ndindex(y.shape):
        assert y[b, i, j, c] == h[b, i // 2, j // 2, ((i % 2) * 2 + j % 2) * 3 + c]


@pytest.mark.parametrize("model", [GREY, COLOUR, LEARNED], ids=["grey", "colour", "learned"])
def test_flatten_makes_a_flat_dict_that_makes_the_round_trip(model):
    learned = drawn(model)
    params, state = model.unflatten(learned)
    like = jax.eval_shape(model.init, jax.random.key(0))
    assert jax.tree.structure((params, state)) == jax.tree.structure(like)
    back = model.flatten(params, state)
    assert back.keys() == learned.keys()
    assert all(back[name] is learned[name] for name in learned)
    model.check(back)


NAME = "params/encoder/enter/kernel"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda learned: {name: array for name, array in learned.items() if name != NAME}, f"lacks '{NAME}'"),
        (lambda learned: learned | {"extra": np.zeros(1)}, "has 'extra'"),
        (
            lambda learned: learned | {NAME: learned[NAME][..., 0]},
            rf"'{NAME}' is float32 \(3, 3, 4\), not float32 \(3, 3, 4, 4\)",
        ),
        (lambda learned: learned | {NAME: learned[NAME].astype(np.float64)}, f"'{NAME}' is float64"),
        (
            lambda learned: learned | {"state/codes": np.full_like(learned["state/codes"], np.nan)},
            "'state/codes' has values that are not finite",
        ),
        (lambda learned: drawn(COLOUR), "unlike a VQ-VAE of 16 codes"),
    ],
)
def test_check_refuses_what_another_tokenizer_learned(change, message):
    with pytest.raises(InputError, match=message):
        GREY.check(change(drawn(GREY)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: GREY.encode(g, np.zeros((2, 12, 8), np.float32)), r"shape \(2, 12, 8\), but this VQVAE takes \[B, 8, 12\]"),
        (lambda g: GREY.encode(g, np.zeros((8, 12), np.float32)), r"x has shape \(8, 12\)"),
        (lambda g: GREY.encode(g, np.zeros((2, 8, 12), np.uint8)), "x is uint8, but a VQVAE takes real values"),
        (
            lambda g: GREY.decode(g, np.zeros((2, 6), int)),
            r"tokens are int\d+ \(2, 6\), but this VQVAE's are integers",
        ),
        (lambda g: GREY.decode(g, np.zeros((2, 2, 3))), "tokens are float"),
        (lambda g: GREY.decode(g, np.full((2, 2, 3), 16)), "token 16 is not in 0..15; give tokens of this tokenizer"),
        (lambda g: GREY.token_shape((8, 12, 3)), r"shape \(8, 12, 3\), but this VQVAE is of shape=\(8, 12\)"),
        (lambda g: GREY.fit(None), r"train it by itself with train\.py"),
        (lambda g: VQVAE((28,)), r"shape=\(28,\) is not that of an image"),
        (lambda g: VQVAE((28, 26)), r"shape=\(28, 26\) is not divisible by 4, the product of strides=\(2, 2\)"),
        (lambda g: VQVAE(strides=(2, 0)), r"strides=\(2, 0\) must each be at least 1"),
        (lambda g: VQVAE(width=0), "width=0 must be at least 1"),
        (lambda g: VQVAE(blocks=-1), "blocks=-1 must be at least 0"),
    ],
)
def test_vqvae_refuses_what_cannot_be(call, message):
    with pytest.raises(InputError, match=message):
        call(drawn(GREY))
