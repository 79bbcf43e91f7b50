"""What this machine can do at most, measured: what a benchmark's figures are held against.

    arithmetic    FLOP/s of a product of two square matrices
    reading       bytes/s of a product of a large matrix with a vector, or of a large sum, whichever is faster

The best of several runs: a ceiling is what is possible, not what is usual.
"""

import functools
import time

import jax
import jax.numpy as jnp


@functools.cache
def peak_flops(dtype: str = "float32", size: int = 2048, runs: int = 5) -> float:
    """FLOP/s of the default device in products [size, size] x [size, size] of this dtype."""
    matrix = jax.random.normal(jax.random.key(0), (size, size)).astype(dtype)
    return 2 * size**3 / _best(jax.jit(jnp.matmul), matrix, matrix, runs=runs)


@functools.cache
def peak_bandwidth(mebibytes: int = 256, runs: int = 5) -> float:
    """Bytes/s that the default device reads of an array of float32 so large."""
    matrix = jnp.ones((mebibytes * 256, 1024))
    seconds = _best(jax.jit(jnp.matmul), matrix, jnp.ones(1024), runs=runs), _best(jax.jit(jnp.sum), matrix, runs=runs)
    return matrix.nbytes / min(seconds)


def _best(function, *args, runs: int) -> float:
    """Seconds of the fastest of so many calls behind one that compiles."""
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        jax.block_until_ready(function(*args))
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
