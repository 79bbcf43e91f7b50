import jax
import pytest

from arjax.runs import cache_compilations


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
