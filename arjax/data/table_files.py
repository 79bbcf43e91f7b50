"""Files of tables as text: a line of names and the cells of each column, of CSV (.csv, .tsv, also .gz) and of Parquet.

CSV is UTF-8, with or without a byte-order mark, and quoted as in RFC 4180. The separator is a tab in .tsv, else the one of
, ; tab | that the first line has most of. Spaces around a cell are dropped, and empty lines are skipped.
"""

import csv
import io
from pathlib import Path
from typing import NamedTuple

from arjax import files
from arjax.data.characters import decoded
from arjax.errors import InputError, brief, one_line, require

ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")
# All cells lie in memory as strings, of about 60 bytes each.
MAX_BYTES = 2**28


class Cells(NamedTuple):
    """Names of columns, and the cells of each, as many in all of them; where they come from."""

    names: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    where: str

    @property
    def rows(self) -> int:
        return len(self.columns[0])


def ending(file: Path) -> str:
    """Returns that of ENDINGS with which the name of a file ends; "" if it is none."""
    return next((each for each in ENDINGS if file.name.lower().endswith(each)), "")


def read_cells(file: Path) -> Cells:
    """Reads one file. InputError where it is no table, or where a row has not as many cells as there are names."""
    kind = ending(file)
    cells = _read_parquet(file) if kind == ".parquet" else _read_csv(file, "\t" if kind.startswith(".tsv") else None)
    if not cells.columns or not cells.rows:
        raise InputError(f"{file} has a line of names and no rows; give a table that has some")
    repeated = {name for name in cells.names if cells.names.count(name) > 1 and name}
    if repeated or cells.names.count("") > 1:
        what = f"several columns are named {brief(min(repeated))}" if repeated else "several columns have no name"
        raise InputError(f"{file}: {what}; give each a name of its own in the first line")
    return cells


def number(cell: str) -> float | None:
    """Returns the number that a cell is, if it is one; infinity and "nan" are numbers here, "1_000" is none."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def csv_row(cells) -> str:
    """Writes one line of CSV, without its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _read_csv(file, delimiter) -> Cells:
    content, where = files.read_packed(file, MAX_BYTES), str(file)
    if len(content) > MAX_BYTES:
        raise InputError(f"{where} has more than {MAX_BYTES} bytes, and all of a table lies in memory; give a sample of its rows")
    text = decoded(content, where)
    first = text.lstrip("\r\n").partition("\n")[0]
    delimiter = delimiter or max(",;\t|", key=first.count)
    lines, columns = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True), ()
    try:
        names = tuple(name.strip() for name in next((line for line in lines if line), ()))
        if not names:
            raise InputError(f"{where} is empty; give a table with a line of names")
        columns = tuple([] for _ in names)
        for row in lines:
            if len(row) != len(names) and row:
                raise InputError(
                    f"{where} line {lines.line_num} has {len(row)} cells, and there are {len(names)} names; correct it, and "
                    f"quote cells that contain {delimiter!r}"
                )
            for column, cell in zip(columns, row, strict=bool(row)):
                column.append(cell.strip())
    except csv.Error as error:
        raise InputError(f"{where} line {lines.line_num} is no CSV ({error}); check its quotes") from error
    if (figure := next((name for name in names if number(name) is not None), None)) is not None:
        raise InputError(f"{where} has the number {brief(figure)} among the names in its first line; put a line of names first")
    return Cells(names, tuple(map(tuple, columns)), where)


def _read_parquet(file) -> Cells:
    parquet, path = require("pyarrow.parquet", extra="table"), files.check_file(file)
    import pyarrow

    try:
        promised = parquet.read_metadata(path)
        size = sum(promised.row_group(i).total_byte_size for i in range(promised.num_row_groups))
        if max(size, promised.num_rows * promised.num_columns) > MAX_BYTES:
            raise InputError(f"{file} unpacks to more than {MAX_BYTES} bytes; give a sample of its rows")
        table = parquet.read_table(path)
        names = tuple(name.strip() for name in table.column_names)
        columns = tuple(tuple(map(_written, column.to_pylist())) for column in table.columns)
    except (pyarrow.ArrowException, OSError, ValueError, ArithmeticError) as error:  # dates no calendar has among them
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file} is no readable Parquet ({one_line(error)}); write it again") from error
    return Cells(names, columns, str(file))


def _written(value) -> str:
    return "" if value is None else str(value).strip()
