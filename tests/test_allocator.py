"""Freed memory is kept: what is allocated again has its pages already."""

import platform
import resource

import numpy as np
import pytest

from arjax.allocator import keep_freed_memory

SIZE = 96 * 2**20


def faults() -> int:
    """Allocates SIZE bytes, writes to every page, frees them, and returns how many pages the kernel had to hand out."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(SIZE, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="keep_freed_memory works with glibc alone")
def test_keep_freed_memory_has_pages_at_once_where_a_block_was_freed(monkeypatch):
    for name in ("GLIBC_TUNABLES", "MALLOC_ARENA_MAX"):
        monkeypatch.delenv(name, raising=False)
    keep_freed_memory()
    faults()
    assert faults() < SIZE / 4096 / 100


def test_keep_freed_memory_leaves_malloc_to_the_environment(monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    monkeypatch.setattr("arjax.allocator.ctypes.CDLL", lambda name: pytest.fail("malloc was configured"))
    keep_freed_memory()
