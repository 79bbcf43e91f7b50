"""MADE: masked autoencoder for distribution estimation (Germain, Gregor, Murray, Larochelle 2015).

    h^l = g(b^l + (W^l * M^l) h^{l-1}),   theta = c + (V * M^V) h^L + (A * M^A) x

Every hidden unit has a degree m in 0..T-2. A unit of degree m sees the symbols of rank <= m and the units of degree <= m
(eq. 8); the output of rank t sees the units of degree < t (eq. 9) and, through the direct connections A, the symbols of
rank < t (eq. 10). So theta[:, t] depends on x[:, :t] alone. Degrees count from 0 here, from 1 in the paper.

Weights lie in site layout: a site's rank in the order, not its place, enters the masks, so that one network serves every
order (section 4.2), and every member of an ensemble of degrees (section 4.3), at run time.

The trick is in `step`. Once symbol t-1 is known, exactly the units of degree t-1 are finished: they are computed then, from
caches in which everything unfinished is still zero. The zeros are the masks; each weight is used once in a whole sample.
"""

import math
from typing import ClassVar, Literal

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from arjax.arguments import check_table
from arjax.cache import write_slice
from arjax.errors import InputError
from arjax.layers.checks import check_embedding, check_fields
from arjax.layers.inputs import embedding_table, label_bias, label_table, start
from arjax.layers.residual import dropout, split_key
from arjax.orders import inverse
from arjax.protocol import Spec

Activation = Literal["relu", "tanh", "sigmoid", "softplus", "elu", "gelu", "silu"]
Degrees = Literal["natural", "random"]


@flax.struct.dataclass
class Cache:
    """`layers[l]` [B, width of layer l] holds the input features (l = 0, site layout) and the hidden units; what is not
    known yet is zero. `units[l-1]` lists hidden layer l's units by degree, `first[l-1][m]` counts those of degree < m, and
    `biases[l-1]` [B or 1, width] is its bias given the label."""

    layers: tuple[jax.Array, ...]
    units: tuple[jax.Array, ...]
    first: tuple[jax.Array, ...]
    biases: tuple[jax.Array, ...]


class MADE(nn.Module):
    """A fully connected network whose masks make it autoregressive, in any order. A label shifts every layer's bias."""

    hidden: tuple[int, ...] = (500,)
    """Width of every hidden layer, one number each."""
    activation: Activation = "relu"
    """Nonlinearity of the hidden units."""
    degrees: Degrees = "natural"
    """How many sites each hidden unit sees: natural spreads these numbers evenly, random draws them."""
    degree_seed: int = 0
    """Seed of random degrees."""
    direct: bool = False
    """Connect the inputs to the outputs directly as well."""
    embedding: int | None = None
    """Length of a learned vector for each symbol; by default a bit or a real value enters as itself, any other symbol as one-hot.
    Shared by all sites."""
    dropout: float = 0.0
    """Dropout rate of the hidden units."""
    spec: Spec | None = None

    any_order: ClassVar[bool] = True

    @property
    def decays(self) -> tuple[str, ...]:
        """The matrices, but those that read one-hot vectors."""
        if self.spec.vocab in (None, 2) or self.embedding:
            return "w", "v", "a"
        return "v", *(f"w{i}" for i in range(1, len(self.hidden)))

    gives_theta: ClassVar[tuple[str, ...]] = ("v", "a")

    def __post_init__(self):
        check_fields(self, "hidden", "embedding")
        if not self.hidden:
            raise InputError("hidden=() has no layer; choose the width of at least one")
        if self.degree_seed < 0:
            raise InputError(f"degree_seed={self.degree_seed} is negative; choose 0 or more")
        super().__post_init__()

    def check_model(self, model):
        model.cond.require("MADE", "classes", "members")
        check_embedding(model)
        check_table("hidden units' degrees", model.cond.members or 1, sum(self.hidden))

    def setup(self):
        spec = self.spec
        widths = (spec.num_sites * self._features, *self.hidden)
        self.w = [_dense(self, f"w{i}", (n, m)) for i, (m, n) in enumerate(zip(widths, self.hidden, strict=False))]
        self.b = [self.param(f"b{i}", nn.initializers.zeros, (n,)) for i, n in enumerate(self.hidden)]
        self.v = _dense(self, "v", (spec.num_sites, spec.param_size, self.hidden[-1]))
        self.c = self.param("c", nn.initializers.zeros, (spec.num_sites, spec.param_size))
        if self.direct:
            self.a = _dense(self, "a", (spec.num_sites, spec.param_size, widths[0]))
        self.table = embedding_table(self)
        self.label_b = [label_table(self, n, name=f"label_b{i}") for i, n in enumerate(self.hidden)]
        self.label_c = label_table(self, spec.num_sites, spec.param_size, name="label_c")

    def __call__(self, x, order, cond=None, *, key=None):
        """x [B, T, *E], order [T] -> theta [B, T, P]."""
        rank = inverse(order)
        inputs = jax.lax.collapse(self._embed(x)[:, rank], 1)
        input_rank = jnp.repeat(rank, self._features)
        h, seen = inputs, input_rank
        layer_keys = split_key(key, len(self.hidden))
        for layer, degree in enumerate(self._degrees(cond)):
            w = jnp.where(seen[None, :] <= degree[:, None], self.w[layer], 0)
            h = self._activate(_apply(w, h) + self._bias(layer, cond))
            h, seen = dropout(h, self.dropout, layer_keys[layer]), degree
        theta = _apply(jnp.where(seen[None, None] < rank[:, None, None], self.v, 0), h)
        theta += self._output_bias(cond, slice(None))
        if self.direct:
            theta += _apply(jnp.where(input_rank[None, None] < rank[:, None, None], self.a, 0), inputs)
        return theta[:, order]

    def init_cache(self, batch, order, cond=None):
        widths = (self.spec.num_sites * self._features, *self.hidden)
        degrees = self._degrees(cond)
        bounds = jnp.arange(self.spec.num_sites + 1, dtype=jnp.int32)
        return Cache(
            layers=tuple(jnp.zeros((batch, width), jnp.float32) for width in widths),
            units=tuple(jnp.argsort(degree) for degree in degrees),
            first=tuple(jnp.searchsorted(jnp.sort(degree), bounds) for degree in degrees),
            biases=tuple(self._bias(layer, cond) for layer in range(len(self.hidden))),
        )

    def step(self, cache, x, t, order, cond=None):
        """cache, x [B, *E] (symbol t-1), t [] -> (cache, theta [B, P])."""
        layers, last = list(cache.layers), jnp.maximum(t - 1, 0)
        features = start(self._embed(x), t)
        layers[0] = write_slice(layers[0], features, 0, order[last] * self._features)
        for layer, (units, first) in enumerate(zip(cache.units, cache.first, strict=True)):
            below, w, bias = layers[layer], self.w[layer], cache.biases[layer]

            def finish(i, h, units=units, below=below, w=w, bias=bias):
                unit = units[i]
                pre = below @ w[unit][:, None] + jax.lax.dynamic_slice_in_dim(bias, unit, 1, axis=1)
                return jax.lax.dynamic_update_slice_in_dim(h, self._activate(pre), unit, axis=1)

            # At t = 0 nothing is finished: the range is empty.
            stop = jnp.where(t == 0, 0, first[last + 1])
            layers[layer + 1] = jax.lax.fori_loop(first[last], stop, finish, layers[layer + 1])
        site = order[t]
        theta = layers[-1] @ self.v[site].T + self._output_bias(cond, site)
        if self.direct:
            theta += layers[0] @ self.a[site].T
        return cache.replace(layers=tuple(layers)), theta

    @property
    def _features(self) -> int:
        """F, the width of one symbol as the network sees it."""
        vocab, values = self.spec.vocab, math.prod(self.spec.event)
        return values * (self.embedding or (1 if vocab is None or vocab == 2 else vocab))

    def _embed(self, x):
        """[..., *E] -> [..., F] float32."""
        if self.embedding:
            features = self.table[x]
        elif self.spec.vocab is None or self.spec.vocab == 2:
            features = x.astype(jnp.float32)
        else:
            features = jax.nn.one_hot(x, self.spec.vocab, dtype=jnp.float32)
        return features.reshape(*x.shape[: x.ndim - len(self.spec.event)], self._features)

    def _activate(self, h):
        return getattr(jax.nn, self.activation)(h)

    def _degrees(self, cond) -> tuple[jax.Array, ...]:
        """The degree of every hidden unit [width], a layer each, for the ensemble member that `cond` asks for."""
        tables = _degree_tables(self.hidden, self.spec.num_sites, self.spec.cond.members or 1, self.degrees, self.degree_seed)
        member = 0 if cond is None or cond.member is None else cond.member
        return tuple(jnp.asarray(table)[member] for table in tables)

    def _bias(self, layer, cond):
        """[B or 1, width]"""
        return self.b[layer][None] + label_bias(self.label_b[layer], cond, self.spec)

    def _output_bias(self, cond, sites):
        """[B or 1, *sites, P]: of one site, or of all in site layout."""
        return self.c[sites][None] + label_bias(self.label_c[:, sites], cond, self.spec)


def _dense(module, name, shape):
    """A weight whose last axis is summed over, initialised to keep the variance of what it is applied to."""
    units = tuple(range(len(shape) - 1))
    init = nn.initializers.variance_scaling(1.0, "fan_in", "truncated_normal", in_axis=-1, out_axis=units)
    return module.param(name, init, shape)


def _apply(w, h):
    """w [..., N] applied to h [B, N] -> [B, ...].

    The weights are the left factor: XLA's CPU back-end splits that factor's rows over the cores, and a batch has few rows."""
    return (w.reshape(-1, w.shape[-1]) @ h.T).T.reshape(len(h), *w.shape[:-1])


def _degree_tables(hidden, num_sites, members, kind, seed) -> list[np.ndarray]:
    """For every hidden layer the degrees [members, width], int32 in 0..T-2. Member 0 of the natural ones is sorted, the
    others are its random permutations."""
    highest = max(num_sites - 1, 1)  # degrees are below it
    tables, lowest = [], np.zeros(members, np.int64)
    for layer, width in enumerate(hidden):
        rngs = [np.random.default_rng((seed, layer, member)) for member in range(members)]
        if kind == "natural":
            sorted_degrees = np.arange(width) * highest // width
            table = np.stack([rng.permutation(sorted_degrees) if m else sorted_degrees for m, rng in enumerate(rngs)])
        else:
            table = np.stack([rng.integers(low, highest, width) for low, rng in zip(lowest, rngs, strict=True)])
            lowest = table.min(axis=1)
        tables.append(table.astype(np.int32))
    return tables
