"""What weight decay reaches: what multiplies an activation, and nothing else. The oracle (arjax.testing.decays) reads no name."""

from contextlib import nullcontext
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from zoo import QUICK, ZOO

from arjax.heads import Bernoulli
from arjax.protocol import Model, NetCapabilities, decaying, init
from arjax.testing import LawBroken
from arjax.testing.decays import check_decays, products, products_of
from arjax.tokenizers import FSQ, VQVAE, Codebook, EMACodebook
from arjax.training import AdamW
from arjax.training.objective import declared

KEY = jax.random.key(0)


def paths(tree) -> set[str]:
    """The dotted paths of the leaves that are true."""
    return {
        jax.tree_util.keystr(path, simple=True, separator=".") for path, leaf in jax.tree_util.tree_leaves_with_path(tree) if leaf
    }


def moved(params, decays) -> set[str]:
    """What AdamW moves under a gradient of zero. One number stands for each array, with as many axes."""
    ones = jax.tree.map(lambda leaf: jnp.ones((1,) * leaf.ndim), params)
    optimizer = AdamW(learning_rate=1.0, weight_decay=0.2).build(10, NetCapabilities(decays=decays))
    updates, _ = optimizer.update(jax.tree.map(jnp.zeros_like, ones), optimizer.init(ones), ones)
    for leaf in jax.tree.leaves(updates):
        assert leaf.item() in (0, np.float32(-0.2))
    return paths(updates)


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ZOO])
def test_decays_of_every_net_are_what_multiplies_an_activation_and_nothing_else_moves_without_gradient(name):
    model = ZOO[name]
    params = jax.eval_shape(lambda key: init(model, key), KEY)
    check_decays(model, params, KEY)
    found = products_of(model, params, KEY).summed
    assert moved(params, model.capabilities.decays) == found
    assert not found or type(model.net).__name__ not in ("Histogram", "BayesNet")
    # What gives theta is among them, but for what multiplies one-hot vectors, as MADE's direct connections of symbols.
    last = paths(decaying(params, model.capabilities.gives_theta))
    assert bool(last & found) == bool(found)
    assert not last - found or model.head.vocab


@pytest.mark.parametrize("quantizer", [EMACodebook(4, 3), Codebook(4, 3), FSQ((3, 2))], ids=lambda one: type(one).__name__)
def test_decays_of_a_vqvae_are_its_kernels_and_not_its_codes(quantizer):
    model = VQVAE((4, 4), (2,), 3, 2, 1, quantizer)
    params, _ = jax.eval_shape(model.init, KEY)
    x, q = jnp.zeros((1, 4, 4)), jnp.zeros((1, 2, 2, quantizer.width))
    found = products(model.features, params, x).summed | products(model.picture, params, q).summed
    assert moved(params, declared(model).decays) == found
    assert found == {path for path in paths(jax.tree.map(lambda _: True, params)) if path.endswith("kernel")}


class Looked(nn.Module):
    """A user's own net, of one bit before each: what its parameters multiply, by their names."""

    decays: tuple[str, ...]
    spec: Any = None

    @nn.compact
    def __call__(self, x, order, cond=None, *, key=None):
        before, ones = jnp.pad(x, ((0, 0), (1, 0)))[:, :-1], nn.initializers.ones
        h = jax.nn.one_hot(before, 2) @ self.param("table", ones, (2, 3)) * self.param("scale", ones, (3,))[None, None]
        h += jnp.cumsum(before[..., None] * self.param("summed", ones, (4, 3))[None], axis=1)
        return h @ self.param("w", ones, (3, 1)) + self.param("b", ones, (1, 4, 1))


@pytest.mark.parametrize(
    ("decays", "part"),
    [
        (("w",), None),
        (("w", "summed"), None),
        ((), "w multiply an activation"),
        (("w", "table"), "names table"),
        (("w", "b"), "names b, which"),
        (("w", "scale"), "names scale, which"),
    ],
)
def test_check_decays_finds_what_is_declared_wrongly(decays, part):
    model = Model(Looked(decays), Bernoulli(), (4,))
    with nullcontext() if part is None else pytest.raises(LawBroken, match=part):
        check_decays(model, jax.eval_shape(lambda key: init(model, key), KEY), KEY)


def test_decaying_goes_by_the_ends_of_names_with_numbers_or_without():
    names = ("w", "w0", "w12", "w_in", "aw", "table")
    params = {**dict.fromkeys(names, 0), "inner": dict.fromkeys(names, 0)}
    assert paths(decaying(params, ("w",))) == {"w", "w0", "w12", "inner.w", "inner.w0", "inner.w12"}
    assert paths(decaying(params, ("params.table", "inner.aw", "w1"))) == {"table", "inner.aw", "w12", "inner.w12"}
    assert not paths(decaying(params, ()))
