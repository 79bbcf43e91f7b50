import functools
import re
import signal

import jax
import numpy as np
import pytest

import arjax
from arjax.data import Digits
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.runs.hosts import Interruption
from arjax.training import Experiment, Mesh
from arjax.training.mesh import over_state, place_batch
from arjax.training.state import abstract_state, compile_step, draw_state, init_state, memory, train_step

EXPERIMENT = Experiment(data=Digits(), model=arjax.Model(MADE(hidden=(64,)), Bernoulli(), (8, 8)), steps=9, eval_every=9)
BATCH = {"x": np.zeros((16, 8, 8), np.uint8), "label": np.zeros(16, np.int32)}
KEY = jax.random.key(0)


def compiled(mesh):
    abstract = over_state(abstract_state(EXPERIMENT), mesh, EXPERIMENT.model)
    batch = place_batch(BATCH, mesh)
    return compile_step(EXPERIMENT, abstract, batch, KEY, mesh), draw_state(EXPERIMENT, abstract, KEY), batch


@pytest.mark.parametrize("mesh", [Mesh(data=2, fsdp=4)])
def test_compile_step_leaves_the_state_where_it_belongs(mesh):
    mesh = mesh.build()
    step, state, batch = compiled(mesh)
    start, update = (functools.partial(function, EXPERIMENT) for function in (init_state, train_step))
    expected, wanted = jax.jit(update)(jax.jit(start)(KEY), BATCH, KEY)
    new, metrics, asked = step(state, batch, KEY, Interruption(mesh).asked())
    assert int(asked) == 0
    np.testing.assert_allclose(metrics["loss"], wanted["loss"], rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), new, expected)
    for leaf, before in zip(jax.tree.leaves(new), jax.tree.leaves(state), strict=True):
        assert leaf.sharding == before.sharding
    # Its memory is given away: a step needs the state once.
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))


def test_interruption_reaches_everyone_with_the_step_after_it_and_is_read_one_later():
    mesh = Mesh(data=2, fsdp=4).build()
    step, state, batch = compiled(mesh)
    heard = []
    with Interruption(mesh) as stop:
        for i in range(4):
            if i == 1:
                signal.raise_signal(signal.SIGTERM)
            state, _, asked = step(state, batch, KEY, stop.asked())
            heard.append(stop.agreed(asked))
    assert heard == [0, 0, signal.SIGTERM, signal.SIGTERM]


def test_memory_is_what_the_compiler_plans():
    add = jax.jit(lambda x: x + 1, donate_argnums=0).lower(jax.ShapeDtypeStruct((2**18,), np.float32)).compile()
    twice = jax.jit(lambda x: (x + 1, x + 2)).lower(jax.ShapeDtypeStruct((2**18,), np.float32)).compile()
    assert re.fullmatch(r"1\.0 MiB on each device, 0\.0 of them only during the step", memory(add))
    assert memory(twice).startswith("3.0 MiB on each device")


def test_memory_of_a_sharded_state_is_less_on_each_device():
    def megabytes(mesh):
        wide = Experiment(data=Digits(), model=arjax.Model(MADE(hidden=(2048,)), Bernoulli(), (8, 8)), steps=9, eval_every=9)
        abstract = over_state(abstract_state(wide), mesh, wide.model)
        words = memory(compile_step(wide, abstract, place_batch(BATCH, mesh), KEY, mesh))
        whole, during = map(float, re.findall(r"[\d.]+", words))
        return whole - during

    assert megabytes(Mesh(data=1, fsdp=8).build()) < 0.2 * megabytes(Mesh(data=8).build())
