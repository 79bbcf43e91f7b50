"""Families of models side by side: each config is fitted for the same seconds to the same data, and measured as every other.

What is measured, and where a figure is not simply a count or a time:

    nats                   -log p per test example, in one order, under the averaged or the raw parameters, whichever are better
                           on the validation split
    weights_used           how many parameters theta at one site depends on, on average: those of a derivative that is not 0
    reuse                  T weights_used / parameters: how many conditionals share a parameter
    context                of the sites generated before a site, the fraction that its theta depends on, averaged over sites;
                           found by changing one symbol after the other, under parameters of which none is zero
    steps_to_evaluate      how many steps a parallel pass takes one after the other (sequential_steps of flops.py)
    steps_to_sample        T
    work_ratio, time_ratio as in bench.py
"""

import dataclasses
import math
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from arjax.data import training_batches
from arjax.likelihood import bits_per_dim, log_prob, theta
from arjax.measure.bench import begin
from arjax.measure.timing import timed
from arjax.sampling import ancestral
from arjax.testing import influences, lively_params, random_cond, work_ratio
from arjax.testing.cases import random_symbols, to_data
from arjax.testing.flops import sequential_steps
from arjax.training.evaluation import evaluate
from arjax.training.experiment import Experiment, run_keys
from arjax.training.optimizers import OptimizerCapabilities

_TRIED = 5  # steps that tell how long one takes


def try_out(experiment: Experiment, splits, *, seconds: float, batch: int = 16, runs: int = 5) -> dict[str, Any]:
    """Returns the figures of one experiment by name, fitted for about so many `seconds`, compilation apart; its schedule spans
    them, of which the warm-up takes a tenth at most."""
    model, keys = experiment.model, run_keys(experiment)
    fitted, state, rate = fit(experiment, splits.train, seconds)
    scoring = {"batch_size": experiment.eval_batch_size, "key": keys.evaluate}
    valid = {name: evaluate(model, getattr(state, name), splits.valid, experiment.data.values, **scoring) for name in _WEIGHTS}
    params = getattr(state, min(valid, key=lambda name: valid[name].nats))
    test = evaluate(model, params, splits.test, experiment.data.values, **scoring)
    cond, key = random_cond(model, keys.sample, batch), keys.sample
    x = jax.block_until_ready(ancestral(model, params, key, batch, cond=cond))
    _, cached = timed(lambda: ancestral(model, params, key, batch, cond=cond), runs)
    _, scored = timed(lambda: log_prob(model, params, x, cond=cond), runs)
    count, used = sum(leaf.size for leaf in jax.tree.leaves(params)), weights_used(model, keys.init)
    return {
        "net": type(model.net).__name__,
        "steps": fitted.steps,
        "nats": test.nats,
        "standard_error": test.standard_error,
        "bits_per_dim": bits_per_dim(test.nats, test.dims),
        "parameters": count,
        "weights_used": used,
        "reuse": model.num_sites * used / count,
        "context": context(model, keys.init),
        "steps_to_evaluate": sequential_steps(lambda x: theta(model, params, x, cond=cond), x),
        "steps_to_sample": model.num_sites,
        "work_ratio": work_ratio(model, params, key, 1),
        "time_ratio": cached / scored,
        "samples_per_second": batch / cached,
        "train_examples_per_second": rate,
    }


_WEIGHTS = ("ema", "params")


def fit(experiment: Experiment, split, seconds: float):
    """Returns (the experiment with as many steps as fit into so many seconds, its state after them, examples/s), on one
    device."""
    key = run_keys(experiment).train
    batches = training_batches(split, experiment.batch_size, experiment.seed)

    def run(experiment, steps):
        state, step, _ = begin(experiment, jax.tree.map(jnp.asarray, batches[0]))
        began = time.perf_counter()
        for i in range(steps):
            state, _ = step(state, jax.tree.map(jnp.asarray, batches[i]), key)
        jax.block_until_ready(state)
        return state, time.perf_counter() - began

    _, took = run(experiment, _TRIED)
    fitted = _shortened(experiment, steps=max(1, round(seconds / took * _TRIED)))
    state, took = run(fitted, fitted.steps)
    return fitted, state, fitted.steps * experiment.batch_size / took


def _shortened(experiment: Experiment, steps: int) -> Experiment:
    """The experiment in so many steps, of which the learning rate's warm-up takes a tenth at most."""
    optimizer = experiment.optimizer
    schedule = OptimizerCapabilities.of(optimizer).schedule
    if schedule is not None and schedule.warmup > steps // 10:
        optimizer = dataclasses.replace(optimizer, schedule=dataclasses.replace(schedule, warmup=steps // 10))
    return dataclasses.replace(experiment, steps=steps, optimizer=optimizer)


def weights_used(model, key, sites: int = 8, examples: int = 8) -> float:
    """Counts the parameters that theta at a site depends on, averaged over so many sites, evenly spaced in their order."""
    params, x_key, cond_key = lively_params(model, key), *jax.random.split(key)
    x, cond = to_data(model, random_symbols(model, x_key, examples), model.permutation), random_cond(model, cond_key, examples)

    @jax.jit
    def used(t):
        gradient = jax.grad(lambda params: (theta(model, params, x, cond=cond)[:, t] ** 2).sum())(params)
        return sum((leaf != 0).sum() for leaf in jax.tree.leaves(gradient))

    return float(np.mean([used(t) for t in np.linspace(0, model.num_sites - 1, min(sites, model.num_sites)).astype(int)]))


def context(model, key, examples: int = 2) -> float:
    """Returns of the sites generated before a site the fraction that theta there depends on, averaged over all sites but the
    first; NaN where there is one site only."""
    params, (x_key, cond_key) = lively_params(model, key), jax.random.split(key)
    cond, seen = random_cond(model, cond_key, 1), np.zeros((model.num_sites, model.num_sites), bool)
    for i in range(examples):
        x = to_data(model, random_symbols(model, jax.random.fold_in(x_key, i), 1), model.permutation)
        seen |= influences(model, params, x, cond) > 0
    seen, earlier = seen[np.ix_(model.permutation, model.permutation)], np.arange(1, model.num_sites)
    return float(np.mean(np.tril(seen, -1).sum(axis=1)[1:] / earlier)) if len(earlier) else math.nan
