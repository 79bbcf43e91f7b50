"""The conditions of every test: eight virtual CPU devices, signatures checked, no silent broadcasting of ranks.

This file is read before any test imports arjax or uses jax, and must stay so: its settings take effect at that moment.
"""

import os
from pathlib import Path

import jax
import jaxtyping
import pytest

CHECKED = (
    "orders", "protocol", "cache", "heads", "layers", "pictures", "models", "interop", "likelihood", "sampling", "coding",
    "testing",
)  # fmt: skip
jaxtyping.install_import_hook([f"arjax.{module}" for module in CHECKED], "beartype.beartype")
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)
# Nearly all of the suite's time is spent compiling tiny programs. `make contract` runs the contract again as users run it,
# with JAX_DISABLE_MOST_OPTIMIZATIONS=0.
if "JAX_DISABLE_MOST_OPTIMIZATIONS" not in os.environ:
    jax.config.update("jax_disable_most_optimizations", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
# Workers, subprocesses and the next `make test` share what one of them compiled.
if not jax.config.jax_compilation_cache_dir:
    jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parents[1] / ".pytest_cache" / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of downloaded data sets."""
    root = os.environ.get("ARJAX_DATA")
    if not root:
        pytest.skip("$ARJAX_DATA does not name a folder of downloaded data sets")
    return Path(root)


@pytest.fixture(autouse=True, scope="module")
def compiled_programs_are_let_go():
    """Every compiled program keeps parts of the address space mapped, of which a process may have 65530 on Linux; XLA crashes
    where there are no more."""
    yield
    jax.clear_caches()
