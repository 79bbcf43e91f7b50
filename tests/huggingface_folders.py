"""Random GPT-2s and Image GPTs as folders, written without arjax, and the same nets in plain NumPy."""

import json
import math

import numpy as np
import safetensors.numpy

GPT2 = {
    "model_type": "gpt2", "vocab_size": 11, "n_positions": 6, "n_embd": 6, "n_layer": 2, "n_head": 3, "n_inner": None,
    "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "bos_token_id": 10, "tie_word_embeddings": True,
}  # fmt: skip
IMAGEGPT = {
    "model_type": "imagegpt", "vocab_size": 12, "n_positions": 9, "n_embd": 6, "n_layer": 2, "n_head": 2, "n_inner": None,
    "activation_function": "quick_gelu", "layer_norm_epsilon": 1e-5, "tie_word_embeddings": False,
}  # fmt: skip


def tensors_of(config: dict, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights for such a config, without prefix, large enough for logits to differ."""
    rng, width = np.random.default_rng(seed), config["n_embd"]
    inner = config["n_inner"] or 4 * width
    image = config["model_type"] == "imagegpt"
    tensors = {}

    def add(name, *shape, mean=0.0):
        tensors[name] = (mean + 0.4 * rng.standard_normal(shape)).astype(np.float32)

    def add_norm(name):
        add(f"{name}.weight", width, mean=1.0)
        if not image:
            add(f"{name}.bias", width)

    add("wte.weight", config["vocab_size"], width)
    add("wpe.weight", config["n_positions"], width)
    for layer in range(config["n_layer"]):
        add_norm(f"h.{layer}.ln_1")
        add_norm(f"h.{layer}.ln_2")
        shapes = {
            "attn.c_attn": (width, 3 * width),
            "attn.c_proj": (width, width),
            "mlp.c_fc": (width, inner),
            "mlp.c_proj": (inner, width),
        }
        for name, shape in shapes.items():
            add(f"h.{layer}.{name}.weight", *shape)
            add(f"h.{layer}.{name}.bias", shape[1])
    add_norm("ln_f")
    if not config["tie_word_embeddings"]:
        add("lm_head.weight", config["vocab_size"] - image, width)
    return tensors


def write_folder(folder, config, tensors, *, prefix="transformer.", file="model.safetensors"):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {("" if name == "lm_head.weight" else prefix) + name: tensor for name, tensor in tensors.items()}
    safetensors.numpy.save_file(tensors, folder / file)
    return folder


def logits_of(config, tensors, x):
    """[B, T] -> [B, T, V], in float64: of the tokens before each, the first being the start."""
    w = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    width, heads = config["n_embd"], config["n_head"]
    start = config["vocab_size"] - 1 if config["model_type"] == "imagegpt" else config["bos_token_id"]
    out = []
    for row in x:
        h = w["wte.weight"][[start, *row[:-1]]] + w["wpe.weight"]
        for layer in range(config["n_layer"]):
            at = f"h.{layer}."
            q, k, v = np.split(_conv(w, at + "attn.c_attn", _norm(w, at + "ln_1", h)), 3, axis=1)
            mixed = np.zeros_like(h)
            for head in range(heads):
                part = slice(head * width // heads, (head + 1) * width // heads)
                for t in range(len(h)):
                    scores = k[: t + 1, part] @ q[t, part] / math.sqrt(width // heads)
                    shares = np.exp(scores - scores.max())
                    mixed[t, part] = shares / shares.sum() @ v[: t + 1, part]
            h = h + _conv(w, at + "attn.c_proj", mixed)
            inside = _activation(config["activation_function"], _conv(w, at + "mlp.c_fc", _norm(w, at + "ln_2", h)))
            h = h + _conv(w, at + "mlp.c_proj", inside)
        out.append(_norm(w, "ln_f", h) @ w.get("lm_head.weight", w["wte.weight"]).T)
    return np.stack(out)


def _conv(w, name, h):
    return h @ w[f"{name}.weight"] + w[f"{name}.bias"]


def _norm(w, name, h):
    if f"{name}.bias" not in w:  # Image GPT
        return h / np.sqrt((h**2).mean(axis=1, keepdims=True) + 1e-5) * w[f"{name}.weight"]
    h = h - h.mean(axis=1, keepdims=True)
    return h / np.sqrt((h**2).mean(axis=1, keepdims=True) + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def _activation(name, h):
    return {
        "gelu": lambda: 0.5 * h * (1 + np.vectorize(math.erf)(h / math.sqrt(2))),
        "gelu_new": lambda: 0.5 * h * (1 + np.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3))),
        "quick_gelu": lambda: h / (1 + np.exp(-1.702 * h)),
        "relu": lambda: np.maximum(h, 0),
        "silu": lambda: h / (1 + np.exp(-h)),
    }[name]()
