"""Tokenizers and tasks as parts of an experiment: as data, and as flags."""

import dataclasses
import json

import pytest

from arjax import Model
from arjax.data import Digits, Dynamic, Levels, Scaled, WikipediaSample
from arjax.description import describe, rebuild
from arjax.errors import InputError
from arjax.heads import Categorical
from arjax.models import MADE
from arjax.runs.config import edit
from arjax.tokenizers import BPE, FSQ, VQVAE, Binary, Bits, Codebook, EMACodebook, Palette
from arjax.training import Autoencoding, Experiment

VQ = VQVAE(shape=(8, 8), strides=(2,), width=4, quantizer=EMACodebook(16, 3))


def over(tokenizer, data=Digits(Levels(256)), source=None):  # noqa: B008
    model = Model(MADE(hidden=(4,)), Categorical(tokenizer.vocab), (8, 8))
    return Experiment(data=data, tokenizer=tokenizer, tokenizer_from=source, model=model, steps=1, eval_every=1)


def autoencoder(model):
    return Experiment(data=Digits(Scaled(16)), model=model, task=Autoencoding(variance=0.25), steps=1, eval_every=1)


EXPERIMENTS = {
    "bits": over(Bits(3)),
    "binary": over(Binary(99)),
    "palette": over(Palette(17, seed=3)),
    "bpe": over(BPE(300, file="gpt2.json"), WikipediaSample(length=8)),
    "vqvae": over(VQ, Digits(Scaled(16)), "runs/vq"),
    "ema": autoencoder(VQ),
    "codebook": autoencoder(dataclasses.replace(VQ, quantizer=Codebook(size=5, revive=0))),
    "fsq": autoencoder(dataclasses.replace(VQ, quantizer=FSQ())),
}


def changed(name, *flags):
    return edit(EXPERIMENTS[name], list(flags), "runs/x", "python train.py configs/x.py")[0]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_rebuild_and_edit_give_an_equal_experiment_back(name):
    experiment = EXPERIMENTS[name]
    for again in (rebuild(json.loads(json.dumps(describe(experiment), allow_nan=False))), changed(name)):
        assert again == experiment
        assert hash(again) == hash(experiment)
        assert again.tokenizer_from == experiment.tokenizer_from
        assert type(again.task) is type(experiment.task)


def test_edit_reaches_tokenizers_and_tasks():
    assert changed("bpe", "--tokenizer.vocab", "400", "--model.head.vocab", "400").tokenizer == BPE(400, file="gpt2.json")
    assert changed("bpe", "--tokenizer.file", "None").tokenizer == BPE(300)
    assert changed("palette", "--tokenizer.seed", "4").tokenizer == Palette(17, seed=4)
    assert changed("binary", "--tokenizer.level", "5").tokenizer == Binary(5)
    edited = changed("vqvae", "--tokenizer.strides", "2", "2", "--tokenizer-from", "runs/other")
    assert (edited.tokenizer, edited.tokenizer_from) == (dataclasses.replace(VQ, strides=(2, 2)), "runs/other")
    edited = changed("ema", "--task.variance", "0.5", "--model.quantizer.size", "7", "--model.quantizer.decay", "0.5")
    assert edited.task == Autoencoding(variance=0.5)
    assert edited.model == dataclasses.replace(VQ, quantizer=EMACodebook(7, 3, decay=0.5))
    assert changed("fsq", "--model.quantizer.levels", "5", "3").model.quantizer == FSQ((5, 3))


def test_experiment_is_the_same_wherever_its_tokenizer_lay():
    assert changed("vqvae", "--tokenizer-from", "elsewhere") == EXPERIMENTS["vqvae"]
    assert changed("vqvae", "--tokenizer.width", "5") != EXPERIMENTS["vqvae"]


def test_experiment_refuses_tokens_of_values_at_random_and_a_source_for_no_tokenizer():
    with pytest.raises(InputError, match=r"draws values at random, which a tokenizer cannot encode once and for all; [^\n]+\Z"):
        over(Bits(1, 2), Digits(Dynamic(16)))
    with pytest.raises(InputError, match=r"tokenizer_from=runs/x needs a tokenizer to be read; [^\n]+\Z"):
        dataclasses.replace(EXPERIMENTS["ema"], tokenizer_from="runs/x")
