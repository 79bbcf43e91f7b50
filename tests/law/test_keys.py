"""No key is used twice: everything that takes one runs under JAX's own check."""

import jax
import jax.numpy as jnp
import pytest

import arjax
from arjax import sampling
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE, RNN
from arjax.orders import AnyOrder, draw

MODEL = arjax.Model(MADE(hidden=(7, 7), dropout=0.3, embedding=2), Bernoulli(), (2, 3), AnyOrder())


def test_debug_key_reuse_notices_a_key_used_twice():
    with jax.debug_key_reuse(True), pytest.raises(jax.errors.KeyReuseError):
        jax.jit(lambda key: jax.random.normal(key) + jax.random.uniform(key))(jax.random.key(0))


def test_sample_and_log_prob_use_no_key_twice():
    with jax.debug_key_reuse(True):
        order = jax.jit(lambda key: draw(MODEL.order, key, MODEL.site_shape))(jax.random.key(0))
        params = arjax.init(MODEL, jax.random.key(1))
        arjax.log_prob(MODEL, params, jnp.zeros((2, 2, 3), jnp.int32), order=order, key=jax.random.key(2))
        for sampler in (sampling.ancestral, sampling.naive, sampling.fixed_point):
            sampler(MODEL, params, jax.random.key(3), 2)
        line = arjax.Model(RNN(width=3), Categorical(3), (5,))
        params = arjax.init(line, jax.random.key(4))
        assert len(list(sampling.stream(line, params, jax.random.key(5), [[1]], tokens=4, every=2))) == 2
