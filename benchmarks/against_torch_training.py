"""Training: one step of arjax beside one step of the same network in PyTorch; one process, the same weights, in turn.

    pip install -e ".[peers]"
    python benchmarks/against_torch_training.py                  # every row
    python benchmarks/against_torch_training.py PixelCNN GPT     # those whose names begin so

A step is forward, backward and Adam, in float32, without dropout. The networks are in torch_nets/, a file a family. First both
are shown to compute the same theta from the same weights. Then each makes steps in turn: as many as take 20 ms, untimed, then as
many again, of which the mean is timed. Printed are the medians of `--runs` turns, and of their ratios PyTorch / arjax: above 1
arjax is the faster. PyTorch runs eagerly, and where a C++ compiler is there also under torch.compile; the ratio is to the better
of the two. The FLOP/s are those of arjax, with their share of what one large product reaches.
"""

import argparse
import functools
import importlib
import os
import pkgutil
import statistics
import sys
import time
from typing import Any, NamedTuple

import jax
import numpy as np
import torch

import arjax
from arjax.data import Levels, Split
from arjax.measure.timing import peak_flops
from arjax.testing.flops import executed_flops
from arjax.training import Adam, Experiment
from arjax.training.state import init_state, train_step

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from benchmarks import torch_nets

THREADS = os.cpu_count()
WARM = 0.02  # seconds


class Row(NamedTuple):
    """A shape: an arjax.Model, the examples of a step, and the file of its network in PyTorch."""

    name: str
    model: arjax.Model
    batch: int
    peer: Any


def rows(chosen=()) -> list[Row]:
    """Lists the shapes of torch_nets/ whose names begin as one of `chosen`; all, if there is none."""
    files = [
        importlib.import_module(f"{torch_nets.__name__}.{found.name}") for found in pkgutil.iter_modules(torch_nets.__path__)
    ]
    every = [Row(*row, file) for file in files for row in file.ROWS]
    return [row for row in every if not chosen or row.name.startswith(tuple(chosen))]


def examples(row: Row, batch: int) -> np.ndarray:
    """Draws symbols [B, *site_shape]."""
    return np.random.default_rng(0).integers(0, row.model.head.vocab, (batch, *row.model.site_shape)).astype(np.int32)


def gap(row: Row) -> float:
    """Measures how far theta is from PyTorch's, relative to its size, on weights none of which is zero."""
    params, x = arjax.testing.lively_params(row.model, jax.random.key(0)), examples(row, 2)
    ours = np.asarray(arjax.theta(row.model, params, x))
    with torch.no_grad():
        theirs = row.peer.Net(row.model, params)(torch.tensor(x).long()).numpy()
    return float(np.abs(ours - theirs.reshape(ours.shape)).max() / np.abs(ours).max())


def flops(row: Row) -> int:
    """Counts the FLOPs of a step: three times those of the forward pass."""
    params, x = arjax.init(row.model, jax.random.key(0)), examples(row, row.batch)
    return 3 * executed_flops(lambda params: arjax.log_prob(row.model, params, x), params)


def our_step(row: Row, accumulate: int = 1):
    """(a function that makes a step in so many micro-batches, the seconds that compiling took)."""
    x = examples(row, row.batch)
    data = arjax.Arrays(Split(x), Split(x[:1]), values=Levels(row.model.head.vocab))
    fit = {"batch_size": row.batch, "steps": 10**6, "eval_every": 10**6, "ema": 0.0, "accumulate": accumulate}
    experiment = Experiment(data=data, model=row.model, optimizer=Adam(1e-3, clip=None), **fit)
    state, key = jax.jit(functools.partial(init_state, experiment))(jax.random.key(0)), jax.random.key(1)
    step, began = jax.jit(functools.partial(train_step, experiment), donate_argnums=0), time.perf_counter()
    compiled = step.lower(state, {"x": x}, key).compile()
    took = time.perf_counter() - began

    def run():
        nonlocal state
        state, metrics = compiled(state, {"x": x}, key)
        jax.block_until_ready(metrics)

    return run, took


def their_step(row: Row, compiled: bool):
    """A function that makes a step."""
    net = row.peer.Net(row.model, arjax.init(row.model, jax.random.key(0)))
    x, optimizer = (
        torch.tensor(examples(row, row.batch)).long(),
        torch.optim.Adam([p for p in net.parameters() if p.requires_grad], 1e-3, fused=True),
    )

    def loss_of(x):
        return row.peer.loss(net(x), x)

    loss_of = torch.compile(loss_of) if compiled else loss_of

    def run():
        optimizer.zero_grad(set_to_none=True)
        loss_of(x).backward()
        optimizer.step()

    return run


def seconds(function) -> float:
    """Times a step, as the mean of as many as take 20 ms, at least one, behind as many again that are not timed.

    The first after the other library's finds its threads asleep, its memory gone, and the other's threads waiting for work in
    a loop, some milliseconds long, which takes a core from steps as short as that.
    """
    steps, start = 0, time.perf_counter()
    while steps == 0 or time.perf_counter() - start < WARM:
        function()
        steps += 1
    start = time.perf_counter()
    for _ in range(steps):
        function()
    return (time.perf_counter() - start) / steps


def measure(row: Row, compiled: bool, runs: int, accumulate: int) -> list[str]:
    """Returns the cells of a row of the table."""
    ours, took = our_step(row, accumulate)
    theirs = {"eager": their_step(row, compiled=False)}
    if compiled:
        theirs["compiled"] = their_step(row, compiled=True)
    for step in (ours, *theirs.values()):  # compile and warm up
        step(), step()
    turns = [{"ours": seconds(ours)} | {name: seconds(step) for name, step in theirs.items()} for _ in range(runs)]
    median = {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}
    ratio = statistics.median(min(turn[name] for name in theirs) / turn["ours"] for turn in turns)
    times = [f"{1e3 * median[name]:,.1f}" if name in median else "-" for name in ("eager", "compiled", "ours")]
    parts, rate = f", in {accumulate} parts" if accumulate > 1 else "", flops(row) / median["ours"]
    reached = [f"{rate / 1e9:,.0f}", f"{rate / peak_flops():.0%}"]
    return [f"{row.name}, batch {row.batch}{parts}", *times, f"{ratio:.2f}", *reached, f"{took:.1f} s", f"{gap(row):.0e}"]


def main() -> None:
    flags = argparse.ArgumentParser(description="Time a training step of arjax beside PyTorch's.")
    flags.add_argument("names", nargs="*", help="rows whose names begin so; all, if there is none")
    flags.add_argument("--runs", type=int, default=9, help="turns of each that are timed")
    flags.add_argument("--eager", action="store_true", help="leave out torch.compile")
    flags.add_argument("--accumulate", type=int, default=1, help="micro-batches of a step of arjax, which then needs less memory")
    chosen = flags.parse_args()
    arjax.keep_freed_memory()  # of both
    torch.set_num_threads(THREADS)
    print(f"JAX {jax.__version__}, PyTorch {torch.__version__}, {THREADS} threads each; ms a step, medians of {chosen.runs}")
    print(f"A product of 2048 x 2048 reaches {peak_flops() / 1e9:,.0f} GFLOP/s")
    print("| network | PyTorch eager | compiled | arjax | PyTorch / arjax | GFLOP/s | share | compiles in | theta differs by |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows(chosen.names):
        print(f"| {' | '.join(measure(row, not chosen.eager, chosen.runs, chosen.accumulate))} |", flush=True)
        jax.clear_caches()


if __name__ == "__main__":
    main()
