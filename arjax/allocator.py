"""What the C library does with memory that XLA gives back.

XLA asks for the temporaries of a computation at each call, and gives them back at its end. By default glibc returns them to the
kernel, which hands out zeroed pages anew at the next call: on a CPU this takes 15 to 50 % of a training step's time. A process
that keeps them has them at once.
"""

import ctypes
import os
import platform

# Of malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> None:
    """Lets this process keep the memory that it frees, for its next allocation. Call it before JAX computes.

    Does nothing outside Linux with glibc, and nothing where the environment says what malloc does (MALLOC_... or GLIBC_TUNABLES).
    Blocks of more than an eighth of the machine's memory, or of 2 GiB, go back as before: kept blocks are not always the ones
    that are asked for next, so that up to three of a size may lie there.
    """
    told = any(name.startswith("MALLOC_") for name in os.environ) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if told or platform.libc_ver()[0] != "glibc":
        return
    eighth = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 8
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_MMAP_THRESHOLD, min(eighth, _LARGEST_INT))
    mallopt(_TRIM_THRESHOLD, -1)
    # Other threads, as XLA's, would have arenas of their own, which hold no more than 64 MiB each.
    mallopt(_ARENA_MAX, 1)
