"""The columns of a table: their kinds, which follow from the cells, and the way from cells to numbers and back.

    real           numbers that are not whole, or many whole ones
    ordered        at most 32 different whole numbers; the numbers are its levels
    categorical    anything else; the strings are its categories

A column of strings that are all different, a column of more than 256 different strings, and a column that numbers the rows
hold nothing to learn. They are left out unless a flag names them.
"""

import collections
import dataclasses
import decimal
import math
import re
from typing import Literal

import numpy as np

from arjax.data.table_files import number
from arjax.description import check_types
from arjax.errors import InputError, brief
from arjax.heads.cell import MISSING, MOST_LEVELS, Law

# Numbers as people write them, and computers do not: 1,5 and 1,234 and 1.234,50.
_COMMAS = re.compile(r"[-+]?[\d.]*\d(,\d+)+(\.\d+)?")
FEW_LEVELS, MANY_CATEGORIES = 32, 256
# The resolution of real values, as a fraction of the column's standard deviation; or else the last digit written.
FINEST = 1e-4
Kind = Literal["real", "ordered", "categorical"]


@dataclasses.dataclass(frozen=True)
class TableColumn:
    """One column. Its values are real numbers, or the places of its levels; `MISSING` where a cell is empty.

    levels: of an ordered or a categorical column, as they are written.
    location, scale: the mean and the standard deviation in the training split.
    decimals: digits behind the point that its numbers are written with.
    missing: are there empty cells?
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    location: float = 0.0
    scale: float = 1.0
    decimals: int = 0
    missing: bool = False

    def __post_init__(self):
        check_types(self)
        if not 0 <= self.decimals < 400:
            raise InputError(f"decimals={self.decimals} is no number of digits; choose 0 or more")

    @property
    def law(self) -> Law:
        """What the values can be."""
        resolution = max(10.0**-self.decimals, FINEST * self.scale)
        return Law(self.kind, len(self.levels), self.location, self.scale, resolution, self.missing)

    def encode(self, cells, gaps: frozenset[str], where: str) -> np.ndarray:
        """Returns the value of each cell [N] float32. InputError for one that is none of its levels, or no number.

        gaps: what stands for a missing value.
        """
        known = {level: place for place, level in enumerate(self.levels)}
        if self.kind == "ordered":
            known = {number(level): place for level, place in known.items()}
        values = {}
        for cell in set(cells):
            value = MISSING if cell in gaps else number(cell) if self.kind == "real" else known.get(self._key(cell))
            if value is None or not math.isfinite(value) or (value == MISSING and not self.missing):
                what = "an empty cell" if value == MISSING else f"the cell {brief(cell)}"
                raise InputError(
                    f"{where}: the {self.kind} column {brief(self.name)} has {what}, which it did not have when it was first "
                    "read; correct the file, or begin a new run"
                )
            values[cell] = value
        return np.array([values[cell] for cell in cells], np.float32)

    def summary(self, values) -> str:
        """Describes values [N] in words."""
        there = values[values != np.float32(MISSING)]
        if self.kind == "real":
            low, middle, high = self.decode(np.quantile(there, (0, 0.5, 1)) if len(there) else np.zeros(3))
            said = f"real, {low} to {high}, half of them up to {middle}"
        else:
            counts = np.bincount(there.astype(int), minlength=len(self.levels))
            most = np.argsort(-counts, kind="stable")[:5] if self.kind == "categorical" else np.arange(len(counts))[:8]
            shown = ", ".join(f"{self.levels[i]} {counts[i]:,}" for i in most) + ", ..." * (len(most) < len(counts))
            said = f"{self.kind}, {len(counts)} level{'s' * (len(counts) > 1)}: {shown}"
        gone = len(values) - len(there)
        return f"{self.name}: {said}" + (f"; {gone:,} missing" if self.missing else "")

    def decode(self, values) -> list[str]:
        """Writes values [N] as cells."""
        return [self._cell(float(value)) for value in values]

    def _key(self, cell):
        return number(cell) if self.kind == "ordered" else cell

    def _cell(self, value) -> str:
        if value == np.float32(MISSING):
            return ""
        if self.kind != "real":
            return self.levels[int(value)]
        shown = min(self.decimals, max(0, math.ceil(-math.log10(FINEST * self.scale))))
        # Nothing is written as -0.
        return f"{value:.6g}" if shown > 12 or abs(value) >= 1e15 else f"{round(value, shown) + 0.0:.{shown}f}"


def inferred(name: str, cells, train, kind: Kind | None, gaps: frozenset[str], where: str) -> tuple[TableColumn | None, str]:
    """Returns (the column, ""), or (None, why it is left out). InputError where it cannot be modelled.

    cells: of all splits. train: the places of those of the training split.
    kind: as it is asked for; None as the cells say.
    """
    column = f"{where}: the column {brief(name)}"
    without = f"leave it out by --data.drop {brief(name)[1:-1]}"
    counts = collections.Counter(cells)
    missing = sum(counts.pop(gap, 0) for gap in gaps)
    if not counts:
        raise InputError(f"{column} is all missing; {without}")
    numbers = {cell: number(cell) for cell in counts}
    text = next((cell for cell, value in numbers.items() if value is None), None)
    if kind in ("real", "ordered") and text is not None:
        raise InputError(f"{column} has the cell {brief(text)}, which is no number; correct it, or choose --data.categorical")
    if text is None and (infinite := next((cell for cell, value in numbers.items() if not abs(value) < 1e30), None)) is not None:
        raise InputError(f"{column} has the cell {brief(infinite)}, which is no finite number; correct it, or {without}")
    different = len(counts if text is not None else set(numbers.values()))
    if text is not None and kind is None and all(_COMMAS.fullmatch(cell) for cell, value in numbers.items() if value is None):
        raise InputError(
            f"{column} has the cell {brief(text)}, a number with a comma; write it as 1234.5 is written, or choose "
            "--data.categorical or --data.drop"
        )
    if kind is None:
        if reason := _says_nothing(cells, counts, numbers, text is None, missing):
            return None, reason
        whole = text is None and all(value == round(value) for value in numbers.values())
        kind = "categorical" if text is not None else "ordered" if whole and different <= FEW_LEVELS else "real"
    if different == 1:
        if not missing:
            raise InputError(f"{column} has one value only, {brief(next(iter(counts)))}; {without}")
        kind = "categorical"
    if kind == "real":
        return _real(name, cells, train, numbers, bool(missing), f"{column} is real and", without), ""
    if different > MOST_LEVELS:
        raise InputError(f"{column} has {different} levels, more than {MOST_LEVELS}; {without}")
    if kind == "ordered" or text is None:  # of "1" and "1.0", one number, the more usual
        usual = {numbers[cell]: cell for cell, _ in reversed(counts.most_common())}
        levels = tuple(usual[value] for value in sorted(usual)) if kind == "ordered" else tuple(sorted(counts, key=numbers.get))
    else:
        levels = tuple(sorted(counts))
    return TableColumn(name, kind, levels, missing=bool(missing)), ""


def _says_nothing(cells, counts, numbers, numeric, missing) -> str:
    """Why a column is left out; "" where it is not."""
    if not numeric and len(counts) == len(cells) - missing and len(counts) > 2:
        return "its strings are all different, as an id's are"
    if not numeric and len(counts) > MANY_CATEGORIES:
        return f"it has {len(counts)} different strings, more than {MANY_CATEGORIES}"
    if numeric and not missing and len(cells) > FEW_LEVELS:
        first = numbers[cells[0]]
        if first in (0, 1) and all(numbers[cell] == first + i for i, cell in enumerate(cells)):
            return "it numbers the rows"
    return ""


def _real(name, cells, train, numbers, missing, what, without) -> TableColumn:
    every = np.array([numbers.get(cell, np.nan) for cell in cells])
    seen = every[train][np.isfinite(every[train])]
    if len(np.unique(seen)) < 2:  # what varies, varies elsewhere
        seen = every[np.isfinite(every)]
    location, scale = float(seen.mean()), float(seen.std())
    decimals = max(0, *(-int(decimal.Decimal(cell).normalize().as_tuple().exponent) for cell in numbers))
    rounding = np.nanmax(np.abs(every - every.astype(np.float32)))
    if not 1e-25 < scale < 1e25 or rounding > max(10.0**-decimals, FINEST * scale):
        raise InputError(
            f"{what} lies around {location:.6g} with a standard deviation of {scale:.6g}, which 32 bits cannot tell apart; "
            f"shift and scale it, or {without}"
        )
    return TableColumn(name, "real", (), location, scale, min(decimals, 399), missing)
