"""Bayes nets with tables on the fourteen binary density sets, all counted: writes docs/bayes_nets.md.

Command: python benchmarks/density_sets.py --out docs/bayes_nets.md
Hardware and time: 2 CPU cores, 26 seconds
"""

import argparse
import math
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np

import arjax
from arjax.data import BinaryDensity
from arjax.data.density import Name
from arjax.files import write_whole
from arjax.heads import Bernoulli
from arjax.models import BayesNet, chow_liu
from arjax.models.bayes_net import fit
from arjax.orders import Topological

SMOOTHINGS = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)

HEAD = """# Bayes nets on the binary density sets

Mean log-likelihood of the test split in nats per example, ± the standard error of that mean, by `arjax.log_prob`. Both models are
`BayesNet`s with tables counted by `arjax.models.bayes_net.fit` on the training split alone: one without edges, and one on the
Chow-Liu tree of the training split (`arjax.models.chow_liu`, root 0). s, what is added to each count, is the best of {smoothings}
on the validation split; the tree itself is found without.

Written by `python benchmarks/density_sets.py --out docs/bayes_nets.md`.

| set | variables | train / valid / test | independent | s | Chow-Liu tree | s |
|---|---|---|---|---|---|---|
"""


class Score(NamedTuple):
    """Of the test split: the mean log-likelihood and its standard error, nats; and the smoothing that validation chose."""

    mean: float
    standard_error: float
    smoothing: float

    def __str__(self):
        return f"{self.mean:.3f} ± {self.standard_error:.3f} | {self.smoothing:g}"


def score(splits, edges) -> Score:
    """The tables of this graph, counted on the training split."""
    model = arjax.Model(BayesNet(edges), Bernoulli(), splits.train.x.shape[1:], Topological(edges))

    def log_probs(smoothing, split):
        params = fit(splits.train.x, edges, Bernoulli(), smoothing=smoothing)
        return np.concatenate([arjax.log_prob(model, params, x) for x in np.array_split(split.x, -(-len(split.x) // 1000))])

    best = max(SMOOTHINGS, key=lambda smoothing: log_probs(smoothing, splits.valid).mean(dtype=np.float64))
    test = log_probs(best, splits.test).astype(np.float64)
    return Score(test.mean(), test.std(ddof=1) / math.sqrt(len(test)), best)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the Markdown file to write")
    out = parser.parse_args().out
    lines = []
    for name in get_args(Name):
        splits = BinaryDensity(name).load()
        sizes = " / ".join(str(len(split.x)) for split in splits)
        tree = chow_liu(splits.train.x, 2)
        lines.append(f"| {name} | {splits.train.x.shape[1]} | {sizes} | {score(splits, ())} | {score(splits, tree)} |")
        print(lines[-1], flush=True)
    write_whole(out, HEAD.format(smoothings=", ".join(f"{s:g}" for s in SMOOTHINGS)) + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
