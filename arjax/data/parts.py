"""Which examples are held out: as folders or files named train, valid and test say, or drawn by a seed, of every class alike."""

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
    """Returns the part, "train", "valid" or "test", that the name of a folder or of a file without its ending says; else None.
    "val", "validation" and "dev" mean "valid"."""
    return _NAMES.get(name.lower())


def draw_parts(label: np.ndarray, valid: float, test: float, seed: int, where: str, classes: Sequence[str] = ()) -> Parts:
    """Draws the places of the examples of each part, in ascending order, so that every class is held out alike.

    label: [N], whole numbers from 0; zeros where examples have no classes.
    valid, test: the fractions held out, of each class rounded, but at least one example; with test=0 the test part is `valid`.
    where: begins the InputError that is raised where a class, or data without classes, has too few examples for that.
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
    """Returns the places of the examples of each part: of those that say theirs, "train", "valid" or "test"; where none does, or
    a part is missing, as `draw_parts` draws them, of what there is to train on.

    part: [N], "" where nothing says it. The other arguments as in `draw_parts`.
    """
    if not any(part):
        return draw_parts(label, valid, test, seed, where, classes)
    train, validation, held_out = (np.flatnonzero(np.array(part) == name) for name in ("train", "valid", "test"))
    if not len(held_out) and test:
        train, held_out, _ = (train[places] for places in draw_parts(label[train], test, 0, seed, where, classes))
    if not len(validation):
        train, validation, _ = (train[places] for places in draw_parts(label[train], valid, 0, seed, where, classes))
    return Parts(train, validation, held_out if len(held_out) else validation)
