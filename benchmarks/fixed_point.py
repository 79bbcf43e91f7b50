"""How many evaluations of the net the fixed point takes, and how long, beside the other samplers; prints Markdown tables.

    python benchmarks/fixed_point.py --seconds 30
    python benchmarks/fixed_point.py --config configs/mnist_made.py configs/mnist_rnn.py --seconds 120 --batch 1
    python benchmarks/fixed_point.py --run runs/mnist_made runs/mnist_pixelcnn --batch 1 16

Without --run, configs are trained for so many seconds each: those of --config, or else one of each family on scikit-learn's 8x8
digits. With --run, what train.py left there is taken. Every figure is the median over keys; times are those of calls behind one
that compiles.
"""

import argparse
import collections
import dataclasses
import statistics
import sys
import time
from typing import Any, NamedTuple

import jax
import numpy as np

import arjax
from arjax.data import Digits, Levels, evenly_spaced
from arjax.heads import Ordinal
from arjax.measure.trial import fit
from arjax.runs.config import load_config
from arjax.runs.load import open_run
from arjax.sampling import ancestral, fixed_point, naive
from arjax.training.conditions import sample_cond
from arjax.training.evaluation import drawn_examples, validate

FAMILIES = ("histogram", "bayes_net", "made", "rnn", "wavenet", "pixelcnn", "gated_pixelcnn", "pixelcnnpp", "lmconv", "igpt")


class Case(NamedTuple):
    """A trained model. `x`: symbols [N, *site_shape, *E] of its training split; `nats`: -log p on up to 500 examples of its
    validation split."""

    name: str
    model: arjax.Model
    params: Any
    x: np.ndarray
    nats: float


def case(name, experiment, splits, *candidates) -> Case:
    """The model with those parameters, of the candidates, that are best on the validation split."""
    valid, values, key = evenly_spaced(splits.valid, 500), experiment.data.values, jax.random.key(0)
    scored = [(validate(experiment.model, params, valid, values, batch_size=100, key=key).nats, params) for params in candidates]
    nats, params = min(scored, key=lambda pair: pair[0])
    examples = drawn_examples(splits.train, values, batch_size=500, key=key)
    return Case(name, experiment.model, params, np.concatenate([batch["x"] for batch in examples]), nats)


def trained(experiment, seconds: float, remark: str = "") -> Case:
    """What so many seconds of training make of an experiment."""
    splits = experiment.data.load()
    fitted, state, _ = fit(experiment, splits.train, seconds)
    return case(f"{type(fitted.model.net).__name__}{remark}, {fitted.steps} steps", fitted, splits, state.ema, state.params)


def digits(seconds: float):
    """A case of every family on bits, and one on grey levels."""
    for family in FAMILIES:
        yield trained(load_config(f"configs/digits_{family}.py"), seconds)
    bits = load_config("configs/digits_pixelcnn.py")
    grey = dataclasses.replace(bits, data=Digits(values=Levels(17)), model=dataclasses.replace(bits.model, head=Ordinal(17)))
    yield trained(grey, seconds, remark=", 17 levels")


def loaded(run) -> Case:
    """What train.py left in this directory, at its best on validation."""
    run_ = open_run(run)
    return case(run, run_.experiment, run_.experiment.data.load(), run_.params)


def times(case: Case, batch: int, keys, naive_keys: int) -> str:
    """One row of the first table. The samplers take turns, so that what else the machine does befalls all of them."""
    model, params, cond = case.model, case.params, sample_cond(case.model, batch, None)
    samplers = {
        "naive": lambda key: (naive(model, params, key, batch, cond=cond), model.num_sites),
        "cached": lambda key: (ancestral(model, params, key, batch, cond=cond), model.num_sites),
        "fixed point": lambda key: fixed_point(model, params, key, batch, cond=cond),
    }
    seconds, counts, parted = collections.defaultdict(list), collections.defaultdict(list), set()
    for i, key in enumerate(keys):
        found = {}
        for name, sampler in samplers.items():
            if i == 0:
                jax.block_until_ready(sampler(jax.random.clone(key)))
            if name == "naive" and i >= naive_keys:
                continue
            began = time.perf_counter()
            found[name], count = jax.block_until_ready(sampler(jax.random.clone(key)))
            seconds[name].append(time.perf_counter() - began)
            counts[name].append(int(count))
        parted |= {(name, i) for name, x in found.items() if (np.asarray(x) != np.asarray(found["cached"])).any()}
    if parted:
        print(f"{case.name}, batch {batch}: samples that differ from the cached ones: {sorted(parted)}", file=sys.stderr)
    count = statistics.median(counts["fixed point"])
    wall = " | ".join(_seconds(statistics.median(seconds[name])) for name in ("naive", "fixed point", "cached"))
    each = [statistics.median(np.divide(seconds[name], counts[name])) for name in ("naive", "fixed point")]
    return (
        f"| {case.name} | {case.nats:.2f} | {model.num_sites} | {batch} | {count:g} ({100 * count / model.num_sites:.1f} %) "
        f"| {wall} | {' / '.join(map(_seconds, each))} |"
    )


def forecasts(case: Case, batch: int, keys) -> str:
    """One row of the second table: the evaluations from several starts."""
    model, params, cond = case.model, case.params, sample_cond(case.model, batch, None)
    rng, counts = np.random.default_rng(0), []
    shape = (batch, *model.site_shape, *model.head.event_shape)
    flat = case.x.reshape(len(case.x), -1)
    modes = np.stack([(flat == v).sum(axis=0) for v in range(model.head.vocab)]).argmax(axis=0).reshape(shape[1:])
    for key in keys:
        marginal = flat[rng.integers(0, len(flat), (batch, flat.shape[1])), np.arange(flat.shape[1])].reshape(shape)
        example = case.x[rng.integers(0, len(flat), batch)]
        starts = {"zeros": np.zeros(shape, np.int32), "modes": modes, "marginals": marginal, "examples": example}
        starts["the sample"] = ancestral(model, params, jax.random.clone(key), batch, cond=cond)
        count = {
            name: int(fixed_point(model, params, jax.random.clone(key), batch, cond=cond, start=start)[1])
            for name, start in starts.items()
        }
        counts.append(count)
    cells = " | ".join(f"{statistics.median(count[name] for count in counts):g}" for name in counts[0])
    return f"| {case.name} | {batch} | {cells} |"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--config", nargs="+", default=[], help="configs to train here; none: every family on the digits")
    which.add_argument("--run", nargs="+", default=[], help="directories that train.py wrote")
    parser.add_argument("--seconds", type=float, default=20, help="of training for each config")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--keys", type=int, default=9, help="over which a median is taken")
    parser.add_argument("--naive-keys", type=int, default=3, help="of these, those also given to the naive sampler")
    flags = parser.parse_args()
    keys = jax.random.split(jax.random.key(1), flags.keys)
    print("| net | nats | sites | batch | evaluations | naive | fixed point | cached", end=" | ")
    print("an evaluation: naive / fixed point |\n" + "|---" * 9 + "|")
    cases = (trained(load_config(config), flags.seconds) for config in flags.config) if flags.config else digits(flags.seconds)
    rows = []
    try:
        for one in map(loaded, flags.run) if flags.run else cases:
            for batch in flags.batch:
                print(times(one, batch, keys, flags.naive_keys), flush=True)
                rows.append(forecasts(one, batch, keys))
    finally:  # what an interrupted run has found so far
        print("\n| net | batch | zeros | most frequent symbols | marginals | training examples | the sample itself |")
        print("|---" * 7 + "|", *rows, sep="\n")


if __name__ == "__main__":
    main()
