"""A data set of images as the data set of their tokens, and what these tokens are to a person and to a file."""

import io

import jax
import numpy as np
import pytest

import arjax.tokenizers.images as module
from arjax import Model
from arjax.data import Levels, Npz, Scaled
from arjax.errors import InputError
from arjax.grids import image_grid
from arjax.heads import Categorical
from arjax.models import MADE
from arjax.tokenizers import VQVAE, Binary, Bits, EMACodebook, Palette

X = np.random.default_rng(0).integers(0, 256, (12, 3, 4)).astype(np.uint8)
RGB = {"colours": np.array([[0, 0, 51], [255, 0, 255]], np.float32)}


@pytest.fixture
def file(tmp_path):
    """Writes arrays and gives their data set."""

    def write(values=Levels(256), **arrays):  # noqa: B008
        np.savez(tmp_path / "x.npz", **({"train": X[:6], "valid": X[6:8], "test": X[8:]} | arrays))
        return Npz(str(tmp_path / "x.npz"), values)

    return write


def over(tokenizer, data, learned=None):
    return tokenizer.over(data, tokenizer.fit(data) if learned is None else learned)


def of_everything(x):
    return dict.fromkeys(("train", "valid", "test"), x)


# The data set


def test_load_gives_every_split_its_images_tokens_with_their_labels(file):
    labels = {f"{name}_label": np.arange(n) for name, n in (("train", 6), ("valid", 2), ("test", 4))}
    data = file(**labels)
    tokens = over(Bits(3), data)
    for split, images in zip(tokens.load(), data.load(), strict=True):
        np.testing.assert_array_equal(split.x, images.x >> 5)
        np.testing.assert_array_equal(split.label, images.label)
        assert split.x.dtype == np.uint8
    assert (tokens.values, tokens.root) == (Levels(8), data.root)
    assert tokens.title == f"{data.title}, the upper 3 bits"
    assert over(Bits(3), file()).load().train.label is None


def test_load_gives_tokens_in_the_smallest_integers_that_hold_them(file):
    x = np.array([[[0, 511]]])
    train = over(Bits(9, 512), file(Levels(512), **of_everything(x))).load().train.x
    assert train.dtype == np.uint16
    np.testing.assert_array_equal(train, x)


@pytest.mark.parametrize("tokenizer", [Bits(2), Bits(8), Binary(), Palette(3)])
def test_distortion_is_the_mean_squared_error_of_the_test_images_between_0_and_1(tokenizer, file):
    tokens = over(tokenizer, file())
    back = np.asarray(tokenizer.decode(tokens.learned, tokenizer.encode(tokens.learned, X[8:])), np.float64)
    assert tokens.distortion() == pytest.approx(np.square((X[8:] - back) / 255).mean(), rel=1e-5)
    assert (tokens.distortion() == 0) == tokenizer.lossless == tokens.medium.lossless


@pytest.mark.parametrize("shape", [(12, 5), (12, 2, 2, 2, 2)])
def test_distortion_is_also_that_of_what_is_no_image_and_exhibit_shows_its_rows(shape, file):
    x = np.random.default_rng(0).integers(0, 256, shape)
    tokens = over(Bits(1), file(**of_everything(x)))
    assert tokens.distortion() == pytest.approx(np.square((x // 128 * 128 + 64 - x) / 255).mean(), rel=1e-5)
    exhibit = tokens.medium.exhibit(x // 128)
    assert exhibit.picture is None
    assert exhibit.texts[0] == ",".join(map(str, (x[0] // 128 * 128 + 64).ravel()))


@pytest.mark.parametrize("chunk", [1, 5])
def test_load_and_distortion_do_not_depend_on_how_many_images_are_encoded_at_once(chunk, file, monkeypatch):
    tokens = over(Palette(4), file())
    colours = tokens.learned["colours"][:, 0].astype(np.float64)
    monkeypatch.setattr(module, "PART", chunk)
    expected = np.argmin(abs(X[..., None] - colours), axis=-1)
    np.testing.assert_array_equal(tokens.load().train.x, expected[:6])
    np.testing.assert_array_equal(tokens.medium.original(expected), np.round(colours)[expected])
    assert tokens.distortion() == pytest.approx(np.square((np.round(colours)[expected[8:]] - X[8:]) / 255).mean(), rel=1e-5)


def test_load_refuses_what_belongs_to_pixels(file):
    counted = {f"{name}_counted": np.ones((n, 3, 4), bool) for name, n in (("train", 6), ("valid", 2), ("test", 4))}
    with pytest.raises(InputError, match=r"\A[^\n]*has counted beside its images[^\n]*; leave it out\Z"):
        over(Bits(3), file(**counted)).load()


# The medium


VQ = VQVAE(shape=(4, 4), strides=(2,), width=3, residual_width=2, blocks=0, quantizer=EMACodebook(5, 3))


def vq_learned():
    rng, like = np.random.default_rng(0), VQ.flatten(*jax.eval_shape(VQ.init, jax.random.key(0)))
    return {name: rng.normal(size=leaf.shape).astype(np.float32) for name, leaf in like.items()}


def test_image_tokens_of_an_autoencoder_are_shown_as_what_it_decodes(file):
    data = file(Scaled(255), **of_everything(X.repeat(2, axis=1)[:, :4]))
    tokens, learned = VQ.over(data, vq_learned()), vq_learned()
    test = tokens.load().test.x
    assert test.shape == (12, 2, 2)
    np.testing.assert_array_equal(test, VQ.encode(learned, data.load().test.x / np.float32(255)))
    decoded = np.asarray(VQ.decode(learned, test))
    np.testing.assert_array_equal(tokens.medium.original(test), decoded)
    np.testing.assert_array_equal(tokens.medium.exhibit(test).picture, image_grid(decoded))
    assert tokens.distortion() == pytest.approx(np.square(decoded.astype(np.float64) - data.load().test.x / 255).mean(), rel=1e-5)
    # A token stands for a patch of pixels, grey where it is hidden.
    hidden = np.array([[False, False], [True, True]])
    picture = tokens.medium.completed(test[:2], hidden, test[None, 2:5].repeat(2, axis=0), np.ones((2, 2, 2), bool)).picture
    visible = np.where(np.arange(4)[:, None] < 2, decoded[:2], np.float32(0.5))
    rows = [[decoded[i], visible[i], *decoded[2:5]] for i in range(2)]
    expected = image_grid(np.concatenate(rows), columns=5)
    np.testing.assert_array_equal(picture[-len(expected) :], expected)  # below the headings


def test_image_tokens_of_pixels_are_shown_as_the_images_that_they_stand_for(file):
    medium = over(Binary(99), file()).medium
    x = (X > 99).astype(int)
    np.testing.assert_array_equal(medium.original(x), 255 * x)
    np.testing.assert_array_equal(medium.exhibit(x).picture, image_grid(x.astype(np.float32)))
    assert (medium.unit, medium.noun, medium.stream, medium.original_bytes(x)) == ("token", "images", False, None)
    assert medium.flags == {"mask", "image", "png"}
    with pytest.raises(InputError, match="the run models images, which no text can begin; leave out --prompt"):
        medium.encode("text")
    # Of a token of three colours a pixel of three values
    colour = Palette(2).over(file(**of_everything(np.repeat(X[..., None], 3, axis=-1))), RGB)
    assert colour.load().train.x.shape == (12, 3, 4)
    expected = image_grid(np.float32([[[[0, 0, 0.2], [1, 0, 1]]]]))
    np.testing.assert_array_equal(colour.medium.exhibit(np.array([[[0, 1]]])).picture, expected)


def test_pack_takes_a_file_of_tokens_and_unpack_gives_it_back(file):
    medium, model = over(Bits(3), file()).medium, Model(MADE(hidden=(3,)), Categorical(8), (3, 4))
    content = io.BytesIO()
    np.save(content, X >> 5)
    packed = medium.pack("x.npy", content.getvalue(), model)
    np.testing.assert_array_equal(packed.x, X >> 5)
    assert medium.unpack("x.npy", packed, model) == content.getvalue()


def test_load_refuses_images_of_a_shape_that_does_not_fit(file):
    with pytest.raises(InputError, match=r"an example has shape \(3, 4\), but this VQVAE is of shape=\(4, 4\); train one for it"):
        VQ.over(file(Scaled(255)), vq_learned()).load()
