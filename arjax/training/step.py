"""The step of training as it runs on a mesh: compiled once before the first, its state laid out over the devices and donated.

Beside what it learns it passes on what processes were asked: any process's signal reaches all of them with the same step, so that
all stop after the same one, without a message of their own.
"""

import jax
import jax.numpy as jnp

from arjax.runs.interruption import Interruption
from arjax.training.mesh import replicated

_MIB = 2**20


def compile_start(start, abstract):
    """`start(key, batch)`, jitted, whose state lies as `abstract` says."""
    return jax.jit(start, out_shardings=_shardings(abstract))


def compile_step(update, abstract, batch, key, mesh: jax.sharding.Mesh) -> jax.stages.Compiled:
    """(state, batch, key, asked) -> (state, metrics, signal): `update` with the state as `abstract`, which is donated; batch and
    key as given; `asked` [shares]: the number of the signal that each process had, 0 for none; `signal`: the highest of them."""

    def step(state, batch, key, asked):
        return *update(state, batch, key), jnp.max(asked)

    whole = replicated(mesh)
    jitted = jax.jit(step, donate_argnums=0, out_shardings=(_shardings(abstract), whole, whole))
    return jitted.lower(abstract, batch, key, Interruption(mesh).asked()).compile()


def memory(compiled: jax.stages.Compiled) -> str:
    """In words: what it needs of each device's memory at once, by the compiler's plan; "unknown" where that has none."""
    plan = compiled.memory_analysis()
    if plan is None:
        return "unknown"
    # What is donated is not there twice.
    kept = plan.argument_size_in_bytes + plan.output_size_in_bytes - plan.alias_size_in_bytes
    during = plan.temp_size_in_bytes
    return f"{(kept + during) / _MIB:.1f} MiB on each device, {during / _MIB:.1f} of them only during the step"


def _shardings(abstract):
    return jax.tree.map(lambda leaf: leaf.sharding, abstract)
