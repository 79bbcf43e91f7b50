"""Damaged and hostile files: whatever the bytes, a reader gives something back or refuses in one line, in time.

The suites try the same files each time, `make test-slow` more of them; ARJAX_FUZZ_EXAMPLES=n tries as many as one likes, and
others each time.
"""

import copy
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import READERS, Hang, Reader, outcome

# Those whose files are JSON, whose structure is edited too.
JSON = tuple(name for name, reader in READERS.items() if reader.valid[:1] == b"{" and name not in ("npy header", "metrics.jsonl"))
QUICK = int(os.environ.get("ARJAX_FUZZ_EXAMPLES", "100"))
# A deadline of hypothesis would count what a busy machine does besides; `outcome` has its own.
few = settings(max_examples=QUICK, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
many = settings(few, max_examples=2 * QUICK, derandomize="ARJAX_FUZZ_EXAMPLES" not in os.environ)

EXTREMES = [b"\0" * 4, b"\xff" * 4, b"\xff" * 8, b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"\xff" * 7 + b"\x7f"]


@st.composite
def damaged(draw, valid: bytes) -> bytes:
    """The valid bytes after one to three accidents, or attacks."""
    content = valid
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 1 + len(content) // 2)))
        kind = draw(st.sampled_from(["flip", "cut", "remove", "repeat", "splice", "extreme"]))
        if kind == "flip" and start < len(content):
            flipped = content[start] ^ draw(st.integers(1, 255))
            content = content[:start] + bytes([flipped]) + content[start + 1 :]
        elif kind == "cut":
            content = content[:start]
        elif kind == "remove":
            content = content[:start] + content[end:]
        elif kind == "repeat":
            content = content[:end] + content[start:]
        elif kind == "splice":
            content = content[:start] + draw(st.binary(max_size=16)) + content[start:]
        elif kind == "extreme":
            extreme = draw(st.sampled_from(EXTREMES))
            content = content[:start] + extreme + content[start + len(extreme) :]
    return content


# What stands in for lists in lists, so deep that they could be neither searched nor written.
DEEP = ("@45", "@200", "@900", "@100000")
HOSTILE = st.one_of(
    st.sampled_from(
        [
            None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, -(2**63), 10**30, 10**400, 1e308, float("nan"), float("inf"), 0.5,
            "", "\ud800", "\0", "\n", "x" * 5000, "../../x", "/dev/zero", "arjax.", "arjax..x:Y", "arjax.data.npz:Npz",
            [], {}, [[]], {"class": "arjax.data.npz:Npz"}, {"class": "arjax.orders:Raster"}, [2**31, 2**31], [0, 2**63],
            *DEEP,
        ]
    ),
    st.integers(), st.text(max_size=8), st.lists(st.integers(-2, 5), max_size=3),
)  # fmt: skip


def places(data, at=()):
    """The paths of all values of a JSON document."""
    yield at
    if isinstance(data, dict | list):
        for key in data if isinstance(data, dict) else range(len(data)):
            yield from places(data[key], (*at, key))


@st.composite
def edited(draw, valid: bytes) -> bytes:
    """The valid JSON with one to three values replaced, left out, moved or named twice."""
    data = json.loads(valid)
    for _ in range(draw(st.integers(1, 3))):
        if not (anywhere := list(places(data))[1:]):
            break
        *parents, name = draw(st.sampled_from(anywhere))
        part = data
        for parent in parents:
            part = part[parent]
        kind = draw(st.sampled_from(["replace", "replace", "remove", "move", "rename", "twice"]))
        if kind == "replace":
            part[name] = draw(HOSTILE)
        elif kind == "remove":
            del part[name]
        elif kind == "move":
            moved = data
            for step in draw(st.sampled_from(anywhere)):
                moved = moved[step]
            part[name] = copy.deepcopy(moved)
        elif isinstance(part, dict) and kind == "rename":
            part[draw(st.text(max_size=6))] = part.pop(name)
        elif isinstance(part, dict):
            part[f"{name}\N{REPLACEMENT CHARACTER}"] = draw(HOSTILE)  # becomes the same name below
    text = json.dumps(data).replace("\\ufffd", "")
    for deep in DEEP:
        text = text.replace(f'"{deep}"', "[" * int(deep[1:]) + "]" * int(deep[1:]))
    return text.encode()


def holds(name: str, data) -> None:
    """Draws a file and reads it."""
    valid = READERS[name].valid
    kinds = [damaged(valid), st.binary(max_size=300), *([edited(valid)] if name in JSON else [])]
    content = data.draw(st.one_of(kinds))
    with tempfile.TemporaryDirectory() as folder:
        outcome(READERS[name], content, Path(folder))


@pytest.mark.parametrize("name", READERS)
@few
@given(st.data())
def test_any_file_is_read_or_refused_in_one_line(name, data):
    holds(name, data)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
@many
@given(st.data())
def test_many_more_files_are_read_or_refused_in_one_line(name, data):
    holds(name, data)


@pytest.mark.parametrize("name", READERS)
def test_a_valid_file_is_read(name, tmp_path):
    refusal = outcome(READERS[name], READERS[name].valid, tmp_path)
    # The recordings of spoken digits have a known sum, which no small file has.
    assert refusal is None or (name == "fsdd" and "other samples" in refusal)


@pytest.mark.parametrize("fault", [RuntimeError("x"), MemoryError(), ValueError("two\nlines"), ValueError("\x1b[31m"), Hang()])
def test_any_other_end_is_a_failure(fault, tmp_path):
    def read(content, folder):
        raise fault

    with pytest.raises((RuntimeError, MemoryError, ValueError, Hang)):
        outcome(Reader(b"", read), b"", tmp_path)


def test_a_reader_that_does_not_end_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr("readers.SECONDS", 0.2)

    def read(content, folder):
        while True:
            pass

    with pytest.raises(Hang):
        outcome(Reader(b"", read), b"", tmp_path)
