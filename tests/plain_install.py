"""What `pip install arjax` alone must do, run by `make wheel` outside the checkout: train by a config of one's own or by one that
came with the package, evaluate, sample, complete, and name the extra of what is missing.

    python -P plain_install.py     # in a new folder, by a Python that has arjax without extras
"""

import contextlib
import importlib.util
import io
import sys
from pathlib import Path

import numpy as np

import arjax
from arjax.__main__ import main
from arjax.data.sound_files import wav
from arjax.files import write_whole

CONFIG = """
import arjax
from arjax.data import Levels, Npz
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.training import Adam, Experiment

experiment = Experiment(
    data=Npz("own.npz", Levels(2), root="."), model=arjax.Model(MADE(hidden=(16,)), Bernoulli(), (4, 4)),
    optimizer=Adam(1e-2), batch_size=8, steps=20, eval_every=20,
)
"""


def refused(*argv: str) -> str:
    """Returns the one line with which a command ends."""
    errors = io.StringIO()
    status = 0
    with contextlib.redirect_stderr(errors):
        try:
            status = main(list(argv))
        except SystemExit as ending:
            status = ending.code
    assert status == 2, (argv, status)
    return errors.getvalue()


def run(*argv: str) -> None:
    """Runs a command that must end well."""
    assert not main(list(argv)), argv


if __name__ == "__main__":
    for package in ("sklearn", "pooch", "soundfile", "tokenizers", "safetensors", "constriction", "tensorboardX"):
        assert importlib.util.find_spec(package) is None, f"{package} is here: this is no plain installation"
    assert "site-packages" in arjax.__file__, arjax.__file__
    rng = np.random.default_rng(0)
    np.savez("own.npz", **{name: rng.integers(0, 2, (32, 4, 4), np.uint8) for name in ("train", "valid", "test")})
    Path("own.py").write_text(CONFIG)
    run("train", "own.py", "--run", "runs/own")
    run("evaluate", "runs/own", "--out", "runs/test.npz")
    run("sample", "runs/own", "--samples", "4", "--out", "runs/samples.npz")
    run("complete", "runs/own", "--mask", "lower", "--examples", "2")
    run("train", "mixture_toy", "--run", "runs/toy", "--steps", "200", "--eval-every", "200", "--samples", "0")
    model, params = arjax.load("runs/own")
    assert np.isfinite(arjax.log_prob(model, params, np.load("own.npz")["test"])).all()
    assert "pip install 'arjax[data]'" in refused("train", "digits_made", "--run", "runs/digits")
    for i in range(4):
        write_whole(f"sounds/{i}.wav", wav(np.sin(np.arange(60.0) * i) / 2, 8000))
    run("data", "sounds", "--data.length", "50", "--data.context", "10")
    np.save("x.npy", np.load("own.npz")["test"])
    assert "pip install 'arjax[compress]'" in refused("compress", "runs/own", "x.npy", "-o", "x.arj")
    assert "pip install 'arjax[data]'" in refused("train", "shakespeare_rnn", "--run", "runs/text", "--data.root", "nowhere")
    print("a plain installation trains, evaluates, samples and completes", file=sys.stderr)
