"""`python -m arjax bench CONFIG`."""

import dataclasses
from pathlib import Path
from typing import Annotated

import jax
import tyro

from arjax.commands.flags import Overwrite, require_model, require_outputs, require_positive
from arjax.errors import InputError, say, show
from arjax.files import write_all
from arjax.measure.bench import benchmark, report
from arjax.measure.results import as_json, overview, ratios, read_results
from arjax.protocol import Model
from arjax.runs.config import edit, load_config
from arjax.runs.load import prepare


@dataclasses.dataclass(frozen=True)
class Bench:
    """Time training, scoring and sampling of a config, or of all of them. Further flags edit the config, as with train.py. With
    --ratios two files of earlier results are put side by side instead."""

    config: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="CONFIG")] = None
    """A file in configs/."""
    all: bool = False
    """Every config of configs/ whose data are there, at its own size."""
    ratios: tuple[Path, Path] | None = None
    """Two files that --json wrote, the old and the new results."""
    batch: int = 16
    """Examples scored and sampled at once."""
    repeats: int = 5
    """Timed runs of each, of which the median is given."""
    oracle: bool = True
    """Also time the naive sampler; long sequences take it long."""
    json: Path | None = None
    """Also write the figures there."""
    overwrite: Overwrite = False

    def __call__(self, flags: list[str]) -> None:
        if [self.config is not None, self.all, self.ratios is not None].count(True) != 1:
            raise InputError("bench takes one of CONFIG, --all and --ratios OLD NEW; give one of them")
        if flags and self.config is None:
            raise InputError(f"unrecognized arguments: {' '.join(flags)}; flags edit one config, name it")
        require_positive(batch=self.batch, repeats=self.repeats)
        require_outputs(self.overwrite, self.config, *self.ratios or (), json=self.json)
        if self.ratios is not None:
            show(ratios(*map(read_results, self.ratios)))
            return
        results = {}
        for config, figures in self._every() if self.all else [(self.config, self._of(self.config, flags))]:
            results[config] = figures
            if self.json:  # all of them take long: what there is stays if they are cut short
                write_all({self.json: as_json(results) + "\n"}, overwrite=self.overwrite or len(results) > 1)
        if self.all:
            show(overview(results))

    def _every(self):
        """(config, figures) of each that can be measured; the others say why not."""
        configs = sorted(Path("configs").glob("*.py"))
        if not configs:
            raise InputError("there is no configs/ with a config here; run from the root of the repository")
        for config in map(str, configs):
            try:
                if isinstance(load_config(config).model, Model):
                    yield config, self._of(config, [])
            except InputError as error:
                say(f"{config} is left out: {error}")
            jax.clear_caches()

    def _of(self, config, flags) -> dict:
        experiment, _ = edit(load_config(config), flags, "", f"python -m arjax bench {config}")
        require_model(config, experiment)
        experiment, splits, *_ = prepare(experiment)
        figures = {"config": config} | benchmark(
            experiment, splits.train, batch=self.batch, runs=self.repeats, oracle=self.oracle
        )
        show(report(figures), end="\n\n" if self.all else "\n")
        return figures
