"""`python -m arjax runs RUNS`."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import tyro

from arjax.commands.flags import Modules, Overwrite, require_outputs
from arjax.errors import InputError, say, show
from arjax.files import write_all
from arjax.measure.results import table
from arjax.runs.metrics import in_digits
from arjax.runs.overview import Reached, read_runs
from arjax.runs.report import plus_minus

Directories = Annotated[
    tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUNS", help="Directories that train.py wrote, such as runs/*.")
]
Nats = Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help="Nats per example instead of bits per byte or value.")]


@dataclasses.dataclass(frozen=True)
class Runs:
    """Compare runs in a table, the best first: the fields in which their configs differ, the steps done, the best validation and
    the test, with their unit."""

    runs: Directories
    nats: Nats = False
    json: Path | None = None
    """Also write the table there, as JSON."""
    overwrite: Overwrite = False
    modules: Modules = ()

    def __call__(self) -> None:
        require_outputs(self.overwrite, *self.runs, json=self.json)
        found, refused = require_runs(self.runs, self.modules, self.nats)
        names = list(dict.fromkeys(name for each in found for name in each.differs))
        heads = ["run", *names, "steps", "best valid", "at step", "test", "unit"]
        show(table(heads, [_row(each, names) for each in found]))
        for line in refused:
            say(f"left out: {line}")
        if self.json:
            figures = {"runs": [_figures(each) for each in found], "left_out": refused}
            write_all({self.json: json.dumps(figures, indent=2) + "\n"}, overwrite=self.overwrite)


def require_runs(runs: tuple[str, ...], modules: tuple[str, ...], nats: bool) -> tuple[list[Reached], list[str]]:
    """Returns `read_runs` of the directories. InputError where there is none that can be read."""
    if not runs:
        raise InputError("there is no run to show; name directories that train.py wrote, as runs/*")
    found, refused = read_runs(runs, modules, nats)
    if not found:
        more = f"; {len(refused) - 1} more cannot be read" if len(refused) > 1 else ""
        raise InputError(f"{refused[0]}{more}")
    return found, refused


def _row(each: Reached, names: list[str]) -> list[str]:
    best, test = each.best, each.test
    return [
        each.run,
        *(each.differs.get(name, "-") for name in names),
        f"{each.steps:,} of {each.experiment.steps:,}",
        "-" if best is None else in_digits(each.number(best)),
        "-" if best is None else f"{best['step']:,}",
        "-" if test is None else f"{in_digits(each.number(test))}{plus_minus(_error(each), 4)}",
        each.unit if each.records else "-",
    ]


def _error(each: Reached) -> float | None:
    """The standard error of the test, in the unit of the table."""
    error, score = each.test.get("standard_error"), each.test[each.experiment.task.measure]
    return error * each.number(each.test) / score if isinstance(error, float) and score else None


def _figures(each: Reached) -> dict:
    return {
        "run": each.run,
        "differs": each.differs,
        "steps_done": each.steps,
        "steps": each.experiment.steps,
        "unit": each.unit,
        "best_valid": None if each.best is None else each.number(each.best),
        "best_step": None if each.best is None else each.best["step"],
        "test": None if each.test is None else each.number(each.test),
        "standard_error": None if each.test is None else _error(each),
    }
