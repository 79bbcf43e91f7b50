"""Two processes that train together: where one is lost the other stops; both start again and end the same."""

import contextlib
import signal
import socket
import time

import pytest
from processes import assert_same, ended, more, progress, started, wait_until

pytestmark = pytest.mark.slow
# Longer than it takes to notice that the other is gone.
SOON = 60


def free_port():
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def together(folder):
    """Both processes of the run in `folder`, with four devices each."""
    join = ("--hosts.coordinator", f"localhost:{free_port()}", "--hosts.processes", 2, "--hosts.process")
    options = {"devices": 4, "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo"}
    with started(folder, *join, 0, name="zero", **options) as zero, started(folder, *join, 1, name="one", **options) as one:
        yield zero, one


def told(out):
    """The lines of stdout that are train.py's own: the library by which the processes talk prints there too, in pieces."""
    starts = ("digits 8x8", "memory of a step", "continuing", "step ", "interrupted", "╭", "│")
    return [line for line in out.splitlines() if line.startswith(starts)]


def assert_both_finish(folder, *, continuing):
    with together(folder) as both:
        zero, one = map(ended, both)
    assert (zero.code, one.code) == (0, 0), (zero, one)
    assert told(one.out) == []
    assert any(line.startswith("continuing from step ") for line in told(zero.out)) == continuing


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    assert_both_finish(folder, continuing=False)
    return folder


@pytest.mark.parametrize("lost", [1, more(0)])
def test_where_one_process_is_killed_the_other_stops_and_both_start_again(undisturbed, tmp_path, lost):
    with together(tmp_path) as both:
        wait_until(both[0], lambda: progress(both[0]) >= 6)
        both[lost].process.kill()
        began = time.monotonic()
        left = both[1 - lost]
        code = ended(left, SOON).code
        print(f"process {1 - lost} ended with {code} after {time.monotonic() - began:.0f} s")
        assert code != 0
        assert left.err  # JAX's own message
    assert_both_finish(tmp_path, continuing=True)
    assert_same(tmp_path, undisturbed)


@pytest.mark.parametrize("told_one", [more(0), 1])
def test_a_signal_to_one_process_stops_both_after_the_same_step(undisturbed, tmp_path, told_one):
    with together(tmp_path) as both:
        wait_until(both[0], lambda: progress(both[0]) >= 4)
        both[told_one].process.send_signal(signal.SIGTERM)
        zero, one = map(ended, both)
    assert (zero.code, one.code) == (143, 143), (zero, one)
    assert told(zero.out)[-1].startswith("interrupted and saved at step ")
    assert told(one.out) == []
    assert_both_finish(tmp_path, continuing=True)
    assert_same(tmp_path, undisturbed)
