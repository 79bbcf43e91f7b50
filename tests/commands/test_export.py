"""`python -m arjax export`."""

import json

import jax
import numpy as np
import tokenizers
from trained import stream, words, write_run_of_random_parameters

import arjax
from arjax.__main__ import main
from arjax.heads import Categorical
from arjax.interop import load_huggingface
from arjax.models import Transformer

TEXT = "hello wörld\n"
ALPHABET = "\n dehlorwö"


def test_export_writes_what_was_learned_and_the_characters(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT * 60)
    model = arjax.Model(Transformer(8, 1, 2, bos=0, tied=True, dtype="bfloat16"), Categorical(len(ALPHABET)), (8,))
    write_run_of_random_parameters(tmp_path / "run", stream("text.txt", alphabet=ALPHABET, length=8), model)
    main(["export", "run", "folder"])
    assert "config.json, model.safetensors, tokenizer.json, tokenizer_config.json in folder" in words(capsys)
    again, params = load_huggingface("folder")
    assert again.net == model.net.clone(dtype="float32")
    jax.tree.map(np.testing.assert_array_equal, params, arjax.load("run").params)
    settings = json.loads((tmp_path / "folder" / "tokenizer_config.json").read_text())
    assert settings["model_max_length"] == 8
    assert "bos_token" not in settings
    library = tokenizers.Tokenizer.from_file("folder/tokenizer.json")
    assert library.get_vocab_size() == len(ALPHABET)
