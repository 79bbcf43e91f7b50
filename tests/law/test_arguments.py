"""Odd arguments are refused in one line: the rule, the value, the remedy."""

import subprocess
import sys
from pathlib import Path


def test_arguments_of_another_type_are_refused_in_one_line():
    script = Path(__file__).parents[1] / "odd_arguments.py"
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=script.parents[1])
    assert run.stdout + run.stderr == ""
