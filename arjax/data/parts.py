"""Splits by folders or files named train, valid and test, or drawn by a seed with the same fraction of each class."""

from collections.abc import Sequence

import numpy as np

from arjax.data.splits import Parts
from arjax.errors import InputError, brief

_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "dev"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def named_part(name: str) -> str | None:
    """Returns the split, "train", "valid" or "test", that is the name of a folder or of a file without its ending; else None.
    "val", "validation" and "dev" mean "valid"."""
    return _NAMES.get(name.lower())


def draw_parts(label: np.ndarray, valid: float, test: float, seed: int, where: str, classes: Sequence[str] = ()) -> Parts:
    """Draws the indices of the examples of each split, in ascending order, with the same fractions of each class.

    label: [N], whole numbers from 0; zeros where examples have no classes.
    valid, test: the fractions held out, rounded in each class to at least one example; with test=0 the test split is `valid`.
    where: begins the InputError that is raised if a class, or data without classes, has too few examples.
    classes: the names of the classes, for that message.
    """
    random, needed = np.random.default_rng(seed), 3 if test else 2
    parts = ([], [], [])
    for k in np.unique(label):
        places = random.permutation(np.flatnonzero(label == k))
        if len(places) < needed:
            of = f" of class {brief(classes[k])}" if classes else ""
            each = "train, valid and test" if test else "train and valid"
            raise InputError(
                f"{where} has {len(places)} example{'s' * (len(places) > 1)}{of}, and each of {each} needs one; add some, or "
                "leave them out"
            )
        held_out = [max(1, round(len(places) * part)) if part else 0 for part in (valid, test)]
        # Two fractions near a half, each rounded up, leave one to train on.
        held_out[0] = min(held_out[0], len(places) - 1 - (test > 0))
        held_out[1] = min(held_out[1], len(places) - 1 - held_out[0])
        for part, some in zip(parts, np.split(places, np.cumsum(held_out)), strict=True):
            part.append(some)
    held_out, tested, kept = (np.sort(np.concatenate([np.zeros(0, int), *part])) for part in parts)
    return Parts(kept, held_out, tested if test else held_out)


def parts_as_named(
    part: Sequence[str], label: np.ndarray, valid: float, test: float, seed: int, where: str, classes: Sequence[str] = ()
) -> Parts:
    """Returns the indices of the examples of each split: as named "train", "valid" or "test"; a split without names is drawn from
    the training examples as `draw_parts` draws it.

    part: [N], the name of each split, "" for none. The other arguments as in `draw_parts`.
    """
    if not any(part):
        return draw_parts(label, valid, test, seed, where, classes)
    train, validation, held_out = (np.flatnonzero(np.array(part) == name) for name in ("train", "valid", "test"))
    if not len(held_out) and test:
        train, held_out, _ = (train[places] for places in draw_parts(label[train], test, 0, seed, where, classes))
    if not len(validation):
        train, validation, _ = (train[places] for places in draw_parts(label[train], valid, 0, seed, where, classes))
    return Parts(train, validation, held_out if len(held_out) else validation)
