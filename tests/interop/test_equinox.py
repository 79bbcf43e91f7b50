"""A NADE written with Equinox under the law, by the conformance kit."""

import jax
import jax.numpy as jnp
import pytest

from arjax import testing
from arjax.heads import Bernoulli
from arjax.interop import from_equinox
from arjax.protocol import Model, init

equinox = pytest.importorskip("equinox", reason="equinox is an optional extra: pip install -e '.[equinox]'")


class Nade(equinox.Module):
    """theta_t = V_t sigmoid(b + sum_{s < t} x_s W_s), in its own order (Larochelle and Murray 2011)."""

    w: jax.Array
    b: jax.Array
    v: jax.Array

    def __call__(self, x, order, cond=None, *, key=None):
        before = jnp.pad(x[:, :-1, None] * self.w[None, :-1], ((0, 0), (1, 0), (0, 0)))
        h = jax.nn.sigmoid(jnp.cumsum(before, axis=1) + self.b[None, None])
        return jnp.einsum("bth,thp->btp", h, self.v)

    def init_cache(self, batch, order, cond=None):
        return jnp.zeros((batch, len(self.b)))

    def step(self, cache, x, t, order, cond=None):
        cache = cache + jnp.where(t == 0, 0, x)[:, None] * self.w[t - 1][None]
        return cache, jax.nn.sigmoid(cache + self.b[None]) @ self.v[t]


def nade(spec, key):
    w, v = jax.random.normal(key, (2, spec.num_sites, 8))
    return Nade(w, jnp.zeros(8), jnp.repeat(v[..., None], spec.param_size, axis=-1))


def test_from_equinox_obeys_the_law():
    model = Model(from_equinox(nade, decays=("v",)), Bernoulli(), (2, 3))
    assert model == Model(from_equinox(nade, decays=("v",)), Bernoulli(), (2, 3))
    assert set(init(model, jax.random.key(0))["net"]) == {"b", "v", "w"}
    assert [part.name for part in testing.check(model) if part.skipped] == ["prefill", "order_per_example"]
