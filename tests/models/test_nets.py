"""What all nets do alike with labels, with dropout, with fields and with conditions that make no sense."""

import functools

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from normal import Normal

import arjax
from arjax import Cond, CondSpec, Model
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE, RNN, GatedPixelCNN, Histogram, LMConv, PixelCNN, PixelCNNPP, Transformer, WaveNet
from arjax.testing import lively_params

KEY = jax.random.key(0)
NETS = {
    "made": MADE(hidden=(16, 16), dropout=0.5),
    "rnn": RNN("gru", width=8, depth=2, dropout=0.5),
    "wavenet": WaveNet(1, 2, width=8, skip=8, readout=8, dropout=0.5),
    "pixelcnn": PixelCNN(width=8, blocks=1, kernel=3, head=(), dropout=0.5),
    "gated_pixelcnn": GatedPixelCNN(width=8, layers=1, kernel=3, head=(), dropout=0.5),
    "lmconv": LMConv(width=8, blocks=1, kernel=3, dropout=0.5),
    "pixelcnnpp": PixelCNNPP(width=4, resnets=1, levels=1, dropout=0.5),
    "transformer": Transformer(8, 1, 2, dropout=0.5),
}


@pytest.fixture(scope="module", params=NETS)
def theta(request):
    """(label, key) -> (theta without dropout, theta with it), of two equal pictures."""
    model = Model(NETS[request.param], Bernoulli(), (2, 3), cond=CondSpec(classes=3))
    params, x, order = lively_params(model, KEY), jnp.ones((2, 6), jnp.int32), jnp.arange(6)

    @jax.jit
    def both(label, key):
        apply = functools.partial(model.apply, params, x, order, Cond(label=label))
        return apply(), apply(key=key)

    return lambda label, seed: tuple(map(np.asarray, both(jnp.array(label), jax.random.key(seed))))


def test_label_changes_theta_at_every_site_and_only_in_its_own_example(theta):
    (first, _), (second, _) = theta([0, 1], 0), theta([0, 2], 0)
    np.testing.assert_array_equal(first[0], second[0])
    assert (first[1] != second[1]).all()


def test_dropout_is_drawn_by_the_key_alone_and_apart_for_each_example(theta):
    (still, one), (again, same), (_, other) = theta([0, 0], 1), theta([0, 0], 1), theta([0, 0], 2)
    np.testing.assert_allclose(still[0], still[1], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(still, again)
    np.testing.assert_array_equal(one, same)
    for a, b in ((one, other), (one, still), (one[0], one[1])):
        assert np.abs(a[..., 1:, :] - b[..., 1:, :]).max() > 1e-2


@pytest.mark.parametrize("net", [MADE(hidden=(16,), dropout=0.3), RNN(width=8, dropout=0.3)], ids=["made", "rnn"])
def test_dropout_keeps_the_mean_where_only_the_readout_is_dropped_out(net):
    # Of one layer, so that nothing nonlinear follows; of the RNN the state that goes on in time is never touched.
    model = Model(net, Bernoulli(), (4,))
    params, x = lively_params(model, KEY), jnp.ones((4000, 4), jnp.int32)
    dropped = np.asarray(arjax.theta(model, params, x, key=KEY), np.float64)
    error = dropped.mean(axis=0) - np.asarray(arjax.theta(model, params, x[:1]))[0]
    assert (np.abs(error) <= 5 * dropped.std(axis=0) / np.sqrt(4000) + 1e-5).all()


@pytest.mark.parametrize("net", [MADE(hidden=(6,), direct=True), RNN(width=4)], ids=["made", "rnn"])
def test_embedding_of_one_hot_vectors_is_the_one_hot_net(net):
    plain, embedded = (Model(each, Categorical(3), (4,)) for each in (net, net.clone(embedding=3)))
    params, x = lively_params(plain, KEY), np.random.default_rng(0).integers(0, 3, (5, 4))
    theta = arjax.theta(embedded, params | {"table": jnp.eye(3)}, x)
    np.testing.assert_allclose(theta, arjax.theta(plain, params, x), rtol=1e-5, atol=1e-6)


# Fields: the rules are one function's, so that every net needs a row to show that it asks.


@pytest.mark.parametrize(
    ("net", "fields", "message"),
    [
        (MADE, {"hidden": ()}, r"hidden=\(\) has no layer; choose the width of at least one"),
        (MADE, {"hidden": (5, 0)}, r"hidden=\(5, 0\) must be at least 1; choose a positive number"),
        (MADE, {"embedding": 0}, "embedding=0 must be at least 1"),
        (MADE, {"degree_seed": -1}, "degree_seed=-1 is negative; choose 0 or more"),
        (MADE, {"dropout": 1.0}, r"dropout=1\.0 is not in \[0, 1\); choose the rate of units to drop"),
        (MADE, {"dropout": -0.1}, r"dropout=-0\.1 is not in"),
        (MADE, {"activation": "swish"}, "activation='swish' is not known; choose one of relu, tanh"),
        (MADE, {"degrees": "sequential"}, "degrees='sequential' is not known; choose one of natural, random"),
        (RNN, {"cell": "elman"}, "cell='elman' is not known; choose one of lstm, gru"),
        (RNN, {"depth": -1}, "depth=-1 must be at least 1"),
        (RNN, {"width": 0}, "width=0 must be at least 1"),
        *((WaveNet, {name: 0}, f"{name}=0 must be at least 1") for name in ("stacks", "layers", "width", "skip", "readout")),
        (WaveNet, {"kernel": 1}, "kernel=1 looks at one symbol only; choose at least 2 taps"),
        (PixelCNN, {"blocks": 0}, "blocks=0 must be at least 1"),
        (PixelCNN, {"head": (4, 0)}, r"head=\(4, 0\) must be at least 1"),
        (PixelCNN, {"kernel": 4}, "kernel=4 has no pixel in its middle; choose an odd number"),
        (PixelCNN, {"block_kernel": 2}, "block_kernel=2 has no pixel in its middle"),
        (GatedPixelCNN, {"layers": 0}, "layers=0 must be at least 1"),
        (GatedPixelCNN, {"kernel": 1}, "kernel=1 sees its own pixel only, which is not known yet; choose an odd number from 3"),
        (GatedPixelCNN, {"block_kernel": 2}, "block_kernel=2 has no pixel in its middle"),
        (LMConv, {"width": 1}, "width=1 leaves nothing once normalised; choose at least 2"),
        (LMConv, {"kernel": 2}, "kernel=2 has no pixel in its middle"),
        (PixelCNNPP, {"resnets": 0}, "resnets=0 must be at least 1"),
        (PixelCNNPP, {"levels": -1}, "levels=-1 must be at least 1"),
        (Transformer, {"kv_heads": 0}, "kv_heads=0 must be at least 1"),
        (Transformer, {"mlp": 0}, "mlp=0 must be at least 1"),
        (Transformer, {"heads": 3}, "width=128 is not divisible by heads=3; choose a multiple"),
        (Transformer, {"kv_heads": 3}, "heads=4 is not divisible by kv_heads=3; choose a divisor"),
        (Transformer, {"activation": "tanh"}, "activation='tanh' is not known; choose one of gelu, gelu_tanh"),
        (Transformer, {"norm": "batch"}, "norm='batch' is not known; choose one of layer, rms"),
        (Transformer, {"positions": "none"}, "positions='none' is not known; choose one of learned, axial, sinusoidal, rotary"),
        (Transformer, {"encoder_layers": -1}, "encoder_layers=-1 is negative; choose 0 or more"),
        *((net, {"dropout": 1.0}, r"dropout=1\.0 is not in") for net in (RNN, WaveNet, PixelCNN, GatedPixelCNN, Transformer)),
        *(
            (net, {"dtype": "float16"}, "dtype='float16' is not known; choose one of float32, bfloat16")
            for net in (WaveNet, PixelCNN, GatedPixelCNN, LMConv, PixelCNNPP, Transformer)
        ),
    ],
)
def test_check_fields_names_what_makes_no_sense_with_the_remedy(net, fields, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the tests' own type checker would come first
    with pytest.raises(ValueError, match=message):
        net(**fields)


@pytest.mark.parametrize(
    ("net", "knows"),
    [
        (Histogram(), "no condition"),
        (MADE(), "classes and members"),
        (RNN(), "classes and local"),
        (WaveNet(), "classes and local"),
        *((net(), "classes") for net in (PixelCNN, GatedPixelCNN, LMConv, PixelCNNPP)),
        (Transformer(), "classes and memory"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_require_refuses_a_condition_of_another_kind(net, knows):
    kind = {"members": 2} if "members" not in knows else {"local": 2}
    with pytest.raises(
        ValueError, match=rf"{type(net).__name__} knows {knows}, not CondSpec\({next(iter(kind))}=2\); leave it out"
    ):
        Model(net, Bernoulli(), (4, 4), cond=CondSpec(**kind))


@pytest.mark.parametrize("net", [MADE, RNN, PixelCNN, GatedPixelCNN, LMConv])
def test_check_embedding_refuses_real_values(net):
    with pytest.raises(ValueError, match="embedding=2 needs symbols, but the head's values are real; choose embedding=None"):
        Model(net(embedding=2), Normal(), (4, 4))


@pytest.mark.parametrize("net", [RNN(width=4, coordinates=True), WaveNet(1, 2, width=4, skip=3, readout=5, coordinates=True)])
def test_coordinates_let_a_net_take_any_order_and_without_them_only_its_own(net):
    told = Model(net, Bernoulli(), (2, 3), arjax.orders.AnyOrder())
    params, x = lively_params(told, KEY), jnp.ones((2, 2, 3), jnp.int32)
    there, back = (arjax.theta(told, params, x, order=order) for order in (np.arange(6), np.arange(6)[::-1].copy()))
    assert (there[:, 0] != back[:, 0]).all()
    name, untold = type(net).__name__, net.clone(coordinates=False)
    with pytest.raises(ValueError, match=rf"{name} generates in one order only, not in AnyOrder\(\)"):
        Model(untold, Bernoulli(), (2, 3), arjax.orders.AnyOrder())
    with pytest.raises(ValueError, match=f"{name} generates in its own order"):
        arjax.theta(Model(untold, Bernoulli(), (2, 3)), params, x, order=np.arange(6))
