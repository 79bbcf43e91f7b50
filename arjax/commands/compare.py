"""`python -m arjax compare CONFIGS`."""

import dataclasses
import json
import math
import platform
from pathlib import Path
from typing import Annotated

import jax
import tyro

from arjax import pictures
from arjax.commands.flags import Overwrite, require_model, require_outputs, require_positive, require_suffix
from arjax.data import evenly_spaced
from arjax.errors import InputError, say, show
from arjax.files import free_stem, write_all
from arjax.measure.results import table, without_nan
from arjax.measure.trial import try_out
from arjax.runs.config import edit, load_config
from arjax.runs.report import plus_minus


@dataclasses.dataclass(frozen=True)
class Compare:
    """Fit several configs to the same data for the same time, and measure what each family is good at: a table in Markdown, the
    figures as JSON, and a picture of likelihood against speed. Further flags edit every config, as with train.py."""

    configs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="CONFIGS")]
    """Files in configs/, all over the same data, values and kind of condition."""
    seconds: float = 30
    """How long each is trained, compilation apart."""
    examples: int | None = None
    """Score so many of the validation and of the test split, evenly spaced, since a split may be sorted; by default all."""
    batch: int = 16
    """Examples scored and sampled at once, where these are timed."""
    repeats: int = 5
    """Timed runs of each, of which the median is given."""
    out: Path | None = None
    """The table, as X.md, with its figures as .json and its picture as .png beside it; by default runs/compare.md, with -2, -3,
    ... added if that exists."""
    overwrite: Overwrite = False

    def __call__(self, flags: list[str]) -> None:
        require_positive(batch=self.batch, repeats=self.repeats, examples=self.examples)
        if not 0 < self.seconds < math.inf:
            raise InputError(f"--seconds {self.seconds:g} must be a positive number; choose how long each is trained")
        require_suffix(".md", out=self.out)
        default = Path("runs/compare")
        stem = self.out.with_suffix("") if self.out else default if self.overwrite else free_stem(default, _ENDINGS)
        files = [stem.with_name(stem.name + ending) for ending in _ENDINGS]
        for file in files:
            require_outputs(self.overwrite, *self.configs, out=file)
        if not self.configs:
            raise InputError("there is nothing to compare; name at least one config")
        experiments = {path.stem: self._experiment(path, flags) for path in self.configs}
        first = next(iter(experiments.values()))
        for name, experiment in experiments.items():
            _check_comparable(self.configs[0].stem, first, name, experiment)
        splits = first.data.load()
        valid, test = (evenly_spaced(split, self.examples) for split in (splits.valid, splits.test))
        splits = splits._replace(valid=valid, test=test)
        for experiment in experiments.values():
            experiment.task.check_data(experiment, splits)
        about = (
            f"{first.data.title}; {self.seconds:g} seconds of training each, scored on {len(splits.test.x)} test examples; "
            f"{jax.devices()[0].device_kind}, one device, {platform.machine()}, JAX {jax.__version__}; "
            f"sampling and scoring {self.batch} at once"
        )
        rows = {}
        for name, experiment in experiments.items():
            rows[name] = try_out(experiment, splits, seconds=self.seconds, batch=self.batch, runs=self.repeats)
            say(f"{name}: {rows[name]['nats']:.3f} nats, {rows[name]['samples_per_second']:,.0f} samples/s")
            # One after the other takes long: what there is stays if it is cut short.
            contents = dict(zip(files, _contents(about, rows, first.data.title), strict=True))
            write_all(contents, overwrite=self.overwrite or len(rows) > 1)
            jax.clear_caches()
        show(f"\n{about}\n\n{markdown(rows)}\n")
        say(f"written to {files[0]}, .json and .png")

    def _experiment(self, path, flags):
        experiment, _ = edit(load_config(path), flags, "", f"python -m arjax compare {path}")
        require_model(str(path), experiment)
        if experiment.tokenizer is not None:
            raise InputError(f"{path} models tokens, whose likelihood is none of the data; leave it out")
        return experiment


_ENDINGS = (".md", ".json", ".png")


def _contents(about, rows, title) -> tuple[str, str, bytes]:
    """What the files with these endings hold."""
    figures = json.dumps({"about": about, "rows": {name: without_nan(row) for name, row in rows.items()}}, indent=2)
    points = {name: (row["samples_per_second"], row["nats"], row["standard_error"]) for name, row in rows.items()}
    return f"{about}\n\n{markdown(rows)}\n", figures + "\n", pictures.likelihood_against_speed(points, title)


COLUMNS = {
    "model": lambda name, row: f"`{name}` ({row['net']})",
    "test nats": lambda name, row: f"{row['nats']:.2f}{plus_minus(row['standard_error'], 2)}",
    "bits/dim": lambda name, row: f"{row['bits_per_dim']:.4f}",
    "parameters": lambda name, row: f"{row['parameters']:,}",
    "of them used by one conditional": lambda name, row: f"{row['weights_used']:,.0f}",
    "conditionals that share one": lambda name, row: f"{row['reuse']:.3g}",
    "context seen": lambda name, row: _of(row["context"], "{:.0%}"),
    "steps to evaluate / sample": lambda name, row: f"{row['steps_to_evaluate']} / {row['steps_to_sample']}",
    "work ratio": lambda name, row: _of(row["work_ratio"], "{:.2f}"),
    "time ratio": lambda name, row: f"{row['time_ratio']:.1f}",
    "samples/s": lambda name, row: f"{row['samples_per_second']:,.0f}",
    "trained examples/s": lambda name, row: f"{row['train_examples_per_second']:,.0f}",
    "steps": lambda name, row: f"{row['steps']:,}",
}


def markdown(rows: dict[str, dict]) -> str:
    """Writes the figures of every config as a table, the most probable first."""
    ordered = sorted(rows.items(), key=lambda item: item[1]["nats"])
    lines = [[column(name, row) for column in COLUMNS.values()] for name, row in ordered]
    return table(list(COLUMNS), lines)


def _check_comparable(first_name, first, name, experiment) -> None:
    """InputError unless the likelihoods of both are of the same thing."""
    if experiment.data != first.data:
        raise InputError(
            f"{name} is fitted to {experiment.data.title}, {first_name} to {first.data.title}; compare on the same data"
        )
    if experiment.model.cond != first.model.cond:
        raise InputError(
            f"{name} is given {experiment.model.cond}, {first_name} {first.model.cond}; give both the same, as by "
            "--model.cond.classes"
        )


def _of(value, form) -> str:
    return "-" if math.isnan(value) else form.format(value)
