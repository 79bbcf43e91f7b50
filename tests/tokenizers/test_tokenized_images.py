"""A data set of images as the data set of their tokens."""

import jax
import numpy as np
import pytest

import arjax.tokenizers.images as module
from arjax import Model
from arjax.data import Digits, Levels, Npz, Scaled
from arjax.heads import Categorical
from arjax.models import MADE
from arjax.runs.report import rows_of
from arjax.tokenizers import VQVAE, Binary, Bits, EMACodebook, Palette
from arjax.training import Experiment
from arjax.training.experiment import over_tokens

X = np.random.default_rng(0).integers(0, 256, (12, 3, 4)).astype(np.uint8)


@pytest.fixture
def file(tmp_path):
    """Writes arrays and gives their data set."""

    def write(levels=256, **arrays):
        np.savez(tmp_path / "x.npz", **({"train": X[:6], "valid": X[6:8], "test": X[8:]} | arrays))
        return Npz(str(tmp_path / "x.npz"), Levels(levels))

    return write


def over(tokenizer, data, learned=None):
    return tokenizer.over(data, tokenizer.fit(data) if learned is None else learned)


def test_every_split_is_its_images_tokens_with_their_labels(file):
    labels = {f"{name}_label": np.arange(n) for name, n in (("train", 6), ("valid", 2), ("test", 4))}
    data = file(**labels)
    tokens = over(Bits(3), data)
    for split, images in zip(tokens.load(), data.load(), strict=True):
        np.testing.assert_array_equal(split.x, images.x >> 5)
        np.testing.assert_array_equal(split.label, images.label)
        assert split.x.dtype == np.uint8
    assert tokens.values == Levels(8)
    assert tokens.unit == "token"
    assert tokens.title == f"{data.title}, the upper 3 bits"
    assert tokens.root == data.root
    assert over(Bits(3), file()).load().train.label is None


@pytest.mark.parametrize(("levels", "bits", "dtype"), [(256, 8, np.uint8), (512, 9, np.uint16)])
def test_tokens_lie_in_the_smallest_integers_that_hold_them(levels, bits, dtype, file):
    x = np.array([[[0, levels - 1]]])
    train = over(Bits(bits, levels), file(levels, train=x, valid=x, test=x)).load().train.x
    assert train.dtype == dtype
    np.testing.assert_array_equal(train, x)


def test_tokens_are_seen_as_the_images_that_they_stand_for(file):
    tokens = over(Binary(99), file())
    x = tokens.load().test.x
    np.testing.assert_array_equal(tokens.see(x), (X[8:] > 99).astype(np.float32))
    np.testing.assert_array_equal(tokens.decode(x), 255 * (X[8:] > 99))
    palette = Palette(2).over(file(), {"colours": np.array([[10], [251]], np.float32)})
    np.testing.assert_allclose(palette.see(np.array([[[0, 1]]])), [[[10 / 255, 251 / 255]]], rtol=1e-6)


def test_colours_of_one_token_are_seen_as_pixels_of_three_values(file):
    x = np.repeat(X[..., None], 3, axis=-1)
    tokens = Palette(2).over(file(train=x, valid=x, test=x), {"colours": np.array([[0, 0, 51], [255, 0, 255]], np.float32)})
    assert tokens.load().train.x.shape == (12, 3, 4)
    np.testing.assert_allclose(tokens.see(np.array([[[0, 1]]])), [[[[0, 0, 0.2], [1, 0, 1]]]], rtol=1e-6)


@pytest.mark.parametrize("tokenizer", [Bits(2), Bits(8), Binary(), Palette(3)])
def test_distortion_is_the_mean_squared_error_of_the_test_images_between_0_and_1(tokenizer, file):
    tokens = over(tokenizer, file())
    test = X[8:].astype(np.float64)
    back = np.asarray(tokenizer.decode(tokens.learned, tokenizer.encode(tokens.learned, X[8:])), np.float64)
    expected = np.mean([((a - b) / 255) ** 2 for a, b in zip(test.ravel(), back.ravel(), strict=True)])
    assert tokens.distortion() == pytest.approx(expected, rel=1e-5)
    assert (tokens.distortion() == 0) == tokenizer.lossless


@pytest.mark.parametrize("shape", [(12, 5), (12, 2, 2, 2, 2)])
def test_what_is_no_image_has_a_distortion_too(shape, file):
    x = np.random.default_rng(0).integers(0, 256, shape)
    tokens = over(Bits(1), file(train=x, valid=x, test=x))
    assert tokens.see(tokens.load().test.x) is None
    assert tokens.distortion() == pytest.approx(np.square((x // 128 * 128 + 64 - x) / 255).mean(), rel=1e-5)


def small_vqvae():
    tokenizer = VQVAE(shape=(8, 8), strides=(2, 2), width=4, residual_width=2, blocks=1, quantizer=EMACodebook(7, 3))
    return tokenizer, tokenizer.flatten(*tokenizer.init(jax.random.key(0)))


def test_an_autoencoders_tokens_are_seen_as_what_it_decodes():
    tokenizer, learned = small_vqvae()
    data = Digits(Scaled(16))
    tokens = tokenizer.over(data, learned)
    x = data.load().test.x / np.float32(16)
    test = tokens.load().test
    assert test.x.shape == (299, 2, 2)
    np.testing.assert_array_equal(test.x, tokenizer.encode(learned, x))
    np.testing.assert_array_equal(test.label, data.load().test.label)
    decoded = np.asarray(tokenizer.decode(learned, test.x))
    np.testing.assert_array_equal(tokens.see(test.x), decoded)
    assert tokens.distortion() == pytest.approx(np.square(decoded.astype(np.float64) - x).mean(), rel=1e-5)


@pytest.mark.parametrize("chunk", [1, 5, 500])
def test_nothing_depends_on_how_many_images_are_encoded_at_once(chunk, file, monkeypatch):
    tokens = over(Palette(4), file())
    monkeypatch.setattr(module, "PART", chunk)
    x = tokens.encode(X)
    expected = np.argmin(abs(X[..., None] - tokens.learned["colours"][:, 0].astype(np.float64)), axis=-1)
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(tokens.decode(x), np.round(tokens.learned["colours"][:, 0])[expected])
    back = np.round(tokens.learned["colours"][:, 0].astype(np.float64))[expected[8:]]
    assert tokens.distortion() == pytest.approx(np.square((back - X[8:]) / 255).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "shape"), [("local", (3, 4, 2)), ("memory", (5, 2)), ("counted", (3, 4))], ids=lambda value: str(value)
)
def test_what_belongs_to_pixels_is_refused(kind, shape, file):
    parts = {name: np.ones((n, *shape), bool if kind == "counted" else np.float32) for name, n in (("train", 6), ("valid", 2))}
    parts["test"] = np.ones((4, *shape), parts["train"].dtype)
    data = file(**{f"{name}_{kind}": part for name, part in parts.items()})
    with pytest.raises(ValueError, match=rf"\A[^\n]*has {kind} beside its images[^\n]*; leave it out\Z"):
        over(Bits(3), data).load()


def test_images_of_a_shape_that_does_not_fit_are_refused(tmp_path):
    tokenizer, learned = small_vqvae()
    np.savez(tmp_path / "x.npz", train=X / 255, valid=X / 255, test=X / 255)
    data = Npz(str(tmp_path / "x.npz"), Scaled(1))
    with pytest.raises(ValueError, match=r"an example has shape \(3, 4\), but this VQVAE is of shape=\(8, 8\); train one for it"):
        tokenizer.over(data, learned).load()


def rows(tokenizer, data):
    """The rows of a result that has what every result has."""
    model = Model(MADE(hidden=(3,)), Categorical(tokenizer.vocab), (3, 4))
    experiment = over_tokens(Experiment(data=data, tokenizer=tokenizer, model=model, steps=1, eval_every=1), tokenizer.fit(data))
    record = {"nats": 6.0, "dims": 12.0, "standard_error": 0.5, "distortion": experiment.data.distortion()}
    return rows_of(experiment.task, experiment, "test", record)


@pytest.mark.parametrize("tokenizer", [Bits(3), Binary(), Palette(4)])
def test_a_likelihood_of_what_was_lost_something_is_never_passed_off_as_one_of_the_data(tokenizer, file):
    table = rows(tokenizer, file())
    assert table["test -log p(tokens)"] == "6.000 ± 0.500 nats per example = 0.5000 nats/token = 0.7213 bits/token"
    assert f"nats of tokens ({tokenizer.title}), never to be put beside a likelihood of the data" in table["lossy"]
    assert table["distortion"].startswith(f"{tokenizer.over(file(), tokenizer.fit(file())).distortion():.5f} mean squared error")
    assert tokenizer.title in table["data, split"]


def test_tokens_that_lose_nothing_are_not_called_lossy(file):
    table = rows(Bits(8), file())
    assert "lossy" not in table
    assert table["distortion"].startswith("0.00000 ")
