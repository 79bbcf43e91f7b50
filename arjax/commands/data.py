"""`python -m arjax data CONFIG|PATH`."""

import collections
import dataclasses
import glob
import os
import re
import shlex
from pathlib import Path
from typing import Annotated, NamedTuple

import jax
import numpy as np
import tyro

from arjax.commands import flags as shared
from arjax.data import documents, image_folder, sound_files, table_files
from arjax.data.dataset import DataCapabilities
from arjax.data.sources import locate
from arjax.data.splits import Splits, apart, evenly_spaced
from arjax.errors import InputError, brief, say, show
from arjax.protocol import Cond
from arjax.runs.config import edit, is_config, load_config
from arjax.runs.report import show_rows
from arjax.training.conditions import captions_of


class Reader(NamedTuple):
    """A config that reads a user's own files, and the endings of these files."""

    config: str
    endings: tuple[str, ...]


# The first one wins an ending that two of them have.
READERS = (
    Reader("my_images", image_folder.SUFFIXES),
    Reader("my_sounds", sound_files.ENDINGS),
    Reader("my_table", table_files.ENDINGS),
    Reader("my_text", documents.ENDINGS),
    Reader("my_tokens", (".bin",)),
)
# The most classes that are listed.
_CLASSES = 40


@dataclasses.dataclass(frozen=True)
class Data:
    """Show what arjax reads of a config's data, or of a file or folder of your own, whose kind follows from the endings of its
    files. It prints splits, shapes, values, classes and what is left out, and shows some examples. Further flags edit the
    config, as with train.py."""

    what: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CONFIG|PATH")]
    """A file in configs/, or a file or folder of your own."""
    examples: int = 16
    """Training examples to show, evenly spaced."""
    png: Path | None = None
    """The picture; by default runs/data/NAME.png, or NAME-2.png, NAME-3.png, ... if that exists. Texts and sounds are named
    likewise."""
    overwrite: shared.Overwrite = False

    def __call__(self, flags: list[str]) -> None:
        shared.require_positive(examples=self.examples)
        shared.require_suffix(".png", png=self.png)
        shared.require_outputs(self.overwrite, self.what, png=self.png)
        config = self.what
        if not is_config(config):
            config, flags = config_for(Path(config)), ["--data.path", config, *flags]
        experiment, _ = edit(load_config(config), flags, "", f"python -m arjax data {self.what}")
        data = experiment.data
        splits = data.load()
        some = evenly_spaced(splits.train, self.examples)
        x = np.asarray(data.values(jax.random.key(0), some.x))
        exhibit = data.medium.exhibit(x, f"{data.title}: training examples", captions_of(data, Cond(some.label)))
        if self.png and exhibit.picture is None:
            raise InputError(f"--png {self.png}: examples of {data.title} are {data.medium.noun}, no pictures; leave it out")
        if exhibit.texts:
            show(exhibit.text, end="\n\n")
        train = shlex.join(["python", "-m", "arjax", "train", config, *flags])
        show_rows(self.what, rows(experiment, splits) | {"train on it": train})
        stem = Path("runs/data") / re.sub("[*?]", "_", Path(os.path.abspath(self.what)).stem)
        where = exhibit.save(stem, self.png, overwrite=self.overwrite)
        say(f"{len(x)} training examples in {where}")


def config_for(path: Path) -> str:
    """Returns the config that reads a user's file or folder. InputError if no reader takes it, or if several may."""
    if glob.has_magic(str(path)) and not path.exists():
        return "my_text"  # alone reads what a pattern finds
    path = locate(str(path), None, "config, file or folder")
    if (path / "run.json").is_file():
        raise InputError(f"{path} is the directory of a run; give its config, or the file or folder that it was trained on")
    files = [path] if path.is_file() else [file for file in path.rglob("*") if not file.name.startswith(".") and file.is_file()]
    # Text and tables may be compressed.
    names = [file.name.lower().removesuffix(".gz") for file in files]
    configs = (next((reader.config for reader in READERS if name.endswith(reader.endings)), None) for name in names)
    count = collections.Counter(config for config in configs if config)
    if not count:
        kinds = collections.Counter(file.suffix.lower() or "no ending" for file in files).most_common(5)
        held = ", ".join(f"{number} of {brief(kind)[1:-1]}" for kind, number in kinds) or "no files"
        raise InputError(
            f"{path} has no images, sounds, tables or text by the endings of its files ({held}); if it is text, name the reader: "
            f"my_text --data.path {shlex.quote(str(path))}"
        )
    (config, most), *others = count.most_common()
    # A readme or a list beside many pictures does not belong to the data.
    if most < 4 * sum(number for _, number in others):
        found = ", ".join(f"{number} for {name}" for name, number in count.most_common())
        raise InputError(
            f"{path} has files of several kinds ({found}); name the reader, as {config} --data.path {shlex.quote(str(path))}"
        )
    return config


def rows(experiment, splits: Splits) -> dict[str, str | list[str]]:
    """Returns what was read, by name."""
    data, train = experiment.data, splits.train
    said = {"data": data.title}
    for name, split in splits._asdict().items():
        said[name] = f"{len(split.x):,} examples" + (", the same as valid" if name == "test" and split is splits.valid else "")
        if split.counted is not None and apart(split.x) == 1:  # not of windows that overlap, in which each counts many times
            said[name] += f", in which {split.counted.sum():,} {data.medium.unit}s count"
    said["example"] = f"{' x '.join(map(str, train.x.shape[1:]))}, {train.x.dtype}"
    for part in ("local", "memory"):
        if getattr(train, part) is not None:
            said[part] = f"features of {' x '.join(map(str, getattr(train, part).shape[1:]))} with each example"
    summary = DataCapabilities.of(data).summary
    spread = f"{train.x.min():.6g} to {train.x.max():.6g} in train; {data.values.title} ({data.values.support})"
    said["values"] = spread if summary is None else summary(train.x)
    if experiment.tokenizer is not None:
        said["tokens"] = f"made of them by {experiment.tokenizer}"
    if train.label is not None:
        said["classes"] = _classes(DataCapabilities.of(data).classes, splits)
    return said


def _classes(names: tuple[str, ...] | None, splits: Splits) -> list[str]:
    """Each class with its examples in train, valid and test, a line each."""
    number = max(int(split.label.max()) for split in splits) + 1
    counts = np.stack([np.bincount(split.label, minlength=number) for split in splits], axis=1)
    names = names or tuple(map(str, range(number)))
    lines = [f"{name}: {' / '.join(f'{n:,}' for n in row)}" for name, row in zip(names, counts, strict=False)]
    more = [f"... and {len(lines) - _CLASSES} more"] * (len(lines) > _CLASSES)
    return [f"{len(lines)}; examples in train / valid / test:", *lines[:_CLASSES], *more]
