"""The objective of a discrete autoencoder: the images it gives back should be those it was given.

loss = mean (x - x_hat)^2 / variance + the quantizer's own             (van den Oord et al. 2017, section 3.2, eq. 3)
"""

import dataclasses
import functools
import math
import time
from collections.abc import Iterator
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from arjax.data import evaluation_batches
from arjax.description import check_types
from arjax.errors import InputError
from arjax.protocol import Model
from arjax.training.evaluation import standard_error
from arjax.training.mesh import to_host
from arjax.training.objective import Score


@dataclasses.dataclass(frozen=True)
class Autoencoding:
    """Least squared error of a VQVAE's reconstructions, for images whose values are in [0, 1]; see Objective.

    The model is a Tokenizer with the parts of a VQVAE that training needs: `shape`, `quantizer`, `init`, `features`, `picture`,
    `tokens`, `restored` and `flatten`.
    """

    variance: float = 0.1
    """Variance of a pixel around its reconstruction; that of the data makes the first term start near 1."""

    measure: ClassVar[str] = "mse"

    def __post_init__(self):
        check_types(self)
        if not 0 < self.variance < math.inf:
            raise InputError(
                f"Autoencoding(variance={self.variance}) must be positive and finite; choose about the variance of a pixel"
            )

    def check(self, experiment):
        model, values = experiment.model, experiment.data.values
        if isinstance(model, Model):
            raise InputError("Autoencoding trains a VQVAE, not an arjax.Model, which has a likelihood; choose another task")
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
        for x in _blocks(experiment, splits.train, jax.random.key(0)):
            if x.min() < 0 or x.max() > 1:
                raise InputError(
                    f"{experiment.data.title} has values from {x.min():g} to {x.max():g}, but an autoencoder's are in [0, 1]; "
                    "choose values=Scaled() with the highest of them"
                )

    def init(self, experiment, key):
        return experiment.model.init(key)

    def loss(self, experiment, params, state, batch, key):
        """As in Objective; metrics: {"mse": per pixel; "perplexity": of the micro-batch's tokens; "used": the fraction of the
        codes that occur among them}."""
        model, quantizer = experiment.model, experiment.model.quantizer
        values_key, update_key = jax.random.split(key)
        x = experiment.data.values(values_key, batch["x"])
        h = model.features(params, x)
        q, tokens, own = quantizer.quantize(params["quantizer"], state, h)
        mse = squared_error(x, model.picture(params, q)).mean()
        state = quantizer.update(params["quantizer"], state, jax.lax.stop_gradient(h), tokens, update_key)
        counts = jnp.bincount(tokens.ravel(), length=quantizer.size)
        metrics = {"mse": mse, "perplexity": perplexity(counts), "used": (counts > 0).mean()}
        return mse / self.variance + own, (state, metrics)

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
        record = {"mse": float(errors.mean()), "perplexity": float(perplexity(counts)), "used": float((counts > 0).mean())}
        if len(errors) > 1:
            record["standard_error"] = standard_error(errors)
        return Score(record["mse"], record, len(errors), time.perf_counter() - began)

    def test(self, experiment, params, state, splits, which="test", *, batch_size, key, place=jnp.asarray):
        split = getattr(splits, which)
        score = self.validate(experiment, params, state, split, batch_size=batch_size, key=key, place=place)
        mean = sum(x.sum(axis=0, dtype=np.float64) for x in _blocks(experiment, splits.train, key)) / len(splits.train.x)
        error = sum(float(np.square(x - mean).sum()) for x in _blocks(experiment, split, key)) / (len(split.x) * mean.size)
        return score._replace(record=score.record | {"baselines": {"the mean image": error}})

    def learned(self, experiment, params, state):
        """Returns what the model is as a tokenizer."""
        return experiment.model.flatten(params, state)


@functools.partial(jax.jit, static_argnames="model")
def reconstruct(model, params, state, x):
    """Returns (reconstructions, tokens) of images in [0, 1], [B, *shape]."""
    tokens = model.tokens(params, state, x)
    return model.restored(params, state, tokens), tokens


def squared_error(x: jax.Array, x_hat: jax.Array) -> jax.Array:
    """Returns [B], the mean over an example's values, for [B, ...] twice."""
    return jnp.square(x - x_hat).reshape(len(x), -1).mean(axis=1)


def perplexity(counts: jax.Array) -> jax.Array:
    """Returns exp of the entropy of how often each code occurs, [K] -> []: how many codes are in use, if equally."""
    return jnp.exp(jax.scipy.special.entr(counts / counts.sum()).sum())


def _blocks(experiment, split, key, size: int = 5000) -> Iterator[np.ndarray]:
    """The images of a split, so many at a time."""
    return (np.asarray(experiment.data.values(key, split.x[i : i + size])) for i in range(0, len(split.x), size))


@functools.partial(jax.jit, static_argnames=("model", "values"))
def _score(model, values, params, state, x, key):
    """(the mean squared error of each example [B], tokens)."""
    x = values(key, x)
    x_hat, tokens = reconstruct(model, params, state, x)
    return squared_error(x, x_hat), tokens
