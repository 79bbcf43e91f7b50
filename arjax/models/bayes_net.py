"""Bayes nets: every site depends on its parents in a directed acyclic graph, and on nothing else (Pearl 1988).

    p(x) = prod_v head(x_v | theta_v),   theta_v = table_v[x_parents(v)]             BayesNet
                                         theta_v = mlp_v(x_parents(v))               NeuralBayesNet (Bengio and Bengio 2000)

The graph is a tuple of edges (parent, child) between row-major sites, and the model's order must be one of its topological
orders: `order=Topological(edges)`, or the default where every edge leads upwards. Variables are symbols. Where they differ in
number, `arities` says how many each site has: the others have probability zero there, and tables no rows for them.

The trick: the tables of all nodes lie one below the other in a single parameter, with an offset for each node and a stride for
each of its parents, so that all T sites are one gather and a step is one row of it.
"""

import math
from typing import ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from arjax.arguments import check_table
from arjax.errors import InputError
from arjax.heads import Bernoulli
from arjax.layers.inputs import start
from arjax.models.counting import check_smoothing, check_symbols, check_weights, finite_log_probs
from arjax.orders import Topological, inverse
from arjax.protocol import HeadCapabilities, Spec

MAX_ROWS = 2**24

# The logit of a symbol that a site does not have: finite, and its probability is zero at any temperature one would sample at.
_NEVER = -1e9


class BayesNet(nn.Module):
    """A table of head parameters for every node, a row for each combination of its parents' values.

    A label is one more parent of every node. The parameter `table` is [rows, P], and [classes, rows, P] with labels; a node's
    rows follow those of the site before it, the first of its edges' parents changing fastest. `fit` counts it.
    """

    edges: tuple[tuple[int, int], ...]
    """Pairs (parent, child) of row-major sites."""
    arities: tuple[int, ...] | None = None
    """The number of symbols of every site; by default the head's vocabulary everywhere."""
    spec: Spec | None = None

    decays: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self):
        Topological(self.edges)
        super().__post_init__()

    def check_model(self, model):
        _check_model(self, model)
        _layout(self.edges, _arities(self.arities, model.num_sites, model.head.vocab), model.cond.classes or 1)

    def setup(self):
        self.layout = _layout(self.edges, _arities(self.arities, self.spec.num_sites, self.spec.vocab))
        classes = () if self.spec.cond.classes is None else (self.spec.cond.classes,)
        self.table = self.param("table", nn.initializers.zeros, (*classes, self.layout.rows, self.spec.param_size))

    def __call__(self, x, order, cond=None, *, key=None):
        """x [B, T], order [T] -> theta [B, T, P]."""
        return self._theta(x[:, inverse(order)], slice(None), cond)[:, order]

    def init_cache(self, batch, order, cond=None):
        return jnp.zeros((batch, self.spec.num_sites), jnp.int32)

    def step(self, cache, x, t, order, cond=None):
        """cache [B, T] (the symbols so far, in site layout), x [B] (symbol t-1), t [] -> (cache, theta [B, P])."""
        cache = _record(cache, x, t, order)
        return cache, self._theta(cache, order[t][None], cond)[:, 0]

    def _theta(self, x, sites, cond):
        """x [B, T] in site layout -> theta [B, n, P] of these n sites."""
        parents, strides, highest, offsets = (jnp.asarray(part)[sites] for part in self.layout[:4])
        # What is beyond a parent's arity has probability zero; clipped, it reads no other node's table.
        values = jnp.clip(x[:, parents], 0, highest[None])
        rows = offsets[None] + (values * strides[None]).sum(axis=-1)
        if self.spec.cond.classes:
            rows += self.layout.rows * cond.label[:, None]
        return _within(self.table.reshape(-1, self.spec.param_size)[rows], self.arities, sites)


class NeuralBayesNet(nn.Module):
    """A small network for every node, from its parents' values to the head's parameters.

    A node's parents take the slots of its input in the order of their edges: a bit as itself, other symbols one-hot, zeros in the
    slots it does not need. A label shifts the bias of the first layer.
    """

    edges: tuple[tuple[int, int], ...]
    """Pairs (parent, child) of row-major sites."""
    hidden: tuple[int, ...] = (32,)
    """Widths of the ReLU layers; none for a (multinomial) logistic regression."""
    shared: bool = False
    """One network for all nodes, whose first bias says which node it computes, in place of one for each."""
    arities: tuple[int, ...] | None = None
    """The number of symbols of every site; by default the head's vocabulary everywhere."""
    spec: Spec | None = None

    @property
    def decays(self) -> tuple[str, ...]:
        """The matrices, but the first where it reads one-hot vectors."""
        return tuple(f"w{i}" for i in range(int(self.spec.vocab != 2), len(self.hidden) + 1))

    gives_theta = property(lambda self: (f"w{len(self.hidden)}",))

    def __post_init__(self):
        Topological(self.edges)
        if any(width < 1 for width in self.hidden):
            raise InputError(f"hidden={self.hidden} has a layer without units; give each at least one, or () for no layer")
        super().__post_init__()

    def check_model(self, model):
        _check_model(self, model)

    def setup(self):
        spec, each = self.spec, () if self.shared else (self.spec.num_sites,)
        self.parents, self.present = _slots(self.edges, spec.num_sites)
        # One of a symbol's one-hot features is not zero: every parent adds once to the variance, which starts at one.
        counts = self.present.sum(axis=1, keepdims=True)[..., None]
        first = np.maximum(counts.max() if self.shared else counts, 1) ** -0.5
        inputs = self.parents.shape[1] * (1 if spec.vocab == 2 else spec.vocab)
        widths = (inputs, *self.hidden, spec.param_size)
        scales = (first, *(width**-0.5 for width in self.hidden))
        self.w = [
            self.param(f"w{i}", lambda key, shape, scale=scale: scale * jax.random.normal(key, shape), (*each, *shape))
            for i, (scale, *shape) in enumerate(zip(scales, widths[:-1], widths[1:], strict=True))
        ]
        self.b = [
            self.param(f"b{i}", nn.initializers.zeros, (width,) if self.shared and i else (spec.num_sites, width))
            for i, width in enumerate(widths[1:])
        ]
        if spec.cond.classes:
            self.label_b = self.param("label_b", nn.initializers.zeros, (spec.cond.classes, *each, widths[1]))

    def __call__(self, x, order, cond=None, *, key=None):
        """x [B, T], order [T] -> theta [B, T, P]."""
        return self._theta(x[:, inverse(order)], slice(None), cond)[:, order]

    def init_cache(self, batch, order, cond=None):
        return jnp.zeros((batch, self.spec.num_sites), jnp.int32)

    def step(self, cache, x, t, order, cond=None):
        """cache [B, T] (the symbols so far, in site layout), x [B] (symbol t-1), t [] -> (cache, theta [B, P])."""
        cache = _record(cache, x, t, order)
        return cache, self._theta(cache, order[t][None], cond)[:, 0]

    def _theta(self, x, sites, cond):
        """x [B, T] in site layout -> theta [B, n, P] of these n sites."""
        values = x[:, jnp.asarray(self.parents)[sites]]
        if self.spec.vocab == 2:
            features = values[..., None].astype(jnp.float32)
        else:
            features = jax.nn.one_hot(values, self.spec.vocab, dtype=jnp.float32)  # pyright: ignore[reportArgumentType]
        h = jnp.where(jnp.asarray(self.present)[sites][None, ..., None], features, 0)
        h = jax.lax.collapse(h, 2)
        for layer, (w, b) in enumerate(zip(self.w, self.b, strict=True)):
            h = jax.nn.relu(h) if layer else h
            h = h @ w if self.shared else jnp.einsum("bni,nio->bno", h, w[sites])
            h += b[None, None] if self.shared and layer else b[sites][None]
            if layer == 0 and self.spec.cond.classes:
                h += self.label_b[cond.label][:, None] if self.shared else self.label_b[:, sites][cond.label]
        return _within(h, self.arities, sites)


def fit(x, edges: tuple[tuple[int, int], ...], head, *, arities=None, weights=None, smoothing: float = 0.0) -> dict:
    """The maximum likelihood parameters of Model(BayesNet(edges, arities), head, site_shape, Topological(edges)), by counting the
    symbols x [N, *site_shape]: of every node and combination of its parents' values u,

        p(x_v = i | u) = (c[v, u, i] + smoothing) / (sum_i c[v, u, i] + arity_v smoothing)

    head: Bernoulli(), Categorical(V) or Ordinal(V). weights: [N], not negative; None counts every example once. smoothing: added
    to each count (Laplace's is 1). A combination never seen gives equal probabilities. A symbol never seen has, without
    smoothing, a probability that is exactly 0 in float32, and a finite parameter, as in histogram.fit. For a model of labels,
    stack the tables of each label's examples. InputError where x, the weights, the edges or the arities do not fit.
    """
    if not (HeadCapabilities.of(head).logits or head == Bernoulli()):
        raise InputError(f"the optimum of {head} cannot be counted; choose Bernoulli, Categorical or Ordinal, or train it")
    sites = check_symbols(x, head.vocab)
    num, num_sites = sites.shape
    weights, smoothing = check_weights(weights, num), check_smoothing(smoothing)
    Topological(edges).permutation((num_sites,))
    arities = _arities(arities, num_sites, head.vocab)
    over = sites.max(axis=0) >= arities
    if over.any():
        site = int(np.argmax(over))
        raise InputError(
            f"x has the symbol {sites[:, site].max()} at site {site}, whose arity is {arities[site]}; correct one of them"
        )
    layout = _layout(edges, arities)
    counts = np.zeros((layout.rows, head.vocab))
    for site, (parents, strides, offset, arity) in enumerate(
        zip(layout.parents, layout.strides, layout.offsets, arities, strict=True)
    ):
        bins = (sites[:, parents] @ strides.astype(np.int64)) * arity + sites[:, site]
        size = (layout.offsets[site + 1] if site + 1 < num_sites else layout.rows) - offset
        table = np.bincount(bins, weights, size * arity).reshape(size, arity) + smoothing
        table[table.sum(axis=1) == 0] = 1
        counts[offset : offset + size, :arity] = table
    theta = finite_log_probs(counts)
    return {"table": jnp.asarray(theta if HeadCapabilities.of(head).logits else theta[:, 1:] - theta[:, :1], jnp.float32)}


class _Layout(NamedTuple):
    """Where a table is: the row of node v is offsets[v] + sum_k strides[v, k] x[parents[v, k]], with a stride of 0 in the slots
    that v does not need. parents, strides and highest (the parents' last symbols): [T, K] int32, offsets: [T] int32."""

    parents: np.ndarray
    strides: np.ndarray
    highest: np.ndarray
    offsets: np.ndarray
    rows: int


def _layout(edges, arities, classes=1) -> _Layout:
    """InputError where the tables of all classes have too many rows."""
    sizes = [1] * len(arities)
    for parent, child in edges:
        sizes[child] *= int(arities[parent])
    rows = sum(sizes)
    if rows * classes > MAX_ROWS:
        site = int(np.argmax([math.log(size) for size in sizes]))
        raise InputError(
            f"the tables have {rows * classes} rows, more than {MAX_ROWS}, {sizes[site] * classes} of them for site {site}; "
            "give it fewer parents, or choose a NeuralBayesNet"
        )
    parents, present = _slots(edges, len(arities))
    below = np.where(present, arities[parents], 1)
    strides = np.cumprod(below, axis=1) // below
    offsets = np.cumsum(sizes) - sizes
    return _Layout(
        parents, np.where(present, strides, 0).astype(np.int32), below.astype(np.int32) - 1, offsets.astype(np.int32), rows
    )


def _slots(edges, num_sites) -> tuple[np.ndarray, np.ndarray]:
    """parents [T, K] int32, every node's parents in the order of their edges, and present [T, K], False where it has fewer."""
    parents = [[] for _ in range(num_sites)]
    for parent, child in edges:
        parents[child].append(parent)
    slots = max(map(len, parents))
    check_table("parents", num_sites, slots)
    padded = np.array([row + [0] * (slots - len(row)) for row in parents], np.int32).reshape(num_sites, slots)
    return padded, np.arange(slots) < np.array([[len(row)] for row in parents])


def _arities(arities, num_sites, vocab) -> np.ndarray:
    """[T] int64. InputError unless there is one for each site, in 1..vocab."""
    arities = (vocab,) * num_sites if arities is None else arities
    if len(arities) != num_sites or not all(isinstance(arity, int) and 1 <= arity <= vocab for arity in arities):
        raise InputError(f"arities={arities} must be {num_sites} numbers in 1..{vocab}, one for each site; correct them")
    return np.array(arities, np.int64)


def _check_model(net, model):
    """InputError unless a Bayes net can be this model's."""
    name, head, order = type(net).__name__, model.head, model.permutation
    if head.vocab is None or head.event_shape:
        raise InputError(f"a {name} is over single symbols, not what {head} models; choose Bernoulli, Categorical or Ordinal")
    model.cond.require(name, "classes")
    if (_arities(net.arities, len(order), head.vocab) < head.vocab).any() and not HeadCapabilities.of(head).logits:
        raise InputError(
            f"arities below {head.vocab} need one logit a symbol, which {head} has not; use Categorical({head.vocab})"
        )
    Topological(net.edges).permutation(model.site_shape)
    rank = inverse(order)
    for parent, child in net.edges:
        if rank[parent] > rank[child]:
            raise InputError(
                f"the edge {(parent, child)} leads back in time: {model.order} generates site {child} before its parent; "
                "choose order=Topological(edges)"
            )


def _record(cache, x, t, order):
    """The cache [B, T] with symbol t-1 at its site; a zero at t = 0, at the site that t = 1 will write."""
    return cache.at[:, order[jnp.maximum(t - 1, 0)]].set(start(x, t))


def _within(theta, arities, sites):
    """theta [B, n, P] with no probability for symbols that these sites do not have."""
    if arities is None:
        return theta
    return jnp.where(jnp.arange(theta.shape[-1])[None, None] < jnp.asarray(arities)[sites][None, :, None], theta, _NEVER)
