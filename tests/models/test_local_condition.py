"""Local features: a vector that comes with every site, or with every few of them."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from normal import Normal

import arjax
from arjax.heads import Bernoulli
from arjax.layers.inputs import shift, start
from arjax.models import MADE
from arjax.protocol import Cond, CondSpec, Model, Spec


class Follower(nn.Module):
    """theta_t = x_{t-1} + the sum of site t's features: a net that obeys the law and hides nothing."""

    spec: Spec | None = None

    def setup(self):
        self.w = self.param("w", nn.initializers.ones, ())

    def __call__(self, x, order, cond=None, *, key=None):
        return (self.w * shift(x) + self._features(cond)[:, order])[..., None]

    def init_cache(self, batch, order, cond=None):
        return self._features(cond)

    def step(self, cache, x, t, order, cond=None):
        return cache, (self.w * start(x, t) + cache[:, order[t]])[:, None]

    def _features(self, cond):
        frames = cond.local.reshape(len(cond.local), -1, self.spec.cond.local).sum(axis=-1)
        return jnp.repeat(frames, self.spec.cond.hop, axis=1)[:, : self.spec.num_sites]


@pytest.mark.parametrize(
    ("sites", "cond", "shape"),
    [((2, 3), CondSpec(local=4), (2, 3, 4)), ((7,), CondSpec(local=2, hop=3), (3, 2)), ((6,), CondSpec(local=2, hop=3), (2, 2))],
)
def test_check_causality_step_and_samplers_hold_for_a_net_that_follows_local_features(sites, cond, shape):
    model = Model(Follower(), Normal(), sites, cond=cond)
    assert model.example_cond(5).local.shape == (5, *shape)
    for part in (arjax.testing.check_causality, arjax.testing.check_step, arjax.testing.check_samplers):
        part(model, {"w": jnp.float32(0.5)}, jax.random.key(0))


def test_local_features_reach_the_net_as_they_are():
    model = Model(Follower(), Normal(), (3,), cond=CondSpec(local=1))
    local = np.array([[[1.0], [2.0], [3.0]]])
    theta = arjax.theta(model, {"w": jnp.float32(1)}, np.array([[10.0, 20.0, 30.0]]), cond=Cond(local=local))
    np.testing.assert_array_equal(theta[0, :, 0], [1, 12, 23])


@pytest.mark.parametrize(
    ("local", "message"),
    [
        (None, r"the model has local features, but the condition gives no local; pass Cond\(local=...\)"),
        (np.zeros((1, 2, 1)), r"local is float\S+ of shape \(1, 2, 1\); give real numbers of shape \(1, 3, 1\)"),
        (np.zeros((1, 3, 1), int), r"local is int\S+ of shape \(1, 3, 1\); give real numbers of shape \(1, 3, 1\)"),
    ],
)
def test_local_features_that_do_not_fit_are_named(local, message):
    model = Model(Follower(), Normal(), (3,), cond=CondSpec(local=1))
    with pytest.raises(ValueError, match=message):
        arjax.log_prob(model, {"w": jnp.float32(1)}, np.zeros((1, 3)), cond=Cond(local=local))


def test_local_features_for_a_model_without_are_refused():
    model = Model(MADE(hidden=(3,)), Bernoulli(), (3,))
    with pytest.raises(ValueError, match="the model has no local features, but the condition gives local; leave it out"):
        arjax.log_prob(model, arjax.init(model, jax.random.key(0)), np.zeros((1, 3), int), cond=Cond(local=np.zeros((1, 3, 1))))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CondSpec(local=0), r"CondSpec\(local=0\) needs at least one"),
        (lambda: CondSpec(hop=2), r"CondSpec\(hop=2\) is the number of sites that share local features"),
        (lambda: CondSpec(local=1, hop=0), r"CondSpec\(hop=0\)"),
        (lambda: Model(Follower(), Normal(), (2, 3), cond=CondSpec(local=1, hop=2)), r"hop=2\) needs data on one axis"),
    ],
)
def test_cond_spec_refuses_kinds_that_make_no_sense(build, message):
    with pytest.raises(ValueError, match=message):
        build()
