"""The objective of nearly every run: fit p(x | condition) by maximum likelihood, judge it by exact -log p in nats per example."""

import dataclasses
import time
from typing import ClassVar

import jax
import jax.numpy as jnp

from arjax.data.splits import check_splits
from arjax.errors import InputError
from arjax.likelihood import bits_per_dim, log_prob
from arjax.orders import AnyOrder
from arjax.protocol import Model, init
from arjax.training.baselines import baselines
from arjax.training.conditions import check_fits, counted_dims, draw_condition
from arjax.training.evaluation import Evaluation, evaluate, validate
from arjax.training.objective import Score


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """-log p(x) of an arjax.Model in nats per example, averaged over the minibatch; see Objective.

    The data's values get a key that is new at every step, so that a dynamic binarization is. An AnyOrder model is given one
    random order a minibatch, a model with members one of them.
    """

    measure: ClassVar[str] = "nats"

    def check(self, experiment):
        model, source = experiment.model, experiment.tokenizer or experiment.data.values
        if not isinstance(model, Model):
            raise InputError(f"Likelihood fits an arjax.Model, not {type(model).__name__}; choose another task")
        if source.vocab != model.head.vocab:
            raise InputError(
                f"{source} gives {_symbols(source.vocab)}, but {type(model.head).__name__} models "
                f"{_symbols(model.head.vocab)}; change one of them"
            )
        if experiment.ensemble > 1 and not (isinstance(model.order, AnyOrder) or model.cond.members):
            raise InputError(
                f"ensemble={experiment.ensemble} needs something to average over; use order=AnyOrder() or "
                "CondSpec(members=...), or set --ensemble 1"
            )
        orders = len(model.order.among) if isinstance(model.order, AnyOrder) else 0
        if 0 < orders < experiment.ensemble:
            raise InputError(
                f"ensemble={experiment.ensemble} is more than the {orders} orders of the model; set --ensemble {orders}"
            )

    def check_data(self, experiment, splits):
        # Data of a user's own may not have been held against their values when they were loaded.
        check_splits(splits, experiment.data.values, experiment.data.title)
        check_fits(experiment.data.title, experiment.model, splits)

    def init(self, experiment, key):
        return init(experiment.model, key), ()

    def loss(self, experiment, params, state, batch, key):
        """As in Objective; metrics: {"dims": the mean number of values that were counted in an example}."""
        model = experiment.model
        values_key, condition_key, dropout_key = jax.random.split(key, 3)
        x = experiment.data.values(values_key, batch["x"])
        order, cond = draw_condition(model, condition_key, batch)
        scores = log_prob(model, params, x, order=order, cond=cond, key=dropout_key, counted=batch.get("counted"))
        return -scores.mean(), (state, {"dims": counted_dims(model, batch).mean()})

    def record(self, metrics):
        nats, dims = metrics["loss"], metrics["dims"]
        return {"nats": nats, "dims": dims, "bits_per_dim": bits_per_dim(nats, dims)}

    def validate(self, experiment, params, state, split, *, batch_size, key, place=jnp.asarray):
        began = time.perf_counter()
        result = validate(experiment.model, params, split, experiment.data.values, batch_size=batch_size, key=key, place=place)
        seconds = time.perf_counter() - began
        return Score(result.nats, _record(experiment, split, result), len(result.log_probs), seconds)

    def test(self, experiment, params, state, splits, which="test", *, batch_size, key, place=jnp.asarray):
        model, data, split = experiment.model, experiment.data, getattr(splits, which)
        scoring = {"batch_size": batch_size, "key": key}
        began = time.perf_counter()
        result = evaluate(model, params, split, data.values, ensemble=experiment.ensemble, place=place, **scoring)
        seconds = time.perf_counter() - began
        record = _record(experiment, split, result)
        if which != "train":  # what they are held beside is fitted on that one
            record["baselines"] = baselines(data, splits.train, split, classes=model.cond.classes, **scoring)
        if which == "test" and lossy(data):
            record["distortion"] = data.distortion()
        return Score(result.nats, record, len(result.log_probs), seconds, result)

    def learned(self, experiment, params, state):
        return params


def _record(experiment, split, result: Evaluation) -> dict:
    record = {"nats": result.nats, "dims": result.dims, "bits_per_dim": bits_per_dim(result.nats, result.dims)}
    if len(result.log_probs) > 1:
        record["standard_error"] = result.standard_error
    if (count := _original_bytes(experiment.data.medium, split)) is not None:
        record["bits_per_byte"] = bits_per_dim(result.nats, float(count.mean()))
    if lossy(experiment.data):
        record["lossy"] = True
    return record


def _original_bytes(medium, split):
    """[N]: the bytes of the original that the symbols stand for which are counted; None where that has no answer."""
    if split.counted is None:
        return medium.original_bytes(split.x)
    each = medium.original_bytes(split.x.reshape(-1, 1))
    return None if each is None else (each.reshape(split.x.shape) * split.counted).sum(axis=1)


def lossy(data) -> bool:
    """Are these tokens from which the data do not come back?"""
    return not data.medium.lossless


def _symbols(vocab):
    return "real values" if vocab is None else f"symbols 0..{vocab - 1}"
