"""What comes from outside steers no terminal: names of files and runs, the alphabet of a run, messages of exceptions."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from bad_input import TEXT, write_folder

import arjax.runs.checkpoints
from arjax.__main__ import main
from arjax.errors import KEPT, one_line_errors, printable

# Colours, a bell, the other introducer of sequences, text from right to left, a break; and what rich takes for its own.
SEQUENCES = "\x1b[31m\x07\x9b2J\u202e\r\n"
NAME = f"x[red]y[bold]:heart:$a_${SEQUENCES}"
# Where checkpoints are written, orbax allows no brackets.
HELD = f"letters{SEQUENCES}:heart:".replace("[", "]")
LETTERS = "".join(sorted("\n\r\x07\x1b\x9b\u202eab"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of bad_input.py, with a run and configs of hostile names, and one of a hostile alphabet."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_folder()
        shutil.copytree("run", NAME)
        shutil.copy("tiny.py", f"{NAME}.py")
        Path("letters.txt").write_text(LETTERS * 60, newline="")
        hostile = TEXT.replace("text.txt", "letters.txt").replace(r'"\n dehlorw"', repr(LETTERS)).replace("(9)", "(8)")
        Path(f"letters{NAME}.py").write_text(hostile)
        np.save("x[red]y.npy", np.ones((4, 4), np.uint8))
        Path(f"{NAME}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


TRAINED = [
    ["train", f"letters{NAME}.py", "--run", HELD],
    ["sample", HELD, "--samples", "8"],
    ["sample", HELD, "--prompt", LETTERS[0], "--tokens", "7"],
    ["complete", HELD, "--examples", "1"],
]


@pytest.mark.parametrize(
    ("commands", "status"),
    [
        pytest.param(TRAINED, 0, marks=pytest.mark.slow),  # it compiles a step
        ([["evaluate", NAME, "--png", f"{NAME}.picture.png"]], 0),
        ([["evaluate", "run", "--other-run", NAME]], 0),
        ([["sample", NAME, "--samples", "1"]], 0),
        ([["compress", NAME, "x[red]y.npy", "-o", f"{NAME}.arj"], ["decompress", NAME, f"{NAME}.arj", "-o", NAME]], 0),
        ([["compress", NAME, f"{NAME}.png", "-o", f"{NAME}.arj"]], 2),
        ([["compare", f"{NAME}.py", "--seconds", "nan"]], 2),
        ([["compare", f"nowhere{NAME}.py"]], 2),
        ([["bench", f"nowhere{NAME}.py"]], 2),
        ([["train", f"nowhere{NAME}.py"]], 2),
        ([["train", f"{NAME}.py", "--run", f"{NAME}.png"]], 2),
        ([["train", f"{NAME}.py", f"--{NAME}"]], 2),
        ([["train", f"{NAME}.py"]], 2),
        ([["figures", "attention", "--run", NAME]], 2),
        ([["complete", NAME, "--image", f"{NAME}.png"]], 2),
        ([["complete", NAME, "--image", f"nowhere{NAME}.png"]], 2),
        ([["evaluate", "run", f"--{NAME}"]], 2),
        ([["evaluate", "run", "--split", NAME]], 2),
        ([[NAME]], 2),
    ],
    ids=lambda value: printable(" ".join(value[0])).replace(printable(NAME), "NAME") if isinstance(value, list) else "",
)
def test_main_prints_nothing_that_steers_a_terminal(commands, status, folder, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    for argv in commands:
        steers_nothing(argv, status, capfd)


def steers_nothing(argv, status, capfd):
    try:
        code = main(argv)
    except SystemExit as end:
        code = end.code
    out, err = capfd.readouterr()
    assert ((code or 0), bool(out), bool(err)) == (status, not status, bool(status)), err
    assert {c for c in out + err if not c.isprintable()} <= set(KEPT)
    # A table folds what is long. What rich would take for markup is there.
    shown = "".join(out.split()).replace("│", "")
    assert status or any("".join(printable(name).split()) in shown for name in argv[1:] if not name.isprintable())
    assert err.count("\n") == 1 or not err.startswith("error: ")


def test_one_line_errors_shows_the_traceback_of_a_bug_without_what_steers(capsys, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    with pytest.raises(KeyError) as error, one_line_errors():
        raise KeyError(f"a{SEQUENCES}b") from ValueError(f"c{SEQUENCES}d")
    sys.excepthook(error.type, error.value, error.tb)
    err = capsys.readouterr().err
    assert err.startswith("ValueError: c\\x1b[31m\\x07\\x9b2J\\u202e\\r\n")
    assert {c for c in err if not c.isprintable()} == {"\n"}


def test_load_warns_of_a_damaged_checkpoint_without_what_steers(folder, monkeypatch):
    monkeypatch.chdir(folder)
    found = arjax.runs.checkpoints.restore_best
    monkeypatch.setattr("arjax.runs.load.restore_best", lambda *given: found(*given)._replace(damaged=(7,)))
    with pytest.warns(UserWarning, match="checkpoint 7 in x") as warned:
        arjax.load(NAME)
    assert all(str(warning.message).isprintable() for warning in warned)
