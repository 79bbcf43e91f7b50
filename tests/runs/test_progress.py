"""What a person sees of a run as it goes, on terminals of any width."""

import io

import pytest
from rich.console import Console

from arjax.runs import progress
from arjax.runs.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def running(clock, last=100_000):
    shown = Progress(0, last)
    shown.now("training")
    clock[0] += 600
    shown.step = 50_000
    shown.train(50_000, "2.6891 bits/char", "8123 examples/s", "119.2 nats, 1.8636 nats/char = 2.6891 bits/char")
    return shown


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_progress_never_cuts_the_steps_whatever_the_width(clock, width):
    shown = running(clock)
    for state in ("compiling (first start only)", "training", "validating", "saving", "sampling", "testing"):
        shown.now(state)
        line = shown.line(width)
        assert len(line) <= width
        assert "50000/100000" in line
        assert (state in line) == (width >= len(state) + 14)


def test_progress_leaves_out_the_bar_first_then_the_rate_and_the_time_left(clock):
    shown = running(clock)
    assert shown.line(60) == "training  50000/100000  2.6891 bits/char  0:10:00 left"
    assert shown.line(80).startswith("training  50000/100000  2.6891 bits/char  8123 examples/s  0:10:00 left")
    assert shown.line(40) == "training  50000/100000  2.6891 bits/char"
    bar = shown.line(120).split("  ")[1]
    assert set(bar) == {"━", "─"}
    assert abs(bar.count("━") - bar.count("─")) <= 1
    assert len(shown.line(120)) == 120


def test_progress_counts_all_that_training_takes_into_the_time_left(clock):
    shown = running(clock)
    shown.now("validating")
    clock[0] += 600
    assert shown.left == 1200


def test_progress_is_one_line_on_a_terminal_and_notes_stay_above_it(monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr("rich.console.Console", lambda **_: Console(file=written, force_terminal=True, width=60, highlight=False))
    with Progress(0, 4) as shown:
        shown.now("compiling (first start only)")
        shown.note("a note")
        shown.now("training")
        shown.step = 4
        shown.train(4, "0.5 bits/dim", "7 examples/s", "all of it")
    assert "a note" in written.getvalue()
    assert "compiling (first start only)" in written.getvalue()
    assert "  4/4  0.5 bits/dim  7 examples/s\n" in written.getvalue()
    assert "all of it" not in written.getvalue()
