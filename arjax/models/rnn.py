"""RNN: a recurrent network over the symbols in the order they are generated.

    a^0_t = W^0 e(x_{t-1}) + C r_t + L y + u_t + b^0,   a^l_t = W^l h^{l-1}_t + b^l
    h^l_t = cell(h^l_{t-1}, a^l_t),   theta_t = V^T h^{top}_t + c

where r_t are the coordinates of the site generated t-th, y is the label and u_t its local features, upsampled, with zeros in
place of x_{-1} and of the initial states. Two cells, written with the gates side by side in one matrix:

    LSTM (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000, its bias starting at 1: Jozefowicz et
    al. 2015)         i, f, g, o = a + U h;  c' = sigmoid(f) c + sigmoid(i) tanh(g);  h' = sigmoid(o) tanh(c')
    GRU (Cho et al. 2014), the variant that resets after the product, so that a step has one product:
                      r, z, n = a + U h, but n = a_n + sigmoid(r) (U_n h);  h' = (1 - sigmoid(z)) tanh(n) + sigmoid(z) h

Nothing in a recurs within its layer, so all T of them are one matrix product, and only U h is left in the loop.
Recurrent weights start orthogonal, gate by gate. Dropout is on the way up, never along time (Zaremba et al. 2014).

The trick: symbols enter through W^0 e alone, so W^0 is applied to the V vectors of the table rather than to all B T symbols of
the data, wherever that is less. A step then looks one row up.
"""

import functools
import math
from collections.abc import Callable
from typing import ClassVar, Literal, NamedTuple

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from arjax.layers.checks import check_embedding, check_fields
from arjax.layers.dense import dense, product
from arjax.layers.inputs import embedding_table, enter, label_bias, label_table, start, upsample
from arjax.layers.position import coordinate_bias, coordinate_table
from arjax.layers.residual import dropout, split_key
from arjax.protocol import Spec
from arjax.sharding import varying

CellName = Literal["lstm", "gru"]


def lstm(carry, gates, _):
    """carry (c, h), each [B, D]; gates a + U h [B, 4D], in the order i, f, g, o -> the next carry, what the slopes need of it."""
    c, _ = carry
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    c = f * c + i * g
    last = jnp.tanh(c)
    return (c, o * last), (i, f, g, o, last)


def lstm_slopes(carry, kept):
    """dc'/d(i, f, g) and dh'/do [..., 4, D] with c' constant; dc'/dc; dh'/dc'."""
    (c, _), (i, f, g, o, last) = carry, kept
    of_gates = i * (1 - i) * g, f * (1 - f) * c, i * (1 - g * g), o * (1 - o) * last
    return jnp.stack(of_gates, axis=-2), f, o * (1 - last * last)


def lstm_moves(slopes, carry, gates, _):
    """The change of the next carry for changes of the carry and the gates."""
    of_gates, of_c, to_h = slopes
    moved = of_gates * gates.reshape(of_gates.shape)
    c = of_c * carry[0] + moved[..., :3, :].sum(axis=-2)
    return c, moved[..., 3, :] + to_h * c


def gru(carry, gates, a_n):
    """carry (h,), [B, D]; gates a + U h [B, 3D], in the order r, z, n, the last without a_n [B, D] -> as `lstm`."""
    (h,) = carry
    r, z, u_n = jnp.split(gates, 3, axis=-1)
    r, z = jax.nn.sigmoid(r), jax.nn.sigmoid(z)
    n = jnp.tanh(a_n + r * u_n)
    return ((1 - z) * n + z * h,), (r, z, u_n, n)


def gru_slopes(carry, kept):
    """dh'/d(r, z, n) [..., 3, D]; dh'/dh; dh'/da_n."""
    (h,), (r, z, u_n, n) = carry, kept
    of_n = (1 - z) * (1 - n * n)
    return jnp.stack((of_n * u_n * r * (1 - r), (h - n) * z * (1 - z), of_n * r), axis=-2), z, of_n


def gru_moves(slopes, carry, gates, a_n):
    """The change of the next carry for changes of the carry, the gates and a_n."""
    of_gates, of_h, of_n = slopes
    return ((of_gates * gates.reshape(of_gates.shape)).sum(axis=-2) + of_h * carry[0] + of_n * a_n,)


class Cell(NamedTuple):
    """`next` takes the carry, the gates and the a of the gates apart; it returns the next carry, whose last part is the output,
    and what its derivative needs. `slopes` takes carries and what was kept, for all sites at once; `moves` takes the slopes of
    one site. `states`: the parts of a carry; `bias`: where each gate's bias starts; `apart`: how many of the last gates do not
    add a to U h."""

    next: Callable
    slopes: Callable
    moves: Callable
    states: int
    bias: tuple[float, ...]
    apart: int

    def split(self, a):
        """a [..., G] -> (what adds to U h [..., G], what does not)."""
        if not self.apart:
            return a, a[..., :0]
        added, apart = jnp.split(a, [a.shape[-1] // len(self.bias) * (len(self.bias) - self.apart)], axis=-1)
        return jnp.concatenate([added, jnp.zeros_like(apart)], axis=-1), apart


CELLS = {
    "lstm": Cell(lstm, lstm_slopes, lstm_moves, 2, (0.0, 1.0, 0.0, 0.0), 0),
    "gru": Cell(gru, gru_slopes, gru_moves, 1, (0.0, 0.0, 0.0), 1),
}


@flax.struct.dataclass
class Cache:
    """`carries`: of every layer, its states [B, D]. What stays the same: `rows` [C, V, G], the first layer's weights applied
    to each symbol (None where symbols are not looked up), `bias` [B or 1, G], its bias given the label, and `local` [T, B, G],
    what local features add to it in generation order (None without)."""

    carries: tuple[tuple[jax.Array, ...], ...]
    rows: jax.Array | None
    bias: jax.Array
    local: jax.Array | None


class RNN(nn.Module):
    """Layers of LSTM or GRU cells over embedded symbols.

    A label shifts the bias of the first layer, at every site; local features add to it at theirs.
    """

    cell: CellName = "lstm"
    """The recurrent cell."""
    width: int = 256
    """Width of every layer."""
    depth: int = 1
    """Layers."""
    embedding: int | None = None
    """Length of a learned vector for each symbol; by default a bit or a real value enters as itself, any other symbol as one-
    hot."""
    coordinates: bool = False
    """Also give the first layer the site to be generated. The net then takes any order, and without it only the model's own."""
    dropout: float = 0.0
    """Dropout rate of every layer's outputs."""
    spec: Spec | None = None

    def __post_init__(self):
        check_fields(self, "width", "embedding", layers=("depth",))
        super().__post_init__()

    @property
    def any_order(self) -> bool:
        """Whether it is told where it is."""
        return self.coordinates

    @property
    def decays(self) -> tuple[str, ...]:
        """The matrices, but the first where it reads one-hot vectors."""
        return "u", "v", "w_local", *(f"w{i}" for i in range(int(self._one_hot), self.depth))

    gives_theta: ClassVar[tuple[str, ...]] = ("v",)

    def check_model(self, model):
        model.cond.require("RNN", "classes", "local")
        check_embedding(model)

    def setup(self):
        spec, cell, values = self.spec, CELLS[self.cell], math.prod(self.spec.event)
        gates = len(cell.bias) * self.width
        # Every input that is not zero adds to the variance, which starts at one.
        axes = len(spec.sites) if self.coordinates else 0
        first = nn.initializers.normal((values * (self.embedding or 1) + axes + (spec.cond.local or 0)) ** -0.5)
        lecun = nn.initializers.lecun_normal()
        features = self.embedding or (spec.vocab if self._one_hot else 1)
        below = [self.param(f"w{i}", lecun, (self.width, gates)) for i in range(1, self.depth)]
        self.w = [self.param("w0", first, (values, features, gates)), *below]
        self.u = [self.param(f"u{i}", _orthogonal, (self.width, gates)) for i in range(self.depth)]
        self.b = [
            self.param(f"b{i}", lambda _, bias=cell.bias: jnp.repeat(jnp.array(bias), self.width)) for i in range(self.depth)
        ]
        self.v = self.param("v", lecun, (self.width, spec.param_size))
        self.c = self.param("c", nn.initializers.zeros, (spec.param_size,))
        self.table = embedding_table(self)
        self.label_b = label_table(self, gates)
        self.w_place = coordinate_table(self, first, axes, gates)
        if spec.cond.local:
            self.w_local = self.param("w_local", first, (spec.cond.hop, spec.cond.local, gates))

    def __call__(self, x, order, cond=None, *, key=None):
        """x [B, T, *E], order [T] -> theta [B, T, P]."""
        return self.to_theta(self.before_theta(x, order, cond, key=key))

    def before_theta(self, x, order, cond=None, *, key=None):
        """x [B, T, *E], order [T] -> h [B, T, D], the last layer's outputs."""
        keys = split_key(key, self.depth)
        # Time moves to the front of the symbols, and not of the larger a [B, T, G].
        a = self._enter(jnp.moveaxis(x, 1, 0)[:-1], self._rows(len(x)))
        a = jnp.pad(a, ((1, 0), (0, 0), (0, 0))) + self._bias(cond)[None]
        a += coordinate_bias(self, order[:, None])
        if self.spec.cond.local:
            a += jnp.moveaxis(upsample(cond.local, self.w_local, order), 1, 0)
        for layer in range(self.depth):
            if layer:
                a = product(h, self.w[layer], "float32") + self.b[layer][None, None]
            h = _through_time(CELLS[self.cell], *CELLS[self.cell].split(a), self.u[layer])
            h = dropout(h, self.dropout, keys[layer])
        return jnp.moveaxis(h, 0, 1)

    def to_theta(self, h):
        """h [..., D] -> theta [..., P]."""
        return dense(h, self.v, self.c)

    def init_cache(self, batch, order, cond=None):
        local = jnp.moveaxis(upsample(cond.local, self.w_local, order), 1, 0) if self.spec.cond.local else None
        return Cache(
            tuple(_zeros(CELLS[self.cell], batch, self.width) for _ in range(self.depth)),
            self._rows(batch),
            self._bias(cond),
            local,
        )

    def step(self, cache, x, t, order, cond=None):
        """cache, x [B, *E] (symbol t-1), t [] -> (cache, theta [B, P])."""
        a = start(self._enter(x, cache.rows), t) + cache.bias
        a += coordinate_bias(self, order[t][None])
        if cache.local is not None:
            a += cache.local[t]
        carries = []
        for layer, carry in enumerate(cache.carries):
            if layer:
                a = carries[-1][-1] @ self.w[layer] + self.b[layer][None]
            added, apart = CELLS[self.cell].split(a)
            carries.append(CELLS[self.cell].next(carry, added + carry[-1] @ self.u[layer], apart)[0])
        return cache.replace(carries=tuple(carries)), self.to_theta(carries[-1][-1])

    @property
    def _one_hot(self) -> bool:
        return not self.embedding and self.spec.vocab not in (None, 2)

    def _rows(self, batch):
        """[C, V, G]: what each symbol adds to the first layer; None for values that enter as themselves, and where there are
        more symbols in the vocabulary than in the batch."""
        if self._one_hot:
            return self.w[0]
        if not self.embedding or self.spec.vocab > batch * self.spec.num_sites:
            return None
        return jnp.einsum("vf,cfg->cvg", self.table, self.w[0])

    def _enter(self, x, rows):
        """[..., *E] -> [..., G]: what the symbols add to the first layer."""
        if rows is not None or not self.embedding:
            return enter(x, self.w[0] if rows is None else rows, self.spec.event)
        x = x.reshape(*x.shape[: x.ndim - len(self.spec.event)], len(self.w[0]))
        return jnp.einsum("...cf,cfg->...g", self.table[x], self.w[0])

    def _bias(self, cond):
        """[B or 1, G]"""
        return self.b[0][None] + label_bias(self.label_b, cond, self.spec)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _through_time(cell, added, apart, u):
    """added [T, B, G] and apart [T, B, ...] as `Cell.split` has them, u [D, G] -> [T, B, D]: one layer's outputs."""
    return _run(cell, added, apart, u)[0][-1]


@_through_time.defjvp
def _(cell, primals, tangents):
    # This derivative of `_run` leaves little in its loop and in the gradient's: slopes are computed for all sites at once, and a
    # change of u changes all U h in one product. (The loop's own gradient adds a [D, G] at every site.)
    (added, apart, u), (d_added, d_apart, d_u) = primals, tangents
    carries, kept = _run(cell, added, apart, u)
    before = jax.tree.map(lambda part: jnp.pad(part[:-1], ((1, 0), (0, 0), (0, 0))), carries)
    u_transposed = u.T  # once, outside the loop: the gradient's reads u by rows, too

    def body(d_carry, site):
        slopes, d_gates, d_apart = site
        d_gates += jnp.einsum("bd,gd->bg", d_carry[-1], u_transposed)
        d_carry = cell.moves(slopes, d_carry, d_gates, d_apart)
        return d_carry, d_carry[-1]

    sites = cell.slopes(before, kept), d_added + product(before[-1], d_u, "float32"), d_apart
    return carries[-1], jax.lax.scan(body, varying(_zeros(cell, added.shape[1], len(u)), sites, u), sites)[1]


def _run(cell, added, apart, u):
    """(the carries after every site, each [T, B, D], what each keeps for its derivative)."""

    def body(carry, a):
        carry, kept = cell.next(carry, a[0] + carry[-1] @ u, a[1])
        return carry, (carry, kept)

    return jax.lax.scan(body, varying(_zeros(cell, added.shape[1], len(u)), added, u), (added, apart))[1]


def _zeros(cell, batch, width):
    """The carry before the first site."""
    return tuple(jnp.zeros((batch, width), jnp.float32) for _ in range(cell.states))


def _orthogonal(key, shape):
    """[D, G]: a random orthogonal matrix for every gate (Saxe et al. 2014)."""
    width, gates = shape
    square = nn.initializers.orthogonal()
    return jnp.concatenate([square(k, (width, width)) for k in jax.random.split(key, gates // width)], axis=1)
