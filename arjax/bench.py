"""Benchmarks of training, scoring and sampling.

Every time is the median of several runs after one that compiles, and ends when the result is there (`block_until_ready`).
Two ratios say how near a sampler is to the floor, the arithmetic of one parallel pass:

    work ratio   FLOPs executed by a whole cached sample / by one log_prob of the same batch
    time ratio   the same, in wall time
"""

import json
import math
import platform
import statistics
import time

import jax
import jax.numpy as jnp

from arjax.data import training_batches
from arjax.likelihood import log_prob
from arjax.protocol import init
from arjax.sampling import ancestral, naive
from arjax.testing import work_ratio
from arjax.training.experiment import Experiment
from arjax.training.state import parts


def benchmark(experiment: Experiment, split, *, batch: int, runs: int = 5, oracle: bool = True) -> dict:
    """Figures by name, as `python -m arjax bench` prints them: rates in examples per second at this batch size (training at the
    experiment's own, its data on the device), `compile_seconds` apart, ratios, the device. `split` is data to train on. oracle:
    also time the naive sampler, which takes a full pass for every site."""
    model, key = experiment.model, jax.random.key(experiment.seed)
    params, cond = jax.block_until_ready(init(model, key)), model.example_cond(batch)
    train_compile, train = _time_training(experiment, split, runs)
    cached_compile, cached = timed(lambda: ancestral(model, params, key, batch, cond=cond), runs)
    x = ancestral(model, params, key, batch, cond=cond)
    score_compile, score = timed(lambda: log_prob(model, params, x, cond=cond), runs)
    naive_compile, slow = timed(lambda: naive(model, params, key, batch, cond=cond), runs) if oracle else (math.nan, math.nan)
    compilations = {
        "train_step": train_compile,
        "log_prob": score_compile,
        "sample_cached": cached_compile,
        "sample_naive": naive_compile,
    }
    return {
        "device": f"{jax.devices()[0].device_kind}, one device, {platform.machine()}, JAX {jax.__version__}",
        "dtype": str(jax.tree.leaves(params)[0].dtype),
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(params)),
        "sites": model.num_sites,
        "batch": batch,
        "train_batch": experiment.batch_size,
        "runs": runs,
        "train_examples_per_second": experiment.batch_size / train,
        "log_prob_examples_per_second": batch / score,
        "samples_per_second_cached": batch / cached,
        "samples_per_second_naive": batch / slow,
        "cached_over_naive": slow / cached,
        "work_ratio": work_ratio(model, params, key, 1),
        "time_ratio": cached / score,
        "compile_seconds": {name: seconds for name, seconds in compilations.items() if not math.isnan(seconds)},
    }


def timed(function, runs: int) -> tuple[float, float]:
    """(seconds the first call took longer, which is compilation if it had not been compiled yet; median seconds of `runs`
    further calls). The result is waited for."""
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        jax.block_until_ready(function())
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds[1:])
    return max(0.0, seconds[0] - median), median


def _time_training(experiment, split, runs):
    """`timed` for ten steps of training, a step."""
    steps, key = 10, jax.random.key(experiment.seed)
    batch = jax.tree.map(jnp.asarray, training_batches(split, experiment.batch_size, experiment.seed)[0])
    _, start, update = parts(experiment)
    state, step = jax.jit(start)(key, batch), jax.jit(update, donate_argnums=0)

    def several():
        nonlocal state
        for _ in range(steps):
            state, metrics = step(state, batch, key)
        return metrics

    compilation, median = timed(several, runs)
    return compilation, median / steps


def as_json(figures: dict) -> str:
    """The figures as JSON, which has no NaN: what does not exist, as the work ratio of a net without products, is null."""
    known = {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in figures.items()}
    return json.dumps(known, indent=2, allow_nan=False)


def report(figures: dict) -> str:
    """The figures as lines a person reads."""
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict):
            value = ", ".join(f"{part} {seconds:.2f}" for part, seconds in value.items())
        elif isinstance(value, float):
            value = "-" if math.isnan(value) else f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
        lines.append(f"{name.replace('_', ' '):30} {value}")
    return "\n".join(lines)
