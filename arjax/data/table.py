"""A user's own table: one file of rows, or a folder of files named train, valid and test."""

import dataclasses
import difflib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from arjax.data.dataset import Examined
from arjax.data.media import Table
from arjax.data.parts import named_part, parts_as_named
from arjax.data.sources import locate
from arjax.data.splits import Parts, Split, Splits, check_fractions, check_splits, fractions
from arjax.data.table_columns import TableColumn, inferred
from arjax.data.table_files import ENDINGS, Cells, ending, read_cells
from arjax.data.values import Real
from arjax.description import check_types
from arjax.errors import InputError, brief
from arjax.heads.cell import MISSING, Cell
from arjax.models.columns import Columns
from arjax.protocol import CondSpec, Model


@dataclasses.dataclass(frozen=True)
class TableFile:
    """The rows of a CSV or Parquet file, a site for each column. The cells decide the kind of a column, unless a flag does: see
    table_columns.py. Values are float32: real numbers, the indices of levels and categories, and `MISSING` for gaps."""

    path: str | None = None
    """The file: .csv, .tsv, .csv.gz or .parquet; or a folder with files train, valid and test."""
    real: tuple[str, ...] = ()
    """Columns of real numbers."""
    ordered: tuple[str, ...] = ()
    """Columns of ordered numbers; only numbers that occur can be drawn."""
    categorical: tuple[str, ...] = ()
    """Columns of categories without an order."""
    drop: tuple[str, ...] = ()
    """Columns to leave out."""
    gaps: tuple[str, ...] = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "?")
    """Cells that stand for a missing value, which is an outcome of its own."""
    valid: float = 0.1
    """Fraction of the rows to validate with, unless a file is named valid."""
    test: float = 0.1
    """Fraction of the rows to test with, unless a file is named test."""
    seed: int = 0
    """Draws these rows."""
    columns: Any = None
    """The columns as they were found in the files; None finds them."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder that the path is relative to, if not $ARJAX_DATA or ~/.cache/arjax."""

    shared: ClassVar[tuple[str, ...]] = ("columns",)
    values: ClassVar[Any] = Real()

    open = property(lambda self: self.columns is None)
    medium = property(lambda self: Table(self.columns or ()))

    def __post_init__(self):
        check_types(self)
        check_fractions(self.valid, self.test, self.seed)
        if self.columns is not None and not (
            isinstance(self.columns, tuple) and self.columns and all(isinstance(column, TableColumn) for column in self.columns)
        ):
            raise InputError(f"columns={brief(self.columns)} are no columns; leave them to the file")
        asked = self.real + self.ordered + self.categorical + self.drop
        if (twice := next((name for name in asked if asked.count(name) > 1), None)) is not None:
            raise InputError(f"the column {brief(twice)} is named twice among real, ordered, categorical and drop; choose one")

    @property
    def title(self) -> str:
        how = f"{fractions(self)} of the rows, seed {self.seed}, unless files are named so"
        kinds = [column.kind for column in self.columns or ()]
        number = {kind: kinds.count(kind) for kind in ("real", "ordered", "categorical") if kind in kinds}
        columns = " and ".join(f"{count} {kind}" for kind, count in number.items())
        return f"{Path(self.path or 'table').name}, {columns} columns, {how}" if columns else f"{self.path}, {how}"

    def examined(self) -> Examined:
        """Fills in the columns. Notes list the columns that are left out."""
        cells, parts = self._read()
        asked = {name: kind for kind in ("real", "ordered", "categorical") for name in getattr(self, kind)}
        for name in (*asked, *self.drop):
            if name not in cells.names:
                near = difflib.get_close_matches(name, cells.names, n=1)
                meant = f"did you mean {brief(near[0])}? " if near else ""
                raise InputError(f"{cells.where} has no column {brief(name)}; {meant}its columns are {brief(list(cells.names))}")
        columns, notes = [], []
        for name, column in zip(cells.names, cells.columns, strict=True):
            if name in self.drop:
                continue
            found, reason = inferred(name, column, parts.train, asked.get(name), frozenset(self.gaps), cells.where)
            if found is None:
                keep = "" if not name else f"; --data.categorical {name} keeps it"
                notes.append(f"the column {brief(name)} is left out: {reason}{keep}")
            else:
                columns.append(found)
        if not columns:
            raise InputError(f"{cells.where} has no column left to model; name one by --data.categorical or --data.real")
        empty = [column.name for column in columns if column.missing]
        if empty:
            notes.append(f"missing values, in {len(empty)} of {len(columns)} columns, are modelled as an outcome of their own")
        return Examined(dataclasses.replace(self, columns=tuple(columns)), tuple(notes))

    def load(self) -> Splits:
        if self.columns is None:
            return self.examined().data.load()
        cells, parts = self._read()
        places = {name: i for i, name in enumerate(cells.names)}
        if (gone := next((column.name for column in self.columns if column.name not in places), None)) is not None:
            raise InputError(f"{cells.where} has no column {brief(gone)}, which the run models; correct the file")
        gaps = frozenset(self.gaps)
        x = np.stack([each.encode(cells.columns[places[each.name]], gaps, cells.where) for each in self.columns], axis=1)
        train, valid, test = (Split(x[rows]) for rows in parts)
        return check_splits(Splits(train, valid, valid if parts.test is parts.valid else test), self.values, cells.where)

    def model(self, net, *, head, order, classes) -> Model:
        """Returns the model of the rows: of a net that is not Columns, one that has it inside."""
        if self.columns is None:
            raise InputError("the columns are not known before the files are read; call examined() first")
        laws = tuple(column.law for column in self.columns)
        levels = max(1, *(law.levels for law in laws), 1)
        head = Cell() if head is None else head
        if not isinstance(head, Cell):
            raise InputError(f"{head} is no head for columns of several kinds; choose Cell(), or none")
        net = net if isinstance(net, Columns) else Columns(net)
        return Model(net.clone(laws=laws), dataclasses.replace(head, levels=levels), (len(laws),), order, CondSpec())

    def baseline(self, train: np.ndarray, scored: np.ndarray) -> dict[str, np.ndarray]:
        """Returns -log p of rows [N, T] in nats [N], by its name, under a model of independent columns: counted levels and empty
        cells, and normal real values."""
        return {"independent columns": sum(map(_independent, self.columns, train.T, scored.T))}

    def summary(self, x: np.ndarray) -> list[str]:
        """Describes the values of each column of rows [N, T], a line each."""
        return [column.summary(values) for column, values in zip(self.columns, x.T, strict=True)]

    def _read(self) -> tuple[Cells, Parts]:
        """The cells of all files together, and the rows of each part."""
        if not self.path:
            raise InputError("no table is named; give one by --data.path FILE.csv")
        place = locate(self.path, self.root, "table")
        each = {"": read_cells(place)} if not place.is_dir() else _read_folder(place)
        names, where = next(iter(each.values())).names, str(place)
        for cells in each.values():
            if cells.names != names:
                raise InputError(f"{cells.where} has other columns than the other files; give all of them the same first line")
        columns = tuple(sum(pieces, ()) for pieces in zip(*(cells.columns for cells in each.values()), strict=True))
        part = [name for name, cells in each.items() for _ in range(cells.rows)]
        parts = parts_as_named(part, np.zeros(len(part), int), self.valid, self.test, self.seed, where)
        return Cells(names, columns, where), parts


def _read_folder(folder: Path) -> dict[str, Cells]:
    """The tables of a folder that are named as parts are."""
    files = {file.name: file for file in sorted(folder.iterdir()) if ending(file)}
    named = {named_part(name.removesuffix(ending(file))): file for name, file in files.items()}
    if "train" not in named:
        found = f"but {', '.join(list(files)[:5])}" if files else f"nor any other ({', '.join(ENDINGS)})"
        other = ", or where rows hold images or texts my_images or my_text" * any(name.endswith(".parquet") for name in files)
        raise InputError(f"{folder} has no table named train, {found}; name one file, or files train, valid and test{other}")
    return {name: read_cells(file) for name, file in named.items() if name is not None}


def _independent(column: TableColumn, train: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """-log p of one column's values [N] in nats [N]."""
    gaps, nats = scored == np.float32(MISSING), np.zeros(len(scored))
    seen = train[train != np.float32(MISSING)].astype(np.float64)
    if column.missing:
        share = (len(train) - len(seen) + 1) / (len(train) + 2)
        nats += -np.log(np.where(gaps, share, 1 - share))
    if column.kind == "real":
        z = (scored.astype(np.float64) - column.location) / column.scale
        there = 0.5 * z**2 + np.log(column.scale) + 0.5 * np.log(2 * np.pi)
    else:
        counts = np.bincount(seen.astype(int), minlength=len(column.levels)) + 1
        there = -np.log(counts / counts.sum())[np.where(gaps, 0, scored).astype(int)]
    return nats + np.where(gaps, 0, there)
