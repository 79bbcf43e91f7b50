"""What a run leaves for a person: its density as a curve, its samples as text or sound, and one table with the result and
everything that gives it its meaning."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from arjax.data.batches import gather
from arjax.data.splits import Sound, unit
from arjax.data.waveforms import write_wav
from arjax.errors import InputError
from arjax.likelihood import bits_per_dim, log_prob, nats_per_dim
from arjax.pictures import to_images
from arjax.protocol import Cond, CondSpec
from arjax.training.mesh import to_host
from arjax.training.objective import cond_of


def sample_cond(model, count: int, examples) -> Cond:
    """What samples are shown for: the classes in turn, where the model knows classes, or where it knows features (local, memory),
    these and the labels of the first `count` of `examples`, a split that may be None for other models. A model's members: the
    first."""
    if model.cond.features(model.site_shape):
        # A label and features belong together.
        return jax.tree.map(jnp.asarray, cond_of(model, gather(examples, np.arange(count) % len(examples.x))))
    return Cond(None if model.cond.classes is None else jnp.arange(count, dtype=jnp.int32) % model.cond.classes)


def pictured(data, x, vocab: int | None) -> np.ndarray | None:
    """Examples [B, *site_shape, *E] as images in [0, 1], None if they are none: as the data set sees them, which is what tokens
    need, else as `to_images` does."""
    return data.see(x) if hasattr(data, "see") else to_images(x, vocab)


def to_density(model, params, x) -> tuple[np.ndarray, np.ndarray] | None:
    """(points [N], the model's density there [N]) for data x [B, ...]: every symbol, or 600 points over the range of x and a
    tenth beyond. None if the data is not one value without a condition."""
    if model.num_dims > 1 or model.cond != CondSpec():
        return None
    if model.head.vocab is None:
        low, high = float(x.min()), float(x.max())
        margin = 0.1 * (high - low) or 1.0
        points = np.linspace(low - margin, high + margin, 600)
    else:
        points = np.arange(model.head.vocab)
    at = jnp.asarray(points, model.dtype).reshape(-1, *model.site_shape, *model.head.event_shape)
    return points, np.exp(to_host(log_prob(model, params, at)))


def write_texts(path: Path, texts: list[str]) -> None:
    """Write samples that can be read to `path`, making its folder; a rule between them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(rule_between(texts) + "\n", encoding="utf-8", newline="")


def write_sounds(stem: Path, sound: Sound) -> None:
    """Write every waveform as STEM_0.wav, STEM_1.wav and so on, making the folder."""
    for i, waveform in enumerate(sound.waveforms):
        write_wav(stem.with_name(f"{stem.name}_{i}.wav"), waveform, sound.sample_rate)


def rule_between(texts: list[str]) -> str:
    """Texts one below the other, with a rule between them."""
    return f"\n{'-' * 40}\n".join(texts)


def per_unit(experiment, nats: float, dims: float) -> str:
    """Nats per example of `dims` values in words, per value: "1.5000 nats/char = 2.1640 bits/char"."""
    name = unit(experiment.data)
    return f"{nats_per_dim(nats, dims):.4f} nats/{name} = {bits_per_dim(nats, dims):.4f} bits/{name}"


def closing_table(experiment, run: Path, records: list[dict]) -> None:
    """Print the result of a run: the last record of metrics.jsonl, that of the test split. InputError if it is not whole."""
    test = records[-1]
    lacking = [name for name in ("standard_error", "parameters") if name not in test]
    if lacking:
        raise InputError(
            f"the last record of {run / 'metrics.jsonl'} has no {', '.join(lacking)}; delete that line, and the same command "
            "tests again"
        )
    valid = next((r for r in reversed(records) if (r["split"], r["step"]) == ("valid", test["step"])), None)
    chosen = f", {experiment.task.words(experiment, valid)} on the validation split" if valid else ""
    tokenizer = " tokenizer.safetensors" if hasattr(experiment.data, "tokenizer") else ""
    rows = {
        "chosen": f"step {test['step']} of {experiment.steps}{chosen}",
        "parameters": f"{test['parameters']:,}",
        "wall time": f"{test['seconds']:.0f} s for training, validation, samples and test; seed {experiment.seed}",
        "written to": f"{run}/: run.json{tokenizer} metrics.jsonl loss.png samples/ checkpoints/ tensorboard/",
    }
    result_table(experiment, str(run), "test", test, rows)


def result_table(experiment, title: str, split: str, record: dict, rows: dict[str, str]) -> None:
    """Print what a split scored under `experiment`, as a record of metrics.jsonl, and `rows` below it."""
    table = Table(title=title, title_justify="left", show_header=False, title_style="bold")
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for row in (experiment.task.rows(experiment, split, record) | rows).items():
        table.add_row(*row)
    Console(highlight=False).print(table)
