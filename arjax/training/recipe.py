"""Recipes for a model of data, or of weights, that are not read yet: a config for a user's own files has one instead of a Model.

Experiment(data=ImageFolder(), model=ModelFor(net=PixelCNNPP()), ...)        settle(experiment).model is an arjax.Model
Experiment(data=TextFiles(symbols="bytes"), model=Pretrained(), params_from="gpt2", ...)        likewise, with its tokenizer
"""

import dataclasses
from pathlib import Path
from typing import Any

from arjax.data.dataset import DataCapabilities, examine
from arjax.errors import InputError, say
from arjax.heads import Categorical
from arjax.interop.folder import TOKENIZER
from arjax.interop.huggingface import huggingface_model
from arjax.layers.dense import DtypeName
from arjax.orders import Raster
from arjax.protocol import Model
from arjax.tokenizers import BPE


@dataclasses.dataclass(frozen=True)
class ModelFor:
    """A net for any data: the shape, the classes and, by default, the head follow from the data."""

    net: Any
    """The network."""
    head: Any = None
    """The distribution of one symbol; None for the one that fits the data's values."""
    order: Any = Raster()
    """The order in which an example is generated."""
    labels: bool = True
    """Condition on the class, if the data have classes."""

    def of(self, data, tokenizer=None) -> Model:
        """Makes the model of a data set, or of its tokens. InputError if the data set declares no model, or if the parts do not
        fit."""
        capabilities = DataCapabilities.of(data)
        if capabilities.model is None:
            raise InputError(f"{data.title} declares no model; give the experiment an arjax.Model, not ModelFor")
        head = Categorical(tokenizer.vocab) if self.head is None and tokenizer is not None else self.head
        classes = len(capabilities.classes) if self.labels and capabilities.classes else None
        return capabilities.model(self.net, head=head, order=self.order, classes=classes)


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """The GPT-2 or Image GPT of the Hugging Face folder in `params_from`, or the transformer of a run, with its sizes, symbols
    and tokenizer. Fields that are None keep the value there."""

    dropout: float | None = None
    """Dropout rate of the input and of what every block adds."""
    dtype: DtypeName | None = None
    """The type to compute in; the parameters are float32."""
    remat: bool | None = None
    """Compute the blocks again for the gradient in place of keeping them: less memory, more time."""

    def net(self, model: Model):
        """Returns the model's net with these fields, as far as they are set."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return model.net.clone(**{name: value for name, value in fields.items() if value is not None})

    def of(self, data, tokenizer, source: str | None) -> tuple[Model, Any]:
        """Returns (model, tokenizer) of a data set. The windows of data may be shorter than those of the folder.

        tokenizer: the one to take instead of the folder's.
        source: the folder.

        InputError where it is none, or where the data do not fit it.
        """
        if source is None:
            raise InputError("the model comes from a Hugging Face folder; name it by --params-from FOLDER")
        there, file = huggingface_model(source), Path(source) / TOKENIZER
        vocab = there.head.vocab
        if tokenizer is None and file.is_file():
            if vocab < 256:
                raise InputError(
                    f"the {vocab} tokens of {source} are fewer than the 256 bytes, so that they are no byte-pair tokens; if it "
                    "was exported from a run, give the run's directory"
                )
            tokenizer = BPE(vocab, str(file))
        if tokenizer is None and data.values.vocab != vocab:
            raise InputError(f"{source} holds no {TOKENIZER}, which makes its {vocab} tokens of text; fetch it, too")
        model = ModelFor(self.net(there), there.head, labels=False).of(data, tokenizer)
        if model.num_sites > there.num_sites:
            raise InputError(
                f"windows of {model.num_sites} are longer than the {there.num_sites} positions of {source}; set --data.length "
                f"{there.num_sites}, or fewer"
            )
        return model, tokenizer


def is_open(experiment) -> bool:
    """Must an experiment read its data or weights before its parts can be checked against each other?"""
    return isinstance(experiment.model, ModelFor | Pretrained) or DataCapabilities.of(experiment.data).open


def settle(experiment):
    """Returns the experiment with the fields that its data and weights decide: classes, symbols, the model. Prints notes on the
    files. InputError if they cannot be read, or if the parts do not fit."""
    if not is_open(experiment):
        return experiment
    data, notes = examine(experiment.data)
    for note in notes:
        say(f"note: {note}")
    has, tokenizer, model = DataCapabilities.of(data), experiment.tokenizer, experiment.model
    tokenizer = BPE(has.subwords, has.tokenizer) if tokenizer is None and has.subwords is not None else tokenizer
    if isinstance(model, Pretrained):
        model, tokenizer = model.of(data, tokenizer, experiment.params_from)
    elif isinstance(model, ModelFor):
        model = model.of(data, tokenizer)
    return dataclasses.replace(experiment, data=data, model=model, tokenizer=tokenizer)
