"""metrics.jsonl: one JSON object a line, the history of a run; and the same scalars, and its samples, for TensorBoard."""

import contextlib
import json
import math
import os
import textwrap
from pathlib import Path

import numpy as np
from tensorboardX import summary

from arjax.errors import InputError
from arjax.runs.board import Board

# What every record has besides its score: the step, what was scored, and the seconds the run had taken.
_FIELDS = {"step": int, "split": str, "seconds": int | float}


def read_metrics(path: Path, measure: str = "nats") -> list[dict]:
    """The records of metrics.jsonl, [] if there is no such file. Every one has the fields of every record and the score that the
    task calls `measure`. A last line that was cut short is left out; InputError for any other line that is no record."""
    if not path.exists():
        return []
    records, fields = [], _FIELDS | {measure: int | float}
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines, 1):
        record = _record(line, fields)
        if record is None:
            if number == len(lines):
                break
            start = line.strip()[:60].decode(errors="replace")
            raise InputError(f"{path} line {number} is no record with {', '.join(fields)}: {start!r}; mend or delete it")
        records.append(record)
    return records


def _record(line: bytes, fields: dict) -> dict | None:
    """The JSON object with these fields, their numbers finite as all that is ever written; None if it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # ValueError: no JSON, no Unicode, or an integer of thousands of digits
        return None
    if not (isinstance(record, dict) and all(isinstance(record.get(name), kind) for name, kind in fields.items())):
        return None
    numbers = [record[name] for name in fields if not isinstance(record[name], str)]
    # Of integers, those that a float holds.
    return record if all(abs(number) < 2**1023 and math.isfinite(number) for number in numbers) else None


class Metrics:
    """The open metrics of a run, whose score is called `measure`. One that goes on from `step` forgets what an earlier attempt
    wrote beyond it."""

    def __init__(self, run: Path, step: int, measure: str = "nats"):
        self.path = run / "metrics.jsonl"
        self.records = [
            record for record in read_metrics(self.path, measure) if record["step"] <= step and record["split"] != "test"
        ]
        # Written beside and renamed: a crash in between loses nothing.
        beside = self.path.with_suffix(".tmp")
        beside.write_text("".join(json.dumps(record) + "\n" for record in self.records))
        os.replace(beside, self.path)
        with contextlib.ExitStack() as stack:
            self._file = stack.enter_context(self.path.open("a"))
            self._board = stack.enter_context(contextlib.closing(Board(run / "tensorboard", step)))
            self._open = stack.pop_all()

    def write(self, record: dict) -> None:
        """Append one record: `step`, `split`, `seconds` and other numbers."""
        self.records.append(record)
        self._file.write(json.dumps(record, allow_nan=False) + "\n")
        self._file.flush()
        for name, value in record.items():
            if name not in ("step", "split", "lossy") and isinstance(value, int | float):
                self._board.add(summary.scalar(f"{record['split']}/{name}", value), record["step"])

    def image(self, name: str, image: np.ndarray, step: int) -> None:
        """Show uint8 [h, w, 3] in TensorBoard."""
        self._board.add(summary.image(name, image, dataformats="HWC"), step)

    def audio(self, name: str, waveform: np.ndarray, sample_rate: int, step: int) -> None:
        """Offer a waveform [T] in [-1, 1] to be heard in TensorBoard."""
        self._board.add(summary.audio(name, waveform[:, None], sample_rate), step)

    def text(self, name: str, text: str, step: int) -> None:
        """Show a text in TensorBoard, which would take it for Markdown: as code, so that every character stays as it is."""
        self._board.add(summary.text(name, textwrap.indent(text, "    ", lambda line: True)), step)

    def close(self) -> None:
        self._open.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
