"""MNIST binarized once and for all (Salakhutdinov and Murray 2008), split by Larochelle and Murray (2011).

The set that NADE, MADE and DARN report on. Downloaded as three MATLAB files, variable X, without labels; where a
`binarized_mnist.npz` lies under the data root it is taken instead: bit-packed rows `train`, `valid`, `test`, and labels
that were found by matching every image to the one it was drawn from. The test rows are in the order of their classes.
"""

import dataclasses
import io
from typing import Any, ClassVar

import numpy as np

from arjax.data.archive import read_arrays
from arjax.data.sources import Source, find, read
from arjax.data.splits import Split, Splits, check_splits
from arjax.data.values import Levels

_URL = "https://raw.githubusercontent.com/mingzhang-yin/ARM-gradient/9b5f74da4e4009c5556e8d7a87c88c8e291c253d/"

PACKED = Source("binarized_mnist.npz", "4bf12d4703cf4f5351bf07cafa29f761615374568da7a57fdce26cff7e480854")

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
    """70000 binary images 28x28 of handwritten digits, the same in every epoch and every paper."""

    root: str | None = dataclasses.field(default=None, compare=False)

    values: ClassVar[Any] = Levels(2)

    @property
    def title(self) -> str:
        return "MNIST 28x28, fixed binarization (Larochelle and Murray), train 50000 / valid 10000 / test 10000"

    def load(self) -> Splits:
        load = _load_packed if find(PACKED, self.root) else _load_matlab
        return check_splits(load(self.root), self.values, "binarized MNIST")


def _load_packed(root) -> Splits:
    names = [name + suffix for name in Splits._fields for suffix in ("", "_label")]
    data = read_arrays(read(PACKED, root), PACKED.file, names)
    return Splits(*(Split(_images(np.unpackbits(data[name], axis=1)), data[f"{name}_label"]) for name in Splits._fields))


def _load_matlab(root) -> Splits:
    # Imported here because only this file format needs it.
    from scipy.io import loadmat

    return Splits(*(Split(_images(loadmat(io.BytesIO(read(source, root)))["X"])) for source in MATLAB))


def _images(x):
    return x.reshape(-1, 28, 28)
