"""What checkpoints cost a run: stretches of training with a checkpoint at their start beside stretches without, taken in turn.

    python benchmarks/checkpoint_cost.py configs/mnist_made.py --steps 200 --pairs 7

A checkpoint is written in the background while training goes on, so that its price is what it blocks and what it takes from the
steps beside it. Validation and samples are not counted: they are there without checkpoints, too.
"""

import functools
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import jax
import tyro

from arjax.data import training_batches
from arjax.runs.checkpoints import finish, open_checkpoints, save
from arjax.runs.config import load_config
from arjax.runs.hosts import Interruption
from arjax.training.experiment import run_keys
from arjax.training.mesh import over_state, place_batch
from arjax.training.state import abstract_state, compile_step, draw_state


def main(config: str, /, steps: int = 200, pairs: int = 7) -> None:
    """config: whose training is timed. steps: in a stretch. pairs: of a stretch with and one without."""
    experiment = load_config(config)
    splits, mesh, keys = experiment.data.load(), experiment.mesh.build(), run_keys(experiment)
    batches = training_batches(splits.train, experiment.batch_size, experiment.seed)
    abstract = over_state(abstract_state(experiment), mesh, experiment.model)
    place = functools.partial(place_batch, mesh=mesh)
    step = compile_step(experiment, abstract, place(batches[0]), keys.train, mesh)
    state = draw_state(experiment, abstract, keys.init)
    asked, folder, differences, plain = Interruption(mesh).asked(), Path(tempfile.mkdtemp()), [], []

    with open_checkpoints(folder) as checkpoints:
        for pair in range(pairs + 1):
            seconds = {}
            for saves in (True, False) if pair % 2 else (False, True):
                began = time.perf_counter()
                if saves:
                    save(checkpoints, pair, state, 1.0)
                for i in range(steps):
                    state, metrics, _ = step(state, place(batches[i]), keys.train, asked)
                float(metrics["loss"])
                if saves:
                    finish(checkpoints)
                seconds[saves] = time.perf_counter() - began
            if pair:  # the first warms up
                differences.append(seconds[True] - seconds[False])
                plain.append(seconds[False])
    shutil.rmtree(folder)
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state)) / 2**20
    print(
        f"{config}: {size:.1f} MiB of state; a stretch of {steps} steps {statistics.median(plain):.2f} s; with a checkpoint "
        f"{statistics.median(differences):+.3f} s (median of {pairs}, from {min(differences):+.3f} to {max(differences):+.3f})",
        file=sys.stdout,
    )


if __name__ == "__main__":
    tyro.cli(main)
