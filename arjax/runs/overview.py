"""Several runs side by side: the fields in which their configs differ, and their results."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from arjax.description import differences
from arjax.errors import InputError, printable
from arjax.runs.directory import read_run
from arjax.runs.metrics import best_of, natural_unit, read_metrics
from arjax.training.experiment import Experiment


class Reached(NamedTuple):
    """A run as its directory describes it.

    differs: the fields of its config in which these runs differ, by their dotted names, with its values in words.
    unit, number: as `natural_unit` chose them for its records.
    best: the record of its best validation; test: that of its test; None before it.
    """

    run: str
    experiment: Experiment
    records: list[dict]
    differs: dict[str, str]
    unit: str
    number: Callable[[dict], float]
    best: dict | None
    test: dict | None

    @property
    def steps(self) -> int:
        """The last step of its records."""
        return max((record["step"] for record in self.records), default=0)

    @property
    def label(self) -> str:
        """The fields that differ, by the last part of each name, in a few words; the directory's name if none differs."""
        parts = [f"{name.rpartition('.')[2]}={value}" for name, value in self.differs.items()]
        return ", ".join(parts) or printable(Path(self.run).name)

    @property
    def result(self) -> float:
        """The sort key: the test, else the best validation, else infinity."""
        record = self.test or self.best
        return float("inf") if record is None else self.number(record)


def read_runs(runs: Iterable[str], modules: tuple[str, ...] = (), nats: bool = False) -> tuple[list[Reached], list[str]]:
    """Reads directories: (runs, the best first, grouped by unit; a line for each that cannot be read, with the reason).

    modules: as of `read_run`. nats: choose nats per example as the unit.
    """
    found, refused = [], []
    runs = tuple(dict.fromkeys(runs))
    if files := [run for run in runs if Path(run).is_file()]:  # as what runs/* finds beside runs
        refused.append(
            f"{', '.join(files)}: no run {'directories' if len(files) > 1 else 'directory'}; give those that train.py wrote"
        )
    for run in runs:
        if run in files:
            continue
        try:
            experiment = read_run(run, modules)
            found.append((run, experiment, read_metrics(Path(run) / "metrics.jsonl", experiment.task.measure)))
        except (InputError, OSError) as error:
            refused.append(str(error) if run in str(error) else f"{run}: {error}")
    names = differences([experiment for _, experiment, _ in found])
    reached = []
    for (run, experiment, records), differs in zip(found, names, strict=True):
        unit, number = natural_unit(experiment, records, nats)
        best = best_of(records, experiment.task.measure)
        test = records[-1] if records and records[-1]["split"] == "test" else None
        reached.append(Reached(run, experiment, records, differs, unit, number, best, test))
    return sorted(reached, key=lambda each: (each.unit if each.records else "~", each.result)), refused
