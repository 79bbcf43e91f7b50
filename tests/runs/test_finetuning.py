"""The GPT-2 of a Hugging Face folder, trained further on a user's own text: the folder decides the model and its tokens."""

import dataclasses
import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from faults import fault
from huggingface_folders import GPT2, tensors_of, write_folder

import arjax
import train as script
from arjax.__main__ import main
from arjax.data import TextFiles
from arjax.data.characters import symbols_json
from arjax.interop import load_huggingface
from arjax.runs.config import load_config
from arjax.runs.directory import write_run
from arjax.runs.load import learn
from arjax.runs.start import settled
from arjax.tokenizers import BPE
from arjax.training import Pretrained, settle

CONFIG = Path(__file__).parents[2] / "configs" / "gpt2_finetune.py"
# The bytes, and the token that ends a text, with which it also begins.
SETTINGS = GPT2 | {"vocab_size": 257, "bos_token_id": 256, "n_positions": 12, "n_layer": 1}
TEXT = "the quick brown fox\n" * 80


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder: gpt2/, a model with its tokenizer, and my.txt."""
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "gpt2", SETTINGS, tensors_of(SETTINGS))
    (tmp_path / "gpt2" / "tokenizer.json").write_text(symbols_json(None, ends=True))
    (tmp_path / "my.txt").write_text(TEXT)
    return tmp_path


def finetuning(**fields):
    """The config's experiment on my.txt, with these fields instead."""
    data = TextFiles("my.txt", symbols="bytes", length=8)
    return dataclasses.replace(load_config(CONFIG), **({"data": data, "params_from": "gpt2"} | fields))


def test_settle_makes_the_model_of_the_folder_as_long_as_the_windows(here):
    experiment = settle(finetuning(model=Pretrained(dropout=0.5, dtype="bfloat16", remat=True)))
    model, _ = load_huggingface("gpt2", sites=8)
    assert experiment.model == dataclasses.replace(model, net=model.net.clone(dropout=0.5, dtype="bfloat16", remat=True))
    assert settle(finetuning()).model == model
    assert experiment.tokenizer == BPE(257, "gpt2/tokenizer.json")


def test_settle_refuses_what_the_folder_does_not_fit(here):
    assert "name it by --params-from FOLDER" in fault(lambda: settle(finetuning(params_from=None)))
    assert "holds no config.json" in fault(lambda: settle(finetuning(params_from=".")))
    long = dataclasses.replace(finetuning().data, length=13)
    assert fault(lambda: settle(finetuning(data=long))).endswith("; set --data.length 12, or fewer")
    write_folder(here / "letters", SETTINGS | {"vocab_size": 9, "bos_token_id": 8}, {})
    Path("letters/tokenizer.json").write_text("{}")
    assert "the 9 tokens of letters are fewer than the 256 bytes" in fault(lambda: settle(finetuning(params_from="letters")))
    Path("gpt2/tokenizer.json").unlink()
    assert "gpt2 holds no tokenizer.json, which makes its 257 tokens of text" in fault(
        lambda: settle(finetuning(data=TextFiles("my.txt", alphabet="ab", length=8, held_out="place")))
    )


def test_settled_needs_no_folder_where_the_run_was_begun_with_it(here):
    experiment = settle(finetuning())
    write_run(here / "run", experiment, experiment.data.load(), learn(experiment), "0" * 64)
    # Another starts from it as from the folder.
    again = settled(finetuning(params_from="run", model=Pretrained(dropout=0.5)), here / "other")
    assert again.model == dataclasses.replace(experiment.model, net=experiment.model.net.clone(dropout=0.5))
    assert (again.tokenizer, again.tokenizer_from) == (experiment.tokenizer, "run")
    shutil.rmtree("gpt2")
    assert settled(finetuning(), here / "run") == experiment
    assert "gpt2 is no folder" in fault(lambda: settled(finetuning(), here / "other"))


@pytest.mark.slow
def test_a_folder_is_trained_further_sampled_and_written_back_by_one_command_each(here, capsys):
    flags = "--params-from gpt2 --data.path my.txt --data.length 12 --steps 4 --eval-every 2 --samples 1 --mesh.data 1 --run run"
    flags += " --optimizer.schedule.warmup 1"
    assert script.main([str(CONFIG), *flags.split()]) == 0
    assert "starting from gpt2: " in capsys.readouterr().out
    main(["sample", "run", "--prompt", "the q"])
    assert "the q" in capsys.readouterr().out
    main(["export", "run", "mine"])
    settings = json.loads(Path("mine/config.json").read_text())
    assert (settings["bos_token_id"], settings["eos_token_id"], settings["n_positions"]) == (256, 256, 12)
    assert json.loads(Path("mine/tokenizer_config.json").read_text())["eos_token"] == "<|endoftext|>"
    assert Path("mine/tokenizer.json").read_text() == Path("gpt2/tokenizer.json").read_text()
    model, params = load_huggingface("mine")
    assert model == arjax.load("run").model
    jax.tree.map(np.testing.assert_array_equal, params, arjax.load("run").params)
    before = load_huggingface("gpt2")[1]
    moved = jax.tree.map(lambda a, b: float(abs(a - b).max()), params, before)
    assert 0 < max(jax.tree.leaves(moved)) < 0.01


@pytest.mark.slow
def test_import_makes_a_run_of_a_folder_from_which_is_sampled_and_exported(here, capsys):
    main(["import", "gpt2", "run", "--length", "8"])
    loaded = arjax.load("run")
    model, params = load_huggingface("gpt2", sites=8)
    assert loaded.model == model
    jax.tree.map(np.testing.assert_array_equal, loaded.params, params)
    assert loaded.tokenizer.encode(np.array([104, 105])).tolist() == [104, 105]
    main(["sample", "run", "--prompt", "hi", "--tokens", "3"])
    assert "hi" in capsys.readouterr().out
