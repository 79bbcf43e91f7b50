"""The task of a discrete autoencoder: the images it gives back should be those it was given."""

import dataclasses
import functools
import math
import time
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from arjax.data import evaluation_batches
from arjax.errors import InputError
from arjax.pictures import image_grid
from arjax.training.mesh import to_host
from arjax.training.reconstruction import Reconstruction, perplexity, squared_error
from arjax.training.task import Score


@dataclasses.dataclass(frozen=True)
class Autoencoding:
    """Least squared error of a VQVAE's reconstructions, for images whose values are in [0, 1]; see Task. `variance`: as in
    Reconstruction. The model is a Tokenizer with the parts of a VQVAE that training needs: `shape`, `quantizer`, `init`,
    `features`, `picture`, `reconstruct` and `flatten`."""

    variance: float = 0.1

    measure: ClassVar[str] = "mse"

    def __post_init__(self):
        if not 0 < self.variance < math.inf:
            raise InputError(
                f"Autoencoding(variance={self.variance}) must be positive and finite; choose about the variance of a pixel"
            )

    def check(self, experiment):
        model, values = experiment.model, experiment.data.values
        if not hasattr(model, "reconstruct"):
            raise InputError(f"Autoencoding trains a VQVAE, not {type(model).__name__}; choose another task")
        if experiment.tokenizer is not None:
            raise InputError(f"a {type(model).__name__} is of images, not of the tokens of {experiment.tokenizer}; leave it out")
        if values.vocab is not None:
            raise InputError(f"a {type(model).__name__} is of values in [0, 1], not of {values.title}; choose values=Scaled()")
        if experiment.ensemble > 1:
            raise InputError(f"ensemble={experiment.ensemble} means nothing to an autoencoder; set --ensemble 1")

    def check_data(self, experiment, splits):
        shape = splits.train.x.shape[1:]
        if shape != experiment.model.shape:
            raise InputError(
                f"{experiment.data.title} has examples of shape {shape}, but the model's are {experiment.model.shape}; "
                "set --model.shape to fit"
            )
        for part in _in_blocks(splits.train.x):
            x = np.asarray(experiment.data.values(jax.random.key(0), part))
            if x.min() < 0 or x.max() > 1:
                raise InputError(
                    f"{experiment.data.title} has values from {x.min():g} to {x.max():g}, but an autoencoder's are in [0, 1]; "
                    "choose values=Scaled() with the highest of them"
                )

    def objective(self, experiment):
        return Reconstruction(experiment.model, experiment.data.values, self.variance)

    def record(self, metrics):
        return metrics

    def validate(self, experiment, params, state, split, *, batch_size, key, place=jnp.asarray):
        model, values = experiment.model, experiment.data.values
        errors, counts, began = [], np.zeros(model.vocab), time.perf_counter()
        for batch in evaluation_batches(split, batch_size):
            real = batch["weight"] > 0
            error, tokens = _score(model, values, params, state, place(batch["x"]), key)
            errors.append(to_host(error)[: len(real)][real])
            counts += np.bincount(to_host(tokens)[: len(real)][real].ravel(), minlength=model.vocab)
        errors = np.concatenate(errors).astype(np.float64)
        record = {
            "mse": float(errors.mean()),
            "standard_error": float(errors.std() / math.sqrt(max(len(errors) - 1, 1))),
            "perplexity": float(perplexity(counts)),
            "used": float((counts > 0).mean()),
        }
        return Score(record["mse"], record, len(errors), time.perf_counter() - began)

    def test(self, experiment, params, state, splits, which, **scoring):
        score = self.validate(experiment, params, state, getattr(splits, which), **scoring)

        def blocks(split):
            return (np.asarray(experiment.data.values(scoring["key"], part)) for part in _in_blocks(split.x))

        mean = sum(x.sum(axis=0, dtype=np.float64) for x in blocks(splits.train)) / len(splits.train.x)
        split = getattr(splits, which)
        error = sum(float(np.square(x - mean).sum()) for x in blocks(split)) / (len(split.x) * mean.size)
        return score._replace(record=score.record | {"baselines": {"the mean image": error}})

    def show(self, experiment, params, state, splits, key, step, journal):
        count = min(experiment.samples, len(splits.valid.x))
        # Where the split is in the order of its classes, the first images are all of one.
        x = experiment.data.values(key, splits.valid.x[np.arange(count) * len(splits.valid.x) // count])
        x_hat, _ = _reconstruct(experiment.model, params, state, x)
        journal.picture(step, "reconstructions", beside(np.asarray(x), to_host(x_hat)))

    def words(self, experiment, record):
        used = f"perplexity {record['perplexity']:.0f}, {record['used']:.0%} of {experiment.model.vocab} codes used"
        return f"mean squared error {record['mse']:.5f}, {used}"

    def rows(self, experiment, split, record):
        shape = experiment.model.token_shape(experiment.model.shape)
        rows = {
            f"{split} error": f"{record['mse']:.5f} ± {record['standard_error']:.5f} mean squared error of pixels in [0, 1]",
            "codes": f"{record['used']:.1%} of {experiment.model.vocab} used, perplexity {record['perplexity']:.0f}",
            "tokens": f"{' x '.join(map(str, shape))} an image of {' x '.join(map(str, experiment.model.shape))}",
        }
        for name, error in record.get("baselines", {}).items():
            rows[name] = f"{error:.5f} mean squared error"
        return rows | {"data, split": experiment.data.title}

    def learned(self, model, params, state):
        """What the model is as a tokenizer."""
        return model.flatten(params, state)


def _in_blocks(x, size: int = 5000):
    return (x[start : start + size] for start in range(0, len(x), size))


def beside(x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """uint8 [h, w, 3]: images [N, H, W] or [N, H, W, C] in [0, 1], in rows, and below each row their reconstructions."""
    columns = math.ceil(math.sqrt(2 * len(x)))
    rows = [part for i in range(0, len(x), columns) for part in (x[i : i + columns], x_hat[i : i + columns])]
    blank = np.full_like(x[:1], 0.5)
    filled = [np.concatenate([row, *[blank] * (columns - len(row))]) for row in rows]
    return image_grid(np.concatenate(filled), columns=columns)


@functools.partial(jax.jit, static_argnames=("model", "values"))
def _score(model, values, params, state, x, key):
    """(the mean squared error of each example [B], tokens)."""
    x = values(key, x)
    x_hat, tokens = model.reconstruct(params, state, x)
    return squared_error(x, x_hat), tokens


@functools.partial(jax.jit, static_argnames="model")
def _reconstruct(model, params, state, x):
    return model.reconstruct(params, state, x)
