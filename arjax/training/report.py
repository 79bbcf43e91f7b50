"""What a run leaves for a person: its samples as a picture, and one closing table."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from arjax.training.experiment import Experiment


def sample_labels(model, count: int) -> jax.Array | None:
    """The classes in turn, int32 [count], to show samples of each; None if the model knows no classes."""
    return None if model.cond.classes is None else jnp.arange(count, dtype=jnp.int32) % model.cond.classes


def to_images(model, x) -> np.ndarray | None:
    """Samples [B, *site_shape, *E] -> images [B, H, W] or [B, H, W, 3] in [0, 1]; None if the data is not of that kind."""
    x = np.asarray(x, np.float32)
    if x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[-1] not in (1, 3)):
        return None
    if model.head.vocab is None:
        low, high = x.min(), x.max()
        return (x - low) / max(high - low, 1e-6)
    return x / max(model.head.vocab - 1, 1)


def closing_table(experiment: Experiment, run: Path, records: list[dict]) -> None:
    """Print the result: the last record of metrics.jsonl, that of the test split, with everything that gives it its meaning."""
    test = records[-1]
    given = " given the label" if experiment.model.cond.classes else ""
    table = Table(title=f"{run}", title_justify="left", show_header=False, title_style="bold")
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row(
        f"test -log p(x{' | label' if given else ''})",
        f"{test['nats']:.3f} ± {test['standard_error']:.3f} nats per example{given} = {test['bits_per_dim']:.4f} bits/dim",
    )
    if "baseline_nats" in test:
        name = "independent Bernoulli" if experiment.model.head.vocab == 2 else "independent categorical"
        table.add_row(name, f"{test['baseline_nats']:.3f} nats per example{given}")
    table.add_row("data, split", experiment.data.title)
    if experiment.ensemble > 1:
        table.add_row("ensemble", f"mixture of {experiment.ensemble} orders and members")
    table.add_row("chosen", f"step {test['step']} of {experiment.steps}, {test['valid_nats']:.3f} nats on the validation split")
    table.add_row("parameters", f"{test['parameters']:,}")
    table.add_row("wall time", f"{test['seconds']:.0f} s of training and validation, seed {experiment.seed}")
    table.add_row("written to", f"{run}/: run.json metrics.jsonl loss.png samples/ checkpoints/ tensorboard/")
    Console(highlight=False).print(table)
