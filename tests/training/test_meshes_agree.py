"""One experiment on one device, on eight, sharded, and on two processes: the same losses, and checkpoints for each other."""

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from processes import more

import arjax
import train as script

ROOT = Path(__file__).parents[2]
CONFIG = """
import arjax
from arjax.data import Digits
from arjax.heads import Bernoulli
from arjax.models import Transformer
from arjax.training import AdamW, Cosine, Experiment

net = Transformer(width=32, layers=2, heads=4, dropout=0.1)
experiment = Experiment(
    data=Digits(),
    model=arjax.Model(net, Bernoulli(), (8, 8), cond=arjax.CondSpec(classes=10)),
    optimizer=AdamW(learning_rate=1e-3, schedule=Cosine(warmup=5)),
    batch_size=32, steps=50, eval_every=20, log_every=1, eval_batch_size=128, samples=0,
)
"""
LAYOUTS = {
    "one device": ("--mesh.data", "1"),
    "eight devices": ("--mesh.data", "8"),
    "fsdp 4 x data 2": ("--mesh.data", "2", "--mesh.fsdp", "4"),
    "data 2 x fsdp 2 x tensor 2": ("--mesh.fsdp", "2", "--mesh.tensor", "2"),
    "two processes of four devices": ("--mesh.fsdp", "4", "--hosts.processes", "2"),
}
pytestmark = pytest.mark.slow


def train(run: Path, flags) -> None:
    """The config above to its end, in this process or in as many as the flags say."""
    config = run.parent / "small.py"
    config.write_text(CONFIG)
    argv = [str(config), "--run", str(run), *flags]
    if "--hosts.processes" not in flags:
        assert script.main(argv) == 0
        return
    with socket.socket() as free:
        free.bind(("localhost", 0))
        argv += ["--hosts.coordinator", f"localhost:{free.getsockname()[1]}"]
    env = {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": "4",
        "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, str(ROOT / "train.py"), *argv, "--hosts.process"]
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([*command, str(i)], env=os.environ | env, cwd=run.parent, **streams) for i in range(2)]
    try:
        ends = [(process.communicate(timeout=900)[1], process.returncode) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert ends == [("", 0), ("", 0)]


def losses(run: Path) -> dict:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return {(record["split"], record["step"]): record["nats"] for record in map(json.loads, lines)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    runs = {name: tmp_path_factory.mktemp("runs") / "run" for name in LAYOUTS}
    for name, run in runs.items():
        train(run, LAYOUTS[name])
    return runs


def assert_same(one: dict, other: dict):
    assert one.keys() == other.keys()
    assert len(one) == 50 + 3 + 1
    differences = [abs(other[name] / one[name] - 1) for name in one]
    assert max(differences) < 1e-5


@pytest.mark.parametrize("name", list(LAYOUTS)[1:])
def test_train_gives_the_same_losses_on_every_mesh(finished, name):
    assert_same(losses(finished["one device"]), losses(finished[name]))


# Of all pairs those that take turns: from each mesh to the next and back, and to and from two processes.
MESHES = list(LAYOUTS)
PAIRS = [pair for pair in itertools.permutations(MESHES, 2) if abs(MESHES.index(pair[0]) - MESHES.index(pair[1])) in (1, 3)]


# CI goes from each mesh to the next.
@pytest.mark.parametrize(
    ("written", "continued"), [pair if MESHES.index(pair[1]) == MESHES.index(pair[0]) + 1 else more(*pair) for pair in PAIRS]
)
def test_train_continues_on_one_mesh_what_another_wrote(finished, tmp_path, written, continued):
    run = tmp_path / "run"
    shutil.copytree(finished[written], run)
    shutil.rmtree(run / "checkpoints" / "50")
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(line for line in lines if json.loads(line)["step"] <= 40))
    train(run, LAYOUTS[continued])
    assert_same(losses(finished["one device"]), losses(run))
    for raw in (False, True):
        ends = [arjax.load(path, raw=raw).params["blocks_0"]["w_up"] for path in (finished["one device"], run)]
        np.testing.assert_allclose(*ends, rtol=1e-3, atol=1e-5)
