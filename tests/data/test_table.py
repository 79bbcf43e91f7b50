"""A user's own tables: what their columns are found to be, cells to values and back, and what is refused."""

import gzip
import math

import numpy as np
import pytest
from faults import fault

from arjax.data import TableColumn, TableFile
from arjax.data.table_files import read_cells
from arjax.description import describe, rebuild
from arjax.heads import MISSING, Cell, Law
from arjax.models import MADE, Columns, Transformer
from arjax.orders import AnyOrder, Raster

COLOURS = ("red", "green", "blue")
HEADER = "size,colour,stars,id,note"
ROWS = [f"{0.5 * i:.2f},{COLOURS[i % 3]},{'NA' if i % 4 == 0 else 1 + i % 5},k{i},{'' if i % 2 else 'yes'}" for i in range(40)]


def table(folder, *lines, name="mine.csv"):
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def examined(path, **fields):
    return TableFile(str(path), **fields).examined()


@pytest.fixture
def mine(tmp_path):
    return table(tmp_path, HEADER, *ROWS)


def test_examined_finds_what_the_columns_are_and_says_what_it_leaves_out(mine):
    data, notes = examined(mine)
    train = data.load().train.x[:, 0]
    size, colour, stars, note = data.columns
    assert (size.name, size.kind, size.decimals, size.missing) == ("size", "real", 1, False)
    np.testing.assert_allclose([size.location, size.scale], [train.mean(), train.std()], rtol=1e-6)
    assert colour == TableColumn("colour", "categorical", ("blue", "green", "red"))
    assert stars == TableColumn("stars", "ordered", ("1", "2", "3", "4", "5"), missing=True)
    assert note == TableColumn("note", "categorical", ("yes",), missing=True)
    left_out, gaps = notes
    assert "the column 'id' is left out: its strings are all different" in left_out
    assert "missing values, in 2 of 4 columns" in gaps
    assert size.law == Law("real", 0, size.location, size.scale, 0.1)
    assert rebuild(describe(data)) == data


def test_load_gives_the_numbers_of_the_cells_and_exhibit_writes_the_cells_again(mine, tmp_path):
    data = examined(mine).data
    splits = data.load()
    assert [len(split.x) for split in splits] == [32, 4, 4]
    x = np.concatenate([split.x for split in splits])
    first = x[np.argsort(x[:, 0])][:3]
    np.testing.assert_array_equal(first, np.float32([[0, 2, MISSING, 0], [0.5, 1, 1, MISSING], [1, 0, 2, 0]]))
    exhibit = data.medium.exhibit(x[np.argsort(x[:, 0])])
    assert exhibit.text.splitlines()[:3] == ["size,colour,stars,note", "0.0,red,,yes", "0.5,green,2,"]
    assert exhibit.save(tmp_path / "again") == str(tmp_path / "again.csv")
    # What was written is the same table to whoever reads it.
    again = examined(tmp_path / "again.csv").data
    assert [column.kind for column in again.columns] == [column.kind for column in data.columns]
    rows = np.concatenate([split.x for split in again.load()])
    np.testing.assert_array_equal(rows[np.argsort(rows[:, 0])], x[np.argsort(x[:, 0])])


def test_completed_shows_what_is_hidden_by_blanks(mine):
    data = examined(mine).data
    x, hidden = data.load().test.x[:1], np.array([False, True, False, True])
    drawn = np.repeat(x[:, None], 2, axis=1)
    lines = data.medium.completed(x, hidden, drawn, np.ones((1, 4), bool)).text.splitlines()
    cells = lines[2].split(",")
    assert lines == ["size,colour,stars,note", f"{cells[0]},_,{cells[2]},_", lines[2], lines[2]]


def test_flags_decide_what_a_column_is(mine):
    data = examined(mine, ordered=("size",), categorical=("stars", "id"), drop=("note",)).data
    size, _, stars, identity = data.columns
    assert (size.kind, size.levels[:3], len(size.levels)) == ("ordered", ("0.00", "0.50", "1.00"), 40)
    assert (stars.kind, stars.levels) == ("categorical", ("1", "2", "3", "4", "5"))
    assert (identity.kind, len(identity.levels)) == ("categorical", 40)
    real = examined(mine, real=("stars",)).data.columns[2]
    assert (real.kind, real.missing, real.decimals) == ("real", True, 0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "a;b\n1,5;x\n2;y\n3;x\n"),
        ("a.csv", '\ufeffa,"b, ""c"""\r\n"1,5", x \r\n\r\n2,"y"\r\n3,x\r\n'),
        ("a.tsv", "a\tb\n1,5\tx\n2\ty\n3\tx\n"),
        ("a.csv.gz", "a|b\n1,5|x\n2|y\n3|x\n"),
    ],
)
def test_read_cells_reads_what_spreadsheets_write(tmp_path, name, content):
    (tmp_path / name).write_bytes(gzip.compress(content.encode()) if name.endswith("gz") else content.encode())
    cells = read_cells(tmp_path / name)
    assert cells.names in (("a", "b"), ("a", 'b, "c"'))
    assert cells.columns == (("1,5", "2", "3"), ("x", "y", "x"))


def test_read_cells_reads_parquet_as_the_same_cells(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    columns = {"a": [1.5, None, 3.25], "b": ["x", "y", None], "c": [1, 2, 3], "d": [True, False, True]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    cells = read_cells(tmp_path / "a.parquet")
    assert cells.names == ("a", "b", "c", "d")
    assert cells.columns == (("1.5", "", "3.25"), ("x", "y", ""), ("1", "2", "3"), ("True", "False", "True"))


def test_files_named_train_and_test_are_the_parts(tmp_path):
    table(tmp_path, HEADER, *ROWS[:30], name="train.csv")
    table(tmp_path, HEADER, *ROWS[30:], name="test.csv")
    splits = examined(tmp_path).data.load()
    assert [len(split.x) for split in splits] == [27, 3, 10]
    assert set(splits.test.x[:, 0]) == {0.5 * i for i in range(30, 40)}


def test_whole_numbers_that_number_the_rows_are_left_out_and_others_are_real(tmp_path):
    rows = [f"{i},{(7 * i) % 50}" for i in range(50)]
    data, notes = examined(table(tmp_path, "row,value", *rows))
    (value,) = data.columns
    assert (value.name, value.kind, value.decimals, value.law.resolution) == ("value", "real", 0, 1.0)
    assert "'row' is left out: it numbers the rows" in notes[0]


@pytest.mark.parametrize("cells", [("1,5", "2,25", "3"), ("1,234", "12,345.5"), ("1.234,5", "-7,0", "NA")])
def test_numbers_with_commas_are_refused_unless_they_are_asked_for_as_categories(tmp_path, cells):
    path = table(tmp_path, "a;b", *(f"{cell};{i % 2}" for i in range(20) for cell in cells))
    says = f"the column 'a' has the cell '{cells[0]}', a number with a comma; write it as 1234.5 is written, or choose"
    assert says in fault(lambda: examined(path))
    assert examined(path, categorical=("a",)).data.columns[0].kind == "categorical"


def test_decode_writes_numbers_as_long_as_they_mean_something():
    assert TableColumn("x", "real", (), 10.0, 2.0, 2).decode([3.14159, -0.0001, MISSING]) == ["3.14", "0.00", ""]
    assert TableColumn("x", "real", (), 1e6, 1e5, 9).decode([1234567.0]) == ["1234567"]
    assert TableColumn("x", "real", (), 0.0, 1e-16, 20).decode([1.25e-16]) == ["1.25e-16"]


@pytest.mark.parametrize("net", [MADE(hidden=(8,)), Columns(Transformer(8, 2, 1, any_order=True), width=5)])
def test_model_is_of_the_columns_whatever_the_net(mine, net):
    data = examined(mine).data
    model = data.model(net, head=None, order=AnyOrder(), classes=None)
    assert model.site_shape == (4,)
    assert model.net.laws == tuple(column.law for column in data.columns)
    assert model.head == Cell(levels=5)
    assert data.model(net, head=Cell(3), order=Raster(), classes=None).head == Cell(3, levels=5)


def test_baseline_is_a_table_or_a_normal_density_of_each_column(mine):
    data = examined(mine, drop=("note", "id")).data
    train, scored = data.load().train.x, np.float32([[4, 1, MISSING], [7, 0, 2]])
    nats = data.baseline(train, scored)["independent columns"]
    gaps = (np.sum(train[:, 2] == np.float32(MISSING)) + 1) / (len(train) + 2)
    stars = (np.sum(train[:, 2] == 2) + 1) / (np.sum(train[:, 2] >= 0) + 5)
    for i, cell in enumerate((gaps, (1 - gaps) * stars)):
        z = (scored[i, 0] - train[:, 0].mean()) / train[:, 0].std()
        normal = -0.5 * z**2 - math.log(train[:, 0].std()) - 0.5 * math.log(2 * math.pi)
        colour = math.log((np.sum(train[:, 1] == scored[i, 1]) + 1) / (len(train) + 3))
        assert nats[i] == pytest.approx(-normal - colour - math.log(cell), rel=1e-5)


HEAD = ("a,b", "1.5,x", "2.5,y", "3.5,x", "4.5,y")
REFUSED = {
    "ragged": ((*HEAD, "5,x,y"), {}, "line 6 has 3 cells, and there are 2 names; correct it"),
    "all missing": (("a,b", *["1,", "2,NA"] * 4), {}, "the column 'b' is all missing; leave it out by --data.drop b"),
    "one value": (("a,b", *["1,x", "2,x"] * 4), {}, "the column 'b' has one value only, 'x'; leave it out by --data.drop b"),
    "unknown": (HEAD, {"real": ("aa",)}, "has no column 'aa'; did you mean 'a'? its columns are ['a', 'b']"),
    "twice": (HEAD, {"real": ("a",), "drop": ("a",)}, "the column 'a' is named twice"),
    "no header": (HEAD[1:], {}, "has the number '1.5' among the names in its first line; put a line of names first"),
    "no rows": (HEAD[:1], {}, "has a line of names and no rows"),
    "two rows": (HEAD[:3], {}, "has 2 examples, and each of train, valid and test needs one"),
    "same names": (("a,a", "1,2"), {}, "several columns are named 'a'"),
    "quotes": ((*HEAD, '6,"x'), {}, "is no CSV (unexpected end of data); check its quotes"),
    "no number": (HEAD, {"real": ("b",)}, "'b' has the cell 'x', which is no number; correct it, or choose --data.categorical"),
    "infinite": ((*HEAD, "inf,x"), {}, "the column 'a' has the cell 'inf', which is no finite number"),
    "too fine": (
        ("a,b", *(f"{1.7e9 + i / 1000},{'xy'[i % 2]}" for i in range(8))),
        {"real": ("a",)},
        "which 32 bits cannot tell apart; shift and scale it",
    ),
    "nothing left": (("a", "x", "y", "z"), {}, "has no column left to model"),
    "fractions": (HEAD, {"valid": 0.6, "test": 0.5}, "valid=0.6 and test=0.5 are the fractions held out"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_cannot_be_modelled_is_refused(case, tmp_path):
    lines, fields, says = REFUSED[case]
    path = table(tmp_path, *lines)
    assert says in fault(lambda: examined(path, **fields))


def test_a_file_that_changed_since_it_was_examined_is_refused(tmp_path):
    data = examined(table(tmp_path, *HEAD)).data
    table(tmp_path, *HEAD, "5,z")
    assert "the categorical column 'b' has the cell 'z', which it did not have when it was first read" in fault(data.load)
    table(tmp_path, "a", *"12345")
    assert "has no column 'b', which the run models" in fault(data.load)


def test_folders_and_paths_without_a_table_are_refused(tmp_path):
    assert "give one by --data.path FILE.csv" in fault(lambda: TableFile().examined())
    assert f"{tmp_path} has no table named train, nor any other (.csv, " in fault(lambda: examined(tmp_path))
    table(tmp_path, *HEAD)
    assert f"{tmp_path} has no table named train, but mine.csv; name one file" in fault(lambda: examined(tmp_path))
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    assert "is no readable Parquet" in fault(lambda: examined(tmp_path / "x.parquet"))
    (tmp_path / "x.csv.gz").write_bytes(b"\x1f\x8b no more")
    assert "cannot be read" in fault(lambda: examined(tmp_path / "x.csv.gz"))
