"""Keeps the memory that XLA frees.

XLA allocates the temporaries of a computation at each call, and frees them at its end. By default glibc returns them to the
kernel, which hands out zeroed pages anew at the next call: on a CPU this takes 15 to 50 % of a training step's time. A process
that keeps these pages uses them at once.
"""

import ctypes
import os
import platform

# From malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> None:
    """Lets this process keep the memory that it frees, for its next allocation. Call it before JAX computes.

    Does nothing outside Linux with glibc, or where the environment configures malloc (MALLOC_... or GLIBC_TUNABLES).
    Blocks of more than an eighth of the machine's memory, or of 2 GiB, go back to the kernel as before: a kept
    block does not always serve the next allocation, so that up to three blocks of one size may be kept.
    """
    configured = any(name.startswith("MALLOC_") for name in os.environ) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if configured or platform.libc_ver()[0] != "glibc":
        return
    eighth = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 8
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_MMAP_THRESHOLD, min(eighth, _LARGEST_INT))
    mallopt(_TRIM_THRESHOLD, -1)
    # Other threads, such as XLA's, would have arenas of their own; each holds 64 MiB at most.
    mallopt(_ARENA_MAX, 1)
