"""Rematerialisation changes what is kept for the gradient, and nothing else."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import arjax
from arjax.heads import Bernoulli
from arjax.models import GatedPixelCNN, PixelCNNPP, Transformer, WaveNet
from arjax.protocol import CondSpec, Model
from arjax.testing import lively_params, random_cond

KEY = jax.random.key(0)
SMALL = {
    "transformer": Model(
        Transformer(8, 2, 2, encoder_layers=1, dropout=0.3), Bernoulli(), (2, 3), cond=CondSpec(classes=3, memory=(3, 2))
    ),
    "wavenet": Model(
        WaveNet(1, 2, width=6, skip=5, readout=4, dropout=0.3), Bernoulli(), (6,), cond=CondSpec(classes=3, local=2)
    ),
    "gated_pixelcnn": Model(
        GatedPixelCNN(width=3, layers=2, kernel=3, dropout=0.3), Bernoulli(), (3, 3), cond=CondSpec(classes=3)
    ),
    "pixelcnnpp": Model(PixelCNNPP(width=3, resnets=1, levels=2, dropout=0.3), Bernoulli(), (2, 2), cond=CondSpec(classes=3)),
}
LARGE = {
    "transformer": Model(Transformer(32, 6, 2), Bernoulli(), (128,)),
    "wavenet": Model(WaveNet(2, 6, width=32, skip=32, readout=32), Bernoulli(), (256,)),
    "gated_pixelcnn": Model(GatedPixelCNN(width=16, layers=6), Bernoulli(), (16, 16)),
    "pixelcnnpp": Model(PixelCNNPP(width=16, resnets=2, levels=2), Bernoulli(), (16, 16)),
}


def with_remat(model):
    return dataclasses.replace(model, net=model.net.clone(remat=True))


def loss_of(model, batch):
    x, cond = jax.random.bernoulli(KEY, shape=(batch, *model.site_shape)), random_cond(model, KEY, batch)
    return lambda params, key: -arjax.log_prob(model, params, x.astype(jnp.int32), cond=cond, key=key).mean()


def kept(model, params):
    """How many numbers the forward pass keeps for the backward pass."""
    loss = loss_of(model, 8)
    backward = jax.eval_shape(lambda params: jax.vjp(lambda p: loss(p, KEY), params)[1], params)
    return sum(leaf.size for leaf in jax.tree.leaves(backward))


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_remat_leaves_the_loss_and_its_gradient_as_they_are(name):
    model = SMALL[name]
    params = lively_params(model, KEY)
    (loss, gradient), (again, recomputed) = (
        jax.jit(jax.value_and_grad(loss_of(each, 4)))(params, jax.random.key(1)) for each in (model, with_remat(model))
    )
    assert loss == again != loss_of(model, 4)(params, jax.random.key(2))
    assert jax.tree.structure(gradient) == jax.tree.structure(recomputed)
    for one, other in zip(jax.tree.leaves(gradient), jax.tree.leaves(recomputed), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * max(1, float(jnp.abs(one).max())))


@pytest.mark.parametrize("name", SMALL)
def test_remat_leaves_the_parameters_as_they_are(name):
    # Of the same names and shapes; what is drawn depends on nothing else.
    plain, other = (jax.eval_shape(lambda m=each: arjax.init(m, KEY)) for each in (SMALL[name], with_remat(SMALL[name])))
    assert plain == other


@pytest.mark.parametrize("name", SMALL)
def test_remat_computes_every_block_again_in_a_pass_and_none_in_a_step(name):
    model, batch = with_remat(SMALL[name]), 2
    params, order, cond = (
        lively_params(model, KEY),
        jnp.arange(model.num_sites),
        jax.tree.map(jnp.asarray, random_cond(model, KEY, batch)),
    )
    x = jnp.zeros((batch, model.num_sites), jnp.int32)
    blocks = {"transformer": 2 + 1, "wavenet": 2, "gated_pixelcnn": 2 + 3, "pixelcnnpp": 2 * (2 + 3)}
    called = str(jax.make_jaxpr(lambda p: model.apply(p, x, order, cond))(params))
    assert called.count("prevent_cse=True") == blocks[name]
    cache = jax.jit(lambda p: model.apply(p, batch, order, cond, method="init_cache"))(params)
    step = jax.make_jaxpr(lambda p, cache, t: model.apply(p, cache, x[:, 0], t, order, cond, method="step"))
    assert "prevent_cse" not in str(step(params, cache, jnp.int32(1)))


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_remat_keeps_less_for_the_gradient(name):
    """By what the forward pass hands to the backward pass, and not by XLA's account of its program: compiled for a CPU, WaveNet's
    took as many bytes with remat as without."""
    model = LARGE[name]
    params = jax.eval_shape(lambda: arjax.init(model, KEY))
    assert kept(with_remat(model), params) < 0.75 * kept(model, params)
