"""What reading a file may take is bounded, by a limit on the memory of a process of its own (see hostile_files.py)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_files import HONEST, HOSTILE

HERE = Path(__file__).parent


@pytest.mark.skipif(sys.platform != "linux", reason="how much memory a process has is read from /proc")
def test_what_reading_takes_is_bounded_and_empty_promises_are_refused_in_one_line():
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    run = subprocess.run(
        [sys.executable, HERE / "hostile_files.py"],
        env=os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    endings = dict(map(json.loads, run.stdout.splitlines()))
    assert endings.pop("the limit itself") == "failed: MemoryError"  # so it can fail
    # A strip is no fault: it has a curve like any other shape, and is no reason to draw the whole square around it.
    assert endings.pop("run.json of a strip along a curve") == "read"
    # Nor are many examples: their memory is taken as they are decoded, by a model that has their shape.
    assert endings.pop("stream of 2^31 examples") == "read"
    assert len(endings) == len(HOSTILE) - 2 + len(HONEST)
    for name, ending in endings.items():
        assert "failed" not in ending, name
        assert "MemoryError" not in ending, name
        assert ending != "read" or name not in HOSTILE, name
