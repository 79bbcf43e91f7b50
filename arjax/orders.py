"""Generation orders: which site of the data is generated t-th.

An order is declared statically, as a frozen dataclass (arrays neither hash nor compare), and reaches a net as the
array [T] that `permutation` returns: `order[t]` is the row-major index of the site generated t-th. `inverse(order)`
answers the other question: when a site is generated, its *rank*.

Sites are rows and columns; trailing axes (channels) are generated together with their pixel, innermost and in turn.
"""

import dataclasses
import graphlib
import heapq
import math
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, Integer, Shaped

from arjax.description import check_types
from arjax.errors import InputError


@runtime_checkable
class Order(Protocol):
    """A frozen dataclass that lists the sites in the order they are generated."""

    def permutation(self, site_shape: tuple[int, ...]) -> Int32[np.ndarray, " T"]:
        """[T] int32: the row-major index of the site generated t-th, for data of this shape."""
        ...


@dataclasses.dataclass(frozen=True)
class Raster:
    """Row by row, left to right: the order of reading."""

    def permutation(self, site_shape: tuple[int, ...]) -> Int32[np.ndarray, " T"]:
        return np.arange(math.prod(site_shape), dtype=np.int32)


@dataclasses.dataclass(frozen=True)
class Column:
    """Column by column, top to bottom."""

    def permutation(self, site_shape: tuple[int, ...]) -> Int32[np.ndarray, " T"]:
        return _visit(site_shape, lambda grid: grid.T)


@dataclasses.dataclass(frozen=True)
class Snake:
    """Row by row, every second row backwards: neighbours in time are neighbours in space (boustrophedon, S-curve)."""

    def permutation(self, site_shape: tuple[int, ...]) -> Int32[np.ndarray, " T"]:
        return _visit(site_shape, _snake)


@dataclasses.dataclass(frozen=True)
class Spiral:
    """From the top left corner clockwise along the border, inwards."""

    def permutation(self, site_shape: tuple[int, ...]) -> Int32[np.ndarray, " T"]:
        return _visit(site_shape, _spiral)


@dataclasses.dataclass(frozen=True)
class Hilbert:
    """Along Hilbert's curve (1891) through the smallest enclosing square of side 2^k, sites outside the data left out.

    Neighbours in time are neighbours in space wherever the data is such a square.
    """

    def permutation(self, site_shape: tuple[int, ...]) -> Int32[np.ndarray, " T"]:
        return _visit(site_shape, _hilbert)


@dataclasses.dataclass(frozen=True)
class Random:
    """One uniformly random permutation of the sites, fixed by its seed."""

    seed: int = 0
    """Seed that the permutation is drawn by."""

    def __post_init__(self):
        check_types(self)
        if self.seed < 0:
            raise InputError(f"Random(seed={self.seed}) is negative; choose 0 or more")

    def permutation(self, site_shape: tuple[int, ...]) -> Int32[np.ndarray, " T"]:
        return np.random.default_rng(self.seed).permutation(math.prod(site_shape)).astype(np.int32)


@dataclasses.dataclass(frozen=True)
class Permutation:
    """Any order, given site by site."""

    sites: tuple[int, ...]
    """The row-major number of every site, in the order of generation."""

    def __post_init__(self):
        check_permutation(self.sites, len(self.sites))

    def permutation(self, site_shape: tuple[int, ...]) -> Int32[np.ndarray, " T"]:
        return check_permutation(self.sites, math.prod(site_shape))


@dataclasses.dataclass(frozen=True)
class Topological:
    """Parents before their children, in the directed acyclic graph of these edges (parent, child) between row-major sites.

    Where several sites could come next, the lowest does. InputError, which names it, for a cycle, and for an edge that is given
    twice or names no site.
    """

    edges: tuple[tuple[int, int], ...]
    """Pairs (parent, child) of row-major sites."""

    def __post_init__(self):
        seen = set()
        if not isinstance(self.edges, tuple):
            raise InputError(f"edges are a {type(self.edges).__name__}, which does not hash; give a tuple of (parent, child)")
        for edge in self.edges:
            if not (isinstance(edge, tuple) and len(edge) == 2 and all(isinstance(site, int) and site >= 0 for site in edge)):
                raise InputError(f"the edge {edge} is not a pair of sites; give (parent, child), both numbered from 0")
            if edge[0] == edge[1]:
                raise InputError(f"the edge {edge} leads from a site to itself; leave it out")
            if edge in seen:
                raise InputError(f"the edge {edge} is given twice; leave one out")
            seen.add(edge)
        try:
            self._sorter().prepare()
        except graphlib.CycleError as error:
            cycle = " -> ".join(map(str, error.args[1]))
            raise InputError(f"the edges close the cycle {cycle}; leave one of these edges out") from error

    def permutation(self, site_shape: tuple[int, ...]) -> Int32[np.ndarray, " T"]:
        num_sites = math.prod(site_shape)
        for edge in self.edges:
            if max(edge) >= num_sites:
                raise InputError(
                    f"the edge {edge} names a site outside 0..{num_sites - 1}; correct it, or the model's site_shape"
                )
        sorter = self._sorter(range(num_sites))
        sorter.prepare()
        ready, order = list(sorter.get_ready()), []
        heapq.heapify(ready)
        while ready:
            order.append(heapq.heappop(ready))
            sorter.done(order[-1])
            for site in sorter.get_ready():
                heapq.heappush(ready, site)
        return np.array(order, np.int32)

    def _sorter(self, sites=()):
        sorter: graphlib.TopologicalSorter[int] = graphlib.TopologicalSorter(dict.fromkeys(sites, ()))
        for parent, child in self.edges:
            sorter.add(child, parent)
        return sorter


@dataclasses.dataclass(frozen=True)
class Reversed:
    """Another order backwards: `Reversed(Spiral())` starts in the centre."""

    order: Order = Raster()
    """The order that is taken backwards."""

    def permutation(self, site_shape: tuple[int, ...]) -> Int32[np.ndarray, " T"]:
        return self.order.permutation(site_shape)[::-1].copy()


@dataclasses.dataclass(frozen=True)
class Flipped:
    """Another order in the mirror."""

    order: Order = Snake()
    """The order that is mirrored."""
    rows: bool = False
    """The last row comes where the first one did."""
    columns: bool = False
    """The last column comes where the first one did."""

    def permutation(self, site_shape: tuple[int, ...]) -> Int32[np.ndarray, " T"]:
        axes = [axis for axis, flipped in enumerate((self.rows, self.columns)) if flipped and len(site_shape) > 1]
        return np.flip(_numbered(site_shape), tuple(axes)).reshape(-1)[self.order.permutation(site_shape)]


@dataclasses.dataclass(frozen=True)
class Transposed:
    """Another order with rows and columns exchanged: `Transposed(Raster())` is `Column()`."""

    order: Order = Snake()
    """The order whose rows and columns are exchanged."""

    def permutation(self, site_shape: tuple[int, ...]) -> Int32[np.ndarray, " T"]:
        if len(site_shape) < 2:
            return self.order.permutation(site_shape)
        exchanged = _numbered(site_shape).swapaxes(0, 1)
        return exchanged.reshape(-1)[self.order.permutation(exchanged.shape)]


@dataclasses.dataclass(frozen=True)
class AnyOrder:
    """Order-agnostic (Uria et al. 2014): training draws an order for every minibatch.

    `AnyOrder(Snake(), s_curves())` is what Jain et al. (2020) train their network in.
    """

    reference: Order = Raster()
    """The order that serves where one is wanted."""
    among: tuple[Order, ...] = ()
    """The orders to draw from, the reference first; by default all permutations."""

    def __post_init__(self):
        if self.among and self.among[0] != self.reference:
            raise InputError(
                f"AnyOrder's reference {self.reference} is not the first of the orders it draws from, {self.among[0]}; make it so"
            )

    def permutation(self, site_shape: tuple[int, ...]) -> Int32[np.ndarray, " T"]:
        return self.reference.permutation(site_shape)


def s_curves() -> tuple[Order, ...]:
    """The eight S-curves: Snake from each corner, along the rows and along the columns. The first is Snake() itself."""
    along_rows = (Snake(), Flipped(columns=True), Flipped(rows=True), Flipped(rows=True, columns=True))
    return (*along_rows, *map(Transposed, along_rows))


def named(order: Order, site_shape: tuple[int, ...]) -> Int32[np.ndarray, "K T"]:
    """[K, T]: the orders that `order` names: itself, or for an AnyOrder all it draws from, or where these are all permutations
    its reference. The model's own is the first."""
    orders = order.among if isinstance(order, AnyOrder) and order.among else (order,)
    return np.stack([each.permutation(site_shape) for each in orders])


def draw(order: Order, key: jax.Array, site_shape: tuple[int, ...]) -> Int32[Array, " T"]:
    """[T] int32: if `order` is AnyOrder, one of those it draws from, each as likely as the others; else the one it names. Works
    under jit."""
    if isinstance(order, AnyOrder) and not order.among:
        return jax.random.permutation(key, jnp.arange(math.prod(site_shape), dtype=jnp.int32))
    orders = jnp.asarray(named(order, site_shape))
    return orders[0] if len(orders) == 1 else orders[jax.random.randint(key, (), 0, len(orders))]


def inverse(order: Integer[Array | np.ndarray, "... T"]) -> Int32[Array | np.ndarray, "... T"]:
    """[..., T] -> [..., T]: the rank of every site, so that `inverse(order)[order] == arange(T)`. NumPy or JAX."""
    return order.argsort(axis=-1).astype(np.int32)


def check_permutation(sites, num_sites: int) -> Int32[np.ndarray, "{num_sites}"]:
    """`sites` as an int32 array [T]. InputError unless it lists every index of 0..T-1 exactly once."""
    sites = np.asarray(sites)
    if sites.shape != (num_sites,):
        raise InputError(f"an order of {num_sites} sites must have shape ({num_sites},), not {sites.shape}; list every site once")
    if not np.issubdtype(sites.dtype, np.integer):
        raise InputError(f"an order must list integers, not {sites.dtype}; convert it")
    counts = np.bincount(sites[(sites >= 0) & (sites < num_sites)].astype(np.int64), minlength=num_sites)
    if (counts != 1).any():
        raise InputError(
            f"an order must be a permutation of 0..{num_sites - 1}; site {int(np.argmax(counts != 1))} occurs "
            f"{int(counts[np.argmax(counts != 1)])} times; list every site once"
        )
    return sites.astype(np.int32)


def arrange(
    x: Shaped[Array | np.ndarray, "B *data"], order: Integer[Array | np.ndarray, "*B T"], site_shape: tuple[int, ...]
) -> Shaped[Array | np.ndarray, "B T *event"]:
    """Data layout to generation order: [B, *site_shape, *E] -> [B, T, *E]. order: [T], or [B, T]: one for each example. NumPy or
    JAX."""
    event_shape = x.shape[1 + len(site_shape) :]
    return _picked(x.reshape(x.shape[0], math.prod(site_shape), *event_shape), order)


def restore(
    x: Shaped[Array | np.ndarray, "B T *event"], order: Integer[Array | np.ndarray, "*B T"], site_shape: tuple[int, ...]
) -> Shaped[Array | np.ndarray, "B *data"]:
    """Generation order to data layout: [B, T, *E] -> [B, *site_shape, *E]. The inverse of `arrange`."""
    return _picked(x, inverse(order)).reshape(x.shape[0], *site_shape, *x.shape[2:])


def _picked(x, sites):
    """[B, T, *E] -> [B, T, *E]: of every example the sites [T], or its own of [B, T]."""
    return x[:, sites] if sites.ndim == 1 else x[np.arange(len(x))[:, None], sites]


def _numbered(site_shape) -> Int32[np.ndarray, "..."]:
    """Every site's row-major index, in the data's shape."""
    return np.arange(math.prod(site_shape), dtype=np.int32).reshape(site_shape)


def _visit(site_shape, path) -> np.ndarray:
    """The row-major indices of the sites along `path` of the grid of pixels, all channels of a pixel in turn."""
    if len(site_shape) < 2:
        return _numbered(site_shape)
    *grid, depth = *site_shape[:2], math.prod(site_shape[2:])
    pixels = np.asarray(path(_numbered(grid))).reshape(-1, 1)
    return (pixels * depth + np.arange(depth)).reshape(-1).astype(np.int32)


def _snake(grid):
    grid[1::2] = grid[1::2, ::-1].copy()
    return grid


def _spiral(grid):
    rows = []
    while grid.size:
        rows.append(grid[0])
        grid = np.rot90(grid[1:])  # what is left, its right edge up
    return np.concatenate(rows)


def _hilbert(grid):
    height, width = grid.shape

    def curve(r, c, down, right, side):
        # (down, right) are the two edge vectors of the square that starts at (r, c); the curve runs along `right`.
        if min(r, r + (side - 1) * (down[0] + right[0])) >= height or min(c, c + (side - 1) * (down[1] + right[1])) >= width:
            return  # none of it is data: a strip would take as long as the square around it
        if side == 1:
            yield grid[r, c]
            return
        half = side // 2
        (dr, dc), (rr, rc) = down, right
        yield from curve(r, c, right, down, half)
        yield from curve(r + half * dr, c + half * dc, down, right, half)
        yield from curve(r + half * (dr + rr), c + half * (dc + rc), down, right, half)
        yield from curve(
            r + (half - 1) * dr + (side - 1) * rr, c + (half - 1) * dc + (side - 1) * rc, (-rr, -rc), (-dr, -dc), half
        )

    side = 1 << (max(height, width) - 1).bit_length()
    return list(curve(0, 0, (1, 0), (0, 1), side))
