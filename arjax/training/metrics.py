"""metrics.jsonl: one JSON object a line, the history of a run; and the same scalars, and its samples, for TensorBoard."""

import json
import os
import textwrap
from pathlib import Path

import numpy as np
from tensorboardX import SummaryWriter

# What every record has besides its score: the step, what was scored, and the seconds the run had taken.
_FIELDS = {"step": int, "split": str, "seconds": int | float}


def read_metrics(path: Path, measure: str = "nats") -> list[dict]:
    """The records of metrics.jsonl, [] if there is no such file. Every one has the fields of every record and the score that the
    task calls `measure`. A last line that was cut short is left out; ValueError for any other line that is no record."""
    if not path.exists():
        return []
    records, fields = [], _FIELDS | {measure: int | float}
    lines = path.read_text(errors="replace").splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not (isinstance(record, dict) and all(isinstance(record.get(name), kind) for name, kind in fields.items())):
            if number == len(lines):
                break
            raise ValueError(
                f"{path} line {number} is no record with {', '.join(fields)}: {line.strip()[:60]!r}; mend or delete it"
            )
        records.append(record)
    return records


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
        self._file = self.path.open("a")
        self._board = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)

    def write(self, record: dict) -> None:
        """Append one record: `step`, `split`, `seconds` and other numbers."""
        self.records.append(record)
        self._file.write(json.dumps(record, allow_nan=False) + "\n")
        self._file.flush()
        for name, value in record.items():
            if name not in ("step", "split", "lossy") and isinstance(value, int | float):
                self._board.add_scalar(f"{record['split']}/{name}", value, record["step"])

    def image(self, name: str, image: np.ndarray, step: int) -> None:
        """Show uint8 [h, w, 3] in TensorBoard."""
        self._board.add_image(name, image, step, dataformats="HWC")

    def audio(self, name: str, waveform: np.ndarray, sample_rate: int, step: int) -> None:
        """Offer a waveform [T] in [-1, 1] to be heard in TensorBoard."""
        self._board.add_audio(name, waveform[:, None], step, sample_rate)

    def text(self, name: str, text: str, step: int) -> None:
        """Show a text in TensorBoard, which would take it for Markdown: as code, so that every character stays as it is."""
        self._board.add_text(name, textwrap.indent(text, "    ", lambda line: True), step)

    def close(self) -> None:
        self._file.close()
        self._board.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
