"""What data are to a person and to a file: images, text, sound, or the rows of a table.

A data set has one field or property `medium`, an instance of one of these. Whoever shows, reads or writes examples asks the
medium and does not branch. `x` are examples as the data set's `values` make them: symbols or real values
[B, *site_shape, *E].
"""

from typing import Any, NamedTuple, Protocol

import numpy as np


class Exhibit(NamedTuple):
    """Examples as a person sees, reads or hears them; what a medium does not have is empty.

    picture: uint8 [h, w, 3], one picture of all examples, or None. texts: a string an example. waveforms: float32 [B, T] in
    [-1, 1], of `sample_rate` samples a second.
    """

    picture: np.ndarray | None = None
    texts: tuple[str, ...] = ()
    waveforms: np.ndarray | tuple = ()
    sample_rate: int = 0


class Packed(NamedTuple):
    """A file as examples of a model. x [n, *site_shape, *E]; lengths [n]: how many sites of each are the file's; note: plain
    values that say what else it takes to write the file again."""

    x: np.ndarray
    lengths: list[int]
    note: dict[str, Any]


class Medium(Protocol):
    """A frozen dataclass. InputError in `encode`, `pack` and `unpack` where they are given what the medium has no symbols for."""

    unit: str
    """What one value is called in results: "dim", "char", "byte", "sample", "token"."""
    stream: bool
    """Are examples windows of a stream, in which a site's number means nothing?"""

    def exhibit(self, x, title: str = "") -> Exhibit:
        """Shows examples."""
        ...

    def encode(self, text: str) -> np.ndarray:
        """The symbols [length] of a string."""
        ...

    def original_bytes(self, x) -> np.ndarray | None:
        """How many bytes of the original each example stands for [N]; None where that has no answer."""
        ...

    def pack(self, name: str, content: bytes, model) -> Packed:
        """The bytes of a file as examples."""
        ...

    def unpack(self, name: str, packed: Packed, model) -> bytes:
        """The same file again."""
        ...
