"""`python -m arjax evaluate RUN`."""

import dataclasses
import functools
import time
from typing import Literal

import jax

from arjax.commands.flags import Run
from arjax.data.splits import unit
from arjax.training.baselines import baselines
from arjax.training.evaluation import evaluate
from arjax.training.experiment import check_fits, run_keys
from arjax.training.load import load
from arjax.training.mesh import Mesh, place_padded, replicated
from arjax.training.report import result_table
from arjax.training.run_directory import read_run


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
