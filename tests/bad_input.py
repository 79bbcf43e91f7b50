"""The folder that wrong commands are tried in, a row of a table of them, and ways to spoil what lies in the folder.

tiny.py, tiny.npz       images 4x4 of three classes, and an experiment on them
text.py, text.txt       characters in windows of 8
sound.py, sounds/       five recordings in windows of 8 samples
run/                    a run of tiny.py, of random parameters as all of them
classes/ rows/          others: given the class, in one order only
text/ sound/ palette/   others of text, of sound, of tokens
"""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from trained import write_random_run, write_run_of_random_parameters

from arjax.data import Levels
from arjax.data.dataset import examine
from arjax.data.sound_files import wav
from arjax.files import write_whole
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE, RNN
from arjax.orders import AnyOrder
from arjax.protocol import CondSpec, Model
from arjax.runs.config import load_config
from arjax.tokenizers import Palette

TINY = """
import arjax
from arjax.data import *
from arjax.heads import *
from arjax.models import *
from arjax.orders import *
from arjax.tokenizers import *
from arjax.training import *

experiment = Experiment(
    data=Npz("tiny.npz", Levels(2)), model=arjax.Model(MADE(hidden=(4,)), Bernoulli(), (4, 4)),
    batch_size=8, steps=2, eval_every=1, eval_batch_size=8, samples=4, mesh=Mesh(1),
)
"""
_TEXT = r'TextFiles("text.txt", alphabet="\n dehlorw", length=8, held_out="place", ends=False)'
TEXT = TINY.replace('Npz("tiny.npz", Levels(2))', _TEXT).replace(
    "MADE(hidden=(4,)), Bernoulli(), (4, 4)", "RNN(width=4), Categorical(9), (8,)"
)
SOUND = TINY.replace('Npz("tiny.npz", Levels(2))', 'SoundFolder("sounds", length=8, context=2, values=MuLaw(16))').replace(
    "MADE(hidden=(4,)), Bernoulli(), (4, 4)", "RNN(width=4), Categorical(16), (8,)"
)


class Bad(NamedTuple):
    """What is typed behind `python`, a part of the line it is answered with, and what is done to the folder before."""

    argv: str
    says: str
    spoil: Callable[[], Any] | None = None


def write_folder() -> None:
    """Fills the current folder with what the head of this file names."""
    Path("tiny.py").write_text(TINY)
    Path("text.py").write_text(TEXT)
    Path("sound.py").write_text(SOUND)
    np.savez("tiny.npz", **arrays())
    Path("text.txt").write_text("hello world\n" * 30)
    for i in range(5):
        write_whole(Path("sounds") / f"{i}.wav", wav(np.sin(np.arange(20.0) + i) / 2, 8000))
    write_random_run(Path("run"), load_config("tiny.py"))
    images, text = load_config("tiny.py").data, load_config("text.py").data
    given = Model(MADE(hidden=(4,)), Bernoulli(), (4, 4), AnyOrder(), CondSpec(classes=3))
    write_run_of_random_parameters(Path("classes"), images, given)
    write_run_of_random_parameters(Path("rows"), images, Model(RNN(width=4), Categorical(2), (4, 4)))
    write_run_of_random_parameters(Path("text"), text, Model(RNN(width=4), Categorical(9), (8,)))
    sound = examine(load_config("sound.py").data).data
    write_run_of_random_parameters(Path("sound"), sound, Model(RNN(width=4), Categorical(16), (8,)))
    levels = dataclasses.replace(images, values=Levels(256))
    write_run_of_random_parameters(Path("palette"), levels, Model(RNN(width=4), Categorical(2), (4, 4)), Palette(2))


def picture(pixels, name: str = "x.png") -> Callable[[], None]:
    """A picture of these pixels, [H, W] or [H, W, 3]."""
    return lambda: Image.fromarray(np.asarray(pixels)).save(name)


def arrays(**changed) -> dict[str, np.ndarray]:
    """What tiny.npz holds, with these arrays instead; None for one that is left out."""
    x = np.random.default_rng(0).integers(0, 2, (32, 4, 4)).astype(np.uint8)
    parts = {"train": x[:16], "valid": x[16:24], "test": x[24:]}
    labels = {f"{name}_label": np.arange(len(part)) % 3 for name, part in parts.items()}
    return {name: array for name, array in (parts | labels | changed).items() if array is not None}


def npz(**changed) -> Callable[[], None]:
    """tiny.npz with these arrays instead."""
    return lambda: np.savez("tiny.npz", **arrays(**changed))


def file(name: str, content: str | bytes) -> Callable[[], None]:
    """A file of this content."""

    def write():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return write


def cut(name: str, size: int) -> Callable[[], None]:
    """The first `size` bytes of a file, or with a negative size all but the last."""
    return lambda: Path(name).write_bytes(Path(name).read_bytes()[:size])


def gone(name: str) -> Callable[[], None]:
    """A file or folder is removed."""
    return lambda: shutil.rmtree(name) if Path(name).is_dir() else Path(name).unlink()


def folder_instead(name: str) -> Callable[[], None]:
    """A folder in the place of a file."""

    def replace():
        Path(name).unlink(missing_ok=True)
        Path(name).mkdir()

    return replace


def pipe_instead(name: str = "x") -> Callable[[], None]:
    """A pipe, that nobody writes to, in the place of a file."""

    def replace():
        Path(name).unlink(missing_ok=True)
        os.mkfifo(name)

    return replace


def config(old: str, new: str, name: str = "bad.py") -> Callable[[], None]:
    """A config like tiny.py with `new` in the place of `old`, which must be there."""

    def write():
        assert old in TINY
        Path(name).write_text(TINY.replace(old, new))

    return write


def run_json(run: str, *path: str | int, **changed) -> Callable[[], None]:
    """The run's run.json with these entries instead in the object at `path`; `...` for one that is left out."""

    def rewrite():
        name = Path(run) / "run.json"
        content = json.loads(name.read_text())
        place = content
        for key in path:
            place = place[key]
        place |= {{"class_": "class"}.get(key, key): value for key, value in changed.items()}
        for key in [key for key, value in place.items() if value is ...]:
            del place[key]
        name.write_text(json.dumps(content))

    return rewrite
