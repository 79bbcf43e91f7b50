"""What a run leaves for a person: one table with the result and everything that gives it its meaning."""

from pathlib import Path

import jax
import jax.numpy as jnp
from rich.console import Console
from rich.table import Table

from arjax.training.experiment import Experiment


def sample_labels(model, count: int) -> jax.Array | None:
    """The classes in turn, int32 [count], to show samples of each; None if the model knows no classes."""
    return None if model.cond.classes is None else jnp.arange(count, dtype=jnp.int32) % model.cond.classes


def closing_table(experiment: Experiment, run: Path, records: list[dict]) -> None:
    """Print the result of a run: the last record of metrics.jsonl, that of the test split."""
    test = records[-1]
    rows = {
        "chosen": f"step {test['step']} of {experiment.steps}, {test['valid_nats']:.3f} nats on the validation split",
        "parameters": f"{test['parameters']:,}",
        "wall time": f"{test['seconds']:.0f} s for training, validation, samples and test; seed {experiment.seed}",
        "written to": f"{run}/: run.json metrics.jsonl loss.png samples/ checkpoints/ tensorboard/",
    }
    result_table(experiment, str(run), "test", test, rows)


def result_table(experiment: Experiment, title: str, split: str, result: dict, rows: dict[str, str]) -> None:
    """Print what a split scored under `experiment`, and `rows` below it.

    result: `nats`, `standard_error`, `bits_per_dim`, and `baseline_nats` if there is a baseline.
    """
    given = " given the label" if experiment.model.cond.classes else ""
    name = f"{split} -log p(x{' | label' if given else ''})"
    scored = f"{result['nats']:.3f} ± {result['standard_error']:.3f} nats per example{given}"
    result_rows = {name: f"{scored} = {result['bits_per_dim']:.4f} bits/dim"}
    if "baseline_nats" in result:
        name = "independent Bernoulli" if experiment.model.head.vocab == 2 else "independent categorical"
        result_rows[name] = f"{result['baseline_nats']:.3f} nats per example{given}"
    result_rows["data, split"] = experiment.data.title
    if experiment.ensemble > 1:
        result_rows["ensemble"] = f"mixture of {experiment.ensemble} orders and members"
    table = Table(title=title, title_justify="left", show_header=False, title_style="bold")
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for row in (result_rows | rows).items():
        table.add_row(*row)
    Console(highlight=False).print(table)
