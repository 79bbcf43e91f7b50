"""What has to be the same for a stream to be read: the model, its parameters, and the arithmetic of the platform.

Programs compiled for another processor, by another version or with other options add in another order. Their probabilities differ
in the last bits, which is enough for a decoder to go astray.
"""

import hashlib
import json
import os
import platform
from pathlib import Path

import jax
import numpy as np
from jaxlib.version import __version__ as jaxlib_version

from arjax.description import describe
from arjax.files import sha256_of_all


def digest_of_model(model, order) -> bytes:
    """Returns 4 bytes of the sha256 of a model's description and of the order [T] it generates in. InputError for a model that
    cannot be described.

    Fields at their default do not count, so that a stream can still be read when a class has gained one.
    """
    described = json.dumps(describe(model, defaults=False), sort_keys=True)
    return _sha256(described.encode(), np.asarray(order, np.int32).tobytes())[:4]


def digest_of_params(params) -> bytes:
    """6 bytes of the sha256 of all parameters, their paths, dtypes and shapes."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return bytes.fromhex(sha256_of_all({jax.tree_util.keystr(path): leaf for path, leaf in leaves}))[:6]


def platform_here() -> str:
    """Where probabilities are computed, in words: "cpu 0.10.2", the back-end and the version of JAX."""
    return f"{jax.default_backend()} {jax.__version__}"


def digest_of_platform() -> bytes:
    """4 bytes of the sha256 of all else that the last bits of a result may depend on: the compiler's version and options, the
    processor and how many of its cores are used."""
    config = {name: str(jax.config.values.get(name)) for name in _OPTIONS}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    device = jax.devices()[0]
    known = [jaxlib_version, device.device_kind, platform.machine(), _processor(), cores, os.environ.get("XLA_FLAGS"), config]
    return _sha256(json.dumps(known).encode())[:4]


_OPTIONS = ("jax_default_matmul_precision", "jax_enable_x64", "jax_disable_most_optimizations")


def _processor() -> list[str]:
    """The lines of Linux that name the first processor and what it can do; elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return [platform.processor()]
    return [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]


def _sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"\n".join(parts)).digest()
