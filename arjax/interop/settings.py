"""The settings that GPT-2 and Image GPT share: how wide and deep a net is, and what it computes in a block.

transformers knows more ways to compute attention than are computed here; each of those is refused by name.
(reorder_and_upcast_attn is none of them: it guards low precision, and in float32 changes nothing.)
"""

from arjax.errors import InputError
from arjax.heads import Categorical
from arjax.interop.folder import Settings
from arjax.interop.weights import ACTIVATIONS, NAMES
from arjax.layers.attention_mask import Causal
from arjax.layers.transformer_block import EPSILON
from arjax.models.transformer import Transformer
from arjax.orders import Raster
from arjax.protocol import CondSpec, Model

# What these nets do, by transformers' names, and the value that means it.
_FIXED = {
    "layer_norm_epsilon": EPSILON,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
}


def common(settings: Settings, activation: str) -> dict:
    """Fields of the `Transformer`; `activation`: the one it has where none is named. InputError for what is not computed here."""
    for name, value in _FIXED.items():
        settings.require(name, value)
    width, heads = settings.integer("n_embd"), settings.integer("n_head")
    if width % heads:
        raise InputError(f"{settings.file}: n_embd={width} is not divisible by n_head={heads}; correct one of them")
    return {
        "width": width,
        "layers": settings.integer("n_layer"),
        "heads": heads,
        "mlp": settings.integer_or_none("n_inner"),
        "activation": settings.choice("activation_function", activation, ACTIVATIONS),
        "positions": "learned",
        "dropout": settings.rate("resid_pdrop", 0.1),
    }


def written(model: Model) -> dict:
    """What config.json says of the model, but for its symbols and its start."""
    net = model.net
    return _FIXED | {
        "activation_function": NAMES[net.activation],
        "attn_pdrop": 0.0,
        "dtype": "float32",
        "embd_pdrop": net.dropout,
        "n_embd": net.width,
        "n_head": net.heads,
        "n_inner": net.mlp,
        "n_layer": net.layers,
        "n_positions": model.num_sites,
        "pad_token_id": None,
        "resid_pdrop": net.dropout,
    }


def require_expressible(model: Model) -> None:
    """InputError, naming the field and its value, where neither GPT-2 nor Image GPT computes what this model does."""
    net, head = model.net, model.head
    if not isinstance(net, Transformer):
        raise InputError(f"net={type(net).__name__} is neither GPT-2 nor Image GPT; only a Transformer can be")
    if not isinstance(head, Categorical):
        raise InputError(f"head={head} is neither GPT-2's nor Image GPT's; only Categorical(vocab) is")
    if net.kv_heads not in (None, net.heads):
        raise InputError(f"kv_heads={net.kv_heads} shares keys and values, as neither GPT-2 nor Image GPT does; only None can be")
    for name, value, only in (
        ("positions", net.positions, "learned"),
        ("any_order", net.any_order, False),
        ("mask", net.mask, Causal()),
        ("order", model.order, Raster()),
        ("cond", model.cond, CondSpec()),
    ):
        if value != only:
            raise InputError(f"{name}={value!r} is neither GPT-2's nor Image GPT's; only {only!r} is")
