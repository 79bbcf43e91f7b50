"""What people read and hear of runs: samples of text and of sound, their files, and the units of results."""

import io
import json
import re
import shutil

import numpy as np
import pytest
import soundfile
from trained import stream, write_run_of_random_parameters

import train as script
from arjax.__main__ import main
from arjax.data import MuLaw, Sound
from arjax.data.characters import encode
from arjax.data.sound_files import wav
from arjax.files import write_whole
from arjax.heads import Categorical
from arjax.models import RNN
from arjax.protocol import Model
from arjax.runs.directory import read_run
from arjax.runs.log import Log
from arjax.training.objective import Score


@pytest.fixture(scope="module")
def of_text(tmp_path_factory):
    """A run of random parameters; and the text, which lies elsewhere."""
    here = tmp_path_factory.mktemp("text")
    path = here / "text.txt"
    path.write_text("hello world\n" * 50)
    data = stream(str(path), alphabet="\n dehlorw", length=12)
    write_run_of_random_parameters(here / "run", data, Model(RNN(width=4), Categorical(9), (12,)))
    return here / "run"


@pytest.fixture
def text_run(of_text, tmp_path):
    return shutil.copytree(of_text, tmp_path / "run")


def test_log_writes_texts_and_sounds_and_prints_the_first_text(text_run, capsys):
    experiment = read_run(text_run)
    texts = encode("hello world\nworld hello\n", experiment.data.alphabet, "here").reshape(2, 12)
    sounds = Sound(MuLaw(16), 8000).exhibit(np.random.default_rng(0).integers(0, 16, (2, 48)))
    with Log(text_run, experiment, 0) as log:
        log.exhibit(7, {"samples": experiment.data.medium.exhibit(texts)})
        log.exhibit(8, {"samples": sounds})
        log.valid(8, Score(12 * np.log(2), {"nats": 12 * np.log(2), "dims": 12.0}, examples=3, seconds=1.0))
    printed, samples = capsys.readouterr().out, text_run / "samples"
    assert (samples / "00000007.txt").read_text() == f"hello world\n\n{'-' * 40}\nworld hello\n\n"
    assert printed.startswith("hello world\n")
    assert "0.6931 nats/char = 1.0000 bits/char" in printed
    assert {path.name for path in samples.glob("00000008*")} == {f"00000008{rest}" for rest in ("_0.wav", "_1.wav", ".png")}
    (events,) = (text_run / "tensorboard").iterdir()
    content = events.read_bytes()
    assert b"    hello world\n    \n" in content
    heard = [soundfile.read(io.BytesIO(content[found.start() :]))[0] for found in re.finditer(b"RIFF", content)]
    np.testing.assert_allclose(heard, sounds.waveforms, atol=1e-4)
    assert all(f"samples/{i}".encode() in content for i in range(2))


def test_sample_prints_text_without_the_data_file(text_run, capsys):
    text = (text_run / "run.json").read_text()
    (text_run / "run.json").write_text(re.sub(r'"path": "[^"]*"', '"path": "lost.txt"', text))
    assert read_run(text_run).data.alphabet == "\n dehlorw"
    main(["sample", str(text_run), "--samples", "3", "--seed", "5"])
    printed = capsys.readouterr().out
    written = (text_run / "samples" / "seed_5.txt").read_text()
    assert printed.startswith(written)
    texts = written.removesuffix("\n").split(f"\n{'-' * 40}\n")
    assert [len(text) for text in texts] == [12] * 3
    assert set("".join(texts)) <= set("hello world\n")


def test_evaluate_reports_nats_and_bits_per_character(text_run, capsys):
    main(["evaluate", str(text_run)])
    printed = capsys.readouterr().out
    for part in ("nats/char = ", "bits/char", "test split, 2 examples of 12 chars", "text.txt, 9 characters, windows of 12"):
        assert part in printed


CONFIG = """
import arjax
from arjax.data import MuLaw, SoundFolder
from arjax.heads import Categorical
from arjax.models import RNN
from arjax.training import Experiment

experiment = Experiment(
    data=SoundFolder("waves", length=48, context=16, values=MuLaw(16), valid=0.2, test=0.2),
    model=arjax.Model(RNN(width=4), Categorical(16), (48,)), batch_size=8, steps=4, eval_every=2, eval_batch_size=8, samples=3,
)
"""


# 6 s: it trains; no other run of sound is trained.
@pytest.mark.slow
def test_train_leaves_sound_and_its_picture_and_reports_bits_per_sample_beside_two_tables(tmp_path, capsys, monkeypatch):
    for i in range(8):
        write_whole(tmp_path / "waves" / f"{i}.wav", wav(np.sin((200 + 50 * i) * np.arange(150 + 10 * i) / 1000) / 3, 8000))
    (tmp_path / "tiny.py").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    assert script.main(["tiny.py", "--run", "run"]) == 0
    printed, run = capsys.readouterr().out, tmp_path / "run"
    expected = {f"{step}{rest}" for step in ("00000002", "00000004") for rest in ("_0.wav", "_1.wav", "_2.wav", ".png")}
    assert {path.name for path in (run / "samples").iterdir()} == expected
    test = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert test["dims"] == pytest.approx(read_run(run).data.load().test.counted.sum(axis=1).mean())
    assert set(test["baselines"]) == {"histogram", "first-order Markov table"}
    assert f"{test['bits_per_dim']:.4f} bits/sample" in printed
    for part in ("first-order Markov table", "histogram", "samples per example on average, of 48", "windows of 48 with 16"):
        assert part in printed


OWN = """
import dataclasses
from typing import Any, ClassVar

import numpy as np

from arjax.data import Levels, Split, Splits, Table, check_splits


@dataclasses.dataclass(frozen=True)
class Dice:
    count: int = 20
    values: Any = Levels(6)
    root: str | None = dataclasses.field(default=None, compare=False)

    medium: ClassVar[Any] = Table()
    title: ClassVar[str] = "three dice"

    def load(self):
        parts = (Split(np.random.default_rng(seed).integers(0, 6, (self.count, 3))) for seed in range(3))
        return check_splits(Splits(*parts), self.values, self.title)
"""


def test_dataset_of_ones_own_has_the_rights_of_the_others(tmp_path, capsys, monkeypatch):
    (tmp_path / "my_dice.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    from my_dice import Dice

    write_run_of_random_parameters(tmp_path / "run", Dice(), Model(RNN(width=4), Categorical(6), (3,)))
    main(["sample", str(tmp_path / "run"), "--samples", "2", "--modules", "my_dice"])
    rows = (tmp_path / "run" / "samples" / "seed_0.txt").read_text().splitlines()
    assert capsys.readouterr().out.startswith("\n".join(rows))
    assert all(re.fullmatch(r"[0-5],[0-5],[0-5]", row) for row in rows)
    main(["evaluate", str(tmp_path / "run"), "--modules", "my_dice"])
    assert "20 examples of 3 dims" in capsys.readouterr().out


@pytest.mark.slow  # whole runs of a config
@pytest.mark.parametrize("symbols", ["characters", "bpe --data.vocab 265"])
def test_my_text_trains_on_a_path_and_samples_documents_without_their_files(tmp_path, monkeypatch, capsys, symbols):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "poems.jsonl"
    path.write_text("".join(f'{{"text": "the {word} and the {word}\\n"}}\n' for word in ("fox", "dog", "hen") * 20))
    tiny = "--steps 2 --eval-every 2 --batch-size 8 --model.net.width 8 --model.net.layers 1 --model.net.heads 2"
    schedule = "--optimizer.schedule.warmup 1 --samples 2"
    main(["train", "my_text", "--data.path", "poems.jsonl", "--data.symbols", *symbols.split(), *tiny.split(), *schedule.split()])
    described = read_run("runs/my_text")
    assert described.model.site_shape == described.data.load().train.x.shape[1:]
    path.unlink()
    capsys.readouterr()
    main(["sample", "runs/my_text", "--prompt", "the", "--samples", "2", "--seed", "3"])
    drawn = capsys.readouterr().out
    assert drawn.startswith("the")
    assert "<|endoftext|>" not in drawn
