"""Nets of Equinox and of Flax NNX as nets of arjax: a flax.linen.Module holds their parameters and calls their methods.

class MyNet(eqx.Module):  # or nnx.Module, with the methods of arjax.protocol.Net, and the batch as their first axis
    def __call__(self, x, order, cond=None, *, key=None): ...
    def init_cache(self, batch, order, cond=None): ...
    def step(self, cache, x, t, order, cond=None): ...

def make(spec, key):  # a function of a module, so that models made twice are equal
    return MyNet(spec.num_sites, spec.param_size, key=key)

model = arjax.Model(arjax.interop.from_equinox(make), Bernoulli(), (28, 28))
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from arjax.errors import InputError, require
from arjax.protocol import Spec


class Adapted(nn.Module):
    """A net of another library, which `make(spec, key)` builds; its parameters are named by their paths in it.

    split: net -> (the tree of its parameters, all else). merge: the net, of these two.
    any_order, decays: as a net declares them.
    """

    make: Callable[[Spec, jax.Array], Any]
    split: Callable[[Any], tuple[Any, Any]]
    merge: Callable[[Any, Any], Any]
    any_order: bool = False
    decays: tuple[str, ...] = ("kernel", "weight")
    spec: Spec | None = None

    def setup(self):
        rest = []

        def drawn(key):
            params, *rest[:] = self.split(self.make(self.spec, key))
            return params

        # All but the parameters is the same for every key.
        paths, tree = jax.tree_util.tree_flatten_with_path(jax.eval_shape(drawn, jax.random.key(0)))
        if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(rest)):
            raise InputError(
                f"{self.make.__name__} builds a net that holds arrays besides its parameters; make them NumPy's, or compute them"
            )
        names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in paths]
        params = self.param("net", lambda key: dict(zip(names, jax.tree.leaves(drawn(key)), strict=True)))
        self.net = self.merge(jax.tree.unflatten(tree, [params[name] for name in names]), *rest)

    def __call__(self, x, order, cond=None, *, key=None):
        return self.net(x, order, cond, key=key)

    def init_cache(self, batch, order, cond=None):
        return self.net.init_cache(batch, order, cond)

    def step(self, cache, x, t, order, cond=None):
        return self.net.step(cache, x, t, order, cond)


def from_equinox(make: Callable[[Spec, jax.Array], Any], **declared) -> Adapted:
    """Returns a net for a Model, of an equinox.Module with the methods of a net.

    make: make(spec, key) builds it; a function of a module.
    declared: any_order and decays, as a net declares them.
    """
    require("equinox", extra="equinox")
    return Adapted(make, _split_equinox, _merge_equinox, **declared)


def from_nnx(make: Callable[[Spec, jax.Array], Any], **declared) -> Adapted:
    """Returns a net for a Model, of a flax.nnx.Module with the methods of a net. Arguments as in `from_equinox`."""
    return Adapted(make, _split_nnx, _merge_nnx, **declared)


def _split_equinox(net):
    import equinox

    return equinox.partition(net, equinox.is_inexact_array)


def _merge_equinox(params, rest):
    import equinox

    return equinox.combine(params, rest)


def _split_nnx(net):
    from flax import nnx

    graph, params, state = nnx.split(net, nnx.Param, ...)
    return nnx.to_pure_dict(params), (graph, state)


def _merge_nnx(params, rest):
    from flax import nnx

    return nnx.merge(rest[0], params, rest[1])
