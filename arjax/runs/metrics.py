"""metrics.jsonl: the records of a run, one JSON object a line, read back; and the unit in which a person reads them."""

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path

from arjax.errors import InputError, printable
from arjax.files import read_file, write_whole

# Fields of every record besides its score: the step, the split, and the seconds of the run.
_FIELDS = {"step": int, "split": str, "seconds": int | float}
# The most baselines that are drawn; a foreign file may name any number.
_MOST = 8


def read_metrics(path: Path, measure: str = "nats") -> list[dict]:
    """Reads the records of metrics.jsonl, [] if there is no such file.

    measure: the name of the objective's score, which every record has.

    A last line that was cut short is left out; InputError for any other line that is no record.
    """
    if not path.exists():
        return []
    records, fields = [], _FIELDS | {measure: int | float}
    lines = read_file(path).splitlines()
    for number, line in enumerate(lines, 1):
        record = _record(line, fields)
        if record is None:
            if number == len(lines):
                break
            start = line.strip()[:60].decode(errors="replace")
            raise InputError(f"{path} line {number} is no record with {', '.join(fields)}: {start!r}; mend or delete it")
        records.append(record)
    return records


def forget(path: Path, step: int, measure: str) -> list[dict]:
    """Leaves in metrics.jsonl the records of training and validation until `step`, and returns them."""
    kept = [record for record in read_metrics(path, measure) if record["step"] <= step and record["split"] != "test"]
    write_whole(path, "".join(json.dumps(record) + "\n" for record in kept))
    return kept


def _record(line: bytes, fields: dict) -> dict | None:
    """The JSON object with these fields, their numbers finite as all that is ever written; None if it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # ValueError: no JSON, no Unicode, or an integer of thousands of digits
        return None
    if not (isinstance(record, dict) and all(isinstance(record.get(name), kind) for name, kind in fields.items())):
        return None
    return record if all(is_finite(record[name]) for name in fields if not isinstance(record[name], str)) else None


def is_finite(value) -> bool:
    """Is it a finite number? Of integers, those that a float holds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**1023 and math.isfinite(value)


def in_digits(value: float) -> str:
    """Writes a score with four decimals, or of a small one four digits."""
    return f"{value:.4f}" if abs(value) >= 0.1 else f"{value:.4g}"


def best_of(records: list[dict], measure: str) -> dict | None:
    """Returns the best validation, the latest of equal ones, as for the checkpoint; None before any."""
    valid = [record for record in records if record["split"] == "valid"]
    return min(valid, key=lambda record: (record[measure], -record["step"]), default=None)


def natural_unit(experiment, records: list[dict], nats: bool = False) -> tuple[str, Callable[[dict], float]]:
    """Returns the unit in which people compare such results, and what makes a record a number of it: bits per byte where records
    count the bytes of the original, bits per value where they count values, else what the objective measures.

    Records of training do not count bytes; for these the bytes of a value are those of the last record that does.
    nats: choose nats per example instead, where the objective measures nats.
    """
    measure, medium = experiment.task.measure, experiment.data.medium
    if nats or not all(is_finite(record.get("bits_per_dim")) for record in records):
        return (f"{measure} per example" if measure == "nats" else measure), lambda record: record[measure]
    counts = [record for record in records if is_finite(record.get("bits_per_byte")) and record["bits_per_dim"]]
    if not counts:
        value = "token" if experiment.tokenizer is not None else medium.unit
        lossy = " (lossy)" if any(record.get("lossy") for record in records) else ""
        return f"bits/{value}{lossy}", lambda record: record["bits_per_dim"]
    ratio = counts[-1]["bits_per_byte"] / counts[-1]["bits_per_dim"]
    return (
        "bits/byte",
        lambda record: record["bits_per_byte"] if is_finite(record.get("bits_per_byte")) else record["bits_per_dim"] * ratio,
    )


def baselines_in(unit: Callable[[dict], float], records: list[dict], measure: str) -> dict[str, float]:
    """Returns the baselines, by name, in the unit that `natural_unit` chose; {} before the test."""
    test = next((record for record in reversed(records) if record["split"] == "test"), {})
    found = test.get("baselines")
    if not isinstance(found, dict) or not test[measure]:
        return {}
    shown = itertools.islice(found.items(), _MOST)
    return {printable(name)[:60]: value * unit(test) / test[measure] for name, value in shown if is_finite(value)}
