"""The conditions of every test: eight virtual CPU devices, signatures checked, no silent broadcasting of ranks.

This file is read before any test imports jax or arjax, and must stay so: all three take effect at import.
"""

import os
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8".strip()

import jax
import jaxtyping
import pytest

CHECKED = ("orders", "protocol", "heads", "layers", "flops", "pictures", "models", "likelihood", "sampling", "testing")
jaxtyping.install_import_hook([f"arjax.{module}" for module in CHECKED], "beartype.beartype")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of downloaded data sets."""
    root = os.environ.get("ARJAX_DATA")
    if not root:
        pytest.skip("$ARJAX_DATA does not name a folder of downloaded data sets")
    return Path(root)
