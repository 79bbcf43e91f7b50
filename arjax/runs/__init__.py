"""A run on disk: its directory, its description, its checkpoints, its log; and the result in words and pictures."""

import os
from pathlib import Path


def cache_compilations() -> None:
    """Lets JAX keep what it compiles in a folder of the user's cache, so that the next start need not compile it again.

    JAX's own variables come first: JAX_COMPILATION_CACHE_DIR names another folder, JAX_ENABLE_COMPILATION_CACHE=0 keeps nothing.
    """
    import jax

    if jax.config.jax_compilation_cache_dir is None and jax.config.jax_enable_compilation_cache:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "arjax" / "jax"
        jax.config.update("jax_compilation_cache_dir", str(folder))
        # By default JAX leaves out what took less than a second, of which a start has dozens.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
