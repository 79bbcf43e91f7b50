"""What densities are estimated on: a toy whose law is known, and fourteen binary sets.

The binary sets are those of Lowd and Davis (2010), Van Haaren and Davis (2012), Larochelle and Murray (2011) and Bekker et al.
(2015) that could be had whole. One row is one example, its columns unordered binary variables. Downloaded as text, a file a
split; where a `binary_density.npz` lies under the data root it is taken instead: bit-packed rows `NAME_train` and so on.
connect4's test split comes in that file only, unless `connect4.test.data` is put there by hand.
"""

import dataclasses
import importlib.resources
import math
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from arjax.data.archive import read_arrays
from arjax.data.media import Table
from arjax.data.sources import Source, find, read
from arjax.data.splits import Split, Splits, check_splits
from arjax.data.values import Levels
from arjax.description import check_types
from arjax.errors import InputError

_BUMPS = ((0.4, 25.0, 4.0), (0.6, 65.0, 12.0))  # weight, mean, standard deviation


@dataclasses.dataclass(frozen=True)
class Bimodal:
    """Examples [1] of two bumps over 100 symbols: z ~ 0.4 N(25, 4^2) + 0.6 N(65, 12^2), rounded to the nearest of 0..99.

    1000 validate and 10000 test; these do not change with `train`.
    """

    train: int = 200
    """Training examples."""
    seed: int = 0
    """Seed of all examples."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """Not used: there are no files."""

    values: ClassVar[Any] = Levels(100)
    medium: ClassVar[Any] = Table()

    def __post_init__(self):
        check_types(self)
        if self.train < 1:
            raise InputError(f"train={self.train} leaves nothing to learn from; choose at least one example")
        if self.seed < 0:
            raise InputError(f"seed={self.seed} must not be negative; choose 0 or more")

    @property
    def title(self) -> str:
        return f"bimodal toy, {self.values.title}, train {self.train} / valid 1000 / test 10000, seed {self.seed}"

    def probs(self) -> np.ndarray:
        """Returns the law, [100] float64."""
        edges = [-math.inf, *np.arange(99) + 0.5, math.inf]
        cdf = [sum(w * 0.5 * math.erfc((mean - edge) / std / math.sqrt(2)) for w, mean, std in _BUMPS) for edge in edges]
        return np.diff(cdf)

    def load(self) -> Splits:
        below, splits = np.cumsum(self.probs())[:-1], []
        for split, count in enumerate((self.train, 1000, 10000)):
            uniform = np.random.default_rng((self.seed, split)).random(count)
            splits.append(Split(np.searchsorted(below, uniform, side="right").astype(np.uint8)[:, None]))
        return check_splits(Splits(*splits), self.values, "bimodal toy")


# Number of variables, and of examples in train, valid and test.
SIZES = {
    "accidents": (111, 12758, 1700, 2551),
    "baudio": (100, 15000, 2000, 3000),
    "bbc": (1058, 1670, 225, 330),
    "bnetflix": (100, 15000, 2000, 3000),
    "connect4": (126, 16000, 4000, 47557),
    "dna": (180, 1600, 400, 1186),
    "jester": (100, 9000, 1000, 4116),
    "moviereview": (1001, 1600, 150, 250),
    "mushrooms": (112, 2000, 500, 5624),
    "nips": (500, 400, 100, 1240),
    "nltcs": (16, 16181, 2157, 3236),
    "plants": (69, 17412, 2321, 3482),
    "pumsb_star": (163, 12262, 1635, 2452),
    "voting": (1359, 1214, 200, 350),
}
Name = Literal[tuple(SIZES)]

PACKED = Source("binary_density.npz", "a683f3b6fb90b71728a925cd8b7d7b8db0f739788992daae47c427da9b8dcacd")

_URL = (
    "https://raw.githubusercontent.com/UCLA-StarAI/Density-Estimation-Datasets/"
    "37d53c1a8ba488d0a39e8c64bd3387577080b143/datasets/{name}/{file}"
)


@dataclasses.dataclass(frozen=True)
class BinaryDensity:
    """One of the sets, by name. Its site_shape is (number of variables,)."""

    name: Name
    """Name of the set."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder of the file, if not $ARJAX_DATA or ~/.cache/arjax."""

    values: ClassVar[Any] = Levels(2)
    medium: ClassVar[Any] = Table()

    def __post_init__(self):
        if self.name not in get_args(Name):
            raise InputError(f"there is no binary density set {self.name!r}; choose one of {', '.join(get_args(Name))}")
        check_types(self)

    @property
    def title(self) -> str:
        dim, train, valid, test = SIZES[self.name]
        return f"{self.name}, {dim} binary variables, train {train} / valid {valid} / test {test}"

    def load(self) -> Splits:
        load = _load_packed if find(PACKED, self.root) else _load_text
        return check_splits(load(self.name, self.root), self.values, self.name)


def text_sources(name: Name) -> Splits:
    """Names the files of the three splits. Their sums, `sha256sum`'s output, are in density_sha256.txt."""
    lines = importlib.resources.files("arjax.data").joinpath("density_sha256.txt").read_text().splitlines()
    sha256 = {file: digest for digest, file in (line.split() for line in lines)}
    files = (f"{name}.{split}.data" for split in Splits._fields)
    return Splits(*(Source(file, sha256.get(file), _URL.format(name=name, file=file)) for file in files))


def parse_text(content: bytes, where: str, shape: tuple[int, int]) -> np.ndarray:
    """Reads uint8 [N, dim] from N lines of dim digits 0 or 1 with commas between. InputError unless it is exactly that."""
    num, dim = shape
    if len(content) != num * dim * 2:
        raise InputError(
            f"{where} must be {num} lines of {dim} digits with commas between: {num * dim * 2} bytes, not {len(content)}; "
            "get it again"
        )
    text = np.frombuffer(content, np.uint8).reshape(num, dim, 2)
    x, between = text[..., 0] - ord("0"), text[..., 1]  # what is no digit wraps around to more than 1
    if (between[:, :-1] != ord(",")).any() or (between[:, -1] != ord("\n")).any() or (x > 1).any():
        raise InputError(f"{where} must be lines of digits 0 and 1 with commas between; get it again")
    return x


def _load_packed(name, root) -> Splits:
    dim = SIZES[name][0]
    data = read_arrays(read(PACKED, root), PACKED.file, [f"{name}_{split}" for split in Splits._fields])
    return Splits(*(Split(np.unpackbits(rows, axis=1, count=dim)) for rows in data.values()))


def _load_text(name, root) -> Splits:
    dim, *nums = SIZES[name]
    sources = text_sources(name)
    return Splits(*(Split(parse_text(read(s, root), s.file, (num, dim))) for s, num in zip(sources, nums, strict=True)))
