"""`python -m arjax curves RUNS`."""

import dataclasses
import math
from pathlib import Path

from arjax.commands import flags
from arjax.commands.runs import Directories, Nats, require_runs
from arjax.errors import InputError, say
from arjax.files import free_stem, write_all
from arjax.runs.curves import curve_of, runs_picture
from arjax.runs.metrics import baselines_in


@dataclasses.dataclass(frozen=True)
class Curves:
    """Draw the validations of runs in one picture: a line for each run, labelled with the fields in which its config differs, its
    best step, and the baselines."""

    runs: Directories
    png: Path | None = None
    """The picture; by default runs/curves.png, or curves-2.png, curves-3.png, ... if that exists."""
    nats: Nats = False
    overwrite: flags.Overwrite = False
    modules: flags.Modules = ()

    def __call__(self) -> None:
        flags.require_suffix(".png", png=self.png)
        default = Path("runs/curves")
        stem = default if self.overwrite else free_stem(default, [".png"])
        png = self.png or stem.with_name(stem.name + ".png")
        flags.require_outputs(self.overwrite, *self.runs, png=png)
        found, refused = require_runs(self.runs, self.modules, self.nats)
        curves, baselines = [], {}
        for each in found:
            curve = curve_of(each.experiment, each.records, each.label, each.number)
            if curve is None:
                refused.append(f"{each.run} has no validation yet; train it longer")
                continue
            curves.append((each, curve))
            for name, value in baselines_in(each.number, each.records, each.experiment.task.measure).items():
                # Runs of the same data and labels share them.
                alike = math.isclose(baselines.get(name, value), value, rel_tol=1e-6)
                baselines[name if alike else f"{name}, {each.label}"] = value
        if not curves:
            raise InputError(refused[0])
        units = sorted({each.unit for each, _ in curves})
        if len(units) > 1:
            raise InputError(f"these runs are in {' and '.join(units)}, which cannot share an axis; choose runs of one unit")
        titles = list(dict.fromkeys(each.experiment.data.title for each, _ in curves))
        title = titles[0] if len(titles) == 1 else f"{len(titles)} data sets"
        write_all({png: runs_picture([curve for _, curve in curves], units[0], baselines, title)}, overwrite=self.overwrite)
        say(f"{len(curves)} runs drawn in {png}")
        for line in refused:
            say(f"left out: {line}")
