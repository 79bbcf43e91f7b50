"""MNIST (LeCun, Cortes, Burges 1998) and Fashion-MNIST (Xiao, Rasul, Vollgraf 2017) from their IDX files.

Raw values 0..255, ten classes. The published training images are the first 50000 for training and the last 10000 for
validation, as is usual.
"""

import dataclasses
from typing import Any, NamedTuple

from arjax.data import idx
from arjax.data.sources import Source, read
from arjax.data.splits import Split, Splits, check_splits
from arjax.data.values import Dynamic


class Files(NamedTuple):
    """The four files of such a data set."""

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


@dataclasses.dataclass(frozen=True)
class MNIST:
    """70000 images 28x28 of handwritten digits."""

    values: Any = Dynamic()
    root: str | None = dataclasses.field(default=None, compare=False)

    @property
    def title(self) -> str:
        return f"MNIST 28x28, {self.values.title}, train 50000 / valid 10000 / test 10000"

    def load(self) -> Splits:
        return check_splits(read_files(MNIST_FILES, self.root), self.values, "MNIST")


@dataclasses.dataclass(frozen=True)
class FashionMNIST:
    """70000 images 28x28 of clothes."""

    values: Any = Dynamic()
    root: str | None = dataclasses.field(default=None, compare=False)

    @property
    def title(self) -> str:
        return f"Fashion-MNIST 28x28, {self.values.title}, train 50000 / valid 10000 / test 10000"

    def load(self) -> Splits:
        return check_splits(read_files(FASHION_MNIST_FILES, self.root), self.values, "Fashion-MNIST")


def read_files(files: Files, root: str | None, num_valid: int = 10000) -> Splits:
    """The four files as three splits; the last `num_valid` training images are for validation. InputError as `read`, `parse`."""
    images, labels, test_images, test_labels = (
        idx.parse(read(source, root), source.file, ndim) for source, ndim in zip(files, (3, 1, 3, 1), strict=True)
    )
    return Splits(
        train=Split(images[:-num_valid], labels[:-num_valid]),
        valid=Split(images[-num_valid:], labels[-num_valid:]),
        test=Split(test_images, test_labels),
    )
