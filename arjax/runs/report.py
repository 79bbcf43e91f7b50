"""What a run leaves for a person: its density as a curve, its samples as text or sound, a result in words, and one table with
the result and everything that gives it its meaning.

`words`, `rows_of` and `show` are single-dispatch functions of the objective, with a default for any: an objective of a user's own
registers what it has to say, as the two here do (`@words.register`).
"""

import functools
import math
from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from arjax.data.exhibit import Exhibit
from arjax.errors import InputError, printable
from arjax.grids import image_grid
from arjax.likelihood import bits_per_dim, log_prob, nats_per_dim
from arjax.pictures import density_over_histogram
from arjax.protocol import CondSpec
from arjax.sampling import ancestral
from arjax.training.autoencoding import Autoencoding, reconstruct
from arjax.training.conditions import captions_of, sample_cond
from arjax.training.likelihood import Likelihood, lossy
from arjax.training.mesh import to_host


def to_density(model, params, x) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns (points [N], the model's density there [N]) for data x [B, ...]: every symbol, or 600 points over the range of x
    and a tenth beyond. None if the data is not one value without a condition, or not every number is a value."""
    if model.num_dims > 1 or model.cond != CondSpec() or model.head_capabilities.nearest is not None:
        return None
    if model.head.vocab is None:
        low, high = float(x.min()), float(x.max())
        margin = 0.1 * (high - low) or 1.0
        points = np.linspace(low - margin, high + margin, 600)
    else:
        points = np.arange(model.head.vocab)
    at = jnp.asarray(points, model.dtype).reshape(-1, *model.site_shape, *model.head.event_shape)
    return points, np.exp(to_host(log_prob(model, params, at)))


def per_unit(experiment, nats: float, dims: float) -> str:
    """Says nats per example of `dims` values per value: "1.5000 nats/char = 2.1640 bits/char"."""
    name = experiment.data.medium.unit
    return f"{nats_per_dim(nats, dims):.4f} nats/{name} = {bits_per_dim(nats, dims):.4f} bits/{name}"


def plus_minus(error: float | None, digits: int = 3) -> str:
    """Says a standard error: " ± 0.123"; nothing where it is not known, None or NaN."""
    return "" if error is None or math.isnan(error) else f" ± {error:.{digits}f}"


@functools.singledispatch
def words(objective, experiment, record: dict) -> str:
    """Says what a record of metrics.jsonl holds in a few words."""
    numbers = {name: value for name, value in record.items() if name not in _COMMON and isinstance(value, int | float)}
    return ", ".join(f"{name.replace('_', ' ')} {value:.5g}" for name, value in numbers.items())


@functools.singledispatch
def rows_of(objective, experiment, split: str, record: dict) -> dict[str, str]:
    """Returns the rows of a table: the result of a split as one number, then its details."""
    baselines = {name: f"{objective.measure} {score:.5g}" for name, score in record.get("baselines", {}).items()}
    return {split: words(objective, experiment, record), **baselines, "data, split": experiment.data.title}


def exhibits(experiment, state, splits, key, step: int) -> dict[str, Exhibit]:
    """Returns what a validation of the TrainState `state` shows; nothing, where no samples are wanted."""
    return show(experiment.task, experiment, state.ema, state.state, splits, key, step) if experiment.samples else {}


@functools.singledispatch
def show(objective, experiment, params, state, splits, key, step: int) -> dict[str, Exhibit]:
    """Returns what there is to look at, read or hear after `step` steps, each by its name."""
    return {}


# In a record of any objective.
_COMMON = (
    "step",
    "split",
    "seconds",
    "examples_per_second",
    "grad_norm",
    "parameters",
    "standard_error",
    "records_lost",
    "stopped",
)


@words.register
def _(objective: Likelihood, experiment, record):
    said = f"{record['nats']:.3f} nats, {per_unit(experiment, record['nats'], record['dims'])}"
    said += " (lossy)" if lossy(experiment.data) else ""
    return said + (f", {record['bits_per_byte']:.4f} bits/byte" if _adds(experiment, record) else "")


@rows_of.register
def _(objective: Likelihood, experiment, split, record):
    data, every = experiment.data, experiment.model.num_dims
    nats, dims = record["nats"], record["dims"]
    cond = experiment.model.cond
    given = " given the label" if cond.classes else ""
    knows = [*(["label"] if cond.classes else []), *cond.features(experiment.model.site_shape)]
    name = f"-log p({'tokens' if data.medium.unit == 'token' else 'x'}{' | ' if knows else ''}{', '.join(knows)})"
    known = f" given the {' and '.join(knows)}" if knows else ""
    # The first line is the result; the others are its details.
    rows = {split: per_unit(experiment, nats, dims)}
    if _adds(experiment, record):
        rows["in bytes"] = f"{record['bits_per_byte']:.4f} bits per byte of the original"
    rows[name] = f"{nats:.3f}{plus_minus(record.get('standard_error'))} nats per example{known}"
    for baseline, score in record.get("baselines", {}).items():
        rows[baseline] = per_unit(experiment, score, dims)
        if _adds(experiment, record):
            rows[baseline] += f", {record['bits_per_byte'] * score / nats:.4f} bits/byte"
        rows[baseline] += f"; {score:.3f} nats per example{given}"
    if dims != every:
        rows["counted"] = f"{dims:.1f} {data.medium.unit}s per example on average, of {every}"
    rows["data, split"] = data.title
    if lossy(experiment.data):
        rows["lossy"] = "these are nats of tokens that lose something, never to be put beside a likelihood of the data"
    if "distortion" in record:
        rows["distortion"] = f"{record['distortion']:.5f} mean squared error of test images in [0, 1], encoded and decoded"
    if experiment.ensemble > 1:
        rows["ensemble"] = f"mixture of {experiment.ensemble} orders and members"
    return rows


def _adds(experiment, record) -> bool:
    """Do bits per byte say something that bits per value do not?"""
    return "bits_per_byte" in record and not math.isclose(record["bits_per_byte"], bits_per_dim(record["nats"], record["dims"]))


@show.register
def _(objective: Likelihood, experiment, params, state, splits, key, step):
    model, data, title = experiment.model, experiment.data, f"{experiment.data.title}, step {step}"
    cond = sample_cond(model, experiment.samples, splits.valid)
    samples = to_host(ancestral(model, params, key, experiment.samples, cond=cond))
    shown = {"samples": data.medium.exhibit(samples, title, captions_of(data, cond))}
    if (curve := to_density(model, params, splits.train.x)) is not None:
        values = np.asarray(data.values(jax.random.key(0), splits.train.x))
        shown["density"] = Exhibit(density_over_histogram(*curve, values, title))
    return shown


@words.register
def _(objective: Autoencoding, experiment, record):
    used = f"perplexity {record['perplexity']:.0f}, {record['used']:.0%} of {experiment.model.vocab} codes used"
    return f"mean squared error {record['mse']:.5f}, {used}"


@rows_of.register
def _(objective: Autoencoding, experiment, split, record):
    shape = experiment.model.token_shape(experiment.model.shape)
    scored = f"{record['mse']:.5f}{plus_minus(record.get('standard_error'), 5)}"
    rows = {
        split: f"{scored} mean squared error of pixels in [0, 1]",
        "codes": f"{record['used']:.1%} of {experiment.model.vocab} used, perplexity {record['perplexity']:.0f}",
        "tokens": f"{' x '.join(map(str, shape))} an image of {' x '.join(map(str, experiment.model.shape))}",
    }
    for name, error in record.get("baselines", {}).items():
        rows[name] = f"{error:.5f} mean squared error"
    return rows | {"data, split": experiment.data.title}


@show.register
def _(objective: Autoencoding, experiment, params, state, splits, key, step):
    count = min(experiment.samples, len(splits.valid.x))
    # Where the split is in the order of its classes, the first images are all of one.
    x = experiment.data.values(key, splits.valid.x[np.arange(count) * len(splits.valid.x) // count])
    x_hat, _ = reconstruct(experiment.model, params, state, x)
    return {"reconstructions": Exhibit(beside(np.asarray(x), to_host(x_hat)))}


def beside(x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """Draws uint8 [h, w, 3]: images [N, H, W] or [N, H, W, C] in [0, 1], in rows, and below each row their reconstructions."""
    columns = math.ceil(math.sqrt(2 * len(x)))
    rows = [part for i in range(0, len(x), columns) for part in (x[i : i + columns], x_hat[i : i + columns])]
    blank = np.full_like(x[:1], 0.5)
    filled = [np.concatenate([row, *[blank] * (columns - len(row))]) for row in rows]
    return image_grid(np.concatenate(filled), columns=columns)


def closing_table(experiment, run: Path, records: list[dict], kept: bool = True) -> None:
    """Prints the result of a run: the last record of metrics.jsonl, that of the test split. InputError if it is not whole.

    kept: is the directory there afterwards?
    """
    test = records[-1]
    if "parameters" not in test:
        raise InputError(
            f"the last record of {run / 'metrics.jsonl'} has no parameters; delete that line, and the same command tests again"
        )
    valid = next((r for r in reversed(records) if (r["split"], r["step"]) == ("valid", test["step"])), None)
    chosen = f", {words(experiment.task, experiment, valid)} on the validation split" if valid else ""
    names = ["run.json", "tokenizer.safetensors", "metrics.jsonl", "loss.png", "samples/", "checkpoints/"]
    names += ["tensorboard/", "wandb/", "mlflow/"]
    rows = {
        "chosen": f"step {test['step']} of {test.get('stopped', experiment.steps)}{chosen}",
        "parameters": f"{test['parameters']:,}",
        "wall time": f"{test['seconds']:.0f} s for training, validation, samples and test; seed {experiment.seed}",
    }
    if "stopped" in test:
        rows["stopped"] = f"at step {test['stopped']} of {experiment.steps}, because of --patience"
    if kept:
        rows["written to"] = f"{run}/: {' '.join(name for name in names if (run / name).exists())}"
    if "records_lost" in test:
        rows["lost"] = f"{test['records_lost']} records of metrics.jsonl, which wall time and loss.png may lack"
    result_table(experiment, str(run) if kept else "no directory is kept", "test", test, rows)


def result_table(experiment, title: str, split: str, record: dict, rows: dict[str, str]) -> None:
    """Prints what a split scored under `experiment`, as a record of metrics.jsonl, and `rows` below it."""
    show_rows(title, rows_of(experiment.task, experiment, split, record) | rows)


def show_rows(title: str, rows: Mapping[str, str | list[str]]) -> None:
    """Prints a table of names and values, each of one line or several."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # As Text: in a string rich takes brackets and colons for its own.
    table = Table(title=Text(printable(title), "bold"), title_justify="left", show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, said in rows.items():
        lines = [said] if isinstance(said, str) else said
        table.add_row(Text(printable(name)), Text("\n".join(map(printable, lines))))
    Console(highlight=False).print(table)
