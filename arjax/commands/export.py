"""`python -m arjax export RUN FOLDER`."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import tyro

from arjax.commands import flags
from arjax.data.characters import END_OF_TEXT
from arjax.data.media import MediumCapabilities
from arjax.errors import InputError, say
from arjax.files import check_output
from arjax.interop import save_huggingface
from arjax.interop.folder import CONFIG, TENSORS, TOKENIZER
from arjax.interop.settings import require_expressible
from arjax.protocol import declared_by
from arjax.runs.load import open_run


@dataclasses.dataclass(frozen=True)
class Export:
    """Write what a run of a transformer learned as a Hugging Face folder, from which transformers computes the same: a GPT-2 or
    an Image GPT, and of text the tokenizer."""

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
        written = declared_by(MediumCapabilities, experiment.data.medium).tokenizer_json
        try:
            require_expressible(model)
            end, others = (None, {}) if written is None else _tokenizer(model, written())
            save_huggingface(self.folder, model, params, overwrite=self.overwrite, end=end, others=others)
        except InputError as error:
            raise InputError(f"{self.run} cannot be exported: {error}") from error
        say(f"{', '.join((CONFIG, TENSORS, *others))} in {self.folder}")


# Read by transformers beside the tokenizer.json, which alone it would take for GPT-2's, with a token that is none here.
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
