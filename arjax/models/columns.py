"""Columns: lets any net model the rows of a table with columns of real numbers, levels and categories, and with gaps.

A cell enters the net inside as a vector: the row that its column has for its level, for its category, for a missing value or
for all real values, plus the standardised value times a slope of the column's own,

    e(x) = cells[column, value] + z slopes[column]

so that the net inside, of any kind, receives a row as a sequence of real vectors. The constants of the site's column are
appended to its theta, and heads/cell.py reads the possible values from them.
"""

import dataclasses
from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from arjax.description import check_types
from arjax.errors import InputError
from arjax.heads.cell import CONSTANTS, MISSING, Law
from arjax.protocol import Model, NetCapabilities, Spec

# Standardised values beyond it enter as it: an outlier must not drown all else.
_FARTHEST = 10.0


class Columns(nn.Module):
    """Makes a net for sequences of real vectors one for the rows of a table."""

    net: Any
    """The net inside, such as MADE()."""
    width: int = 16
    """Length of the vector of a cell."""
    laws: tuple[Law, ...] = ()
    """The possible values of each column; a reader of tables fills them in."""
    spec: Spec | None = None

    standardizes: ClassVar[bool] = True

    def __post_init__(self):
        if self.width < 1:
            raise InputError(f"width={self.width} must be at least 1; choose a positive number")
        super().__post_init__()

    def check_model(self, model):
        check_types(self)
        if model.site_shape != (len(self.laws),):
            raise InputError(
                f"Columns has laws for {len(self.laws)} columns, but the sites are {model.site_shape}; give one law for each"
            )
        head, levels = model.head, max(law.levels for law in self.laws)
        if head.vocab is not None or head.event_shape or head.param_size <= levels + CONSTANTS:
            raise InputError(f"{head} is no head of columns of up to {levels} levels; choose Cell(levels={levels})")
        Model(self.net, _Vectors(self.width, head.param_size - CONSTANTS), model.site_shape, model.order, model.cond)

    def setup(self):
        rows, columns = int(_first_rows(self.laws)[-1]), len(self.laws)
        self.inside = self._told
        self.cells = self.param("cells", nn.initializers.normal(1.0), (rows, self.width))
        self.slopes = self.param("slopes", nn.initializers.normal(1.0), (columns, self.width))

    def __call__(self, x, order, cond=None, *, key=None):
        """x [B, T], order [T] -> theta [B, T, P]."""
        return self._completed(self.inside(self._entered(x, order), order, cond, key=key), order)

    def init_cache(self, batch, order, cond=None):
        return self.inside.init_cache(batch, order, cond)

    def _step(self, cache, x, t, order, cond=None):
        """cache, x [B] (symbol t-1), t [] -> (cache, theta [B, P])."""
        cache, theta = self.inside.step(cache, self._entered(x, order[..., jnp.maximum(t - 1, 0)]), t, order, cond)
        return cache, self._completed(theta, order[..., t])

    def _prefill(self, cache, x, n, order, cond=None):
        return self.inside.prefill(cache, self._entered(x, order[..., : x.shape[1]]), n, order, cond)

    def _attention(self, x, order, cond=None):
        return self.inside.attention(self._entered(x, order), order, cond)

    # The capabilities of the net inside.

    step = property(lambda self: self._declared.step and self._step)
    prefill = property(lambda self: self._declared.prefill and self._prefill)
    attention = property(lambda self: self._declared.attention and self._attention)
    any_order = property(lambda self: self._declared.any_order)
    order_per_example = property(lambda self: self._declared.order_per_example)
    dtype = property(lambda self: self._declared.dtype)
    tensor_axes = property(lambda self: self._declared.tensor_axes)

    decays = property(lambda self: _inside(self._declared.decays))
    gives_theta = property(lambda self: _inside(self._declared.gives_theta))

    @property
    def _told(self) -> nn.Module:
        """The net inside, with the spec of its vectors."""
        if self.spec is None:
            return self.net
        spec = dataclasses.replace(self.spec, event=(self.width,), param_size=self.spec.param_size - CONSTANTS)
        return self.net.clone(spec=spec, parent=None)

    @property
    def _declared(self) -> NetCapabilities:
        return NetCapabilities.of(self._told)

    def _entered(self, x, columns):
        """x [..., *S] of these columns [*S] -> [..., *S, width] float32."""
        columns = jnp.broadcast_to(columns, x.shape)
        levels, location, scale, first = (jnp.asarray(part)[columns] for part in _tables(self.laws))
        there = x != MISSING
        code = jnp.where(there, jnp.clip(jnp.round(x), 0, jnp.maximum(levels - 1, 0)), jnp.maximum(levels, 1))
        code = jnp.where(there & (levels == 0), 0, code)
        z = jnp.clip((jnp.where(there, x, location) - location) / scale, -_FARTHEST, _FARTHEST)
        return self.cells[first + code.astype(jnp.int32)] + z[..., None] * self.slopes[columns]

    def _completed(self, theta, columns):
        """theta [..., *S, P - C] of these columns [*S] -> the same with the constants of each behind it."""
        constants = jnp.asarray(np.array([law.constants for law in self.laws], np.float32))[columns]
        constants = jnp.broadcast_to(constants, (*theta.shape[:-1], CONSTANTS))
        return jnp.concatenate([theta, constants], axis=-1)


@dataclasses.dataclass(frozen=True)
class _Vectors:
    """Stands for a head in the check of the net inside: real vectors, so many parameters each."""

    width: int
    param_size: int
    vocab: ClassVar[None] = None

    event_shape = property(lambda self: (self.width,))

    def log_prob(self, theta, x):
        raise NotImplementedError

    def sample(self, key, theta):
        raise NotImplementedError


def _first_rows(laws) -> np.ndarray:
    """[T + 1] int32: where the rows of each column begin in `cells`: one for each level, or for all real values, one for gaps."""
    return np.cumsum([0, *(max(law.levels, 1) + 1 for law in laws)]).astype(np.int32)


def _tables(laws):
    """Levels, the location and the scale by which a value becomes z, and the first row, [T] each. Levels become -1..1; of
    categories, whose numbers mean nothing, the location is themselves."""
    locations = [law.location if law.kind == "real" else (law.levels - 1) / 2 for law in laws]
    scales = {"real": lambda law: law.scale, "ordered": lambda law: max(law.levels - 1, 1) / 2, "categorical": lambda law: 1e30}
    sizes = [scales[law.kind](law) for law in laws]
    levels = [law.levels for law in laws]
    return np.array(levels, np.int32), np.array(locations, np.float32), np.array(sizes, np.float32), _first_rows(laws)[:-1]


def _inside(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of parameters of the net inside, whose paths are longer by a name."""
    return tuple(name.replace("params.", "params.inside.", 1) for name in names)
