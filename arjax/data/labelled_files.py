"""A folder whose files are examples: folders are their classes, and folders train, valid and test are splits.

cats/1.png  dogs/2.png                     classes cats, dogs; a seed draws the splits
train/cats/1.png  test/cats/2.png          splits; a seed draws a missing one from train
1.png  2.png                               no classes
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arjax.data.parts import named_part, parts_as_named
from arjax.data.sources import files_in, kinds_of, locate
from arjax.data.splits import Parts
from arjax.errors import InputError, brief


class LabelledFiles(NamedTuple):
    """Files [N] in the order of their paths; the class of each [N], zero without classes, and its part [N], "" where no folder
    says it; the names of the classes; what was left out, in sentences."""

    folder: Path
    files: tuple[Path, ...]
    label: np.ndarray
    part: tuple[str, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...]

    def some(self, places: Iterable[int]) -> "LabelledFiles":
        """Returns those at some places; classes stay."""
        places = list(places)
        files, part = (tuple(column[i] for i in places) for column in (self.files, self.part))
        return self._replace(files=files, label=self.label[places], part=part)


def list_files(
    path: str | None, root: str | None, endings: tuple[str, ...], noun: str, classes: tuple[str, ...] | None = None
) -> LabelledFiles:
    """Lists the files of a user's folder. Hidden ones are passed over.

    path: the folder, as given or under the data root.
    endings: how the names of the files end, in lower case, the first the most usual.
    noun: what such files are called, in the plural, for messages.
    classes: the names of the classes where these are known; () for none. None takes them from the folders.

    InputError where there is no such folder, no such file in it, or one of another class.
    """
    if not path:
        raise InputError(f"no folder of {noun} is named; give one by --data.path FOLDER")
    folder = locate(path, root, "folder")
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give the one that it lies in")
    found = files_in(folder)
    files = [file for file in found if file.suffix.lower() in endings]
    kinds = kinds_of(file.suffix.lower() for file in found if file.suffix.lower() not in endings)
    if not files:
        held = f"its files are {kinds}" if kinds else "it holds no files"
        raise InputError(f"{folder} has no {noun} ({', '.join(endings)}): {held}; give a folder that has some")
    notes = [f"files of {folder} that are no {noun} are left out: {kinds}"] if kinds else []

    part = [named_part(file.parts[0]) or "" if len(file.parts) > 1 else "" for file in files]
    # Beside folders that are no parts, one named train that has no folders in it is a class, as of vehicles.
    flat = all(len(file.parts) < 3 for file in files) and len({file.parts[0] for file in files if len(file.parts) > 1}) > 1
    if "train" not in part or (flat and {*part} <= {"train", ""}):
        part = [""] * len(files)
    elif outside := part.count(""):
        notes.append(f"{outside} of {len(files)} {noun} lie in none of the folders train, valid and test, and are left out")
        files, part = zip(*((file, name) for file, name in zip(files, part, strict=True) if name), strict=True)
    # A file's class is the first folder on the way to it, but for that of its part.
    names = [file.parts[bool(name) : -1][:1] for file, name in zip(files, part, strict=True)]
    there = sorted({name[0] for name in names if name})
    if classes is None:
        loose = names.count(())
        if loose and len(there) > 1:
            notes.append(f"{loose} of {len(files)} {noun} lie in no folder: the {len(there)} folders are not taken for classes")
        classes = tuple(there) if len(there) > 1 and not loose else ()
    number = {name: i for i, name in enumerate(classes)}
    if classes and (unknown := next((name for name in names if not name or name[0] not in number), None)) is not None:
        where = f"a folder {brief(unknown[0])}" if unknown else f"{noun} in no folder"
        raise InputError(f"{folder} has {where}, which is none of the classes {brief(classes)}; remove it, or begin a new run")
    label = np.array([number[name[0]] if classes else 0 for name in names], np.int32)
    return LabelledFiles(folder, tuple(folder / file for file in files), label, tuple(part), classes, tuple(notes))


def parts_of(listed: LabelledFiles, valid: float, test: float, seed: int) -> Parts:
    """Returns the places of the files of each part; see `draw_parts` for the arguments.

    InputError where there are too few, or where training has none of a class that another part has.
    """
    where = str(listed.folder)
    parts = parts_as_named(listed.part, listed.label, valid, test, seed, where, listed.classes)
    for name, places in parts._asdict().items():
        unseen = np.setdiff1d(listed.label[places], listed.label[parts.train])
        if len(unseen):
            raise InputError(
                f"{where} has files of class {brief(listed.classes[unseen[0]])} in {name} and none in train; put "
                "some into train, or remove them"
            )
    return parts
