"""GPT-2's and Image GPT's weights out of a Hugging Face folder, and back into one.

    model, params = arjax.interop.load_huggingface("gpt2")        # a folder with config.json and model.safetensors
    arjax.interop.save_huggingface("mine", model, params)         # transformers.AutoModelForCausalLM.from_pretrained("mine")

theta of the one is the logits of the other. What is read is exactly what is computed: a setting or a tensor that has no
counterpart here is an error, never ignored. Nothing is downloaded, and no pickle is read.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from arjax.errors import InputError, brief
from arjax.interop import gpt2, imagegpt
from arjax.interop.folder import read_settings, read_tensors, write
from arjax.interop.settings import require_expressible
from arjax.interop.weights import BUFFERS, PREFIX
from arjax.protocol import Model


def load_huggingface(folder: str | os.PathLike, *, sites: int | None = None):
    """Returns (model, params) of the GPT-2 or Image GPT in `folder`: config.json and model.safetensors, or several and an index.

    sites: the number of positions of a GPT-2 to keep, from the first on; None, or more than there are, keeps all.

    GPT-2 becomes a model of n_positions sites that starts with bos_token_id: `arjax.theta(model, params, x)` is its logits on
    [bos, x] without the last. Image GPT becomes one of vocab_size - 1 symbols with a learned start, on a square where
    n_positions is one. Weights of 16 bits become float32. A tokenizer.json is not read: x are token numbers.

    InputError, in one line: no such folder or file, one that is damaged, another architecture, a setting that is not computed
    here, a tensor that is missing, has no place, or has another shape.
    """
    folder = Path(folder)
    settings = read_settings(folder)
    architecture = _architecture(settings)
    model = architecture.model_of(settings)
    params = architecture.params_of(model, settings, read_tensors(folder, BUFFERS))
    shorter = architecture is gpt2 and sites is not None
    return gpt2.shortened(model, params, sites) if shorter else (model, params)


def huggingface_model(folder: str | os.PathLike):
    """Returns only the model of `load_huggingface`; it reads config.json alone."""
    settings = read_settings(Path(folder))
    return _architecture(settings).model_of(settings)


def save_huggingface(
    folder: str | os.PathLike,
    model: Model,
    params,
    *,
    overwrite: bool = False,
    end: int | None = None,
    others: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Writes config.json and model.safetensors, from which transformers computes what the model does: as GPT-2 where it has layer
    norms and starts with a symbol (norm="layer", bos=...), as Image GPT where its norms are without mean and its start is
    learned (norm="rms", bos=None). Read back they give the same model, which computes in float32, and params that are equal bit
    for bit.

    overwrite: replace existing files?
    end: the token that ends a text, which config.json then names.
    others: the contents of further files, by their names, such as tokenizer.json.

    The folder is made if it is not there. InputError, naming the field and its value, where neither can be the model, or the
    params are another model's.
    """
    require_expressible(model)
    net = model.net
    if net.norm == "layer" and net.bos is None:
        raise InputError("bos=None with norm='layer' is a learned start, which GPT-2 has not; choose the symbol that starts")
    if net.norm == "rms" and net.bos is not None:
        raise InputError(f"bos={net.bos} with norm='rms' is no learned start, as Image GPT has; choose bos=None")
    architecture = gpt2 if net.norm == "layer" else imagegpt
    settings, tensors = architecture.save(model, params)
    tensors = {PREFIX * (name != "lm_head.weight") + name: tensor for name, tensor in tensors.items()}
    write(Path(folder), settings | {"eos_token_id": end}, tensors, others, overwrite)


def _architecture(settings):
    kind = settings.values.get("model_type")
    for architecture in (gpt2, imagegpt):
        if kind == architecture.MODEL_TYPE:
            return architecture
    raise InputError(
        f"{settings.file}: model_type={brief(kind)} is not read; only {gpt2.MODEL_TYPE} and {imagegpt.MODEL_TYPE} are"
    )
