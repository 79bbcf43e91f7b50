"""Is the noise of the fixed point drawn once, or anew in every evaluation? Prints a Markdown table.

    python benchmarks/noise_drawn_once.py

A chain of copies, each site the symbol before it plus one: the worst case, an evaluation for every site, by a net that computes
next to nothing. An evaluation that drew the noise anew would take at least as long as drawing the noise of all sites once.
"""

import statistics
import time
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

import arjax
from arjax.heads import Categorical
from arjax.sampling import fixed_point, naive

SITES, VOCAB, BATCH, RUNS = 784, 256, 4, 5


class Chain(nn.Module):
    """Says of every site, nearly surely, the symbol before it plus one; of the first, 1. In its own order only."""

    spec: Any = None
    any_order: ClassVar[bool] = False

    @nn.compact
    def __call__(self, x, order, cond=None, *, key=None):
        scale = self.param("scale", nn.initializers.constant(1000.0), ())
        before = jnp.concatenate([jnp.zeros_like(x[:, :1]), x[:, :-1]], axis=1)
        return scale * jax.nn.one_hot((before + 1) % self.spec.vocab, self.spec.param_size)


@jax.jit
def draw_all(key):
    """One symbol of every site, where all are equally likely."""
    theta = jnp.zeros((BATCH, VOCAB))
    return jax.vmap(lambda t: Categorical(VOCAB).sample(jax.random.fold_in(key, t), theta))(jnp.arange(SITES))


def main():
    model, key = arjax.Model(Chain(), Categorical(VOCAB), (SITES,)), jax.random.key(0)
    params = arjax.init(model, key)
    samplers = {"naive": lambda: (naive(model, params, key, BATCH), SITES)}
    samplers["fixed point"] = lambda: fixed_point(model, params, key, BATCH)
    samplers["the noise of all sites, once"] = lambda: (draw_all(key), 1)
    print(f"| {SITES} sites, {VOCAB} symbols, batch {BATCH} | evaluations | ms | ms an evaluation |\n|---|---|---|---|")
    for name, sampler in samplers.items():
        _, count = jax.block_until_ready(sampler())
        seconds = []
        for _ in range(RUNS):
            began = time.perf_counter()
            jax.block_until_ready(sampler())
            seconds.append(time.perf_counter() - began)
        ms = 1000 * statistics.median(seconds)
        print(f"| {name} | {int(count)} | {ms:.0f} | {ms / int(count):.3f} |", flush=True)


if __name__ == "__main__":
    main()
