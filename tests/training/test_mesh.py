import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import arjax
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE, Transformer
from arjax.sharding import AXES, BATCH, TENSOR, constrain
from arjax.testing import lively_params
from arjax.training import AdamW, Experiment, Mesh
from arjax.training.mesh import doubts_of_mesh, local_rows, over_batch, over_state, place_padded, title, to_host
from arjax.training.state import abstract_state

TRANSFORMER = arjax.Model(Transformer(width=32, layers=2, heads=4), Categorical(5), (16,), cond=arjax.CondSpec(memory=(3, 2)))


def struct(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def spec(shape, mesh):
    return over_state({"w": struct(*shape)}, mesh, None)["w"].sharding.spec


@pytest.mark.parametrize(
    ("mesh", "sizes", "words"),
    [
        (Mesh(), (8, 1, 1), "8 cpu (data 8)"),
        (Mesh(fsdp=4), (2, 4, 1), "8 cpu (data 2 x fsdp 4)"),
        (Mesh(data=1, fsdp=-1, tensor=2), (1, 4, 2), "8 cpu (fsdp 4 x tensor 2)"),
        (Mesh(data=1), (1, 1, 1), "1 cpu"),
    ],
)
def test_mesh_takes_the_devices_that_are_asked_for(mesh, sizes, words):
    built = mesh.build()
    assert tuple(built.shape[name] for name in AXES) == sizes
    assert set(built.axis_types) == {AxisType.Auto}
    assert title(built) == f"devices: {words}"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mesh(fsdp=0), "Mesh(fsdp=0) must be at least 1; choose -1 for all devices"),
        (lambda: Mesh(fsdp=-1), "leaves more than one axis open; choose -1 for one of them"),
        (lambda: Mesh(fsdp=3).build(), "8 devices cannot be shared by 3; choose a divisor"),
        (lambda: Mesh(4, 2, 2).build(), "asks for more devices than there are (8); choose fewer"),
    ],
)
def test_mesh_refuses_what_cannot_be(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_over_state_splits_every_large_array_over_fsdp_on_its_longest_axis_that_can_be():
    mesh = Mesh(fsdp=4).build()
    assert spec((64, 128), mesh) == PartitionSpec(None, "fsdp")
    assert spec((128, 64), mesh) == PartitionSpec("fsdp", None)
    assert spec((1025, 64), mesh) == PartitionSpec(None, "fsdp")
    assert spec((1025, 63), mesh) == PartitionSpec(None, None)
    for small in ((), (4,), (31, 32)):
        assert spec(small, mesh) == PartitionSpec()


def experiment(model):
    from arjax.data import Digits

    return Experiment(data=Digits(), model=model, optimizer=AdamW(), steps=10, eval_every=10)


def state_of(model, mesh):
    return over_state(abstract_state(experiment(model)), mesh, model)


@pytest.mark.parametrize("net", [MADE(hidden=(64, 32)), Transformer(width=64, layers=1, heads=4)])
def test_over_state_splits_parameters_their_average_and_the_optimizers_state_alike(net):
    state = state_of(arjax.Model(net, Bernoulli(), (8, 8)), Mesh(fsdp=4).build())
    for kind in (state.params, state.ema, state.opt_state):
        held = sum(np.prod(leaf.sharding.shard_shape(leaf.shape)) for leaf in jax.tree.leaves(kind))
        whole = sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(kind))
        assert held < 0.3 * whole
    assert state.step.sharding.spec == PartitionSpec()


def test_over_state_splits_what_is_wide_in_a_transformer_over_tensor_and_fsdp():
    mesh = Mesh(data=1, fsdp=2, tensor=4).build()
    model = arjax.Model(Transformer(width=64, layers=1, heads=4), Bernoulli(), (8, 8))
    state = state_of(model, mesh)
    block = state.params["blocks_0"]
    assert block["attention"]["w_in"].sharding.spec == PartitionSpec("fsdp", "tensor")
    assert block["attention"]["w_out"].sharding.spec == PartitionSpec("tensor", "fsdp")
    assert (block["w_up"].sharding.spec, block["w_down"].sharding.spec) == (
        PartitionSpec("fsdp", "tensor"),
        PartitionSpec("tensor", "fsdp"),
    )
    assert state.opt_state[1][0].mu["blocks_0"]["w_up"].sharding.spec == PartitionSpec("fsdp", "tensor")


def test_over_state_leaves_what_has_fewer_axes_than_its_array_off_tensor():
    """What Adafactor remembers of the columns of a matrix has its name."""
    mesh, model = Mesh(data=4, tensor=2).build(), arjax.Model(Transformer(8, 1, 2), Bernoulli(), (4,))
    rows = {"v_row": {"blocks_0": {"w_up": struct(2**14)}}}
    assert over_state(rows, mesh, model)["v_row"]["blocks_0"]["w_up"].sharding.spec == PartitionSpec(None)


def test_tensor_axes_name_arrays_that_a_transformer_has():
    params = jax.eval_shape(functools.partial(arjax.init, TRANSFORMER), jax.random.key(0))
    paths = [
        "." + jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in jax.tree_util.tree_leaves_with_path(params)
    ]
    for end in Transformer.tensor_axes:
        assert any(path.endswith(f".{end}") for path in paths), end


def test_doubts_name_a_net_that_splits_nothing_over_tensor():
    made, transformer = (arjax.Model(net, Bernoulli(), (4,)) for net in (MADE(hidden=(3,)), Transformer(8, 1, 2)))
    (line,) = doubts_of_mesh(Mesh(data=1, tensor=2).build(), made)
    assert line.startswith("the net splits nothing over the mesh axis tensor: groups of 2 devices all compute the same")
    assert doubts_of_mesh(Mesh(data=1, tensor=2).build(), transformer) == doubts_of_mesh(Mesh(data=2).build(), made) == []


@pytest.mark.parametrize(
    ("names", "spec"),
    [
        (("data", "model"), (("data",), None)),
        (("fsdp", "tensor"), (("fsdp",), ("tensor",))),
        (("batch", "model"), (("batch",), None)),  # no name of ours: the first axis is the batch's
        (("tensor", "expert"), (None, ("tensor",))),
    ],
)
def test_constrain_splits_over_the_axes_that_a_mesh_has(names, spec):
    mesh = jax.make_mesh((4, 2), names, axis_types=(AxisType.Auto,) * 2)
    with jax.set_mesh(mesh):
        split = jax.jit(lambda x: constrain(x, BATCH, TENSOR))(jnp.ones((8, 4)))
    assert split.sharding.is_equivalent_to(NamedSharding(mesh, PartitionSpec(*spec)), 2)


def test_constrain_gathers_no_weights_on_a_mesh_of_other_axes():
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(AxisType.Auto,) * 2)
    split = NamedSharding(mesh, PartitionSpec(None, "model"))
    with jax.set_mesh(mesh):
        kept = jax.jit(lambda w: constrain(w) + 1)(jax.device_put(jnp.ones((8, 4)), split))
    assert kept.sharding.is_equivalent_to(split, 2)


def test_constrain_changes_nothing_without_a_mesh_and_outside_a_computation():
    x = jnp.ones((8, 4))
    assert constrain(x, BATCH) is x
    with jax.set_mesh(Mesh().build()):
        assert constrain(x, BATCH) is x


def test_constrain_leaves_an_axis_whole_that_cannot_be_split_equally():
    mesh = Mesh(data=2, fsdp=2, tensor=2).build()
    with jax.set_mesh(mesh):
        whole = jax.jit(lambda x: constrain(x, BATCH, TENSOR))(jnp.ones((6, 3)))
        split = jax.jit(lambda x: constrain(x, BATCH, TENSOR))(jnp.ones((8, 4)))
    assert whole.sharding.is_fully_replicated
    assert split.sharding.is_equivalent_to(NamedSharding(mesh, PartitionSpec(BATCH, TENSOR)), 2)


def test_local_rows_are_those_of_the_processs_devices():
    assert local_rows(16, Mesh(data=2, fsdp=2, tensor=2).build()).tolist() == list(range(16))


def test_place_padded_fills_a_batch_up_with_its_last_example():
    mesh = Mesh(data=2, fsdp=4).build()
    placed = place_padded({"x": np.arange(10)[:, None]}, mesh)["x"]
    assert placed.sharding == over_batch(mesh)
    assert to_host(placed)[:, 0].tolist() == [*range(10), *[9] * 6]


@pytest.mark.parametrize("mesh", [pytest.param(Mesh(), marks=pytest.mark.slow), Mesh(data=2, fsdp=2, tensor=2)])
def test_ancestral_on_a_mesh_splits_the_batch_and_draws_as_one_device(mesh):
    model = arjax.Model(Transformer(width=32, layers=2, heads=4), Categorical(5), (16,))
    params, key = lively_params(model, jax.random.key(0)), jax.random.key(1)
    one = arjax.sample(model, params, key, batch=8)
    mesh = mesh.build()
    shardings = jax.tree.map(lambda leaf: leaf.sharding, over_state(params, mesh, model))
    with jax.set_mesh(mesh):
        many = arjax.sample(model, jax.device_put(params, shardings), key, batch=8)
    np.testing.assert_array_equal(one, many)
    assert many.sharding.shard_shape(many.shape)[0] == 8 // (mesh.shape["data"] * mesh.shape["fsdp"])
