"""Cell: one cell of a table, in a column of real numbers, of ordered levels or of categories, that may be missing.

    missing       p(missing) = sigmoid(m), where the column has missing values; all that follows is given that it has not
    real          p(x) = (F(x + d / 2) - F(x - d / 2)) / d      F the distribution function of a mixture of logistics over
                                                                the standardised value, d the column's resolution
    ordered       P(v) = F(e_{v+1} - e_v) of level v = 0..V-1, as in logistic_bins.py: the levels lie evenly over [-1, 1], the
                                                                first and the last have everything below and above
    categorical   P(v) = softmax(logits)_v                      over the column's own V categories

A real value has a density in the units of the raw data: that of the mixture plus a uniform rounding error, as wide as the
resolution of the data. It integrates to one over the real numbers and is at most 1 / d. The density of a mixture alone has no
upper bound where values repeat, as zeros and whole numbers do, and a fit would exploit this.

One head serves all columns: the net, which has the order, appends the constants of the column to theta[t] (`Law.constants`).
"""

import dataclasses
import math
from typing import ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from arjax.description import check_types
from arjax.errors import InputError
from arjax.heads import noise
from arjax.heads.mixture import LOG_SCALE_LIMIT, check_components, mix_logs, read_components, sample_components

# Stands for a missing value: real values that are not all finite have no probability in any model.
MISSING = float(np.finfo(np.float32).min)
_LARGEST = 3e38  # the real value farthest from zero, which MISSING is not
# The origin of log-scales: components that start evenly over (-1, 1) start about as wide as their distance.
_START = -1.5
# Levels of a column; theta holds a number for each.
MOST_LEVELS = 4096


@dataclasses.dataclass(frozen=True)
class Law:
    """The possible values of one column."""

    kind: Literal["real", "ordered", "categorical"] = "real"
    """The kind of the values."""
    levels: int = 0
    """The number of levels or categories, whose values are 0..levels-1; 0 for real values."""
    location: float = 0.0
    """Subtracted from real values to standardise them."""
    scale: float = 1.0
    """Divides real values to standardise them."""
    resolution: float = 1e-4
    """The resolution of the data: the smallest distance of two real values."""
    missing: bool = False
    """Can a value be missing? A missing value is `MISSING`."""

    def __post_init__(self):
        check_types(self)
        if (self.kind == "real") != (self.levels == 0) or not 0 <= self.levels <= MOST_LEVELS:
            raise InputError(f"{self.kind} with {self.levels} levels is no column; give 1..{MOST_LEVELS}, or 0 to real values")
        if not abs(self.location) < 1e30:
            raise InputError(f"location={self.location} is no size that float32 can hold beside others; scale the column")
        for name in ("scale", "resolution"):
            if not 1e-30 < getattr(self, name) < 1e30:
                raise InputError(f"{name}={getattr(self, name)} is no size that float32 can divide by; scale the column")

    @property
    def constants(self) -> tuple[float, ...]:
        """What a net appends to theta."""
        kinds = ("real", "ordered", "categorical")
        sizes = (math.log(self.scale), math.log(self.resolution))
        return float(kinds.index(self.kind)), float(self.levels), float(self.missing), self.location, *sizes


CONSTANTS = len(Law().constants)


class _Read(NamedTuple):
    """theta, read: `law` has [...] each, `missing` is a logit, `mixture` [..., 3 M], `logits` [..., L]."""

    real: jax.Array
    ordered: jax.Array
    levels: jax.Array
    can_miss: jax.Array
    location: jax.Array
    log_scale: jax.Array
    log_resolution: jax.Array
    missing: jax.Array
    mixture: jax.Array
    logits: jax.Array


@dataclasses.dataclass(frozen=True)
class Cell:
    """theta [..., 1 + max(3 M, L) + 6]: the logit of a missing value, the mixture or the logits, and the constants of the column.
    M is `components`, L is `levels`."""

    components: int = 8
    """Logistics in the mixture of a real or ordered value."""
    levels: int = 1
    """The most levels that any column has."""
    event_shape: ClassVar[tuple[int, ...]] = ()
    vocab: ClassVar[None] = None

    def __post_init__(self):
        check_types(self)
        check_components(self.components)
        if not 1 <= self.levels <= MOST_LEVELS:
            raise InputError(f"levels={self.levels} is not in 1..{MOST_LEVELS}; choose a number that is")

    @property
    def param_size(self) -> int:
        return 1 + max(3 * self.components, self.levels) + CONSTANTS

    def log_prob(self, theta, x):
        """[..., P], [...] float -> [...] float32, nats: of a real value the density in raw units; -inf outside the support."""
        law, x = self._read(theta), jnp.asarray(x, jnp.float32)
        there = x != MISSING
        code = jnp.clip(jnp.round(x), 0, law.levels - 1)
        value = jnp.where(law.real & there, jnp.clip(x, -_LARGEST, _LARGEST), law.location)
        given_there = jnp.where(
            law.real | law.ordered, self._log_bin(law, value, code), _log_category(law.logits, code, law.levels)
        )
        given_there = jnp.where(law.real | (x == code), given_there, -jnp.inf)
        log_there = jnp.where(law.can_miss, jax.nn.log_sigmoid(-law.missing), 0)
        log_missing = jnp.where(law.can_miss, jax.nn.log_sigmoid(law.missing), -jnp.inf)
        return jnp.where(there, log_there + given_there, log_missing)

    def sample(self, key, theta):
        """[..., P] -> [...] float32."""
        law, shape = self._read(theta), theta.shape[:-1]
        missing_key, mixture_key, category_key, rounding_key = jax.random.split(noise.threefry(key), 4)
        mixed = sample_components(mixture_key, read_components(law.mixture), noise.logistic)
        rounding = jnp.exp(law.log_resolution) * (noise.uniform(rounding_key, shape).u - 0.5)
        real = law.location + jnp.exp(law.log_scale) * mixed + rounding
        last = jnp.maximum(law.levels - 1, 0)
        level = jnp.clip(jnp.round((mixed + 1) / 2 * last), 0, last)
        category = noise.categorical(category_key, law.logits).astype(jnp.float32)
        x = jnp.where(law.real, jnp.clip(real, -_LARGEST, _LARGEST), jnp.where(law.ordered, level, category))
        missing = noise.uniform(missing_key, shape).u < jax.nn.sigmoid(law.missing)
        return jnp.where(law.can_miss & missing, MISSING, x)

    def nearest(self, theta, x):
        """[..., P], [...] -> [...] float32: the value of the support nearest to x."""
        law = self._read(theta)
        real = jnp.where((x == MISSING) & ~law.can_miss, law.location, x)
        symbol = jnp.where((x == MISSING) & law.can_miss, MISSING, jnp.clip(jnp.round(x), 0, law.levels - 1))
        return jnp.where(law.real, real, symbol)

    def _read(self, theta) -> _Read:
        theta = theta.astype(jnp.float32)
        free, constants = theta[..., :-CONSTANTS], jax.lax.stop_gradient(theta[..., -CONSTANTS:])
        kind, levels, can_miss, location, log_scale, log_resolution = jnp.moveaxis(constants, -1, 0)
        real, levels = kind < 0.5, jnp.clip(jnp.round(levels), 1, self.levels)
        logits = free[..., 1 : 1 + self.levels]
        own = jnp.broadcast_to(jnp.arange(self.levels, dtype=jnp.float32), logits.shape) < levels[..., None]
        start = jnp.repeat(jnp.array([0, 0, _START], jnp.float32), self.components)
        # Scales that the net gives are bounded, so that nothing overflows.
        log_scale, log_resolution = (jnp.clip(size, -70, 70) for size in (log_scale, log_resolution))
        return _Read(
            real=real,
            ordered=~real & (kind < 1.5),
            levels=levels,
            can_miss=can_miss > 0.5,
            location=jnp.clip(location, -_LARGEST, _LARGEST),
            log_scale=log_scale,
            log_resolution=log_resolution,
            missing=free[..., 0],
            mixture=free[..., 1 : 1 + 3 * self.components] + jnp.broadcast_to(start, (*free.shape[:-1], len(start))),
            logits=jnp.where(own, logits, -jnp.inf),
        )

    def _log_bin(self, law, value, code):
        """Of a real value the logarithm of its density, of a level of its probability: both the mixture's over an interval."""
        parts, last = read_components(law.mixture), jnp.maximum(law.levels - 1, 1)
        z = (value - law.location) * jnp.exp(-law.log_scale)
        log_width = jnp.where(law.real, law.log_resolution - law.log_scale, jnp.log(2 / last))
        half = jnp.exp(jnp.clip(log_width, -70, 70)) / 2
        below = jnp.where(law.real, z - half, (2 * code - law.levels) / last)[..., None]
        above = jnp.where(law.real, z + half, (2 * code + 2 - law.levels) / last)[..., None]
        lowest, highest = (~law.real & (code == 0))[..., None], (~law.real & (code == law.levels - 1))[..., None]
        per_scale = jnp.exp(-parts.log_scale)
        left = jnp.where(lowest, 0, jax.nn.log_sigmoid((parts.mean - below) * per_scale))
        right = jnp.where(highest, 0, jax.nn.log_sigmoid((above - parts.mean) * per_scale))
        within = jnp.where(lowest | highest, 0, _log_of_width(log_width[..., None] - parts.log_scale))
        logs = mix_logs(parts.log_weight, left + right + within)
        return logs - jnp.where(law.real, law.log_resolution, 0)


def _log_of_width(log_width):
    """log(1 - exp(-w)) of log w, also where w or its exponential would leave float32."""
    narrow = log_width < -10
    w = jnp.exp(jnp.clip(log_width, -10, LOG_SCALE_LIMIT))
    return jnp.where(narrow, log_width, jnp.log(-jnp.expm1(-w)))


def _log_category(logits, code, levels):
    """[..., L], [...] float -> [...]."""
    log_probs = jax.nn.log_softmax(logits)
    return jnp.take_along_axis(log_probs, code.astype(jnp.int32)[..., None], axis=-1)[..., 0]
