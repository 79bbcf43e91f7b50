"""The objective of a discrete autoencoder: the images it gives back should be those it was given.

loss = mean (x - x_hat)^2 / variance + the quantizer's own             (van den Oord et al. 2017, section 3.2, eq. 3)
"""

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
from arjax.training.mesh import to_host
from arjax.training.objective import Score
from arjax.training.reconstruction import code_counts, perplexity, squared_error


@dataclasses.dataclass(frozen=True)
class Autoencoding:
    """Least squared error of a VQVAE's reconstructions, for images whose values are in [0, 1]; see Objective.

    variance: of the normal distribution that a pixel has around its reconstruction; the variance of the data themselves makes the
    first term start near 1. The model is a Tokenizer with the parts of a VQVAE that training needs: `shape`, `quantizer`, `init`,
    `features`, `picture`, `reconstruct` and `flatten`.
    """

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

    def init(self, experiment, key):
        return experiment.model.init(key)

    def loss(self, experiment, params, state, batch, key):
        """As in Objective; metrics: {"mse": per pixel; "perplexity": of the minibatch's tokens; "used": the fraction of the codes
        that occur among them}."""
        model = experiment.model
        values_key, update_key = jax.random.split(key)
        quantizer, x = model.quantizer, experiment.data.values(values_key, batch["x"])
        h = model.features(params, x)
        q, tokens, own = quantizer.quantize(params["quantizer"], state, h)
        mse = squared_error(x, model.picture(params, q)).mean()
        state = quantizer.update(params["quantizer"], state, jax.lax.stop_gradient(h), tokens, update_key)
        counts = code_counts(tokens, quantizer.size)
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
        record = {
            "mse": float(errors.mean()),
            "standard_error": float(errors.std() / math.sqrt(max(len(errors) - 1, 1))),
            "perplexity": float(perplexity(counts)),
            "used": float((counts > 0).mean()),
        }
        return Score(record["mse"], record, len(errors), time.perf_counter() - began)

    def test(self, experiment, params, state, splits, which="test", *, batch_size, key, place=jnp.asarray):
        score = self.validate(experiment, params, state, getattr(splits, which), batch_size=batch_size, key=key, place=place)

        def blocks(split):
            return (np.asarray(experiment.data.values(key, part)) for part in _in_blocks(split.x))

        mean = sum(x.sum(axis=0, dtype=np.float64) for x in blocks(splits.train)) / len(splits.train.x)
        split = getattr(splits, which)
        error = sum(float(np.square(x - mean).sum()) for x in blocks(split)) / (len(split.x) * mean.size)
        return score._replace(record=score.record | {"baselines": {"the mean image": error}})

    def reconstruct(self, experiment, params, state, x) -> tuple[jax.Array, jax.Array]:
        """Returns (reconstructions, tokens) of images in [0, 1] [B, *shape]."""
        return _reconstruct(experiment.model, params, state, x)

    def learned(self, experiment, params, state):
        """Returns what the model is as a tokenizer."""
        return experiment.model.flatten(params, state)


def _in_blocks(x, size: int = 5000):
    return (x[start : start + size] for start in range(0, len(x), size))


@functools.partial(jax.jit, static_argnames=("model", "values"))
def _score(model, values, params, state, x, key):
    """(the mean squared error of each example [B], tokens)."""
    x = values(key, x)
    x_hat, tokens = model.reconstruct(params, state, x)
    return squared_error(x, x_hat), tokens


@functools.partial(jax.jit, static_argnames="model")
def _reconstruct(model, params, state, x):
    return model.reconstruct(params, state, x)
