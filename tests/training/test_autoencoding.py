"""The objective of an autoencoder: what it minimises, what it measures, what is shown of it, and what it refuses."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from fitting import fitting
from trained import cells

from arjax import Model
from arjax.data import Digits, Levels, Real, Scaled
from arjax.data.splits import Split, Splits
from arjax.errors import InputError
from arjax.heads import Categorical
from arjax.models import MADE
from arjax.runs.report import beside, show
from arjax.tokenizers import FSQ, VQVAE, Bits, Codebook, EMACodebook
from arjax.training import Autoencoding, Experiment, Likelihood
from arjax.training.state import init_state, train_step

ONE_LINE = r"\A[^\n]*{}[^\n]*; [^\n]+\Z"  # the fault; the remedy
KEY = jax.random.key(0)
MODEL = VQVAE(shape=(4, 4), strides=(2,), width=4, residual_width=2, blocks=0, quantizer=EMACodebook(9, 3))
EXPERIMENT = Experiment(data=Digits(Scaled(16)), model=MODEL, task=Autoencoding(), steps=1, eval_every=1, samples=5)
X = np.random.default_rng(0).integers(0, 17, (13, 4, 4)).astype(np.uint8)


@pytest.fixture(scope="module")
def trained():
    """(params, state, the reconstruction of each image alone, its tokens). The codes lie where features do, so that several are
    used."""
    params, state = jax.jit(MODEL.init)(KEY)
    x = X / np.float32(16)
    state = state | {"codes": jax.jit(MODEL.features)(params, x).reshape(-1, 3)[::6][:9]}
    learned = MODEL.flatten(params, state)
    tokens = np.concatenate([np.asarray(MODEL.encode(learned, image[None])) for image in x])
    return params, state, np.concatenate([np.asarray(MODEL.decode(learned, row[None])) for row in tokens]), tokens


def fill(x):
    """To the next multiple of eight, with what would be seen if it counted."""
    return jnp.concatenate([jnp.asarray(x), jnp.full((-len(x) % 8, *x.shape[1:]), 16, x.dtype)])


@pytest.mark.parametrize(("batch_size", "place"), [(1, jnp.asarray), (5, fill), (13, jnp.asarray), (100, fill)])
def test_validate_counts_every_example_once_whatever_the_batch(batch_size, place, trained):
    params, state, x_hat, tokens = trained
    score = Autoencoding().validate(EXPERIMENT, params, state, Split(X), batch_size=batch_size, key=KEY, place=place)
    errors = np.square((X / np.float32(16)).astype(np.float64) - x_hat).mean(axis=(1, 2))
    assert score.examples == 13
    assert score.loss == score.record["mse"] == pytest.approx(errors.mean(), rel=1e-4)
    assert score.record["standard_error"] == pytest.approx(np.std(errors, ddof=1) / np.sqrt(13), rel=1e-3)
    shares = np.unique(tokens, return_counts=True)[1] / 52
    assert len(shares) > 1
    assert score.record["used"] == pytest.approx(len(shares) / 9)
    assert score.record["perplexity"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-5)


@pytest.mark.parametrize(("which", "part"), [("test", X[9:]), ("valid", X[6:9])])
def test_test_is_held_beside_the_mean_image_of_the_training_split(which, part, trained):
    splits = Splits(Split(X[:6]), Split(X[6:9]), Split(X[9:]))
    score = Autoencoding().test(EXPERIMENT, *trained[:2], splits, which, batch_size=4, key=KEY)
    mean = X[:6].astype(np.float64).mean(axis=0)
    assert score.record["baselines"] == {"the mean image": pytest.approx(np.square((part - mean) / 16).mean(), rel=1e-5)}
    assert score.examples == len(part)


@pytest.mark.parametrize(
    ("quantizer", "accumulate"),
    [
        pytest.param(EMACodebook(9, 3), 1, id="ema", marks=pytest.mark.slow),
        pytest.param(Codebook(9, 3), 2, id="learned"),
        pytest.param(FSQ((5, 5)), 1, id="fsq", marks=pytest.mark.slow),
    ],
)
def test_loss_is_the_error_over_the_variance_and_the_quantizers_own_and_training_lowers_it(quantizer, accumulate):
    # Four kinds of images: one quarter of each is bright.
    quarter, x = np.random.default_rng(0).integers(0, 4, 32), np.zeros((32, 4, 4), np.uint8)
    for i, q in enumerate(quarter):
        x[i, q // 2 * 2 :, q % 2 * 2 :][:2, :2] = 255
    model, task = dataclasses.replace(MODEL, quantizer=quantizer), Autoencoding(variance=0.05)
    experiment = fitting(model, Scaled(), optax.adam(1e-2), task=task, batch_size=32, accumulate=accumulate)
    state = jax.jit(functools.partial(init_state, experiment))(KEY)

    @jax.jit
    def parts(params, inner, x):
        q, tokens, own = model.quantizer.quantize(params["quantizer"], inner, model.features(params, x))
        return model.picture(params, q), tokens, own

    step = jax.jit(functools.partial(train_step, experiment))
    errors = []
    for i in range(60):
        before, (state, metrics) = state, step(state, {"x": x}, KEY)
        if i == 0 and accumulate == 1:  # else the second micro-batch finds other codes
            y, tokens, own = parts(before.params, before.state, x / np.float32(255))
            mse = ((np.asarray(y) - x / 255) ** 2).mean()
            np.testing.assert_allclose(metrics["mse"], mse, rtol=1e-5)
            np.testing.assert_allclose(metrics["loss"], mse / 0.05 + own, rtol=1e-5)
            assert metrics["used"] == pytest.approx(len(np.unique(tokens)) / model.vocab)
        errors.append(float(metrics["mse"]))
    assert set(metrics) == {"loss", "grad_norm", "mse", "perplexity", "used"}
    assert np.isfinite(errors).all()
    assert errors[-1] < errors[0] / 4
    learned = model.flatten(state.params, state.state)
    model.check(learned)
    decoded = model.decode(learned, model.encode(learned, (x / 255).astype(np.float32)))
    assert np.square(decoded - x / 255).mean() < errors[0] / 4


@pytest.mark.parametrize(("count", "columns", "channels"), [(1, 2, ()), (4, 3, (3,)), (5, 4, ()), (7, 4, (3,))])
def test_beside_puts_below_each_image_its_reconstruction(count, columns, channels):
    x, x_hat = (np.random.default_rng(seed).random((count, 2, 3, *channels), np.float32) for seed in (1, 2))
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


@pytest.mark.parametrize(("samples", "shown"), [(3, [0, 4, 8]), (40, list(range(13)))])
def test_show_draws_images_from_all_over_the_validation_split_and_what_becomes_of_them(samples, shown, trained):
    params, state, x_hat, _ = trained
    experiment = dataclasses.replace(EXPERIMENT, samples=samples)
    splits = Splits(Split(X[::-1]), Split(X), Split(X[::-1]))
    exhibit = show(experiment.task, experiment, params, state, splits, KEY, 7)["reconstructions"]
    expected = beside(X[shown] / np.float32(16), x_hat[shown])
    assert abs(exhibit.picture.astype(int) - expected).max() <= 1


def changed(**changes):
    return lambda: dataclasses.replace(EXPERIMENT, **changes)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (changed(data=Digits(Levels(17))), r"a VQVAE is of values in \[0, 1\], not of 17 levels"),
        (changed(data=Digits(Levels(16)), tokenizer=Bits(4, 16)), "a VQVAE is of images, not of the tokens of Bits"),
        (changed(ensemble=2), "ensemble=2 means nothing to an autoencoder"),
        (changed(model=Model(MADE(), Categorical(2), (4, 4))), "Autoencoding trains a VQVAE, not an arjax.Model"),
        (changed(task=Likelihood()), "Likelihood fits an arjax.Model, not VQVAE"),
        (lambda: Autoencoding(variance=0), r"Autoencoding\(variance=0\)"),
        (lambda: Autoencoding(variance=float("inf")), r"Autoencoding\(variance=inf\)"),
    ],
)
def test_check_refuses_parts_that_do_not_fit(make, part):
    with pytest.raises(InputError, match=ONE_LINE.format(part)):
        make()


def test_check_data_refuses_images_of_another_shape_and_beyond_zero_and_one():
    with pytest.raises(InputError, match=r"examples of shape \(8, 8\), but the model's are \(4, 4\)"):
        EXPERIMENT.task.check_data(EXPERIMENT, EXPERIMENT.data.load())
    experiment = dataclasses.replace(EXPERIMENT, data=Digits(Scaled(8)), model=dataclasses.replace(MODEL, shape=(8, 8)))
    with pytest.raises(InputError, match=r"has values from 0 to 2, but an autoencoder's are in \[0, 1\]; choose values=Scaled"):
        experiment.task.check_data(experiment, Digits(values=Real()).load())
