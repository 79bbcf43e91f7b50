"""Runs of tables: what the commands draw, hide and fill in goes back to CSV with the same columns."""

import csv
import re

import pytest
from trained import failure, records, words, write_run_of_random_parameters

from arjax.__main__ import main
from arjax.data import TableFile
from arjax.models import MADE
from arjax.orders import AnyOrder

NAMES = ["height", "colour", "stars", "note"]
ROWS = [[f"{150 + i}.{i % 7}", ("red", "green", "blue")[i % 3], str(i % 5), "" if i % 4 else "yes"] for i in range(40)]


def write(path, names, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])


def read(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    write(folder / "mine.csv", NAMES, ROWS)
    data = TableFile(str(folder / "mine.csv")).examined().data
    model = data.model(MADE(hidden=(8,)), head=None, order=AnyOrder(), classes=None)
    write_run_of_random_parameters(folder / "run", data, model)
    (folder / "mine.csv").rename(folder / "moved.csv")  # no command below needs it
    return folder / "run"


def test_sample_writes_rows_of_the_columns(run, capsys):
    out = run.parent / "drawn.csv"
    main(["sample", str(run), "--samples", "5", "--out", str(out)])
    header, *rows = read(out)
    assert header == NAMES
    assert read(run / "samples" / "seed_0.csv") == [header, *rows]
    assert len(rows) == 5
    for height, colour, stars, note in rows:
        assert float(height) == round(float(height), 1)
        assert (colour in ("red", "green", "blue"), stars in "01234", note in ("", "yes")) == (True, True, True)
    assert "5 samples in" in capsys.readouterr().out


def test_complete_fills_in_what_is_missing_of_a_table_and_leaves_the_rest(run, capsys):
    mine = [["7", "", "3", "yes", "ann"], ["", "blue", "", "yes", "bob"], ["151.50", "red", "2", "yes", "eve"]]
    write(run.parent / "gaps.csv", [*NAMES, "who"], mine)
    main(["complete", str(run), "--table", str(run.parent / "gaps.csv"), "--completions", "2"])
    assert "3 missing values of 3 rows, each filled in 2 times, in" in capsys.readouterr().out
    header, *rows = read(run / "samples" / "filled_gaps_0.csv")
    assert header == [*NAMES, "who"]
    for row, given in zip(rows, [row for row in mine for _ in range(2)], strict=True):
        assert all(row)
        assert all(new == old for new, old in zip(row, given, strict=True) if old)
    assert rows[0][1] in ("red", "green", "blue")


@pytest.mark.slow  # 3 s: a program of its own
def test_complete_hides_columns_by_name(run, capsys):
    write(run.parent / "mine.csv", NAMES, ROWS)
    main(["complete", str(run), "--hide", "colour", "note", "--examples", "2", "--completions", "1"])
    (run.parent / "mine.csv").unlink()
    said = capsys.readouterr().out
    assert "2 rows, colour, note hidden, and 1 completions of each in" in said
    assert "-log p(hidden | visible) of the truth" in said
    _, *rows = read(run / "samples" / "complete_colour_note_0.csv")
    for given, drawn in zip(rows[::2], rows[1::2], strict=True):
        assert given == [drawn[0], "_", drawn[2], "_"]


def test_data_shows_each_column(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine.csv", NAMES, ROWS)
    main(["data", "mine.csv"])
    said = words(capsys)
    assert "height: real, 150.0 to 189.4" in said
    assert "colour: categorical, 3 levels: " in said
    there, gone = map(int, re.search(r"note: categorical, 1 level: yes (\d+); (\d+) missing", said).groups())
    assert there + gone == 32


@pytest.mark.slow  # 8 s: my_table from the path alone to rows
def test_my_table_trains_on_a_file_and_beats_independent_columns(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # The note says what the height is, so that a net has something to learn.
    write(tmp_path / "mine.csv", NAMES, [[*row[:3], "tall" if i % 40 > 19 else ""] for i, row in enumerate(ROWS * 4)])
    flags = ("--model.net.net.hidden", "64", "--steps", "200", "--eval-every", "100", "--samples", "5", "--ema", "0.9")
    main(["train", "my_table", "--data.path", "mine.csv", "--data.drop", "stars", *flags])
    assert "missing values, in 1 of 3 columns" in capsys.readouterr().out
    header, *rows = read(tmp_path / "runs" / "my_table" / "samples" / "00000200.csv")
    assert (header, len(rows)) == (["height", "colour", "note"], 5)
    test = records(tmp_path / "runs" / "my_table")[-1]
    assert test["nats"] < test["baselines"]["independent columns"] - 0.1


BAD = {
    "--hide color": "the run has no column 'color'; its columns are height, colour, stars, note",
    "--hide colour --mask left": "--hide, --mask and --table each choose what is hidden; give one of them",
    "--table whole.csv": "has no missing value in the columns of the run; leave cells empty",
    "--table other.csv": "has no column 'colour', which the run models",
    "--table strange.csv": "the categorical column 'colour' has the cell 'pink', which it did not have when it was first read",
    "--table whole.csv --examples 3": "--table gives the rows and the hidden cells; leave out --mask and --examples",
    "--image x.png": "models rows; leave it out",
}


@pytest.mark.parametrize("flags", BAD)
def test_complete_refuses_what_a_table_has_not(run, flags, capsys, monkeypatch):
    monkeypatch.chdir(run.parent)
    write(run.parent / "whole.csv", NAMES, [["1", "red", "1", "yes"]])
    write(run.parent / "other.csv", ["height"], [["1"]])
    write(run.parent / "strange.csv", NAMES, [["", "pink", "1", "yes"]])
    assert BAD[flags] in failure(capsys, "complete", run, *flags.split())


def test_sample_refuses_csv_of_what_is_no_table(runs, capsys):
    assert "models images, not of a table; choose .npz" in failure(
        capsys, "sample", runs("digits"), "--samples", "1", "--out", "x.csv"
    )
