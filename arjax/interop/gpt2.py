"""GPT-2 (Radford et al. 2019) as transformers has it: `model_type` "gpt2".

    h_t = wte[x_{t-1}] + wpe[t], x_{-1} = bos_token_id        theta_t = ln_f(blocks(h)_t) wte^T, or lm_head^T where it is untied

It has no start of its own: its first symbol is a token, so theta of x is its logits on [bos, x] without the last. n_positions
inputs make as many sites. Attention dropout is not known here; `dropout` is what GPT-2 drops of what blocks add (resid_pdrop).
"""

import dataclasses

import numpy as np

from arjax.errors import InputError
from arjax.heads import Categorical
from arjax.interop.folder import Settings
from arjax.interop.settings import common, written
from arjax.interop.weights import fit, from_params, to_params, to_tensors, weights
from arjax.models.transformer import Transformer
from arjax.protocol import Model

MODEL_TYPE = "gpt2"


def model_of(settings: Settings) -> Model:
    """The model that config.json describes. InputError as in `load_huggingface`."""
    vocab, sites = settings.integer("vocab_size"), settings.integer("n_positions")
    bos, tied = settings.integer("bos_token_id", least=0), settings.flag("tie_word_embeddings", True)
    if bos >= vocab:
        raise InputError(
            f"{settings.file}: bos_token_id={bos} is no token of vocab_size={vocab}; choose one of them to start with"
        )
    return Model(Transformer(**common(settings, "gelu_new"), norm="layer", tied=tied, bos=bos), Categorical(vocab), (sites,))


def params_of(model: Model, settings: Settings, tensors: dict[str, np.ndarray]) -> dict:
    """The model's parameters. InputError as in `load_huggingface`."""
    tied, vocab = model.net.tied, model.head.vocab
    tensors = _without_copy(settings, tensors) if tied else tensors
    ours, rest = fit(tensors, weights(model.net, model.num_sites, vocab, None if tied else vocab))
    ours["table"] = rest["wte.weight"][None]
    if not tied:
        ours["v"] = rest["lm_head.weight"].T
    return to_params(ours)


def shortened(model: Model, params: dict, sites: int):
    """(model, params) of the first `sites` positions, or of all if there are no more."""
    positions = {"table": params["next"]["table"][:sites]}
    return dataclasses.replace(model, site_shape=(min(sites, model.num_sites),)), params | {"next": positions}


def save(model: Model, params) -> tuple[dict, dict[str, np.ndarray]]:
    """(settings, tensors). InputError as in `save_huggingface`."""
    net = model.net
    if len(model.site_shape) > 1:
        raise InputError(
            f"site_shape={model.site_shape} has {len(model.site_shape)} axes, and GPT-2 one; choose ({model.num_sites},)"
        )
    ours, vocab = from_params(model, params), model.head.vocab
    tensors = to_tensors(ours, weights(net, model.num_sites, vocab, None if net.tied else vocab))
    tensors["wte.weight"] = ours["table"][0]
    if not net.tied:
        tensors["lm_head.weight"] = ours["v"].T
    settings = written(model) | {
        "architectures": ["GPT2LMHeadModel"],
        "bos_token_id": net.bos % vocab,
        "model_type": MODEL_TYPE,
        "tie_word_embeddings": net.tied,
        "vocab_size": vocab,
    }
    return settings, tensors


def _without_copy(settings, tensors):
    """Some files store the tied table twice."""
    table = next((tensors[name] for name in ("wte.weight", "transformer.wte.weight") if name in tensors), None)
    copy = tensors.get("lm_head.weight")
    if copy is not None and table is not None and not np.array_equal(copy, table):
        raise InputError(
            f"{settings.file}: tie_word_embeddings=true, but lm_head.weight differs from wte.weight; set it to false, or remove "
            "lm_head.weight"
        )
    return {name: tensor for name, tensor in tensors.items() if name != "lm_head.weight"}
