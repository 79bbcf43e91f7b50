"""Runs of random parameters that the tests of all commands share, each written once, when it is first asked for."""

from pathlib import Path

import numpy as np
import pytest
from trained import stream, write_run_of_random_parameters

from arjax.data import Digits, Levels, Npz, SoundFolder, Threshold
from arjax.data.sound_files import wav
from arjax.data.waveforms import MuLaw
from arjax.files import write_whole
from arjax.heads import Bernoulli, Categorical, CoupledDiscretizedMixtureOfLogistics
from arjax.models import MADE, RNN, LMConv, PixelCNN, Transformer, WaveNet
from arjax.orders import AnyOrder, Random, Snake, s_curves
from arjax.protocol import CondSpec, Model
from arjax.tokenizers import BPE

DIGITS = Digits(values=Threshold(7))
ALPHABET, LETTERS = "\n dehlorwö", "\nabc"
TEXT = "hello wörld\n" * 60
RATE, LENGTH = 8000, 32
# Of the test split one recording goes on in a second window, one ends within the first.
SOUNDS = {"train/0": 40, "train/1": 40, "valid/2": 40, "test/4": 50, "test/5": 20}


def write(folder: Path, name: str) -> None:
    text, count = str(folder / "text.txt"), len(ALPHABET)
    data, model, *tokenizer = {
        "digits": lambda: (DIGITS, Model(MADE(hidden=(8,)), Categorical(2), (8, 8), AnyOrder())),
        "labelled": lambda: (DIGITS, Model(PixelCNN(4, 1, kernel=3), Bernoulli(), (8, 8), cond=CondSpec(classes=10))),
        "curves": lambda: (DIGITS, Model(LMConv(4, 1, kernel=3), Bernoulli(), (8, 8), AnyOrder(Snake(), s_curves()))),
        "attention": lambda: (DIGITS, Model(Transformer(8, 1, 2), Bernoulli(), (8, 8), Snake())),
        "rgb": lambda: (arrays(folder, 4, (4, 4, 3)), Model(MADE(hidden=(9,)), Categorical(4), (4, 4, 3))),
        "coupled": lambda: (
            arrays(folder, 4, (4, 4, 3)),
            Model(MADE(hidden=(9,)), CoupledDiscretizedMixtureOfLogistics(4, 2), (4, 4)),
        ),
        "rows": lambda: (arrays(folder, 2, (6,)), Model(MADE(hidden=(3,)), Bernoulli(), (6,))),
        "characters": lambda: (
            stream(text, alphabet=ALPHABET, length=LENGTH),
            Model(RNN(width=4), Categorical(count), (LENGTH,)),
        ),
        "bytes": lambda: (stream(text, "bytes", length=LENGTH), Model(RNN(width=4), Categorical(256), (LENGTH,))),
        "tokens": lambda: (stream(text, "bpe", vocab=260, length=8), Model(RNN(width=4), Categorical(260), (8,)), BPE(260)),
        "infilling": lambda: (
            stream(str(folder / "letters.txt"), alphabet=LETTERS, length=6, test=0.1),
            Model(Transformer(8, 1, 2, any_order=True), Categorical(4), (6,), AnyOrder(Random(3))),
        ),
        "sound": lambda: (
            SoundFolder(str(folder / "sounds"), RATE, length=LENGTH, context=4, values=MuLaw(16), classes=()),
            Model(WaveNet(width=4, stacks=1, layers=3), Categorical(16), (LENGTH,)),
        ),
    }[name]()
    write_run_of_random_parameters(folder / name, data, model, *tokenizer)


def arrays(folder: Path, levels: int, shape: tuple[int, ...]) -> Npz:
    path = folder / f"{levels}_{'x'.join(map(str, shape))}.npz"
    x = np.random.default_rng(0).integers(0, levels, (3, *shape)).astype(np.uint8)
    np.savez(path, train=x, valid=x, test=x)
    return Npz(str(path), Levels(levels))


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """A function from the name of a run to its directory, which lies beside text.txt and sounds/."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text(TEXT)
    (folder / "letters.txt").write_text("abcacb\n" * 60)
    for i, (name, size) in enumerate(SOUNDS.items()):
        write_whole(folder / "sounds" / f"{name}.wav", wav(np.sin(np.arange(size) * (i + 1) / 3) / 2, RATE))

    def run(name: str) -> Path:
        if not (folder / name).exists():
            write(folder, name)
        return folder / name

    return run
