"""The task of nearly every run: fit p(x | condition) by maximum likelihood, judge it by exact -log p in nats per example."""

import dataclasses
import time
from typing import ClassVar

from arjax.data.splits import original_bytes, unit
from arjax.errors import InputError
from arjax.likelihood import bits_per_dim
from arjax.orders import AnyOrder
from arjax.protocol import Model
from arjax.runs.report import per_unit, sample_cond
from arjax.sampling import ancestral
from arjax.training.baselines import baselines
from arjax.training.evaluation import Evaluation, evaluate, validate
from arjax.training.fits import check_fits
from arjax.training.mesh import to_host
from arjax.training.objective import Likelihood
from arjax.training.task import Score


@dataclasses.dataclass(frozen=True)
class DensityEstimation:
    """Maximum likelihood of an arjax.Model; see Task."""

    measure: ClassVar[str] = "nats"

    def check(self, experiment):
        model, source = experiment.model, experiment.tokenizer or experiment.data.values
        if not isinstance(model, Model):
            raise InputError(f"DensityEstimation fits an arjax.Model, not {type(model).__name__}; choose another task")
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
        check_fits(experiment.data.title, experiment.model, splits)

    def objective(self, experiment):
        return Likelihood(experiment.model, experiment.data.values)

    def record(self, metrics):
        nats, dims = metrics["loss"], metrics["dims"]
        return {"nats": nats, "dims": dims, "bits_per_dim": bits_per_dim(nats, dims)}

    def validate(self, experiment, params, state, split, **scoring):
        began = time.perf_counter()
        result = validate(experiment.model, params, split, experiment.data.values, **scoring)
        seconds = time.perf_counter() - began
        return Score(result.nats, _record(experiment, split, result), len(result.log_probs), seconds)

    def test(self, experiment, params, state, splits, which, **scoring):
        model, data, split = experiment.model, experiment.data, getattr(splits, which)
        began = time.perf_counter()
        result = evaluate(model, params, split, data.values, ensemble=experiment.ensemble, **scoring)
        seconds = time.perf_counter() - began
        record = _record(experiment, split, result)
        if which == "test":  # what they are held beside is fitted on the other two
            plain = {name: scoring[name] for name in ("batch_size", "key")}
            record["baselines"] = baselines(data, splits, classes=model.cond.classes, **plain)
            if _lossy(data):
                record["distortion"] = data.distortion()
        return Score(result.nats, record, len(result.log_probs), seconds, result)

    def show(self, experiment, params, state, splits, key, step, journal):
        cond = sample_cond(experiment.model, experiment.samples, splits.valid)
        journal.samples(step, to_host(ancestral(experiment.model, params, key, experiment.samples, cond=cond)))
        journal.density(step, params, splits.train.x)

    def words(self, experiment, record):
        # Records of an older version have no `dims`: every value was counted.
        dims = record.get("dims", experiment.model.num_dims)
        words = f"{record['nats']:.3f} nats, {per_unit(experiment, record['nats'], dims)}"
        words += " (lossy)" if _lossy(experiment.data) else ""
        return words + (f", {record['bits_per_byte']:.4f} bits/byte" if _adds(experiment, record) else "")

    def rows(self, experiment, split, record):
        data, every = experiment.data, experiment.model.num_dims
        nats, dims = record["nats"], record.get("dims", every)
        cond = experiment.model.cond
        given = " given the label" if cond.classes else ""
        knows = [*(["label"] if cond.classes else []), *cond.features(experiment.model.site_shape)]
        name = f"{split} -log p({_what(data)}{' | ' if knows else ''}{', '.join(knows)})"
        known = f" given the {' and '.join(knows)}" if knows else ""
        scored = f"{nats:.3f} ± {record['standard_error']:.3f} nats per example{known}"
        rows = {name: f"{scored} = {per_unit(experiment, nats, dims)}"}
        if _adds(experiment, record):
            rows["in bytes"] = f"{record['bits_per_byte']:.4f} bits per byte of the original"
        for baseline, score in record.get("baselines", {}).items():
            rows[baseline] = f"{score:.3f} nats per example{given} = {per_unit(experiment, score, dims)}"
            if _adds(experiment, record):
                rows[baseline] += f", {record['bits_per_byte'] * score / nats:.4f} bits/byte"
        if dims != every:
            rows["counted"] = f"{dims:.1f} {unit(data)}s per example on average, of {every}"
        rows["data, split"] = data.title
        if _lossy(data):
            rows["lossy"] = f"these are nats of tokens ({data.tokenizer.title}), never to be put beside a likelihood of the data"
        if "distortion" in record:
            rows["distortion"] = f"{record['distortion']:.5f} mean squared error of test images in [0, 1], encoded and decoded"
        if experiment.ensemble > 1:
            rows["ensemble"] = f"mixture of {experiment.ensemble} orders and members"
        return rows

    def learned(self, model, params, state):
        return params


def _record(experiment, split, result: Evaluation) -> dict:
    record = {"nats": result.nats, "dims": result.dims, "bits_per_dim": bits_per_dim(result.nats, result.dims)}
    record["standard_error"] = result.standard_error
    if (count := original_bytes(experiment.data, split.x)) is not None:
        record["bits_per_byte"] = bits_per_dim(result.nats, float(count.mean()))
    if _lossy(experiment.data):
        record["lossy"] = True
    return record


def _lossy(data) -> bool:
    """Are these tokens from which the data do not come back?"""
    return hasattr(data, "tokenizer") and not data.tokenizer.lossless


def _adds(experiment, record) -> bool:
    """Do bits per byte say something that bits per value do not?"""
    return "bits_per_byte" in record and unit(experiment.data) != "byte"


def _what(data) -> str:
    return "tokens" if unit(data) == "token" else "x"


def _symbols(vocab):
    return "real values" if vocab is None else f"symbols 0..{vocab - 1}"
