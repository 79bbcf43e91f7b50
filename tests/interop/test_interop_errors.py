"""Hugging Face folders that cannot be read: one line that names the rule, the value and the remedy; never a crash."""

import json
import pickle

import numpy as np
import pytest
from huggingface_folders import GPT2, IMAGEGPT, tensors_of, write_folder

from arjax.interop import load_huggingface


@pytest.fixture
def folder(tmp_path):
    """A GPT-2's, with nothing wrong yet."""
    return write_folder(tmp_path / "folder", GPT2, tensors_of(GPT2))


def refusal(folder) -> str:
    """The error that reading it gives, which is one line."""
    with pytest.raises(ValueError, match=r"^[^\n]+$") as error:
        load_huggingface(folder)
    return str(error.value)


def test_load_huggingface_names_what_is_not_there(folder, tmp_path):
    assert "nowhere is no folder" in refusal(tmp_path / "nowhere")
    assert "holds no config.json" in refusal(tmp_path)
    assert "is no folder" in refusal(folder / "config.json")
    (folder / "model.safetensors").unlink()
    assert "holds no model.safetensors; fetch" in refusal(folder)


class Touched:
    """A pickle that tells when it is opened."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was read",)


def test_load_huggingface_never_reads_a_pickle(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Touched()))
    assert "pytorch_model.bin is a pickle, which can run code and is never read: convert it" in refusal(folder)


@pytest.mark.parametrize("text", ["", "{", "[1]", "nul", '"gpt2"', "[" * 100_000, '{"n_embd": ' + "9" * 5000 + "}"])
def test_load_huggingface_refuses_a_config_that_is_no_json_object(text, folder):
    (folder / "config.json").write_text(text)
    assert "config.json" in refusal(folder)
    (folder / "config.json").write_bytes(b"\xff\xfe{")
    assert "config.json is no valid JSON" in refusal(folder)


WRONG = {
    "model_type='llama' is not read; only gpt2 and imagegpt are": {"model_type": "llama"},
    "model_type=None is not read": {"model_type": None},
    "n_embd=6 is not divisible by n_head=4": {"n_head": 4},
    "layer_norm_epsilon=1e-06 is not computed here; only 1e-05 is": {"layer_norm_epsilon": 1e-6},
    "scale_attn_by_inverse_layer_idx=true is not computed here; only false is": {"scale_attn_by_inverse_layer_idx": True},
    "scale_attn_weights=false is not computed here": {"scale_attn_weights": False},
    "add_cross_attention=true is not computed here": {"add_cross_attention": True},
    'activation_function="mish" is not computed here; only gelu, ': {"activation_function": "mish"},
    'activation_function=["gelu"]': {"activation_function": ["gelu"]},
    "bos_token_id=null must be a whole number": {"bos_token_id": None},
    "bos_token_id=11 is no token of vocab_size=11": {"bos_token_id": 11},
    "bos_token_id=-1 must be": {"bos_token_id": -1},
    "n_layer=2.0 must be a whole number of at least 1": {"n_layer": 2.0},
    "n_layer=true must be": {"n_layer": True},
    "n_positions=0 must be": {"n_positions": 0},
    'n_inner="24" must be': {"n_inner": "24"},
    'tie_word_embeddings="yes" must be true or false': {"tie_word_embeddings": "yes"},
    "resid_pdrop=1.5 is not in [0, 1)": {"resid_pdrop": 1.5},
    "tensor wte.weight has shape (11, 6), but config.json says (12, 6)": {"vocab_size": 12},
    "tensor wpe.weight has shape (6, 6), but config.json says (1000, 6)": {"n_positions": 1000},
    "site_shape=(1000000000000,) has more than 4194304 sites": {"n_positions": 10**12},
    "tensor h.2.ln_1.weight (6,) is missing": {"n_layer": 3},
    "layers=1000000000000 make more than 1024 layers": {"n_layer": 10**12},
    "tensor 'h.1.": {"n_layer": 1},
    "tensor h.0.mlp.c_fc.weight has shape (6, 24), but config.json says (6, 5)": {"n_inner": 5},
    "tensor lm_head.weight (11, 6) is missing": {"tie_word_embeddings": False},
}


@pytest.mark.parametrize("message", WRONG)
def test_load_huggingface_names_a_setting_that_is_wrong_or_not_computed(message, folder):
    (folder / "config.json").write_text(json.dumps(GPT2 | WRONG[message]))
    assert message in refusal(folder)


@pytest.mark.parametrize("name", ["n_embd", "n_head", "n_layer", "n_positions", "vocab_size", "bos_token_id", "model_type"])
def test_load_huggingface_names_a_setting_that_is_missing(name, folder):
    (folder / "config.json").write_text(json.dumps({key: value for key, value in GPT2.items() if key != name}))
    assert name in refusal(folder)


def test_load_huggingface_refuses_a_tied_image_gpt(tmp_path):
    tensors = tensors_of(IMAGEGPT)
    assert "tie_word_embeddings=true" in refusal(write_folder(tmp_path / "a", IMAGEGPT | {"tie_word_embeddings": True}, tensors))


TENSORS = {
    "tensor ln_f.bias (6,) is missing": lambda w: w.pop("ln_f.bias"),
    "tensor 'score.weight' (2, 6) has no place": lambda w: w.update({"score.weight": np.zeros((2, 6), np.float32)}),
    "tensor wte.weight has shape (6, 11), but config.json says (11, 6)": lambda w: w.update(
        {"wte.weight": np.ascontiguousarray(w["wte.weight"].T)}
    ),
    "tensor 'transformer.ln_f.bias' is F64": lambda w: w.update({"ln_f.bias": np.zeros(6)}),
    "tensor 'transformer.ln_f.bias' is I32": lambda w: w.update({"ln_f.bias": np.zeros(6, np.int32)}),
    "tensor 'transformer.ln_f.bias' holds numbers that are not finite": lambda w: w.update(
        {"ln_f.bias": np.full(6, np.nan, np.float32)}
    ),
    "lm_head.weight differs from wte.weight; set it to false": lambda w: w.update({"lm_head.weight": -w["wte.weight"]}),
    "tensor 'h.0.attn.c_attn.bias' is there with and without the prefix": lambda w: w.update(
        {"transformer.h.0.attn.c_attn.bias": w["h.0.attn.c_attn.bias"]}
    ),
}


@pytest.mark.parametrize("message", TENSORS)
def test_load_huggingface_names_a_tensor_that_does_not_fit(message, tmp_path):
    tensors, prefix = tensors_of(GPT2), "" if "without" in message else "transformer."
    TENSORS[message](tensors)
    assert message in refusal(write_folder(tmp_path / "folder", GPT2, tensors, prefix=prefix))


def test_load_huggingface_refuses_a_file_truncated_anywhere(folder):
    file = folder / "model.safetensors"
    data = file.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    for end in {*range(0, header, 23), *range(10), *range(header - 3, header + 4), *range(header, len(data), 211), len(data) - 1}:
        file.write_bytes(data[:end])
        assert "model.safetensors is truncated, damaged or no safetensors file" in refusal(folder)


def test_load_huggingface_refuses_a_flipped_bit_in_a_header_or_it_still_fits(folder):
    file = folder / "model.safetensors"
    data = file.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    places = [(at, bit) for at in range(8) for bit in range(8)]
    rng = np.random.default_rng(0)
    places += [(int(rng.integers(8, header)), int(rng.integers(8))) for _ in range(100)]
    errors = []
    for at, bit in places:
        file.write_bytes(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
        try:
            load_huggingface(folder)
        except ValueError as error:
            errors.append(str(error))
    assert not any("\n" in error for error in errors)
    assert len(errors) > 0.95 * len(places)  # a space before the JSON, say, may become another one


@pytest.mark.parametrize(
    "text", [b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", b"\x80\x02}q\x00."]
)
def test_load_huggingface_refuses_what_is_no_safetensors_file(text, folder):
    (folder / "model.safetensors").write_bytes(text)
    assert "Git LFS pointer" in refusal(folder)


INDICES = {
    "has no weight_map": {},
    "has no weight_map from": {"weight_map": {"wte.weight": 3}},
    "no safetensors file beside it": {"weight_map": {"wte.weight": "../secret.safetensors"}},
    "names 'pytorch_model.bin', no safetensors": {"weight_map": {"wte.weight": "pytorch_model.bin"}},
    "holds no b.safetensors": {"weight_map": {"wte.weight": "b.safetensors"}},
    "holds no tensor 'wte.weight'": {"weight_map": {"wte.weight": "a.safetensors"}},
    "tensor wte.weight (11, 6) is missing": {"weight_map": {"ln_f.bias": "a.safetensors"}},
}


@pytest.mark.parametrize("message", INDICES)
def test_load_huggingface_refuses_an_index_that_does_not_fit(message, tmp_path):
    folder = write_folder(tmp_path, GPT2, {"ln_f.bias": np.zeros(6, np.float32)}, prefix="", file="a.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(INDICES[message]))
    assert message in refusal(folder)
