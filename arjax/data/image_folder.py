"""A folder of a user's own images, of any size and kind, as squares of one size.

Folders are classes or splits, as in labelled_files.py: photos/cat/1.png and photos/dog/2.jpg are of two classes.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import numpy as np

from arjax.data.dataset import Examined
from arjax.data.huggingface import Row, content_of, image_rows
from arjax.data.image_files import parse_square, picture_size
from arjax.data.labelled_files import LabelledFiles, list_files, parts_of
from arjax.data.media import Images
from arjax.data.sources import MAX_BYTES
from arjax.data.splits import Split, Splits, blocks, check_fractions, check_splits, each, fractions
from arjax.data.values import Levels
from arjax.description import check_types
from arjax.errors import InputError, brief
from arjax.heads import Bernoulli, CoupledDiscretizedMixtureOfLogistics, DiscretizedMixtureOfLogistics, MixtureOfLogistics
from arjax.protocol import CondSpec, Model

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm", ".pbm")
Channels = Literal["gray", "rgb", "keep"]
# The largest default size: a net of pixels is slow beyond it.
_LARGEST = 32
_MOST_PIXELS = 2**31


@dataclasses.dataclass(frozen=True)
class ImageFolder:
    """The images in a folder and in the folders in it, each of which is a class.

    They may be PNG, JPEG, WebP, BMP, GIF, TIFF, PGM and PPM files of any size, or rows of .arrow and .parquet files, as Hugging
    Face's `datasets` saves them. Each is turned upright, resized until it covers a square, and cropped at its centre; transparent
    pixels become white.
    """

    path: str | None = None
    """The folder of the images, as given or under the data root."""
    size: int | None = None
    """Height and width in pixels; by default the shorter side of the median image, at most 32 and a multiple of 4."""
    channels: Channels = "keep"
    """Convert the images to gray or rgb; keep makes all of them rgb if any has a colour."""
    classes: tuple[str, ...] | None = None
    """Names of the classes, in the order of their labels; by default those of the folders. The flag without a name trains without
    classes."""
    valid: float = 0.1
    """Fraction of each class to validate with."""
    test: float = 0.1
    """Fraction of each class to test with; with 0 the test is on the validation images."""
    seed: int = 0
    """Seed that draws the images to validate and to test with, unless there are folders train, valid and test."""
    values: Any = Levels(256)
    """What the levels 0..255 of a pixel become."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder that the path is relative to, if not $ARJAX_DATA or ~/.cache/arjax."""

    shared: ClassVar[tuple[str, ...]] = ("size",)
    medium = property(lambda self: Images(self.values.vocab))

    def __post_init__(self):
        if self.channels not in get_args(Channels):
            raise InputError(f"channels={self.channels!r} is none of {', '.join(get_args(Channels))}; choose one of them")
        check_types(self)
        check_fractions(self.valid, self.test, self.seed)
        if self.size is not None and self.size < 1:
            raise InputError(f"size={self.size} is the height and width of the images in pixels; choose at least 1")

    @property
    def open(self) -> bool:
        """Are there fields that only the files can decide?"""
        return self.channels == "keep" or None in (self.size, self.classes)

    @property
    def title(self) -> str:
        name = Path(self.path).name or self.path if self.path else "a folder of images"
        if self.open:
            return name
        classes = f", {len(self.classes)} classes" if self.classes else ""
        parts = f"{fractions(self)} by seed {self.seed}, or by folders"
        return f"{name} {self.size}x{self.size} {self.channels}, {self.values.title}{classes}; {parts}"

    def examined(self) -> Examined:
        """Fills in the size, the channels and the classes."""
        listed = self._list()
        size = _usual_size(listed.files) if self.size is None else self.size
        images, listed = _read_all(listed, size)
        channels = self.channels if self.channels != "keep" else "gray" if images.x.ndim == 3 else "rgb"
        data = dataclasses.replace(self, size=size, channels=channels, classes=listed.classes)
        return Examined(data, (*listed.notes, *images.notes))

    def load(self) -> Splits:
        if self.open:
            return self.examined().data.load()
        images, listed = _read_all(self._list(), self.size)
        x, label = _in_channels(images.x, self.channels), listed.label if self.classes else None
        parts = parts_of(listed, self.valid, self.test, self.seed)
        splits = each(lambda places: Split(x[places], None if label is None else label[places]), parts)
        return check_splits(Splits(*splits), self.values, str(listed.folder))

    def model(self, net, *, head=None, order, classes: int | None) -> Model:
        """Returns the model of these images: a site is a pixel, or under a head of one value each of its channels."""
        vocab, colour = self.values.vocab, self.channels == "rgb"
        if head is None and vocab is None:
            head = MixtureOfLogistics(10)
        elif head is None and colour:
            head = CoupledDiscretizedMixtureOfLogistics(vocab, 10)
        elif head is None:
            head = Bernoulli() if vocab == 2 else DiscretizedMixtureOfLogistics(vocab, 10)
        site_shape = (self.size, self.size, 3) if colour and head.event_shape == () else (self.size, self.size)
        return Model(net, head, site_shape, order, CondSpec(classes=classes))

    def _list(self) -> LabelledFiles:
        rows = image_rows(self.path, self.root, self.classes) if self.path else None
        return rows or list_files(self.path, self.root, SUFFIXES, "images", self.classes)


def _usual_size(files: Sequence[Path]) -> int:
    """The median shorter side of up to 1000 evenly spaced images, at most _LARGEST, a multiple of 4."""
    sides = []
    for i in np.unique(np.linspace(0, len(files) - 1, 1000).astype(int)):
        with contextlib.suppress(InputError):  # whoever reads all of them says what is wrong
            sides.append(min(picture_size(content_of(files[i]) if isinstance(files[i], Row) else files[i])))
    side = min(int(np.median(sides)), _LARGEST) if sides else _LARGEST
    return max(side // 4 * 4, 4)


class _Images(NamedTuple):
    """x: uint8 [N, size, size], or with a fourth axis of 3 if any has a colour. places: which of the files these are. notes: what
    was done to them, and which are left out."""

    x: np.ndarray
    places: tuple[int, ...]
    notes: tuple[str, ...]


def _read_all(listed: LabelledFiles, size: int) -> tuple[_Images, LabelledFiles]:
    """The images that can be read, and the listing of these. InputError where a class has none."""
    stamps = tuple(map(_stamp, listed.files))
    images = _read(listed.folder, stamps, size)
    readable = listed.some(images.places)
    if empty := sorted({*listed.label.tolist()} - {*readable.label.tolist()}):
        which = f"the images of class {brief(listed.classes[empty[0]])}" if listed.classes else f"the {len(stamps)} images"
        raise InputError(f"{listed.folder}: none of {which} can be read; {images.notes[0]}")
    return images, readable


def _stamp(file: Path | Row) -> tuple[Path | Row, int, int]:
    """A file with its size and the time of its last change."""
    if isinstance(file, Row):
        return file, len(file.content), file.changed
    stat = file.stat()
    return file, stat.st_size, stat.st_mtime_ns


@functools.lru_cache(maxsize=1)  # a run examines its data, and then loads them: photographs take a while to decode
def _read(folder: Path, stamps: Sequence[tuple[Path | Row, int, int]], size: int) -> _Images:
    """Reads files, given with their sizes and the times of their last change, so that others are not taken for them."""
    if len(stamps) * size**2 > _MOST_PIXELS:
        raise InputError(
            f"{folder}: {len(stamps)} images of {size} x {size} pixels, which all lie in memory, are more than "
            f"{_MOST_PIXELS} pixels; choose a smaller --data.size, or fewer images"
        )
    x = np.empty((len(stamps), size, size, 3), np.uint8)
    places, refused, coloured, resized, cropped = [], {}, False, 0, 0
    for place, (file, length, _) in enumerate(stamps):
        try:
            if length > MAX_BYTES:
                raise InputError(f"it has more than {MAX_BYTES} bytes; save it smaller")
            square, (width, height) = parse_square(content_of(file), size, "it")
        except InputError as error:
            refused.setdefault(str(error), []).append(str(file).removeprefix(f"{folder}/"))
            continue
        x[len(places)] = square
        coloured = coloured or bool((square != square[..., :1]).any())
        places.append(place)
        resized += (width, height) != (size, size)
        cropped += width != height
    notes = [f"{_first(names)} left out: {why}" for why, names in refused.items()]
    if resized:
        notes.append(f"{resized} of {len(places)} images are resized to {size}x{size}, {cropped} of them cropped at their centre")
    x = x[: len(places)]
    return _Images(x if coloured else x[..., 0].copy(), tuple(places), tuple(notes))


def _in_channels(x: np.ndarray, channels: str) -> np.ndarray:
    """Images [N, S, S] or [N, S, S, 3] as gray ones, by Pillow's weights of the colours, or as rgb."""
    from PIL import Image

    if (channels == "rgb") == (x.ndim == 4):
        return x
    if channels == "rgb":
        return np.repeat(x[..., None], 3, axis=-1)
    gray = [np.asarray(Image.fromarray(x[part].reshape(-1, *x.shape[2:])).convert("L")) for part in blocks(x)]
    return np.concatenate(gray).reshape(x.shape[:3])


def _first(names: Sequence[str]) -> str:
    """The first few names, and how many more there are, with a verb."""
    named = ", ".join(map(str, names[:3]))
    return f"{named} is" if len(names) == 1 else f"{named} and {len(names) - 3} more are" if len(names) > 3 else f"{named} are"
