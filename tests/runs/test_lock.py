import os
import signal
import subprocess
import sys

import pytest

from arjax.runs.directory import alone_in

HOLD = """
import sys, time
from pathlib import Path
from arjax.runs.directory import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_directory_is_held_by_one_process_until_that_ends_however_it_does(tmp_path):
    run = tmp_path / "runs" / "one"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(run)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(ValueError, match=rf"is being written by process {holder.pid} on .*; wait for it, or") as error,
            alone_in(run),
        ):
            pass
        assert "\n" not in str(error.value)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with alone_in(run):
            assert f"process {os.getpid()} " in (run / ".lock").read_text()
    with alone_in(run):
        pass
