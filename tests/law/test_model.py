"""A Model looks at what it is given: one line with the remedy, before anything is traced."""

import dataclasses
import itertools
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from faults import fault

import arjax
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.orders import Raster, Reversed


class NoSpec(nn.Module):
    """A net whose author forgot the field that Model fills in."""

    def __call__(self, x, order, cond=None, *, key=None):
        return x


class Fair(nn.Module):
    """A net without parameters."""

    spec: arjax.Spec | None = None

    def __call__(self, x, order, cond=None, *, key=None):
        return jnp.zeros((*x.shape, 1))

    def init_cache(self, batch, order, cond=None):
        return ()

    def step(self, cache, x, t, order, cond=None):
        return cache, jnp.zeros((*x.shape, 1))


@dataclasses.dataclass(frozen=True)
class NoSample:
    """A head that cannot draw."""

    event_shape: ClassVar[tuple] = ()
    vocab: ClassVar[int] = 2
    param_size: ClassVar[int] = 1

    def log_prob(self, theta, x):
        return theta[..., 0]


@pytest.fixture
def untyped(monkeypatch):
    """Users have no type checker, which would come first in the tests."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


GOOD = {"net": MADE(hidden=(4,)), "head": Bernoulli(), "site_shape": (4,)}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"site_shape": (64)}, "site_shape=64 must be a tuple of whole numbers; write it as (64,) or (28, 28)"),
        ({"site_shape": (2.0, 2)}, "site_shape=(2.0, 2) must be a tuple of whole numbers"),
        ({"site_shape": [4]}, "a model must be hashable, but has an unhashable type: 'list'; use tuples, not lists"),
        ({"head": Bernoulli}, "head=Bernoulli is a class; give an instance of it, as Bernoulli()"),
        ({"net": MADE}, "net=MADE is a class; give an instance of it, as MADE()"),
        ({"order": Raster}, "order=Raster is a class; give an instance of it, as Raster()"),
        ({"net": nn.Dense(3)}, "Dense has no field that Model can fill in; add `spec: arjax.Spec | None = None`"),
        ({"net": NoSpec()}, "NoSpec has no field that Model can fill in"),
        ({"net": lambda x: x}, "is no Module; give a flax.linen.Module, as MADE()"),
        ({"head": NoSample()}, "head=NoSample() is no Head; a head has event_shape, vocab, param_size, log_prob and sample"),
        ({"head": 2}, "head=2 is no Head"),
        ({"order": "raster"}, "order='raster' is no Order"),
        ({"order": (3, 2, 1, 0)}, "order=(3, 2, 1, 0) is no Order"),
        ({"cond": 10}, "cond=10 is no CondSpec"),
    ],
    ids=itertools.count(),
)
def test_Model_refuses(given, said, untyped):
    assert said in fault(lambda: arjax.Model(**(GOOD | given)))


def test_Model_of_a_net_without_parameters_scores_and_samples():
    model, key = arjax.Model(Fair(), Bernoulli(), (2, 3), Reversed(Raster())), jax.random.key(0)
    params = arjax.init(model, key)
    assert params == {}
    x = arjax.sample(model, params, key, 5)
    np.testing.assert_allclose(arjax.log_prob(model, params, x), np.full(5, 6 * np.log(0.5)), rtol=1e-6)


def test_log_prob_refuses_labels_in_place_of_a_condition(untyped):
    model = arjax.Model(MADE(hidden=(4,)), Bernoulli(), (4,), cond=arjax.CondSpec(classes=3))
    x, labels = np.zeros((2, 4), int), np.array([0, 1])
    assert "cond is a ndarray; give a Cond, as Cond(label=...)" in fault(lambda: arjax.log_prob(model, {}, x, cond=labels))


def test_apply_names_what_parameters_of_another_model_lack():
    model, another = (arjax.Model(MADE(hidden=(width,)), Bernoulli(), (3,)) for width in (2, 4))
    x = np.zeros((2, 3), int)
    remedy = "give those that arjax.init, fit or load made for it"
    for wrong, lacks in [
        ({"w": jnp.zeros(3)}, 'parameter named "w0"'),
        (arjax.init(another, jax.random.key(0)), 'parameter "w0"'),
    ]:
        line = fault(arjax.log_prob, model, wrong, x)
        assert line.startswith("params do not fit MADE: ")
        assert lacks in line
        assert remedy in line
