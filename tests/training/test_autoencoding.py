"""The task of an autoencoder: what it measures, what it shows, and what it refuses."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax import Model
from arjax.data import Digits, Dynamic, Levels, Real, Scaled
from arjax.data.splits import Split, Splits
from arjax.heads import Categorical
from arjax.models import MADE
from arjax.runs.report import beside, show
from arjax.tokenizers import VQVAE, Bits, EMACodebook
from arjax.training import Autoencoding, Experiment, Likelihood

ONE_LINE = r"\A[^\n]*{}[^\n]*; [^\n]+\Z"  # the fault; the remedy
MODEL = VQVAE(shape=(4, 4), strides=(2,), width=6, residual_width=2, blocks=1, quantizer=EMACodebook(9, 3))
EXPERIMENT = Experiment(data=Digits(Scaled(16)), model=MODEL, task=Autoencoding(), steps=1, eval_every=1, samples=5)
X = np.random.default_rng(0).integers(0, 17, (13, 4, 4)).astype(np.uint8)


@pytest.fixture(scope="module")
def trained():
    """(params, state) whose codes lie where the features do, so that several are used."""
    params, state = MODEL.init(jax.random.key(0))
    h = MODEL.features(params, jnp.asarray(X[:9] / np.float32(16)))
    return params, state | {"codes": h.reshape(-1, 3)[:9]}


def by_hand(params, state, x):
    """(x_hat, tokens) of one example at a time."""
    learned = MODEL.flatten(params, state)
    tokens = np.concatenate([np.asarray(MODEL.encode(learned, image[None])) for image in x])
    return np.concatenate([np.asarray(MODEL.decode(learned, row[None])) for row in tokens]), tokens


def fill(x):
    """To the next multiple of eight, with what would be seen if it counted."""
    return jnp.concatenate([jnp.asarray(x), jnp.full((-len(x) % 8, *x.shape[1:]), 16, x.dtype)])


@pytest.mark.parametrize("place", [jnp.asarray, fill])
@pytest.mark.parametrize("batch_size", [1, 5, 13, 100])
def test_validation_counts_every_example_once_whatever_the_batch(batch_size, place, trained):
    score = Autoencoding().validate(EXPERIMENT, *trained, Split(X), batch_size=batch_size, key=jax.random.key(0), place=place)
    x = X / np.float32(16)
    x_hat, tokens = by_hand(*trained, x)
    errors = [float(((a.astype(np.float64) - b) ** 2).mean()) for a, b in zip(x, x_hat, strict=True)]
    assert score.examples == 13
    assert score.loss == score.record["mse"] == pytest.approx(sum(errors) / 13, rel=1e-4)
    assert score.record["standard_error"] == pytest.approx(np.std(errors, ddof=1) / np.sqrt(13), rel=1e-3)
    counts = [int((tokens == code).sum()) for code in range(9)]
    assert sum(counts) == 13 * 4
    assert sum(count > 0 for count in counts) > 1
    assert score.record["used"] == pytest.approx(sum(count > 0 for count in counts) / 9)
    entropy = -sum(count / 52 * np.log(count / 52) for count in counts if count)
    assert score.record["perplexity"] == pytest.approx(np.exp(entropy), rel=1e-5)


def test_a_test_is_held_beside_the_mean_image_of_the_training_split(trained):
    splits = Splits(Split(X[:6]), Split(X[6:9]), Split(X[9:]))
    for which, part in (("test", X[9:]), ("valid", X[6:9])):
        score = Autoencoding().test(EXPERIMENT, *trained, splits, which, batch_size=4, key=jax.random.key(0))
        mean = X[:6].astype(np.float64).mean(axis=0)
        assert score.record["baselines"] == {"the mean image": pytest.approx(np.square((part - mean) / 16).mean(), rel=1e-5)}
        assert score.examples == len(part)


def cells(picture, rows, columns, height, width):
    """uint8 [rows, columns, H, W, 3] out of a picture of them."""
    scale = picture.shape[0] // (rows * (height + 1) + 1)
    assert picture.shape == (scale * (rows * (height + 1) + 1), scale * (columns * (width + 1) + 1), 3)
    small = picture[::scale, ::scale][1:, 1:].reshape(rows, height + 1, columns, width + 1, 3)
    return small[:, :-1, :, :-1].swapaxes(1, 2)


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("count", [1, 4, 5, 7])
def test_below_each_image_stands_its_reconstruction(count, channels):
    x, x_hat = (np.random.default_rng(seed).random((count, 2, 3, *channels), np.float32) for seed in (1, 2))
    columns = {1: 2, 4: 3, 5: 4, 7: 4}[count]
    rows = 2 * -(-count // columns)
    drawn = cells(beside(x, x_hat), rows, columns, 2, 3)
    for i in range(rows // 2 * columns):
        above, below = drawn[2 * (i // columns), i % columns], drawn[2 * (i // columns) + 1, i % columns]
        if i >= count:
            assert set(above.ravel()) == set(below.ravel()) == {128}
            continue
        for cell, image in ((above, x[i]), (below, x_hat[i])):
            colour = image if channels else np.repeat(image[..., None], 3, axis=-1)
            np.testing.assert_array_equal(cell, np.round(colour * 255))


class Drawn:
    """A journal that keeps what it is given."""

    def picture(self, step, name, picture):
        self.step, self.name, self.pixels = step, name, picture


@pytest.mark.parametrize(("samples", "shown"), [(3, [0, 4, 8]), (40, range(13))])
def test_images_from_all_over_the_validation_split_are_shown_with_what_becomes_of_them(samples, shown, trained):
    journal, experiment = Drawn(), dataclasses.replace(EXPERIMENT, samples=samples)
    splits = Splits(Split(X[::-1]), Split(X), Split(X[::-1]))
    show(Autoencoding(), experiment, *trained, splits, jax.random.key(0), 7, journal)
    assert (journal.step, journal.name) == (7, "reconstructions")
    columns = int(np.ceil(np.sqrt(2 * len(shown))))
    drawn = cells(journal.pixels, 2 * -(-len(shown) // columns), columns, 4, 4)
    x = X[list(shown)] / np.float32(16)
    for i, image in enumerate(x):
        np.testing.assert_array_equal(drawn[2 * (i // columns), i % columns, ..., 0], np.round(image * 255))
        x_hat = by_hand(*trained, image[None])[0][0]
        assert abs(drawn[2 * (i // columns) + 1, i % columns, ..., 0] - np.round(x_hat * 255)).max() <= 1


def changed(**changes):
    return lambda: dataclasses.replace(EXPERIMENT, **changes)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (changed(data=Digits(Levels(17))), r"a VQVAE is of values in \[0, 1\], not of 17 levels"),
        (changed(data=Digits(Dynamic(16))), r"a VQVAE is of values in \[0, 1\], not of dynamic binarization"),
        (changed(data=Digits(Levels(16)), tokenizer=Bits(4, 16)), "a VQVAE is of images, not of the tokens of Bits"),
        (changed(ensemble=2), "ensemble=2 means nothing to an autoencoder"),
        (changed(model=Model(MADE(), Categorical(2), (4, 4))), "Autoencoding trains a VQVAE, not Model"),
        (changed(task=Likelihood()), "Likelihood fits an arjax.Model, not VQVAE"),
        (lambda: Autoencoding(variance=0), r"Autoencoding\(variance=0\)"),
        (lambda: Autoencoding(variance=float("nan")), r"Autoencoding\(variance=nan\)"),
        (lambda: Autoencoding(variance=float("inf")), r"Autoencoding\(variance=inf\)"),
        (
            lambda: Autoencoding().check_data(EXPERIMENT, EXPERIMENT.data.load()),
            r"examples of shape \(8, 8\), but the model's are \(4, 4\)",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(make, part):
    with pytest.raises(ValueError, match=ONE_LINE.format(part)):
        make()


def test_images_beyond_zero_and_one_are_refused():
    experiment = Experiment(
        data=Digits(values=Scaled(8)),
        model=VQVAE(shape=(8, 8), strides=(2,), width=4, residual_width=2, blocks=0, quantizer=EMACodebook(4, 2)),
        task=Autoencoding(),
        steps=200,
        eval_every=200,
    )
    data = Digits(values=Real()).load()
    with pytest.raises(ValueError, match=r"has values from 0 to 2, but an autoencoder's are in \[0, 1\]; choose values=Scaled"):
        experiment.task.check_data(experiment, data)
