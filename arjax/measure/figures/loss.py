"""The figure of training: the loss on batches, and on data held out."""

import textwrap
from pathlib import Path

import jax
import numpy as np

from arjax.data import Digits
from arjax.errors import InputError
from arjax.heads import Bernoulli
from arjax.measure.figures.fitting import fitted
from arjax.measure.figures.opened import Opened
from arjax.measure.figures.style import FAINT, PREDICTED, SEEN, Drawn, finish, sheet
from arjax.models import MADE
from arjax.protocol import Model
from arjax.runs.metrics import baselines_in, natural_unit, read_metrics
from arjax.training.baselines import baselines

_STEPS = 800


def draw_loss() -> Drawn:
    """Draws the loss of a MADE of 8x8 digits that is fitted for some seconds, too long for its data."""
    model, data, steps = Model(MADE(hidden=(500,)), Bernoulli(), (8, 8)), Digits(), _STEPS
    found = fitted(model, data, steps, rate=1e-2, validate=50)
    splits = data.load()
    base = baselines(data, splits.train, splits.valid, batch_size=300, key=jax.random.key(0))
    valid = np.array(found.validations).T
    return _draw(
        "Learning: the loss on data that training sees, and on data that it does not",
        f"MADE of 500 units on 1199 binary digits, {steps} steps",
        "nats per example",
        np.stack([np.arange(steps), found.losses]),
        valid,
        base,
    )


def draw_loss_of_run(opened: Opened) -> Drawn:
    """Draws the loss of a run as it was recorded. InputError before its first validation."""
    experiment = opened.trained.experiment
    measure = experiment.task.measure
    if opened.site is not None:
        raise InputError(f"--site {opened.site}: a loss has no sites; leave it out")
    records = read_metrics(Path(opened.run) / "metrics.jsonl", measure)
    unit, number = natural_unit(experiment, records)
    curves = [
        np.array([(record["step"], number(record)) for record in records if record["split"] == split]).T
        for split in ("train", "valid")
    ]
    if not curves[1].size:
        raise InputError(f"{opened.run} has no validation yet; train it longer")
    return _draw("Learning", experiment.data.title, unit, *curves, baselines_in(number, records, measure))


def _draw(title, subtitle, unit, train, valid, base) -> Drawn:
    """train, valid: steps and losses, [2, N]; there may be none of training. base: other models' losses by name."""
    figure, ((axes,),) = sheet(title, height=4.6)
    best, train = int(np.argmin(valid[1])), train if train.size else valid[:, :0]
    low = min([*train[1], *valid[1]])
    high = max(
        [
            *train[1][len(train[1]) // 10 :],
            *valid[1][len(valid[1]) // 5 :],
            *(value for value in base.values() if np.isfinite(value)),
        ]
    )
    end = max([*train[0], *valid[0]])
    axes.plot(*train, color=SEEN, linewidth=1)
    axes.plot(*valid, color=PREDICTED)
    axes.plot(valid[0][best], valid[1][best], "o", color=PREDICTED, markersize=8)
    best_said = f"best: {valid[1][best]:.2f} at step {valid[0][best]:.0f}"
    above = {"textcoords": "offset points", "ha": "center", "va": "bottom", "color": PREDICTED}
    axes.annotate(best_said, (valid[0][best], valid[1][best]), (0, 12), **above)
    margin = max(0.1 * (high - low), 1e-3 * abs(high), 1e-6)
    axes.set(xlabel="step", ylabel=unit, ylim=(low - margin, high + margin), xlim=(0, 1.22 * end))
    axes.set_title(textwrap.fill(subtitle, 90), loc="left")
    if train.size:
        axes.text(1.01 * end, train[1][-max(1, len(train[1]) // 20) :].mean(), "training", color=SEEN, va="center")
    axes.text(1.01 * end, valid[1][-1], "held out", color=PREDICTED, va="center")
    for name, value in base.items():
        if np.isfinite(value) and value <= high:
            axes.axhline(value, color=FAINT, linewidth=1, linestyle="--")
            axes.text(1.22 * end, value, name, color=FAINT, ha="right", va="bottom")
    for text in axes.texts:
        text.set_in_layout(False)  # one near the frame would leave no room for the curves
    return finish(figure, f"best {valid[1][best]:.4g} {unit} at step {valid[0][best]:.0f}")
