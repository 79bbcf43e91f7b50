"""Image GPT (Chen et al. 2020) as transformers has it: `model_type` "imagegpt".

    h_t = wte[x_{t-1}] + wpe[t], x_{-1} = vocab_size - 1        theta_t = ln_f(blocks(h)_t) lm_head^T, of vocab_size - 1 symbols

Its norms divide by the root mean square, without mean or shift. The last row of wte, which starts a picture and is never
generated, is here the learned start. Pixels go row by row, so that positions by site are the same in one axis and in two; a
square number of them makes a square picture.
"""

import math

import numpy as np

from arjax.errors import InputError
from arjax.heads import Categorical
from arjax.interop.folder import Settings
from arjax.interop.settings import common, written
from arjax.interop.weights import fit, from_params, to_params, to_tensors, weights
from arjax.models.transformer import Transformer
from arjax.protocol import Model

MODEL_TYPE = "imagegpt"


def model_of(settings: Settings) -> Model:
    """The model that config.json describes. InputError as in `load_huggingface`."""
    vocab, sites = settings.integer("vocab_size", least=2) - 1, settings.integer("n_positions")
    settings.require("tie_word_embeddings", False)
    return Model(Transformer(**common(settings, "quick_gelu"), norm="rms"), Categorical(vocab), _picture(sites))


def params_of(model: Model, settings: Settings, tensors: dict[str, np.ndarray]) -> dict:
    """The model's parameters. InputError as in `load_huggingface`."""
    vocab = model.head.vocab
    ours, rest = fit(tensors, weights(model.net, model.num_sites, vocab + 1, vocab))
    ours |= {"table": rest["wte.weight"][None, :-1], "start": rest["wte.weight"][-1], "v": rest["lm_head.weight"].T}
    return to_params(ours)


def save(model: Model, params) -> tuple[dict, dict[str, np.ndarray]]:
    """(settings, tensors). InputError as in `save_huggingface`."""
    net, vocab = model.net, model.head.vocab
    if net.tied:
        raise InputError(
            "tied=True cannot be written as Image GPT, whose table has one row more than its head; choose tied=False"
        )
    if model.site_shape != _picture(model.num_sites):
        raise InputError(
            f"site_shape={model.site_shape} would be read back from Image GPT as {_picture(model.num_sites)}, since it counts "
            "sites only; choose that shape"
        )
    ours = from_params(model, params)
    tensors = to_tensors(ours, weights(net, model.num_sites, vocab + 1, vocab))
    tensors["wte.weight"] = np.concatenate([ours["table"][0], ours["start"][None]])
    tensors["lm_head.weight"] = ours["v"].T
    settings = written(model) | {
        "architectures": ["ImageGPTForCausalImageModeling"],
        "bos_token_id": vocab,
        "model_type": MODEL_TYPE,
        "tie_word_embeddings": False,
        "vocab_size": vocab + 1,
    }
    return settings, tensors


def _picture(sites: int) -> tuple[int, ...]:
    side = math.isqrt(sites)
    return (side, side) if side**2 == sites else (sites,)
