"""Files of benchmark results, and two of them side by side.

    {"format": "arjax-bench-1", "results": {config: {figure: number, words or null}}}

JSON has no NaN: what does not exist, as the work ratio of a net without products, is null.
"""

import json
import math
import os

from arjax.errors import InputError, one_line, printable
from arjax.files import read_file

FORMAT = "arjax-bench-1"
RATES = (
    "train_examples_per_second",
    "log_prob_examples_per_second",
    "samples_per_second_cached",
    "samples_per_second_naive",
)
RATIOS = ("work_ratio", "time_ratio", "train_flops_utilisation", "sample_bandwidth_utilisation")


def as_json(results: dict[str, dict]) -> str:
    """Writes the figures of each config as the text of a file."""
    return json.dumps({"format": FORMAT, "results": {name: without_nan(figures) for name, figures in results.items()}}, indent=2)


def without_nan(figures: dict) -> dict:
    """Returns the figures, with None where one is NaN."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in figures.items()}


def read_results(path: str | os.PathLike) -> dict[str, dict]:
    """Reads the figures of each config. InputError if the file holds none."""
    content = read_file(path)
    try:
        content = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({one_line(error)}); give a file that bench --json wrote") from error
    results = content.get("results") if isinstance(content, dict) and content.get("format") == FORMAT else None
    if not isinstance(results, dict) or not all(isinstance(figures, dict) for figures in results.values()):
        raise InputError(f"{path} holds no results of format {FORMAT}; give a file that bench --json wrote")
    return results


def overview(results: dict[str, dict]) -> str:
    """Writes a Markdown table: the figures of every config in a row, three digits of each; a dash where one does not exist."""
    figures = ("parameters", "sites", "train_batch", *RATES[:3], *RATIOS)
    heads = [name.replace("_per_second", "/s").replace("_", " ") for name in figures]
    return table(
        ["config", *heads], [[config, *(rounded(found.get(name)) for name in figures)] for config, found in results.items()]
    )


def ratios(old: dict[str, dict], new: dict[str, dict]) -> str:
    """Writes a Markdown table: of every config in both, each rate of the new results over that of the old; above 1 the new is
    faster. InputError where no config is in both."""
    both = [name for name in new if name in old]
    if not both:
        raise InputError(f"the two files have no config in common: {', '.join(old)} and {', '.join(new)}; bench the same ones")
    devices = {str(results[name].get("device")) for results in (old, new) for name in both}
    heads = [name.replace("_per_second", "").replace("_", " ") for name in RATES]
    rows = []
    for name in both:
        cells = [_ratio(old[name].get(rate), new[name].get(rate)) for rate in RATES]
        settings = [str(figures.get("batch")) for figures in (old[name], new[name])]
        differs = "" if settings[0] == settings[1] else f" (batch {settings[1]} / {settings[0]})"
        rows.append([f"{name}{differs}", *cells])
    text = table(["new / old", *heads], rows)
    return text if len(devices) == 1 else f"{text}\n\nNot the same device: {'; '.join(sorted(devices))}."


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Writes the cells as a table in Markdown, one column below the other."""
    lines = [[printable(cell) for cell in cells] for cells in [heads, *rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(map(str.ljust, cells, widths))} |" for cells in lines)


def _ratio(old, new) -> str:
    numbers = all(isinstance(value, int | float) and value > 0 for value in (old, new))
    return f"{new / old:.2f}" if numbers else "-"


def rounded(value) -> str:
    """Writes a figure with three digits, or a dash where there is none."""
    if not isinstance(value, int | float) or math.isnan(value):
        return "-"
    return f"{value:,.0f}" if isinstance(value, int) or value >= 100 else f"{value:.3g}"
