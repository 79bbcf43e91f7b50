"""`python -m arjax evaluate RUN`."""

import dataclasses
import functools
import math
from typing import Literal

import jax

from arjax.commands.flags import Run
from arjax.data.splits import unit
from arjax.training.experiment import run_keys
from arjax.training.load import open_run
from arjax.training.mesh import Mesh, place_padded, replicated
from arjax.training.report import result_table


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
        experiment, params, state = open_run(self.run, raw=self.raw, root=self.root, modules=self.modules)
        if self.ensemble is not None:
            experiment = dataclasses.replace(experiment, ensemble=self.ensemble)
        splits = experiment.data.load()
        experiment.task.check_data(experiment, splits)
        mesh = Mesh().build()
        place = functools.partial(place_padded, mesh=mesh)
        scoring = {"batch_size": experiment.eval_batch_size, "key": run_keys(experiment).evaluate, "place": place}
        params, state = jax.device_put((params, state), replicated(mesh))
        score = experiment.task.test(experiment, params, state, splits, self.split, **scoring)
        values = math.prod(splits.train.x.shape[1:])
        rows = {
            "scored": f"{self.split} split, {score.examples} examples of {values} {unit(experiment.data)}s",
            "rate": f"{score.examples / score.seconds:,.0f} examples/s, compilation included",
        }
        result_table(experiment, self.run, self.split, score.record, rows)
