"""`python -m arjax data`: what is read is shown, of a config's data and of a user's own, whose reader follows from the files."""

from pathlib import Path

import numpy as np
import pytest
from bad_input import TINY, npz
from faults import fault
from PIL import Image
from trained import failure, words

from arjax.__main__ import main
from arjax.commands.data import config_for
from arjax.data.sound_files import wav
from arjax.files import write_whole

RATE = 8000


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.fixture
def sounds(tmp_path, monkeypatch):
    """sounds/, three recordings of each of two classes and one file more, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for i in range(6):
        write_whole(Path("sounds") / ("low", "high")[i % 2] / f"{i}.wav", wav(np.sin(np.arange(60) * i) / 2, RATE))
    write_whole("sounds/notes.txt", "no sound")
    return tmp_path


def test_data_shows_parts_classes_values_and_notes_of_a_folder_and_what_trains_on_it(sounds, capsys):
    main(["data", "sounds", "--data.length", "50", "--data.context", "10", "--examples", "2", "--png", "x.png"])
    printed = words(capsys)
    for part in (
        "note: files of sounds that are no recordings are left out: 1 of .txt",
        "train 4 examples, in which 120 samples count",
        "valid 4 examples, in which 120 samples count",
        "example 50, int16",
        "mu-law, 256 levels (16-bit samples, whole numbers -32768..32767)",
        "classes 2; examples in train / valid / test: high: 2 / 2 / 2 low: 2 / 2 / 2",
        "python -m arjax train my_sounds --data.path sounds --data.length 50 --data.context 10",
        "2 training examples in runs/data/sounds_0.wav to sounds_1.wav, drawn in x.png",
    ):
        assert part in printed
    with Image.open("x.png") as picture:
        assert min(picture.size) > 300


def test_data_shows_those_of_a_config(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.py").write_text(TINY)
    npz()()
    main(["data", "tiny.py"])
    printed = words(capsys)
    for part in (
        "train 16 examples",
        "example 4 x 4, uint8",
        "0 to 1 in train; 2 levels",
        "0: 6 / 3 / 3 1: 5 / 3 / 3 2: 5 / 2 / 2",
    ):
        assert part in printed
    assert "python -m arjax train tiny.py" in printed
    assert printed.endswith("16 training examples in runs/data/tiny.png")


@pytest.mark.parametrize(
    ("names", "config"),
    [
        (("a/1.PNG", "b/2.jpeg"), "my_images"),
        (("1.wav", "2.flac", ".DS_Store"), "my_sounds"),
        (("x.csv",), "my_table"),
        (("x.txt.gz", "y.md", "z.dat"), "my_text"),
        (("train.bin", "val.bin"), "my_tokens"),
        (("train.bin", "val.bin", "tokenizer.json"), "my_tokens"),
        ((*(f"{i}.png" for i in range(9)), "readme.txt"), "my_images"),
    ],
)
def test_config_for_follows_from_the_endings(names, config, tmp_path):
    assert config_for(put(tmp_path, *names)) == config
    if len(names) == 1:
        assert config_for(tmp_path / names[0]) == config


def test_config_for_takes_a_pattern_for_one_of_texts(tmp_path):
    assert config_for(tmp_path / "*.py") == "my_text"
    assert config_for(put(tmp_path, "[1].png") / "[1].png") == "my_images"


def test_config_for_names_what_it_cannot_choose_between(tmp_path):
    assert fault(config_for, tmp_path).endswith(f"(no files); if it is text, name the reader: my_text --data.path {tmp_path}")
    put(tmp_path, "a.png", "b.txt")
    assert "has files of several kinds (1 for my_images, 1 for my_text); name the reader, as my_" in fault(config_for, tmp_path)
    assert "is the directory of a run" in fault(config_for, put(tmp_path, "run.json"))
    assert "there is no config, file or folder" in fault(config_for, tmp_path / "nowhere")
    assert "(1 of no ending)" in fault(config_for, put(tmp_path, "deep/Makefile") / "deep")


def test_data_refuses_a_picture_of_what_is_none(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("x.txt").write_text("hello world\n" * 40)
    assert "are texts, no pictures; leave it out" in failure(capsys, "data", "x.txt", "--png", "x.png")
