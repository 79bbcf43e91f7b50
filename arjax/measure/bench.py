"""Benchmarks of training, scoring and sampling.

Every time is the median of several runs after one that compiles, and ends when the result is there (`block_until_ready`).
Two ratios say how near a sampler is to the floor, the arithmetic of one parallel pass:

    work ratio   FLOPs executed by a whole cached sample / by one log_prob of the same batch
    time ratio   the same, in wall time

Two say how near to the machine's own limits, which timing.py measures:

    train_flops_utilisation         3 x the FLOPs of one log_prob of the batch (a backward pass counts twice) / the time of a
                                    step / peak FLOP/s in the net's dtype: the model FLOPs utilisation of Chowdhery et al. (2022)
    sample_bandwidth_utilisation    the bytes that the products of a cached sample read / its time / peak bytes/s; above 1 where
                                    they come from the processor's caches
"""

import functools
import math
import platform
import time

import jax
import jax.numpy as jnp

from arjax.data import training_batches
from arjax.errors import printable
from arjax.likelihood import log_prob
from arjax.measure.timing import peak_bandwidth, peak_flops, timed
from arjax.protocol import init
from arjax.sampling import ancestral, naive
from arjax.testing.flops import executed_work
from arjax.training.experiment import Experiment, run_keys
from arjax.training.state import init_state, train_step


def benchmark(experiment: Experiment, split, *, batch: int, runs: int = 5, oracle: bool = True) -> dict:
    """Figures by name, as `python -m arjax bench` prints them: rates in examples per second at this batch size (training at the
    experiment's own, its data on the device), `compile_seconds` apart, ratios, the device. `split` is data to train on. oracle:
    also time the naive sampler, which takes a full pass for every site."""
    model, key = experiment.model, jax.random.key(experiment.seed)
    params, cond = jax.block_until_ready(init(model, key)), model.example_cond(batch)
    train_compile, train = time_training(experiment, split, runs)
    cached_compile, cached = timed(lambda: ancestral(model, params, key, batch, cond=cond), runs)
    x = ancestral(model, params, key, batch, cond=cond)
    score_compile, score = timed(lambda: log_prob(model, params, x, cond=cond), runs)
    naive_compile, slow = timed(lambda: naive(model, params, key, batch, cond=cond), runs) if oracle else (math.nan, math.nan)
    sampling = executed_work(lambda params: ancestral(model, params, key, batch, cond=cond), params)
    scoring = executed_work(lambda params: log_prob(model, params, x, cond=cond), params)
    peak = peak_flops(jnp.dtype(model.capabilities.dtype or "float32").name)
    train_flops = 3 * scoring.flops * experiment.batch_size / batch
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
        "work_ratio": sampling.flops / scoring.flops if scoring.flops else math.nan,
        "time_ratio": cached / score,
        "train_flops_utilisation": train_flops / train / peak,
        "sample_bandwidth_utilisation": sampling.read / cached / peak_bandwidth(),
        "peak_flops_per_second": peak,
        "peak_bytes_per_second": peak_bandwidth(),
        "compile_seconds": {name: seconds for name, seconds in compilations.items() if not math.isnan(seconds)},
    }


def begin(experiment: Experiment, batch):
    """Returns (state, step, seconds): the state before the first update, the compiled update (state, batch, key) -> (state,
    metrics), which takes the state for its own, and how long that took to compile."""
    state = jax.jit(functools.partial(init_state, experiment))(run_keys(experiment).init)
    step = jax.jit(functools.partial(train_step, experiment), donate_argnums=0)
    began = time.perf_counter()
    step = step.lower(state, batch, run_keys(experiment).train).compile()
    return state, step, time.perf_counter() - began


def time_training(experiment: Experiment, split, runs: int) -> tuple[float, float]:
    """Times training on one batch: (seconds of compilation, seconds of a step: the median of runs of as many steps as a
    second holds, ten at most)."""
    batch = jax.tree.map(jnp.asarray, training_batches(split, experiment.batch_size, experiment.seed)[0])
    state, step, compilation = begin(experiment, batch)

    def several(steps):
        nonlocal state
        for _ in range(steps):
            state, metrics = step(state, batch, run_keys(experiment).train)
        return metrics

    _, once = timed(lambda: several(1), 1)
    steps = min(max(1, int(1 / once)), 10)
    return compilation, timed(lambda: several(steps), runs)[1] / steps


def report(figures: dict) -> str:
    """Writes the figures as lines a person reads."""
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict):
            value = ", ".join(f"{part} {seconds:.2f}" for part, seconds in value.items())
        elif isinstance(value, float):
            digits = 4 if value < 0.1 else 2 if value < 100 else 0
            value = "-" if math.isnan(value) else f"{value:,.{digits}f}"
        lines.append(f"{name.replace('_', ' '):30} {printable(str(value))}")
    return "\n".join(lines)
