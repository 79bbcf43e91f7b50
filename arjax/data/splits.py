"""The three splits of a data set: made, checked, identified by what they hold."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from arjax.errors import InputError
from arjax.files import sha256_of, sha256_of_all


class Split(NamedTuple):
    """Raw values x [N, *site_shape, *E] as they lie in the file, and where there are any labels [N], local features, [N,
    *site_shape, F] or with a hop [N, ceil(T / hop), F], a memory [N, S, F], and `counted`, bool [N, *site_shape]: False at sites
    whose own probability is no part of a result, because they are padding, or context that was counted elsewhere."""

    x: np.ndarray
    label: np.ndarray | None = None
    local: np.ndarray | None = None
    counted: np.ndarray | None = None
    memory: np.ndarray | None = None


def evenly_spaced(split: Split, count: int | None) -> Split:
    """Chooses `count` examples, evenly spaced, since files may be in some order; all, if there are no more, or for None."""
    last = len(split.x) - 1
    places = np.arange(last + 1) if count is None or count > last else np.linspace(0, last, count).round().astype(int)
    return Split(*(None if part is None else part[places] for part in split))


class Splits(NamedTuple):
    """What to fit on, what to choose by, and what to report."""

    train: Split
    valid: Split
    test: Split


def fingerprint(splits: Splits) -> dict[str, str]:
    """Identifies data by what the arrays of the three splits hold, not by where they lie: the dtype, shape and sha256 of each."""
    return {f"{name}.{part}": mark for name, split in splits._asdict().items() for part, mark in split_fingerprint(split).items()}


def split_fingerprint(split: Split) -> dict[str, str]:
    """Identifies one split: a mark for each of its arrays, by name."""
    return {part: _mark(array) for part, array in split._asdict().items() if array is not None}


def _mark(x) -> str:
    step = apart(x)
    if step == 1:
        return sha256_of(x)
    # Windows of one row hold its values many times: those that lie side by side, and the last, hold each once.
    return f"{x.dtype}{list(x.shape)} windows sha256:{sha256_of_all({'apart': x[::step], 'last': x[-1:]})}"


def apart(x: np.ndarray) -> int:
    """Returns how many examples behind one the first lies that shares no value with it, or touches it: more than 1 where x is
    windows of one row that begin a few values apart, or one example again and again."""
    if x.ndim != 2 or not x.size or x.strides[0] < 0:
        return 1
    if x.strides[0] == 0:
        return len(x)
    return max(1, x.shape[1] * x.itemsize // x.strides[0]) if x.strides[1] == x.itemsize else 1


class Parts(NamedTuple):
    """The parts of things in a row: sequences of them. `test` is `valid`, the same object, if no test split is held out."""

    train: Any
    valid: Any
    test: Any


def check_fractions(valid: float, test: float, seed: int = 0) -> None:
    """Raises InputError unless the fractions held out leave something to train on and to validate, and a seed can draw them."""
    if seed < 0:
        raise InputError(f"seed={seed} must not be negative; choose 0 or more")
    if not (valid > 0 and test >= 0 and valid + test < 1):
        raise InputError(
            f"valid={valid} and test={test} are the fractions held out; choose valid > 0, test >= 0, and a sum below 1"
        )


def fractions(data) -> str:
    """Says in words what fractions a data set holds out by `valid` and `test`."""
    return f"valid {data.valid:.4g}, " + (f"test {data.test:.4g}" if data.test else "test = valid")


def cut(things, valid: float, test: float) -> Parts:
    """Cuts a sequence by place into its three parts, views of it where it is an array.

    valid, test: the fractions held out at its end; rounded down, but 1 - 0.05 - 0.05 is nine tenths.
    """
    first, second = (int(round(len(things) * kept, 6)) for kept in (1 - valid - test, 1 - test))
    held_out = things[first:second]
    return Parts(things[:first], held_out, things[second:] if test else held_out)


def each(function: Callable, parts: Parts) -> Parts:
    """Applies the function to each split; once, and shared, if the test split is the validation split."""
    train, valid = function(parts.train), function(parts.valid)
    return Parts(train, valid, valid if parts.test is parts.valid else function(parts.test))


def check_splits(splits: Splits, values, where: str) -> Splits:
    """Returns the same splits. InputError where they are empty, differ in shape, hold values outside the support of `values`
    (NaN always is), or have labels or features that do not fit.

    where: names the file or data set in the message.
    """
    for name, split in splits._asdict().items():
        x = split.x
        if x.dtype.kind not in "biuf":
            raise InputError(f"{where}: {name} has dtype {x.dtype}, not numbers; save it as integers or floats")
        if x.ndim < 2 or x.size == 0:
            raise InputError(
                f"{where}: {name} has shape {x.shape}; it must be [N, *site_shape] with at least one example and site"
            )
        if x.shape[1:] != splits.train.x.shape[1:]:
            raise InputError(
                f"{where}: an example has shape {x.shape[1:]} in {name} but {splits.train.x.shape[1:]} in train; "
                "give all splits one shape"
            )
        place = _first_outside(x, values)
        if place is not None:
            raise InputError(
                f"{where}: {name} has the value {x[place].item()} at {list(place)}, but {values.title} accepts {values.support} "
                "only; correct the data or choose other values"
            )
        for part, noun in _NOUNS.items():
            lacks = [name for name, each in ((name, split), ("train", splits.train)) if getattr(each, part) is None]
            if len(lacks) == 1:
                raise InputError(
                    f"{where}: {lacks[0]} has no {noun} but another split has; give them to all three splits or none"
                )
        _check_label(name, split, where)
        for part, axes in _FEATURES.items():
            _check_features(part, axes, name, split, splits.train, where)
        _check_counted(name, split, where)
    return splits


def blocks(x, block=2**22) -> list[slice]:
    """Slices of the examples, so many values each: where examples overlap, as windows of a text do, all of them together may be
    many times what lies in memory."""
    rows = max(1, block * len(x) // max(x.size, 1))
    return [slice(start, start + rows) for start in range(0, len(x), rows)]


def _first_outside(x, values):
    """The place of a value outside the support, the first unless examples share values, None if there is none."""
    step = apart(x)
    for start, every in ((0, x[::step]), *(((len(x) - 1, x[-1:]),) if step > 1 else ())):
        for block in blocks(every):
            outside = values.outside(every[block])
            if outside.any():
                first, *rest = (int(i) for i in np.unravel_index(np.argmax(outside), outside.shape))
                return (start + (block.start + first) * step, *rest)
    return None


_NOUNS = {
    "label": "labels",
    "local": "local features",
    "memory": "memory features",
    "counted": "lengths or counted sites",
}
# What comes with an example as real numbers, and its axes.
_FEATURES = {"local": "[N, ..., F]", "memory": "[N, S, F]"}


def _check_features(part, axes, name, split, train, where):
    features = getattr(split, part)
    if features is None:
        return
    fits = features.ndim >= 3 if "..." in axes else features.ndim == 3
    one_shape = features.shape[1:] == getattr(train, part).shape[1:]
    if features.dtype.kind != "f" or not fits or not one_shape or len(features) != len(split.x):
        raise InputError(
            f"{where}: the {_NOUNS[part]} of {name} are {features.dtype} of shape {features.shape}; give real numbers {axes}, a "
            f"row for each of its {len(split.x)} examples, of one shape in all splits"
        )
    if not np.isfinite(features).all():
        raise InputError(f"{where}: the {_NOUNS[part]} of {name} are not all finite; correct the data")


def _check_counted(name, split, where):
    counted = split.counted
    if counted is None:
        return
    if counted.dtype != bool or counted.shape != split.x.shape[: counted.ndim] or counted.ndim < 2:
        raise InputError(
            f"{where}: what counts of {name} is {counted.dtype} of shape {counted.shape}; give booleans [N, *site_shape], "
            f"examples of shape {split.x.shape[1:]}"
        )
    empty = ~counted.reshape(len(counted), -1).any(axis=1)
    if empty.any():
        raise InputError(f"{where}: in example {int(np.argmax(empty))} of {name} no site counts; leave it out")


def _check_label(name, split, where):
    if split.label is None:
        return
    label = split.label
    if label.dtype.kind not in "iu" or label.shape != (len(split.x),):
        raise InputError(
            f"{where}: the labels of {name} are {label.dtype} of shape {label.shape}; give one whole number for each of its "
            f"{len(split.x)} examples"
        )
    wrong = (label < 0) | (label > np.iinfo(np.int32).max)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise InputError(f"{where}: label {i} of {name} is {int(label[i])}; number the classes from 0")
