"""Hugging Face folders: what is read computes what NumPy and transformers compute, and comes back bit for bit."""

import json
from typing import ClassVar

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from huggingface_folders import GPT2, IMAGEGPT, logits_of, tensors_of, write_folder

import arjax
from arjax.errors import InputError
from arjax.heads import Bernoulli, Categorical
from arjax.interop import load_huggingface, save_huggingface
from arjax.layers.attention_mask import Window
from arjax.models import MADE, Transformer
from arjax.orders import Column, Raster
from arjax.protocol import CondSpec
from arjax.sampling import Temperature
from arjax.testing import lively_params

KINDS = {
    "gpt2": GPT2,
    "gpt2, gelu, one head": GPT2 | {"activation_function": "gelu", "n_head": 1},
    "gpt2, untied, relu, n_inner": GPT2 | {"tie_word_embeddings": False, "activation_function": "relu", "n_inner": 5},
    "gpt2, silu, another start": GPT2 | {"activation_function": "silu", "bos_token_id": 0},
    "imagegpt": IMAGEGPT,
    "imagegpt, no square, gelu": IMAGEGPT | {"n_positions": 6, "activation_function": "gelu", "n_head": 6},
}


def equal(a, b) -> bool:
    """Are these trees equal bit for bit?"""
    return jax.tree.all(jax.tree.map(lambda x, y: x.dtype == y.dtype and x.tobytes() == y.tobytes(), a, b))


def some_x(model, batch=2):
    return np.random.default_rng(1).integers(0, model.head.vocab, (batch, *model.site_shape))


@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS.keys())
def test_load_huggingface_computes_what_numpy_does(config, tmp_path):
    tensors = tensors_of(config)
    model, params = load_huggingface(write_folder(tmp_path / "a", config, tensors))
    shapes = jax.eval_shape(lambda: arjax.init(model, jax.random.key(0)))
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, shapes)
    x = some_x(model)
    expected = logits_of(config, tensors, x.reshape(len(x), -1))
    assert np.std(expected) > 0.5  # else the comparison would mean little
    np.testing.assert_allclose(arjax.theta(model, params, x), expected, atol=2e-5)


def test_load_huggingface_starts_gpt2_with_its_token_and_image_gpt_with_its_last_row(tmp_path):
    model, params = load_huggingface(write_folder(tmp_path / "gpt2", GPT2, tensors_of(GPT2)))
    assert model.net.bos == 10
    assert model.head == Categorical(11)
    assert model.site_shape == (6,)
    assert "start" not in params
    model, params = load_huggingface(write_folder(tmp_path / "imagegpt", IMAGEGPT, tensors_of(IMAGEGPT)))
    assert model.net.bos is None
    assert model.head == Categorical(11)
    assert model.site_shape == (3, 3)
    np.testing.assert_array_equal(params["start"], tensors_of(IMAGEGPT)["wte.weight"][11])


@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS.keys())
def test_save_huggingface_and_load_are_the_same_bit_for_bit(config, tmp_path):
    model, params = load_huggingface(write_folder(tmp_path / "a", config, tensors_of(config)))
    save_huggingface(tmp_path / "new" / "b", model, params)
    again = load_huggingface(str(tmp_path / "new" / "b"))
    assert again[0] == model
    assert equal(again[1], params)
    with pytest.raises(InputError, match="is there already; choose another path, or replace it by overwrite=True"):
        save_huggingface(tmp_path / "a", model, params)
    save_huggingface(tmp_path / "a", model, params, overwrite=True)  # over the files it came from
    assert equal(load_huggingface(tmp_path / "a")[1], params)
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("net", [Transformer(8, 1, 2, bos=2, dropout=0.2, tied=True, mlp=7), Transformer(8, 1, 2, norm="rms")])
def test_save_huggingface_brings_back_a_model_made_here(net, tmp_path):
    model = arjax.Model(net, Categorical(5), (4,) if net.norm == "layer" else (2, 2))
    params = lively_params(model, jax.random.key(0))
    save_huggingface(tmp_path, model, params)
    assert load_huggingface(tmp_path)[0] == model
    assert equal(load_huggingface(tmp_path)[1], params)
    tensors = safetensors.numpy.load_file(tmp_path / "model.safetensors")  # plain float32 in C order
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float32)}
    if not net.tied:
        np.testing.assert_array_equal(tensors["lm_head.weight"], np.asarray(params["v"]).T)


def test_load_huggingface_reads_files_as_they_differ_in_the_wild(tmp_path):
    tensors = tensors_of(GPT2)
    params = load_huggingface(write_folder(tmp_path / "a", GPT2, tensors))[1]
    buffers = {"h.0.attn.bias": np.tri(6, dtype=bool)[None, None], "h.1.attn.masked_bias": np.full((), -1e4, np.float32)}
    copied = tensors | {"lm_head.weight": tensors["wte.weight"]}
    for prefix, held in (("", tensors), ("", copied), ("transformer.", tensors | buffers), ("transformer.", copied)):
        assert equal(load_huggingface(write_folder(tmp_path / "b", GPT2, held, prefix=prefix))[1], params)
    defaults = ("n_inner", "activation_function", "layer_norm_epsilon", "tie_word_embeddings")
    few = {name: value for name, value in GPT2.items() if name not in defaults} | {
        "reorder_and_upcast_attn": True,
        "summary_type": "cls_index",
    }
    (tmp_path / "a" / "tokenizer.json").write_text("not read")
    model, again = load_huggingface(write_folder(tmp_path / "a", few, tensors))
    assert model.net.activation == "gelu_tanh"
    assert equal(again, params)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_load_huggingface_makes_numbers_of_16_bits_float32(dtype, tmp_path):
    tensors = {name: tensor.astype(dtype) for name, tensor in tensors_of(IMAGEGPT).items()}
    _, params = load_huggingface(write_folder(tmp_path / "a", IMAGEGPT, tensors))
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))
    np.testing.assert_array_equal(params["blocks_1"]["w_up"], tensors["h.1.mlp.c_fc.weight"].astype(np.float32))


def test_load_huggingface_reads_a_checkpoint_in_shards(tmp_path):
    tensors = tensors_of(GPT2)
    params = load_huggingface(write_folder(tmp_path / "whole", GPT2, tensors))[1]
    folder, halves = tmp_path / "shards", (list(tensors)[::2], list(tensors)[1::2])
    files = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    for file, half in zip(files, halves, strict=True):
        write_folder(folder, GPT2, {name: tensors[name] for name in half}, prefix="", file=file)
    names = {name: file for file, half in zip(files, halves, strict=True) for name in half}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))
    assert equal(load_huggingface(folder)[1], params)


INEXPRESSIBLE = {
    "net": (MADE(hidden=(4,)), {}),
    "head": (Transformer(8, 1, 2), {"head": Bernoulli()}),
    "positions='rotary'": (Transformer(8, 1, 2, bos=0, positions="rotary"), {}),
    "any_order=True": (Transformer(8, 1, 2, bos=0, any_order=True), {}),
    "mask=Window": (Transformer(8, 1, 2, bos=0, mask=Window(2)), {}),
    "kv_heads=1": (Transformer(8, 1, 2, bos=0, kv_heads=1), {}),
    "bos=None": (Transformer(8, 1, 2), {}),
    "bos=1": (Transformer(8, 1, 2, bos=1, norm="rms"), {}),
    "tied=True": (Transformer(8, 1, 2, norm="rms", tied=True), {"site_shape": (2, 2)}),
    "order=Column": (Transformer(8, 1, 2, norm="rms"), {"site_shape": (2, 2), "order": Column()}),
    "cond=CondSpec": (Transformer(8, 1, 2, bos=0), {"cond": CondSpec(classes=3)}),
    "site_shape=(2, 3)": (Transformer(8, 1, 2, norm="rms"), {"site_shape": (2, 3)}),
    "site_shape=(4,)": (Transformer(8, 1, 2, norm="rms"), {"site_shape": (4,)}),
    "site_shape=(2, 2)": (Transformer(8, 1, 2, bos=0), {"site_shape": (2, 2)}),
}


@pytest.mark.parametrize("field", INEXPRESSIBLE)
def test_save_huggingface_refuses_by_field_and_value_what_neither_architecture_can_say(field, tmp_path):
    net, rest = INEXPRESSIBLE[field]
    parts = {"head": Categorical(5), "site_shape": (4,), "order": Raster()} | rest
    model = arjax.Model(net, **parts)
    with pytest.raises(ValueError, match=r"^[^\n]*; [^\n]*$|only") as error:
        save_huggingface(tmp_path / "a", model, {})
    assert field in str(error.value)
    assert not (tmp_path / "a").exists()


def test_save_huggingface_refuses_parameters_of_another_model(tmp_path):
    model = arjax.Model(Transformer(8, 1, 2, bos=0), Categorical(5), (4,))
    wide, deep = (arjax.Model(Transformer(*sizes, 2, bos=0), Categorical(5), (4,)) for sizes in ((12, 1), (8, 2)))
    for other, found in (
        (lively_params(wide, jax.random.key(0)), r"b_in is of shape \(36,\), but in this model of shape \(24,\)"),
        (lively_params(deep, jax.random.key(0)), "but in this model absent"),
        ({}, "is absent, but in this model of shape"),
    ):
        with pytest.raises(ValueError, match=found):
            save_huggingface(tmp_path, model, other)


PARITY = {
    "gpt2": (GPT2 | {"n_head": 2, "n_embd": 16, "vocab_size": 50}, {}),
    "gpt2, 3 heads of 7, gelu, n_inner": (GPT2 | {"n_head": 3, "n_embd": 21, "n_inner": 50}, {"activation_function": "gelu"}),
    "gpt2, one head, untied": (GPT2 | {"n_head": 1, "n_embd": 13, "n_layer": 3}, {"tie_word_embeddings": False}),
    "gpt2, another start": (GPT2 | {"n_head": 4, "n_embd": 24, "vocab_size": 65}, {"bos_token_id": 3}),
    "imagegpt": (IMAGEGPT | {"n_head": 4, "n_embd": 20, "vocab_size": 17}, {}),
    "imagegpt, 3 heads, gelu_new, n_inner": (
        IMAGEGPT | {"n_head": 3, "n_embd": 15, "n_inner": 31},
        {"activation_function": "gelu_new"},
    ),
}


@pytest.fixture(scope="module")
def peer():
    """PyTorch and transformers, and how its models are made and read."""
    reason = "transformers is an optional extra: pip install -e '.[peers]'"
    torch = pytest.importorskip("torch", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()

    class Peer:
        classes: ClassVar = {"gpt2": "GPT2LMHeadModel", "imagegpt": "ImageGPTForCausalImageModeling"}

        def random(self, config):
            """A net with weights large enough for logits to differ."""
            torch.manual_seed(0)
            kind = getattr(transformers, self.classes[config["model_type"]])
            config = {name: value for name, value in config.items() if name != "model_type"}
            net = kind(kind.config_class(**config, eos_token_id=None)).eval()
            with torch.no_grad():
                for name, parameter in net.named_parameters():
                    parameter.add_(torch.randn(parameter.shape) * (1.0 if "wpe" in name else 0.3))
            return net

        def load(self, folder, kind):
            """The net in a folder, all of whose tensors it must know and find."""
            net, info = getattr(transformers, self.classes[kind]).from_pretrained(folder, output_loading_info=True)
            assert not any(info.values()), info
            return net.eval()

        def logits(self, net, start, x):
            with torch.no_grad():
                return net(torch.tensor(np.concatenate([np.full((len(x), 1), start), x[:, :-1]], axis=1))).logits.numpy()

        def greedy(self, net, start, tokens):
            first = torch.tensor([[start]])
            with torch.no_grad():
                made = net.generate(
                    first, attention_mask=torch.ones_like(first), max_new_tokens=tokens, do_sample=False, pad_token_id=0
                )
            return made[0, 1:].numpy()

    return Peer()


@pytest.mark.parametrize(("config", "rest"), PARITY.values(), ids=PARITY.keys())
def test_load_and_save_huggingface_agree_with_transformers(config, rest, peer, tmp_path):
    config = config | rest | {"n_positions": 64}
    net = peer.random(config)
    net.save_pretrained(tmp_path / "theirs")
    model, params = load_huggingface(tmp_path / "theirs")
    start = config["vocab_size"] - 1 if config["model_type"] == "imagegpt" else config["bos_token_id"]

    x = some_x(model)
    ours, theirs = arjax.theta(model, params, x), peer.logits(net, start, x.reshape(2, -1))
    assert theirs.std() > 0.5  # else the comparison would mean little
    # Both round to float32 in their own ways: a few 1e-6 are seen on logits of a few units.
    np.testing.assert_allclose(ours, theirs, atol=2e-4, rtol=0)

    made = arjax.sample(model, params, jax.random.key(0), batch=1, transforms=(Temperature(0),))
    assert len(np.unique(made)) > 4  # nor would that of 64 equal tokens
    np.testing.assert_array_equal(made.reshape(-1), peer.greedy(net, start, 64))

    save_huggingface(tmp_path / "ours", model, params)
    again = peer.load(tmp_path / "ours", config["model_type"])
    np.testing.assert_array_equal(peer.logits(again, start, x.reshape(2, -1)), theirs)
