"""What JAX compiles is kept for the next start."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from test_train import CONFIG

from arjax.runs import cache_compilations

ROOT = Path(__file__).parents[2]


@pytest.fixture
def unset():
    """JAX without a folder of its own."""
    before = jax.config.jax_compilation_cache_dir, jax.config.jax_persistent_cache_min_compile_time_secs
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", before[0])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", before[1])


@pytest.mark.usefixtures("unset")
def test_cache_compilations_names_a_folder_of_the_users_cache_and_nothing_if_jax_was_told(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache_compilations()
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "arjax" / "jax")
    jax.config.update("jax_compilation_cache_dir", "mine")
    cache_compilations()
    assert jax.config.jax_compilation_cache_dir == "mine"


@pytest.mark.slow  # two processes from start to end
def test_train_compiles_nothing_at_a_second_start(tmp_path):
    (tmp_path / "tiny.py").write_text(CONFIG)
    cache = tmp_path / "arjax" / "jax"
    env = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    env |= {"JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    listings = []
    for run in ("first", "second"):
        argv = [sys.executable, str(ROOT / "train.py"), str(tmp_path / "tiny.py"), "--run", str(tmp_path / run), "--steps", "6"]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=300)
        assert (done.returncode, done.stderr) == (0, "")
        listings.append({path.name for path in cache.iterdir() if path.name.endswith("-cache")})
    assert listings[0]
    assert listings[0] == listings[1]
