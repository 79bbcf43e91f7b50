"""`python -m arjax bench CONFIG`."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from arjax.bench import as_json, benchmark, report
from arjax.commands.flags import require_model, require_positive, require_room
from arjax.training.command_line import edit, load_config
from arjax.training.load import learn
from arjax.training.tokenization import over_tokens


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
        require_positive(batch=self.batch, runs=self.runs)
        require_room(json=self.json)
        experiment, _ = edit(load_config(self.config), flags, "", f"python -m arjax bench {self.config}")
        require_model(self.config, experiment)
        experiment = over_tokens(experiment, learn(experiment))
        splits = experiment.data.load()
        experiment.task.check_data(experiment, splits)
        figures = {"config": self.config} | benchmark(
            experiment, splits.train, batch=self.batch, runs=self.runs, oracle=self.oracle
        )
        print(report(figures))
        if self.json:
            self.json.parent.mkdir(parents=True, exist_ok=True)
            self.json.write_text(as_json(figures) + "\n")
