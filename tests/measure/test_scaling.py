"""What a step sends over a mesh, by formula, by the text of its program and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from fitting import Plain

import arjax
from arjax.heads import Categorical, CoupledDiscretizedMixtureOfLogistics
from arjax.models import PixelCNNPP, Transformer
from arjax.training import Mesh
from arjax.training.mesh import over_batch, shares
from arjax.training.state import draw_state
from benchmarks.collectives import received, received_by
from benchmarks.scaling import SEVEN, held, step_of, tensor_traffic, traffic

TRANSFORMER = arjax.Model(Transformer(width=64, layers=1, heads=4), Categorical(64), (16,))
PIXELCNNPP = arjax.Model(
    PixelCNNPP(width=16, resnets=1, levels=1, dropout=0.0), CoupledDiscretizedMixtureOfLogistics(256, 2), (4, 4)
)
# Its update is smooth in the gradient, as Adam's, which at first only tells signs, is not.
PLAIN = Plain(optax.sgd(0.1))


def program(*lines):
    return "\n".join(
        [
            "HloModule jit_step, is_scheduled=true, num_partitions=8",
            "",
            "%body (p: f32[4]) -> f32[4] {",
            "  %inner = f32[100]{0} all-gather(%p), replica_groups={{0,1},{2,3},{4,5},{6,7}}, dimensions={0}",
            "}",
            "",
            "%add (a: f32[], b: f32[]) -> f32[] {",
            "  ROOT %sum = f32[] add(%a, %b)",
            "}",
            "",
            "ENTRY %main (p: f32[4]) -> f32[4] {",
            *(f"  {line}" for line in lines),
            "}",
        ]
    )


@pytest.mark.parametrize(
    ("line", "kind", "size"),
    [
        ("%a = f32[8,10]{1,0} all-gather(%p), replica_groups=[2,4]<=[8], dimensions={0}", "all-gather", 320 * 3 / 4),
        ("ROOT %a = bf16[8]{0} all-reduce(%p), replica_groups={}, to_apply=%add", "all-reduce", 2 * 16 * 7 / 8),
        (
            "%a = (f32[], /*index=1*/f32[9]{0}) all-reduce(%p), replica_groups=mesh['x'=4,'y'=2] {'y'}, to_apply=%add",
            "all-reduce",
            2 * 40 / 2,
        ),
        ("%a = f32[6]{0} all-reduce(%p), replica_groups=mesh['x'=4,'y'=2] {'x':(1)2,'y'}", "all-reduce", 2 * 24 * 3 / 4),
        ("%a = f32[6]{0} reduce-scatter(%p), replica_groups=[2,4]<=[2,4]T(1,0), dimensions={0}", "reduce-scatter", 24 * 3),
        ("%a = (s32[5]{0}, s32[5]{0}) all-to-all(%p, %q), replica_groups=[4,2]<=[8]", "all-to-all", 40 / 2),
        ("%a = f32[5]{0} collective-permute(%p), source_target_pairs={{0,1},{1,0}}", "collective-permute", 20),
        ('%a = f32[4] while(%p), body=%body, backend_config={"known_trip_count":{"n":"7"}}', "all-gather", 7 * 400 / 2),
    ],
)
def test_a_collective_is_counted_as_a_ring_does_it(line, kind, size):
    assert received_by(program(line)) == {kind: size}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%a = f32[4] while(%p), body=%body", "a loop of unknown length"),
        ("%a = f32[4]{0} all-gather-start(%p), replica_groups={}", "asynchronous collective; compile for CPU"),
        ("%a = f32[4]{0} all-gather(%p), replica_groups=?", "names its groups in an unknown way"),
    ],
)
def test_a_program_that_is_not_understood_is_refused(line, message):
    with pytest.raises(ValueError, match=message):
        received_by(program(line))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "mesh", "gathers", "tolerance"),
    [
        (TRANSFORMER, Mesh(data=1, fsdp=8), 1, 0.02),
        (TRANSFORMER, Mesh(data=2, fsdp=4), 1, 0.02),
        # What enters is no function of the parameters: the first weights are not gathered again for the backward pass.
        (PIXELCNNPP, Mesh(data=2, fsdp=4), 2, 0.1),
    ],
    ids=["transformer 1 x 8", "transformer 2 x 4", "PixelCNN++ 2 x 4"],
)
def test_a_step_over_fsdp_sends_its_parameters_and_their_gradients_and_no_activations(model, mesh, gathers, tolerance):
    step = step_of(model, mesh, 64, PLAIN)
    sent, formula = received(step.compile()), traffic(step, gathers=gathers, scatter=False)
    assert sent["all-gather"] == pytest.approx(formula.gather, rel=tolerance)
    assert sent["all-reduce"] == pytest.approx(formula.reduce, rel=tolerance)
    assert sum(sent.values()) == pytest.approx(formula.total, rel=tolerance)


@pytest.mark.slow
def test_over_tensor_a_block_hands_over_weights_and_not_what_they_make_of_each_token():
    step = step_of(TRANSFORMER, Mesh(data=4, fsdp=1, tensor=2), 256, PLAIN)
    sent, tokens = received(step.compile()), 256 // 4 * 16
    weights = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(step.state.params))
    assert sum(size for kind, size in sent.items() if kind != "all-reduce") < weights < tokens * 3 * 64 * 4 / 2
    activations = tensor_traffic(TRANSFORMER.net, tokens, 2)
    assert sent["all-reduce"] < 1.05 * traffic(step, activations, scatter=False).total


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "mesh"),
    [(TRANSFORMER, Mesh(2, 4)), (TRANSFORMER, Mesh(2, 2, 2)), (PIXELCNNPP, Mesh(2, 4))],
    ids=["transformer 2 x 4", "transformer 2 x 2 x 2", "PixelCNN++ 2 x 4"],
)
def test_a_step_on_many_devices_has_the_loss_and_the_parameters_of_one(model, mesh):
    x = np.random.default_rng(0).integers(model.head.vocab, size=(16, *model.site_shape, *model.head.event_shape))
    one, many = (after_a_step(step_of(model, layout, 16, PLAIN), x.astype(np.int32)) for layout in (Mesh(data=1), mesh))
    np.testing.assert_allclose(one[0], many[0], rtol=1e-5)
    for a, b in zip(one[1], many[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * np.abs(a).max())


def after_a_step(step, x):
    """(loss, parameters) on the host."""
    batch = {"x": jax.device_put(x, over_batch(step.mesh))}
    asked = jax.device_put(jnp.zeros(shares(step.mesh), jnp.int32), over_batch(step.mesh))
    with jax.set_mesh(step.mesh):
        state = draw_state(step.experiment, step.state, jax.random.key(0))
    state, metrics, _ = step.compile()(state, batch, jax.random.key(0), asked)
    return jax.device_get((metrics["loss"], jax.tree.leaves(state.params)))


def test_of_the_large_transformer_a_node_of_eight_holds_four_float32_copies_between_them():
    step = step_of(SEVEN, Mesh(data=1, fsdp=8), 8, Plain(optax.adam(1e-3)))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(step.state.params))
    assert parameters == 6_706_311_168
    assert held(step.state) == pytest.approx(4 * 4 * parameters / 8, rel=1e-4)
