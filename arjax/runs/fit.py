"""Training from Python: the loop of train.py, for a notebook or a script."""

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import jax

from arjax.arguments import check_count
from arjax.runs.load import learn, restore
from arjax.runs.loop import train
from arjax.runs.metrics import read_metrics
from arjax.runs.start import settled
from arjax.training.experiment import Experiment, over_tokens


class Fit(NamedTuple):
    """What training left.

    params: those that were best on validation, averaged (EMA).
    records: of training, validation and test, as in metrics.jsonl: dicts with `step`, `split`, `seconds` and the numbers.
    """

    params: Any
    records: list[dict]

    @property
    def test(self) -> dict:
        """The record of the test split, under `params`: "nats", "bits_per_dim", "standard_error", "baselines" and so on."""
        return self.records[-1]


def fit(model, data, *, steps: int, run: str | Path | None = None, quiet: bool = False, **fields) -> Fit:
    """Fits `model` to `data` as train.py does, and returns the parameters.

    model: an arjax.Model; an arjax.training.ModelFor, of which the data make one; or the model of the field `task`.
    data: a data set, such as `arjax.Arrays(x_train, x_valid, x_test)`.
    steps: updates in the whole run. With the schedules Constant and WarmupStableDecay a run continues with more of them.
    run: a directory for checkpoints, metrics and samples. The same call continues the run, bit for bit. None is a temporary
      directory, which is removed.
    quiet: print nothing.
    fields: other fields of `arjax.training.Experiment`, such as batch_size, optimizer or seed. Without `eval_every` there are ten
      validations; without `run` no samples are drawn.

    InputError if the parts do not fit together; FloatingPointError if numbers do not stay finite; KeyboardInterrupt after Ctrl-C,
    once the run is saved.
    """
    steps = check_count("steps", steps)
    usual = {"eval_every": max(1, steps // 10), **({"samples": 0} if run is None else {})}
    experiment = settled(Experiment(model=model, data=data, steps=steps, **(usual | fields)), None if run is None else Path(run))
    with contextlib.ExitStack() as stack:
        stack.enter_context(jax.set_mesh(experiment.mesh.build()))  # not the caller's
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()) if run is None else run)
        if quiet:
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        if train(experiment, folder, again="the same call of arjax.fit", kept=run is not None):
            raise KeyboardInterrupt
        fitted = over_tokens(experiment, learn(experiment, folder))
        params, state = restore(folder, fitted)
        return Fit(fitted.task.learned(fitted, params, state), read_metrics(folder / "metrics.jsonl", fitted.task.measure))
