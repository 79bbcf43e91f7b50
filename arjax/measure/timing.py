"""Times a call, and measures what this machine can do at most, with which benchmarks compare their figures.

    arithmetic    FLOP/s of a product of two square matrices
    reading       bytes/s of a product of a large matrix with a vector, or of a large sum, whichever is faster
    copying       bytes/s, read and written, of an array plus one

A ceiling is the best of several runs: what is possible, not what is usual. An accelerator gets larger arrays than a CPU, so that
it computes for longer than a call takes to reach it.
"""

import functools
import statistics
import time

import jax
import jax.numpy as jnp


@functools.cache
def peak_flops(dtype: str = "float32", size: int | None = None, runs: int = 5, precision: str | None = None) -> float:
    """FLOP/s of the default device in products [size, size] x [size, size] of this dtype; precision: of jax.numpy.matmul."""
    size = size or (2048 if jax.default_backend() == "cpu" else 8192)
    matrix = jax.random.normal(jax.random.key(0), (size, size)).astype(dtype)
    return 2 * size**3 / _best(jax.jit(functools.partial(jnp.matmul, precision=precision)), matrix, matrix, runs=runs)


@functools.cache
def peak_bandwidth(mebibytes: int | None = None, runs: int = 5) -> float:
    """Bytes/s that the default device reads of an array of float32 so large."""
    matrix = _large(mebibytes)
    seconds = _best(jax.jit(jnp.matmul), matrix, jnp.ones(1024), runs=runs), _best(jax.jit(jnp.sum), matrix, runs=runs)
    return matrix.nbytes / min(seconds)


@functools.cache
def copy_bandwidth(mebibytes: int | None = None, runs: int = 5) -> float:
    """Bytes/s that the default device reads and writes as it copies an array of float32 so large."""
    matrix = _large(mebibytes)
    return 2 * matrix.nbytes / _best(jax.jit(lambda matrix: matrix + 1), matrix, runs=runs)


def _large(mebibytes: int | None) -> jax.Array:
    return jnp.ones(((mebibytes or (256 if jax.default_backend() == "cpu" else 2048)) * 256, 1024))


def timed(function, runs: int) -> tuple[float, float]:
    """Times a call whose result is waited for: (seconds the first call took longer, which is compilation if it had not been
    compiled yet; median seconds of `runs` further calls)."""
    first, *others = _seconds(function, runs)
    median = statistics.median(others)
    return max(0.0, first - median), median


def _best(function, *args, runs: int) -> float:
    return min(_seconds(lambda: function(*args), runs)[1:])


def _seconds(function, runs: int) -> list[float]:
    """The time of one call that may compile, and of `runs` further ones."""
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        jax.block_until_ready(function())
        seconds.append(time.perf_counter() - start)
    return seconds
