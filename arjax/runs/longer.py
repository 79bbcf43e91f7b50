"""Longer runs: a run that continues with more steps, and one that patience ends early.

The first `schedule.stable(steps)` updates of a run are also those of every longer run. A longer run continues from the last
checkpoint among them; later records and checkpoints belong to the shorter run.
"""

from pathlib import Path

from arjax.errors import InputError
from arjax.runs import checkpoints
from arjax.runs.metrics import forget
from arjax.training.experiment import Experiment
from arjax.training.optimizers import OptimizerCapabilities


def stable(experiment: Experiment, steps: int) -> int:
    """Returns the number of first updates that an experiment of `steps` shares with longer ones; 0 for none."""
    schedule = OptimizerCapabilities.of(experiment.optimizer).schedule
    return 0 if schedule is None else schedule.stable(steps)


def begin_of_longer(run: Path, before: int, experiment: Experiment) -> int | None:
    """Returns the step from which a run that was begun for `before` steps continues as `experiment`; None if that has as many.
    InputError if the run cannot continue, with what to do instead."""
    after = experiment.steps
    if after == before:
        return None
    if after < before:
        raise InputError(f"{run} was begun for {before} steps, more than steps={after}; give it as many, or choose another --run")
    saved, last = checkpoints.steps_in(run / "checkpoints"), stable(experiment, before)
    if saved and min(saved) > last:
        schedule = OptimizerCapabilities.of(experiment.optimizer).schedule
        name = type(experiment.optimizer if schedule is None else schedule).__name__
        raise InputError(
            f"{run} was begun for {before} steps with {name}, under which {after} have other learning rates from the start; add "
            f"--params-from {run} and another --run to train its parameters for {after} more, another --run alone to train anew; "
            "with Constant or WarmupStableDecay a run can be made longer"
        )
    return max((step for step in saved if step <= last), default=0)


def forget_beyond(run: Path, step: int, measure: str) -> None:
    """Removes the records of a run after `step`, and sets its later checkpoints aside under the name ended.STEP.

    run.json is written afterwards: until then the same command does the same again.
    """
    forget(run / "metrics.jsonl", step, measure)
    folder = run / "checkpoints"
    checkpoints.set_aside(folder, [saved for saved in checkpoints.steps_in(folder) if saved > step], "ended")


def losses(records: list[dict], step: int, measure: str) -> list[float]:
    """Lists the scores of the validations until `step` in the records of metrics.jsonl."""
    return [record[measure] for record in records if record["split"] == "valid" and record["step"] <= step]


def is_over(patience: int | None, losses: list[float]) -> bool:
    """Do at least `patience` validations follow the best one?"""
    return bool(patience and losses) and len(losses) - 1 - losses.index(min(losses)) >= patience


def is_finished(experiment: Experiment, records: list[dict]) -> bool:
    """Do the records of metrics.jsonl end with a test, behind which patience, if it ended the run, would still end it?"""
    if not records or records[-1]["split"] != "test":
        return False
    validations = losses(records, experiment.steps, experiment.task.measure)
    return "stopped" not in records[-1] or is_over(experiment.patience, validations)
