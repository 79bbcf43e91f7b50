"""The other commands: `python -m arjax bench | evaluate | sample | figures`. Training is train.py's."""

import dataclasses
import functools
import operator
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from arjax import figures, pictures
from arjax.bench import as_json, benchmark, report
from arjax.data.splits import heard, shown, unit
from arjax.sampling import Temperature, TopK, TopP, ancestral
from arjax.training.baselines import baselines
from arjax.training.command_line import edit, load_config, read_flags
from arjax.training.evaluation import evaluate
from arjax.training.experiment import check_fits, run_keys
from arjax.training.failures import one_line_errors
from arjax.training.load import load
from arjax.training.mesh import Mesh, place_padded, replicated
from arjax.training.report import result_table, rule_between, sample_cond, write_sounds, write_texts
from arjax.training.run_directory import read_run

Run = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]


@dataclasses.dataclass(frozen=True)
class Bench:
    """Time training, scoring and sampling of a config. Further flags edit the config, as with train.py."""

    config: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CONFIG")]
    """A file in configs/."""
    batch: int = 16
    """Examples scored and sampled at once."""
    runs: int = 5
    """Timed runs of each, of which the median is given."""
    oracle: bool = True
    """Also time the naive sampler; long sequences take it long."""
    json: Path | None = None
    """Also write the figures there."""

    def __call__(self, flags: list[str]) -> None:
        _require_positive(batch=self.batch, runs=self.runs)
        experiment, _ = edit(load_config(self.config), flags, "", f"python -m arjax bench {self.config}")
        splits = experiment.data.load()
        check_fits(experiment, splits)
        figures = {"config": self.config} | benchmark(
            experiment, splits.train, batch=self.batch, runs=self.runs, oracle=self.oracle
        )
        print(report(figures))
        if self.json:
            self.json.parent.mkdir(parents=True, exist_ok=True)
            self.json.write_text(as_json(figures) + "\n")


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Score a trained run on one of its splits, with its unit, data set and baseline."""

    run: Run
    """The directory that train.py wrote."""
    split: Literal["train", "valid", "test"] = "test"
    ensemble: int | None = None
    """Orders and members to average over, as probabilities; by default as the experiment says."""
    raw: bool = False
    """The parameters as trained, not their moving average."""
    root: str | None = None
    """Where the data lie, if not in $ARJAX_DATA or ~/.cache/arjax."""
    modules: tuple[str, ...] = ()
    """Modules, besides arjax, whose classes the run may name; they are imported."""

    def __call__(self, flags: list[str]) -> None:
        experiment = read_run(self.run, self.modules)
        data = dataclasses.replace(experiment.data, root=self.root or experiment.data.root)
        ensemble = experiment.ensemble if self.ensemble is None else self.ensemble
        experiment = dataclasses.replace(experiment, data=data, ensemble=ensemble)
        model, params = load(self.run, raw=self.raw, modules=self.modules)
        splits = data.load()
        check_fits(experiment, splits)
        mesh = Mesh().build()
        scoring = {"batch_size": experiment.eval_batch_size, "key": run_keys(experiment).evaluate}
        start = time.perf_counter()
        scored = evaluate(
            model,
            jax.device_put(params, replicated(mesh)),
            getattr(splits, self.split),
            data.values,
            ensemble=ensemble,
            place=functools.partial(place_padded, mesh=mesh),
            **scoring,
        )
        seconds = time.perf_counter() - start
        result = scored._asdict()
        if self.split == "test":
            result["baselines"] = baselines(data, splits, classes=model.cond.classes, **scoring)
        count = len(scored.log_probs)
        rows = {
            "scored": f"{self.split} split, {count} examples of {model.num_dims} {unit(data)}s",
            "rate": f"{count / seconds:,.0f} examples/s, compilation included",
        }
        result_table(experiment, self.run, self.split, result, rows)


@dataclasses.dataclass(frozen=True)
class Sample:
    """Draw from a trained run: a picture, text, or sound with a picture of it; and with --out the arrays."""

    run: Run
    """The directory that train.py wrote."""
    batch: int = 64
    seed: int = 0
    label: int | None = None
    """The class to draw, if the model knows classes; by default all of them in turn."""
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    raw: bool = False
    """The parameters as trained, not their moving average."""
    png: Path | None = None
    """Where to write the picture; by default RUN/samples/seed_SEED.png."""
    out: Path | None = None
    """Where to write the samples as .npz (arrays x and, as the model knows them, label and local)."""
    root: str | None = None
    """Where the data lie that local features are taken from, if not in $ARJAX_DATA or ~/.cache/arjax."""
    modules: tuple[str, ...] = ()
    """Modules, besides arjax, whose classes the run may name; they are imported."""

    def __call__(self, flags: list[str]) -> None:
        _require_positive(batch=self.batch)
        _require_suffix(".npz", out=self.out)
        _require_suffix(".png", png=self.png)
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"--seed {self.seed} is not in 0..2**32-1; choose one that is")
        experiment = read_run(self.run, self.modules)
        model, params = load(self.run, raw=self.raw, modules=self.modules)
        if self.label is not None and model.cond.classes is None:
            raise ValueError(f"--label {self.label}: {self.run} knows no classes; leave it out")
        if self.label is not None and not 0 <= self.label < model.cond.classes:
            raise ValueError(f"--label {self.label}: label must be in 0..{model.cond.classes - 1}; choose one that is")
        # Only local features have to come from data, which need not be there otherwise.
        data = dataclasses.replace(experiment.data, root=self.root or experiment.data.root)
        cond = sample_cond(model, self.batch, data.load().valid if model.cond.local else None)
        if self.label is not None:
            cond = cond.replace(label=jnp.full(self.batch, self.label, jnp.int32))
        chosen = {Temperature: self.temperature, TopK: self.top_k, TopP: self.top_p}
        transforms = tuple(make(value) for make, value in chosen.items() if value is not None)
        x = ancestral(model, params, jax.random.key(self.seed), self.batch, cond=cond, transforms=transforms)
        texts, sound = shown(experiment.data, x), heard(experiment.data, x)
        images = pictures.to_images(x, model.head.vocab) if texts is None and sound is None else None
        if self.png and sound is None and images is None:
            raise ValueError(f"--png {self.png}: samples of {self.run} are no pictures; leave it out")
        if self.out:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            known = {name: value for name, value in (("label", cond.label), ("local", cond.local)) if value is not None}
            np.savez_compressed(self.out, x=x, **known)
            print(f"{self.batch} samples in {self.out}")
        stem = Path(self.run) / "samples" / f"seed_{self.seed}"
        png = self.png or stem.with_suffix(".png")
        if texts is not None:
            path = stem.with_suffix(".txt")
            write_texts(path, texts)
            print(rule_between(texts))
            print(f"{self.batch} samples in {path}")
        elif sound is not None:
            write_sounds(stem, sound)
            pictures.save_png(png, pictures.sound_picture(*sound, f"{self.run}, seed {self.seed}"))
            print(f"{self.batch} samples in {stem}_0.wav to {stem.name}_{self.batch - 1}.wav, the first 8 drawn in {png}")
        elif images is not None:
            pictures.save_png(png, pictures.image_grid(images))
            print(f"{self.batch} samples in {png}")
        elif not self.out:
            raise ValueError(
                f"samples of shape {model.site_shape} are no images, text or sound; write them to a file with --out FILE.npz"
            )


@dataclasses.dataclass(frozen=True)
class Figures:
    """Draw what explains the library: generation orders as numbered grids, the masks of convolutions, or what the theta of a
    pixel depends on, measured by the Jacobian of real networks."""

    what: Annotated[Literal["orders", "masks", "receptive-field"], tyro.conf.Positional]
    out: Path | None = None
    """Where to write the picture; by default WHAT.png."""
    height: int = 8
    width: int = 8

    def __call__(self, flags: list[str]) -> None:
        _require_positive(height=self.height, width=self.width)
        _require_suffix(".png", out=self.out)
        draw = {
            "orders": figures.draw_orders,
            "masks": figures.draw_masks,
            "receptive-field": figures.draw_receptive_fields,
        }[self.what]
        path = self.out or Path(f"{self.what}.png")
        print(f"{draw(path, self.height, self.width)} in {path}")


COMMANDS = (Bench, Evaluate, Sample, Figures)


def main(argv: list[str]) -> None:
    """Run the command that `argv` names. User errors end it with one line and status 2."""
    with one_line_errors():
        names = [command.__name__.lower() for command in COMMANDS]
        if not argv or argv[0] not in (*names, "-h", "--help"):
            raise ValueError(f"there is no command {argv[0] if argv else ''!r}; choose {', '.join(names)}")
        command, rest = read_flags(functools.reduce(operator.or_, COMMANDS), argv, "python -m arjax", return_unknown_args=True)
        if rest and not isinstance(command, Bench):
            raise ValueError(f"unrecognized arguments: {' '.join(rest)} (list the flags with: python -m arjax {argv[0]} --help)")
        command(rest)


def _require_positive(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"--{name} {count} must be at least 1; choose a positive number")


def _require_suffix(suffix: str, **paths: Path | None) -> None:
    for name, path in paths.items():
        if path is not None and path.suffix != suffix:
            raise ValueError(f"--{name} {path} must end in {suffix}; rename it")


if __name__ == "__main__":
    main(sys.argv[1:])
