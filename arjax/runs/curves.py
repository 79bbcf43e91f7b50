"""Curves of training, in the unit in which people compare such results.

The axis fits the later part of a run, because the first records are far above all others. Values outside the axis are labelled
at its edge.
"""

import textwrap
from typing import NamedTuple

import numpy as np

from arjax.pictures import as_png, new_figure
from arjax.runs.metrics import baselines_in, best_of, in_digits, is_finite, natural_unit

# The fraction of a run's first records that does not decide the axis, and how far above the others it must be to be left out.
_BEGINNING, _FAR = 0.2, 1.5


class Curve(NamedTuple):
    """The validations of a run: its label, steps [N] and values [N], and the index of the best."""

    label: str
    steps: np.ndarray
    values: np.ndarray
    best: int


def loss_picture(experiment, records: list[dict], title: str = "") -> bytes:
    """Draws training and validation against the step as a PNG, with the best validation, the baselines, and the learning rate
    below. records: as in metrics.jsonl."""
    unit, number = natural_unit(experiment, records)
    measure, trained = experiment.task.measure, [record for record in records if record["split"] == "train"]
    rates = [(record["step"], record["learning_rate"]) for record in trained if is_finite(record.get("learning_rate"))]
    heights = {"height_ratios": [5, 1]} if rates else {}
    figure, panels = new_figure(title, 1 + bool(rates), 1, size=(8, 5.2), squeeze=False, sharex=True, **heights)
    axes = panels[0, 0]
    lines = []
    for split, color, width in (("train", "tab:blue", 0.9), ("valid", "tab:orange", 1.5)):
        points = [(record["step"], number(record)) for record in records if record["split"] == split]
        if points:
            steps, values = np.array(points, float).T
            axes.plot(steps, values, color=color, linewidth=width, marker="." if len(points) < 40 else None)
            lines.append((split, color, steps, values))
    labels = {split: (split, color, values[-1]) for split, color, _, values in lines}
    marks = {"best": best_of(records, measure), "test": next((r for r in reversed(records) if r["split"] == "test"), None)}
    for (name, record), (marker, color) in zip(marks.items(), (("o", "tab:orange"), ("D", "tab:red")), strict=True):
        if record is None:
            continue
        step, value = record["step"], number(record)
        axes.plot(step, value, marker, color=color, markeredgecolor="black", markersize=7, zorder=3)
        axes.axvline(step, color="0.85", linewidth=0.8, zorder=0)
        labels[name] = (f"{name if name == 'test' else 'best valid'}: {in_digits(value)} at step {step}", color, value)
        lines.append((name, color, np.array([step]), np.array([value])))
    if "best" in labels and labels["best"][2] == labels["valid"][2]:
        del labels["valid"]
    _finish(axes, unit, lines, list(labels.values()), baselines_in(number, records, measure))
    if rates:
        panels[1, 0].plot(*np.array(rates).T, color="0.4", linewidth=1)
        panels[1, 0].set_ylabel("learning rate", fontsize=8)
        panels[1, 0].set_ylim(0, None)
        panels[1, 0].tick_params(labelsize=8)
    panels[-1, 0].set_xlabel("step")
    return as_png(figure)


def curve_of(experiment, records: list[dict], label: str, number) -> Curve | None:
    """Returns the validations of a run in the unit of `number`; None before the first."""
    valid = [record for record in records if record["split"] == "valid"]
    if not valid:
        return None
    best = valid.index(best_of(records, experiment.task.measure))
    return Curve(label, np.array([r["step"] for r in valid], float), np.array([number(r) for r in valid], float), best)


def runs_picture(curves: list[Curve], unit: str, baselines: dict[str, float], title: str = "") -> bytes:
    """Draws the validations of several runs against the step as a PNG, each with its label at its end and its best step marked,
    and the baselines."""
    figure, axes = new_figure(title, size=(9.5, max(5.2, 0.34 * (len(curves) + len(baselines)))))
    lines, labels = [], []
    for i, curve in enumerate(curves):
        color = f"C{i % 10}"
        style = ("-", "--", ":")[i // 10 % 3]
        axes.plot(curve.steps, curve.values, style, color=color, linewidth=1.4, marker="." if len(curve.steps) < 40 else None)
        axes.plot(curve.steps[curve.best], curve.values[curve.best], "o", color=color, markeredgecolor="black", markersize=7)
        lines.append((curve.label, color, curve.steps, curve.values))
        labels.append((f"{in_digits(curve.values[curve.best])}  {curve.label}", color, curve.values[-1]))
    _finish(axes, unit, lines, labels, baselines)
    axes.set_xlabel("step; a ring marks the best validation, whose value is written")
    return as_png(figure)


def _finish(axes, unit, lines, labels, baselines) -> None:
    """The axis, values outside it, the baselines, and a label at the end of each line."""
    if not lines:
        return
    low, high = _limits([values for *_, values in lines], list(baselines.values()))
    axes.set(ylabel=unit, ylim=(low, high))
    axes.grid(alpha=0.3)
    axes.margins(x=0.02)
    outside = [f"{name}: {in_digits(values.max())} at step {steps[values.argmax()]:.0f}" for name, _, steps, values in lines
               if values.max() > high]  # fmt: skip
    for name, value in baselines.items():
        if value > high:
            outside.append(f"{name}: {in_digits(value)}")
        else:
            axes.axhline(value, color="0.45", linewidth=1, linestyle="--", zorder=1)
            labels = [*labels, (f"{name}: {in_digits(value)}", "0.35", value)]
    if outside:
        shown = [*outside[:5], *([f"and {len(outside) - 5} more"] if len(outside) > 5 else [])]
        said = "\n".join(["\N{BLACK UP-POINTING TRIANGLE} above:", *shown])
        axes.text(0.99, 0.98, said, transform=axes.transAxes, ha="right", va="top", fontsize=7, parse_math=False,
                  bbox={"color": "white", "alpha": 0.8})  # fmt: skip
    _label(axes, labels)


def _limits(lines: list[np.ndarray], baselines: list[float]) -> tuple[float, float]:
    """The axis that shows all lines after their beginning; the beginning and the baselines if they are not far off."""
    low = min([*(values.min() for values in lines), *baselines])
    high = max(values[int(_BEGINNING * len(values)) :].max() for values in lines)
    span = max(high - low, 1e-3 * abs(high), 1e-9)
    near = [value for value in (*baselines, *(values.max() for values in lines)) if value <= high + _FAR * span]
    high = max([high, *near])
    margin = 0.06 * max(high - low, span)
    return low - margin, high + margin


def _label(axes, labels) -> None:
    """Names on the right, each at the height of its value, moved apart where they would touch."""
    low, high = axes.get_ylim()
    wrapped = [
        (textwrap.fill(name, 40), color, (np.clip(value, low, high) - low) / (high - low)) for name, color, value in labels
    ]
    wrapped.sort(key=lambda label: label[2])
    inches = axes.figure.get_figheight() * axes.get_subplotspec().get_position(axes.figure).height
    line = 0.145 / inches  # of 8 points, as a part of the axis
    places, floor = [], -0.05
    for name, _, at in wrapped:
        half = line * (name.count("\n") + 1.3) / 2
        places.append(max(at, floor + half))
        floor = places[-1] + half
    # What was pushed out at the top goes down again.
    ceiling = 1.05
    for i in reversed(range(len(places))):
        half = line * (wrapped[i][0].count("\n") + 1.3) / 2
        places[i] = min(places[i], ceiling - half)
        ceiling = places[i] - half
    for (name, color, at), place in zip(wrapped, places, strict=True):
        axes.annotate(
            name, (1.0, at), (1.03, place), "axes fraction", "axes fraction", color=color, fontsize=8, va="center",
            annotation_clip=False, parse_math=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "relpos": (0, 0.5)},
        )  # fmt: skip
