"""Fills in the missing values of a table, each row given its other cells: `complete --table`."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from arjax.data.exhibit import Exhibit
from arjax.data.table_files import csv_row, read_cells
from arjax.errors import InputError, brief
from arjax.heads.cell import MISSING
from arjax.sampling import ancestral

# Rows drawn at once; one program serves rows with different gaps.
_AT_ONCE = 128


class Filled(NamedTuple):
    """The table with its gaps filled in; how many gaps, in how many rows."""

    exhibit: Exhibit
    gaps: int
    rows: int


def fill(model, params, key, data, table: Path, completions: int) -> Filled:
    """Draws the missing cells of the columns that `data`, a TableFile, models; all other cells stay as they are written.

    completions: how often each row is drawn; its copies follow each other.

    InputError if the table lacks one of these columns or has other values in it, or if a net of one order would have to draw a
    cell before one that is there.
    """
    cells = read_cells(table)
    place = {name: i for i, name in enumerate(cells.names)}
    if (lacks := next((column.name for column in data.columns if column.name not in place), None)) is not None:
        raise InputError(f"{cells.where} has no column {brief(lacks)}, which the run models; give a table that has all of them")
    # Missing is one of the values of a column; here another one must be drawn.
    columns = [dataclasses.replace(column, missing=True) for column in data.columns]
    gaps = frozenset(data.gaps)
    x = np.stack([each.encode(cells.columns[place[each.name]], gaps, cells.where) for each in columns], axis=1)
    missing = x == np.float32(MISSING)
    if not missing.any():
        raise InputError(f"{cells.where} has no missing value in the columns of the run; leave cells empty to have them drawn")
    laws = tuple(dataclasses.replace(law, missing=False) for law in model.net.laws)
    model = dataclasses.replace(model, net=model.net.clone(laws=laws))
    drawn = np.repeat(x[:, None], completions, axis=1)
    for i, (rows, hidden) in enumerate(_alike(missing, max(1, _AT_ONCE // completions))):
        observed = np.resize(np.repeat(x[rows], completions, axis=0), (max(_AT_ONCE, completions), x.shape[1]))
        some = ancestral(model, params, jax.random.fold_in(key, i), len(observed), observed=observed, mask=~hidden)
        drawn[rows] = np.asarray(some)[: len(rows) * completions].reshape(len(rows), completions, -1)
    written = [list(row) for row in zip(*cells.columns, strict=True) for _ in range(completions)]
    for j, column in enumerate(data.columns):
        for row, cell in zip(*_decoded(column, drawn[:, :, j], missing[:, j]), strict=True):
            written[row][place[column.name]] = cell
    exhibit = Exhibit(texts=tuple(map(csv_row, written)), rule="\n", header=csv_row(cells.names), suffix=".csv")
    return Filled(exhibit, int(missing.sum()), cells.rows)


def _alike(missing, most):
    """(rows, hidden [T]), of rows that lack the same columns, at most so many at once."""
    patterns, which = np.unique(missing, axis=0, return_inverse=True)
    for k, hidden in enumerate(patterns):
        rows = np.flatnonzero(which.ravel() == k)
        if hidden.any():
            yield from ((rows[start : start + most], hidden) for start in range(0, len(rows), most))


def _decoded(column, drawn, missing):
    """(the places of a column's gaps in the rows that are written, the cells that fill them)."""
    rows = np.flatnonzero(missing)
    places = (rows[:, None] * drawn.shape[1] + np.arange(drawn.shape[1])).ravel()
    return places, column.decode(drawn[rows].ravel())
