"""Named sets of images, each with the split that is published, or one by place in the published order.

Labels are the classes 0..9.
"""

import dataclasses
import io
import math
import struct
from typing import Any, ClassVar, NamedTuple

import numpy as np

from arjax.data.archive import read_arrays
from arjax.data.media import Images
from arjax.data.sources import Source, find, read
from arjax.data.splits import Split, Splits, check_splits
from arjax.data.values import Dynamic, Levels, Threshold
from arjax.errors import InputError, require

DIGITS = tuple("0123456789")


@dataclasses.dataclass(frozen=True)
class Digits:
    """1797 images 8x8 of handwritten digits, raw values 0..16: the test part of UCI's optical recognition set.

    They lie inside scikit-learn's wheel, so `root` is not used. Of every six images in the file's order the fifth is for
    validation, the sixth for testing, the others for training.
    """

    values: Any = Threshold(7)
    """What the levels of a pixel become."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """Not used: there are no files."""

    classes: ClassVar[tuple[str, ...]] = DIGITS
    medium = property(lambda self: Images(self.values.vocab))

    @property
    def title(self) -> str:
        return f"digits 8x8, {self.values.title}, train 1199 / valid 299 / test 299"

    def load(self) -> Splits:
        data = require("sklearn.datasets", extra="data").load_digits()
        x, label = data.images.astype(np.uint8), data.target.astype(np.uint8)
        place = np.arange(len(x)) % 6
        splits = Splits(*(Split(x[part], label[part]) for part in (place < 4, place == 4, place == 5)))
        return check_splits(splits, self.values, "digits")


class Files(NamedTuple):
    """The four IDX files of MNIST, or of a set in its form."""

    train_images: Source
    train_labels: Source
    test_images: Source
    test_labels: Source


def _files(prefix: str, url: str, *sha256: str) -> Files:
    names = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
    return Files(*(Source(prefix + name, sha, url + name) for name, sha in zip(names, sha256, strict=True)))


MNIST_FILES = _files(
    "mnist-",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)

FASHION_MNIST_FILES = _files(
    "fashion-mnist-",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
)


def _title(data) -> str:
    return f"{data.name} 28x28, {data.values.title}, train 50000 / valid 10000 / test 10000"


def _load(data) -> Splits:
    return check_splits(read_files(data.files, data.root), data.values, data.name)


@dataclasses.dataclass(frozen=True)
class MNIST:
    """70000 images 28x28 of handwritten digits, raw values 0..255 (LeCun, Cortes, Burges 1998).

    Of the published training images the first 50000 are for training and the last 10000 for validation, as is usual.
    """

    values: Any = Dynamic()
    """What the levels of a pixel become."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder of the files, if not $ARJAX_DATA or ~/.cache/arjax."""

    name: ClassVar[str] = "MNIST"
    classes: ClassVar[tuple[str, ...]] = DIGITS
    files: ClassVar[Files] = MNIST_FILES
    medium = property(lambda self: Images(self.values.vocab))
    title = property(_title)
    load = _load


@dataclasses.dataclass(frozen=True)
class FashionMNIST:
    """70000 images 28x28 of clothes, in the form of MNIST (Xiao, Rasul, Vollgraf 2017)."""

    values: Any = Dynamic()
    """What the levels of a pixel become."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder of the files, if not $ARJAX_DATA or ~/.cache/arjax."""

    name: ClassVar[str] = "Fashion-MNIST"
    classes: ClassVar[tuple[str, ...]] = (
        "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    )  # fmt: skip
    files: ClassVar[Files] = FASHION_MNIST_FILES
    medium = property(lambda self: Images(self.values.vocab))
    title = property(_title)
    load = _load


def read_files(files: Files, root: str | None, num_valid: int = 10000) -> Splits:
    """Reads four IDX files as three splits. InputError as `read` and `parse_idx`.

    num_valid: so many training images, the last ones, are for validation.
    """
    images, labels, test_images, test_labels = (
        parse_idx(read(source, root), source.file, ndim) for source, ndim in zip(files, (3, 1, 3, 1), strict=True)
    )
    return Splits(
        train=Split(images[:-num_valid], labels[:-num_valid]),
        valid=Split(images[-num_valid:], labels[-num_valid:]),
        test=Split(test_images, test_labels),
    )


def parse_idx(content: bytes, where: str, ndim: int) -> np.ndarray:
    """Reads the uint8 array in an unpacked IDX file. InputError unless the file is exactly that.

    The format: two zero bytes, a type (0x08 for unsigned bytes), the number of axes, each axis as a big-endian uint32, the
    values. The header is held against the length before anything of its size is made.

    where: names the file in messages.
    ndim: how many axes the array must have.
    """
    start = 4 + 4 * ndim
    if len(content) < 4 or content[:2] != b"\0\0":
        raise InputError(f"{where} is not an IDX file: it starts with {content[:4]!r}; give the published file")
    if content[2] != 0x08:
        raise InputError(f"{where} holds IDX type {content[2]:#04x}, not unsigned bytes (0x08); give the published file")
    if content[3] != ndim:
        raise InputError(
            f"{where} has {content[3]} axes, not {ndim}; give images where images belong, and labels where labels do"
        )
    if len(content) < start:
        raise InputError(f"{where} is truncated: it ends within its header; get it again")
    shape = struct.unpack(f">{ndim}I", content[4:start])
    if 0 in shape:
        raise InputError(f"{where} holds no values: its shape is {shape}; give the published file")
    expected = start + math.prod(shape)
    if len(content) != expected:
        fault = "is truncated" if len(content) < expected else "has trailing bytes"
        raise InputError(f"{where} {fault}: shape {shape} takes {expected} bytes, not {len(content)}; get it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


BINARIZED_MNIST = Source("binarized_mnist.npz", "4bf12d4703cf4f5351bf07cafa29f761615374568da7a57fdce26cff7e480854")

_URL = "https://raw.githubusercontent.com/mingzhang-yin/ARM-gradient/9b5f74da4e4009c5556e8d7a87c88c8e291c253d/"
MATLAB = Splits(
    *(
        Source(file, sha256, _URL + file)
        for file, sha256 in (
            ("binarized_mnist_train.amat", "79a0312c7389d855cfc97e3812de3998417c5829d8a51543b56a90a91252ae7e"),
            ("binarized_mnist_valid.amat", "7436afc856959075c7787025bb8a4ba2b520b9230ee39667c66aa7dd2819dd68"),
            ("binarized_mnist_test.amat", "5bc30222e1e7896cbccd1e1db6b28540cc1230f4d2d5473841a5f6cc54be8d38"),
        )
    )
)


@dataclasses.dataclass(frozen=True)
class BinarizedMNIST:
    """70000 binary images 28x28 of handwritten digits, the same in every epoch and every paper.

    MNIST binarized once and for all (Salakhutdinov and Murray 2008), split by Larochelle and Murray (2011): the set that NADE,
    MADE and DARN report on. Downloaded as three MATLAB files, variable X, without labels; where a `binarized_mnist.npz` lies
    under the data root it is taken instead: bit-packed rows `train`, `valid`, `test`, and labels that were found by matching
    every image to the one it was drawn from. The test rows are in the order of their classes.
    """

    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder of the files, if not $ARJAX_DATA or ~/.cache/arjax."""

    values: ClassVar[Any] = Levels(2)
    medium: ClassVar[Any] = Images(2)

    @property
    def title(self) -> str:
        return "MNIST 28x28, fixed binarization (Larochelle and Murray), train 50000 / valid 10000 / test 10000"

    def load(self) -> Splits:
        load = _load_packed if find(BINARIZED_MNIST, self.root) else _load_matlab
        return check_splits(load(self.root), self.values, "binarized MNIST")


def _load_packed(root) -> Splits:
    names = [name + suffix for name in Splits._fields for suffix in ("", "_label")]
    data = read_arrays(read(BINARIZED_MNIST, root), BINARIZED_MNIST.file, names)
    rows = {name: np.unpackbits(data[name], axis=1).reshape(-1, 28, 28) for name in Splits._fields}
    return Splits(*(Split(x, data[f"{name}_label"]) for name, x in rows.items()))


def _load_matlab(root) -> Splits:
    from scipy.io import loadmat

    return Splits(*(Split(loadmat(io.BytesIO(read(source, root)))["X"].reshape(-1, 28, 28)) for source in MATLAB))


FIRST4000 = Source("cifar10_train_first4000.npz", "f21ba659b327871ec330654ccdc95e0da52b1b39c04c467a581440516466148c")


@dataclasses.dataclass(frozen=True)
class Cifar10Subset:
    """4000 colour images 32x32x3 of ten kinds of things, raw values 0..255: the first of CIFAR-10's training images (Krizhevsky
    2009), in their published order.

    There is no test image among them and far fewer to train on, so that no result on it can be held against a published one.
    The first 3200 are for training, 400 for validation, the last 400 for testing. The file has no public download: it holds
    `images` (4000, 32, 32, 3) uint8 and `labels` (4000,) uint8, and must lie under the data root.
    """

    values: Any = Levels(256)
    """What the levels of a pixel become."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder of the files, if not $ARJAX_DATA or ~/.cache/arjax."""

    classes: ClassVar[tuple[str, ...]] = (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip
    medium = property(lambda self: Images(self.values.vocab))

    @property
    def title(self) -> str:
        return (
            f"CIFAR-10's first 4000 training images 32x32 RGB (not comparable with CIFAR-10), {self.values.title}, "
            "train 3200 / valid 400 / test 400"
        )

    def load(self) -> Splits:
        data = read_arrays(read(FIRST4000, self.root), FIRST4000.file, ("images", "labels"))
        parts = slice(None, 3200), slice(3200, 3600), slice(3600, None)
        splits = Splits(*(Split(data["images"][part], data["labels"][part]) for part in parts))
        return check_splits(splits, self.values, "CIFAR-10 subset")
