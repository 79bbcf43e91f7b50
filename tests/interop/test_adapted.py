"""A recurrent net of Flax NNX under the law, by the conformance kit, and beside itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import arjax
from arjax.errors import InputError
from arjax.heads import Bernoulli, Categorical
from arjax.interop import from_nnx
from arjax.protocol import Model

KEY = jax.random.key(0)


def recurrent(update, read, x, width):
    """theta [B, T, P] of a recurrence h, x -> h from zeros, which `read` gives; x [B, T] float32."""
    before = jnp.concatenate([jnp.zeros_like(x[:, :1]), x[:, :-1]], axis=1)

    def body(h, x):
        h = update(h, x)
        return h, read(h)

    return jnp.moveaxis(jax.lax.scan(body, jnp.zeros((len(x), width)), before.T)[1], 0, 1)


class Nnx(nnx.Module):
    """h_t = tanh(W h_{t-1} + v x_{t-1}), theta_t = R h_t."""

    def __init__(self, width, params, rngs):
        self.width = width
        self.mix, self.inputs = nnx.Linear(width, width, rngs=rngs), nnx.Linear(1, width, use_bias=False, rngs=rngs)
        self.out = nnx.Linear(width, params, rngs=rngs)

    def update(self, h, x):
        return jnp.tanh(self.mix(h) + self.inputs(x[:, None]))

    def __call__(self, x, order, cond=None, *, key=None):
        return recurrent(self.update, self.out, x.astype(jnp.float32), self.width)

    def init_cache(self, batch, order, cond=None):
        return jnp.zeros((batch, self.width))

    def step(self, cache, x, t, order, cond=None):
        cache = self.update(cache, jnp.where(t == 0, 0.0, x.astype(jnp.float32)))
        return cache, self.out(cache)


def nnx_net(spec, key):
    return Nnx(4, spec.param_size, nnx.Rngs(key))


def nnx_with_state(spec, key):
    net = nnx_net(spec, key)
    net.norm = nnx.BatchNorm(4, rngs=nnx.Rngs(0))
    return net


@pytest.mark.slow
def test_from_nnx_obeys_the_law():
    model = Model(from_nnx(nnx_net), Bernoulli(), (2, 3))
    assert [part.name for part in arjax.testing.check(model) if part.skipped] == ["prefill", "order_per_example"]


def test_from_nnx_scores_as_the_net_itself():
    model = Model(from_nnx(nnx_net), Categorical(3), (5,))
    params, x = arjax.init(model, KEY), np.random.default_rng(0).integers(3, size=(4, 5))
    net = nnx_net(model.spec, KEY)
    assert set(params["net"]) == {"inputs.kernel", "mix.bias", "mix.kernel", "out.bias", "out.kernel"}
    nnx.update(net, nnx.state(net))
    net.mix.kernel[...], net.mix.bias[...] = params["net"]["mix.kernel"], params["net"]["mix.bias"]
    net.out.kernel[...], net.out.bias[...] = params["net"]["out.kernel"], params["net"]["out.bias"]
    net.inputs.kernel[...] = params["net"]["inputs.kernel"]
    np.testing.assert_allclose(arjax.theta(model, params, x), net(x, None), rtol=1e-5, atol=1e-6)


def test_from_nnx_refuses_state_besides_parameters():
    with pytest.raises(InputError, match="nnx_with_state builds a net that holds arrays besides its parameters; make them"):
        arjax.init(Model(from_nnx(nnx_with_state), Bernoulli(), (4,)), KEY)
