"""`python -m arjax export RUN FOLDER`, and `import FOLDER RUN`."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import tyro

from arjax.commands import flags
from arjax.data.characters import END_OF_TEXT
from arjax.data.medium import MediumCapabilities
from arjax.data.splits import Split, Splits
from arjax.data.text_files import TextFiles
from arjax.errors import InputError, say
from arjax.files import check_output
from arjax.interop.folder import CONFIG, TENSORS, TOKENIZER
from arjax.interop.huggingface import huggingface_model, save_huggingface
from arjax.interop.settings import require_expressible
from arjax.runs import checkpoints, directory, start
from arjax.runs.load import open_run
from arjax.training.experiment import Experiment, over_tokens, run_keys
from arjax.training.optimizers import SGD
from arjax.training.recipe import Pretrained, settle
from arjax.training.state import abstract_state


@dataclasses.dataclass(frozen=True)
class Export:
    """Write the transformer of a run as a Hugging Face folder, a GPT-2 or an Image GPT, with which transformers computes the
    same; a run of text gets its tokenizer, too."""

    run: flags.Run
    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER", help="Where to write it.")]
    raw: flags.Raw = False
    overwrite: flags.Overwrite = False
    modules: flags.Modules = ()

    def __call__(self) -> None:
        for name in (CONFIG, TENSORS, TOKENIZER, _SETTINGS):
            check_output(self.folder / name, overwrite=self.overwrite, remedy="--overwrite")
        experiment, params, _ = open_run(self.run, raw=self.raw, modules=self.modules)
        model = flags.require_model(self.run, experiment)
        written = MediumCapabilities.of(experiment.data.medium).tokenizer_json
        try:
            require_expressible(model)
            end, others = (None, {}) if written is None else _tokenizer(model, written())
            save_huggingface(self.folder, model, params, overwrite=self.overwrite, end=end, others=others)
        except InputError as error:
            raise InputError(f"{self.run} cannot be exported: {error}") from error
        say(f"{', '.join((CONFIG, TENSORS, *others))} in {self.folder}")


@dataclasses.dataclass(frozen=True)
class Import:
    """Make a run of the GPT-2 in a Hugging Face folder without training, to sample, score, complete and compress texts."""

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER", help="The folder that holds config.json.")]
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN", help="The directory to make.")]
    length: int | None = None
    """Tokens in a window; by default as many as the model has positions."""

    def __call__(self) -> None:
        flags.require_positive(length=self.length)
        if self.run.exists():
            raise InputError(f"{self.run} is there already; choose another directory")
        length = self.length or huggingface_model(self.folder).num_sites
        data = TextFiles(symbols="bytes", length=length, held_out="place")
        parts = {"data": data, "model": Pretrained(), "optimizer": SGD(momentum=0.0), "params_from": str(self.folder)}
        described = settle(Experiment(**parts, steps=1, eval_every=1))
        if described.tokenizer is None:
            raise InputError(f"{self.folder} holds no {TOKENIZER}, which makes tokens of text; fetch it, too")
        learned = described.tokenizer.fit(data)
        experiment = over_tokens(described, learned)
        abstract = abstract_state(experiment, mesh := experiment.mesh.build())
        given = start.taken(described, abstract, self.run, learned)
        none = Split(np.zeros((0, length), np.int32))
        with directory.alone_in(self.run), jax.set_mesh(mesh):
            directory.write_run(self.run, described, Splits(none, none, none), learned, given.digest)
            state = start.begin(experiment, abstract, run_keys(experiment).init, given, self.run)
            with checkpoints.open_checkpoints(self.run / "checkpoints") as writer:
                checkpoints.save(writer, 0, state, None)
        say(f"run.json, tokenizer.safetensors, checkpoints/ in {self.run}")


# Without this file transformers takes the tokenizer.json for GPT-2's, and adds a token that this model lacks.
_SETTINGS = "tokenizer_config.json"


def _tokenizer(model, content: str) -> tuple[int | None, dict[str, str]]:
    """(the token that ends a text, if there is one; the two files)."""
    added = {token["content"]: token["id"] for token in json.loads(content)["added_tokens"]}
    # Tokens that are found as they are written, as GPT-2's <|endoftext|>, have names.
    start = None if model.net.bos is None else model.net.bos % model.head.vocab
    numbers = {"bos_token": start, "eos_token": added.get(END_OF_TEXT)}
    named = {name: token for name, number in numbers.items() for token, other in added.items() if number == other}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model.num_sites,
        "clean_up_tokenization_spaces": False,
    }
    return numbers["eos_token"], {TOKENIZER: content, _SETTINGS: json.dumps(settings | named, indent=2) + "\n"}
