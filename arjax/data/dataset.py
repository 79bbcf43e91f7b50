"""What a data set is: examples in three named splits, what their values become, and how a person sees them.

A reader of a user's own files is *open* until it has read them: the files decide fields such as the classes or the alphabet.
`examine` fills in these fields, so that the description in a run directory is complete without the files.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from arjax.data.splits import Splits
from arjax.protocol import declared_by


class Dataset(Protocol):
    """A frozen dataclass that names a data set, how its values are read, and where its files are.

    Text for a tokenizer of text is a `TextDataset` as well, see text.py. Tokens whose `medium.lossless` is false have
    `distortion() -> float`: the mean squared error of the test split's images in [0, 1], encoded and decoded.
    """

    root: str | None
    """The folder of the files; None stands for $ARJAX_DATA, else ~/.cache/arjax. A field `dataclasses.field(default=None,
    compare=False)`: where the files lie is no part of an experiment's identity. Data without files need none."""
    values: Any
    """A Values: what raw values become. Typed Any so that command lines can edit its fields."""
    medium: Any
    """A Medium: what the examples are to a person and to a file."""

    @property
    def title(self) -> str:
        """Data set, values and split in one line, which stands beside each result."""
        ...

    def load(self) -> Splits:
        """Returns the three splits, checked. InputError in one line where a file is missing or is not what it should be."""
        ...


@dataclasses.dataclass(frozen=True)
class DataCapabilities:
    """What a data set may declare by an attribute or a method of the same name. Without it the default applies."""

    classes: tuple[str, ...] | None = None
    """The names of its classes, in the order of their labels."""
    open: bool = False
    """Are there fields that only its files can decide, and that `examined` fills in?"""
    examined: Callable | None = None
    """examined() -> Examined. InputError where the files cannot be read."""
    model: Callable | None = None
    """model(net, *, head, order, classes) -> the arjax.Model of its examples. head: None for the one that suits its values.
    classes: how many the model is conditioned on, or None."""
    subwords: int | None = None
    """The number of byte-pair tokens that its text becomes; None models its symbols as they are."""
    baseline: Callable | None = None
    """baseline(train, scored) -> by its name -log p of the examples `scored` [N, *site_shape, *E] in nats [N], of a model that
    needs no training, fitted to the examples `train`. Of symbols there are such models anyway."""
    summary: Callable | None = None
    """summary(x) -> lines that say what the values of examples [N, *site_shape, *E] are, where their range says little."""
    tokenizer: str | None = None
    """The tokenizer.json of the byte-pair tokens; None learns them from the training split."""
    tokens: bool = False
    """Are its examples such tokens already?"""
    shared: tuple[str, ...] = ()
    """The open fields that give the symbols their meaning: a run that starts from the parameters of another run copies them."""

    @classmethod
    def of(cls, data) -> "DataCapabilities":
        """Reads what `data` declares."""
        return declared_by(cls, data)


class Examined(NamedTuple):
    """A data set with no open field, and `notes`, a sentence each: what was changed or left out of its files, and why."""

    data: Any
    notes: tuple[str, ...] = ()


def examine(data) -> Examined:
    """Returns the data set with its open fields filled in. InputError if its files cannot be read."""
    capabilities = DataCapabilities.of(data)
    return capabilities.examined() if capabilities.open and capabilities.examined is not None else Examined(data)


def has_root(data) -> bool:
    """Has a Dataset a field `root`? Data without files need none."""
    return "root" in (field.name for field in dataclasses.fields(data))


def rooted(data, root: str | None):
    """Returns a Dataset whose files lie under `root`; the same one where that is None, or where it has no files."""
    return dataclasses.replace(data, root=root) if root is not None and has_root(data) else data
