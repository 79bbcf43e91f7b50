"""Arrays in memory as a data set: what a notebook or a simulation has at hand."""

import dataclasses
import hashlib
from typing import Any

import numpy as np

from arjax.arguments import native
from arjax.data.media import Images
from arjax.data.splits import Split, Splits, check_splits, fingerprint
from arjax.data.values import Levels, Real
from arjax.errors import InputError

# Symbols of more values than this are numbers that somebody forgot to say a meaning of.
_MOST_SYMBOLS = 2**16
_HELD = {"default": None, "repr": False, "compare": False, "metadata": {"described": False}}


@dataclasses.dataclass(frozen=True)
class Arrays:
    """Arrays [N, *site_shape, *E], or a Split of them with labels or features, for each of the three splits: `train` to fit on,
    `valid` to choose by, `test` to report. Without a test split the validation split is reported, and the title says so.

    InputError as `check_splits` raises it. A run directory does not keep the arrays: `load` of a loaded run raises InputError.
    """

    train: Any = dataclasses.field(**_HELD)
    valid: Any = dataclasses.field(**_HELD)
    test: Any = dataclasses.field(**_HELD)
    values: Any = None
    """What a raw value becomes; by default integers become symbols 0..max, booleans become bits, and real numbers stay."""
    medium: Any = None
    """How examples are shown; by default as images, or as rows if their shape is not that of an image."""
    name: str = "arrays"
    """What titles call the data."""
    digest: str | None = None
    """The sha256 of all arrays, which a run directory keeps in their place; it is computed."""

    def __post_init__(self):
        if self.train is None and self.digest is not None:
            return  # out of a run's description
        if self.train is None or self.valid is None:
            raise InputError("Arrays needs train and valid; hold out a part of the examples, as x[:-100] and x[-100:]")
        splits = {name: _split(name, getattr(self, name)) for name in ("train", "valid")}
        splits["test"] = splits["valid"] if self.test is None else _split("test", self.test)
        values = _values(splits.values()) if self.values is None else self.values
        whole = {"values": values, "medium": Images(values.vocab) if self.medium is None else self.medium} | splits
        check_splits(Splits(**splits), values, self.name)
        marks = sorted(fingerprint(Splits(**splits)).items())
        if self.test is None:
            whole |= {"test": None}
        for name, value in (whole | {"digest": hashlib.sha256(repr(marks).encode()).hexdigest()}).items():
            object.__setattr__(self, name, value)

    @property
    def title(self) -> str:
        """As of every Dataset."""
        given = "as given" if self.train is None or self.test is not None else "as given, test is valid"
        return f"{self.name}, {self.values.title}, train / valid / test {given}"

    def load(self) -> Splits:
        """Returns the splits. InputError where the arrays are those of a run directory, which does not hold them."""
        if self.train is None:
            raise InputError(f"{self.name} were arrays in memory, which no run directory holds; save data as .npz to keep them")
        return Splits(self.train, self.valid, self.valid if self.test is None else self.test)


def _split(name, given) -> Split:
    parts = given if isinstance(given, Split) else Split(given)
    return Split(*(None if part is None else native(np.asarray(part)) for part in parts))


def _values(splits):
    kinds = {split.x.dtype.kind for split in splits}
    if kinds == {"b"}:
        return Levels(2)
    if not kinds <= set("iu"):
        return Real()
    highest = max(int(split.x.max(initial=0)) for split in splits)
    if highest >= _MOST_SYMBOLS:
        raise InputError(
            f"the arrays hold integers up to {highest}, too many for symbols; give values=Levels({highest + 1}), or real numbers"
        )
    return Levels(highest + 1)
