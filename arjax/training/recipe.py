"""A model of data that are not known yet: what a config over a user's own files has in the place of a Model.

Experiment(data=ImageFolder(), model=ModelFor(net=PixelCNNPP()), ...)        settle(experiment).model is an arjax.Model
"""

import dataclasses
from typing import Any

from arjax.data.dataset import DataCapabilities, examine
from arjax.errors import InputError, say
from arjax.heads import Categorical
from arjax.orders import Raster
from arjax.protocol import Model
from arjax.tokenizers import BPE


@dataclasses.dataclass(frozen=True)
class ModelFor:
    """A net for whatever data it is given: the shape, the classes and, unless it is named, the head follow from them."""

    net: Any
    """The network."""
    head: Any = None
    """The distribution of one symbol; None for the one that suits the data's values."""
    order: Any = Raster()
    """The order in which an example is generated."""
    labels: bool = True
    """Condition on the class, where the data have classes."""

    def of(self, data, tokenizer=None) -> Model:
        """Makes the model of a data set, or of its tokens. InputError where the data set says nothing of its examples, or where
        the parts do not fit."""
        capabilities = DataCapabilities.of(data)
        if capabilities.model is None:
            raise InputError(f"{data.title} leaves open what its model is; give the experiment an arjax.Model, not ModelFor")
        head = Categorical(tokenizer.vocab) if self.head is None and tokenizer is not None else self.head
        classes = len(capabilities.classes) if self.labels and capabilities.classes else None
        return capabilities.model(self.net, head=head, order=self.order, classes=classes)


def is_open(experiment) -> bool:
    """Has an experiment to see its data before its parts can be held against each other?"""
    return isinstance(experiment.model, ModelFor) or DataCapabilities.of(experiment.data).open


def settle(experiment):
    """Returns the experiment with what its data decide: their classes and symbols, the model. What is strange about the files is
    said. InputError where they cannot be read, or where the parts do not fit."""
    if not is_open(experiment):
        return experiment
    data, notes = examine(experiment.data)
    for note in notes:
        say(f"note: {note}")
    has, tokenizer = DataCapabilities.of(data), experiment.tokenizer
    tokenizer = BPE(has.subwords, has.tokenizer) if tokenizer is None and has.subwords is not None else tokenizer
    model = experiment.model.of(data, tokenizer) if isinstance(experiment.model, ModelFor) else experiment.model
    return dataclasses.replace(experiment, data=data, model=model, tokenizer=tokenizer)
