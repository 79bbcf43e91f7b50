"""The law of arjax, and the three things that obey it.

    theta[:, t] is a function of x[:, :t], the order and the condition, and of nothing else.
    `__call__` computes all T sites at once; `step` computes one; the two agree.

A *net* maps symbols to parameters `theta`, a *head* turns theta into the distribution of one symbol, and a *model* is the two
together with the shape of the data and the order in which its sites are generated. Everything else (likelihood, sampling,
completion, coding) is written once, against these. `x` reaches a net in generation order; the shift by one lives inside it.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import flax.errors
import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from arjax.description import check_types
from arjax.errors import InputError, one_line
from arjax.orders import AnyOrder, Order, Raster, check_permutation


@dataclasses.dataclass(frozen=True)
class CondSpec:
    """What a model is conditioned on."""

    classes: int | None = None
    """Number of classes; labels are 0..classes-1. By default there are no labels."""
    members: int | None = None
    """Networks of an ensemble that shares its weights (MADE's connectivity-agnostic training); by default a single one."""
    local: int | None = None
    """Width of a vector of features for each site, or for each group of sites; by default there is none."""
    hop: int = 1
    """Sites of a group, along one axis, that share a vector of features."""
    memory: tuple[int, int] | None = None
    """Length S and width F of a sequence of features that the net sees as a whole; by default there is none."""

    def __post_init__(self):
        check_types(self)
        for name in ("classes", "members", "local", "hop"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise InputError(f"CondSpec({name}={count}) needs at least one; choose a positive number or leave it out")
        if self.hop > 1 and self.local is None:
            raise InputError(f"CondSpec(hop={self.hop}) is the number of sites that share local features; give local, too")
        if self.memory is not None and min(self.memory) < 1:
            raise InputError(f"CondSpec(memory={self.memory}) is no (length, width); choose two positive numbers or None")

    def require(self, net: str, *kinds: str) -> None:
        """InputError if there is a condition ("classes", "members", "local", "memory") that `net` does not know."""
        for name in ("classes", "members", "local", "memory"):
            if getattr(self, name) is not None and name not in kinds:
                known = " and ".join(kinds) or "no condition"
                raise InputError(
                    f"{net} knows {known}, not CondSpec({name}={getattr(self, name)}); leave it out, or choose another net"
                )

    def features(self, sites: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """The shape of one example's features of each declared kind: "local", (*sites, F), or where `hop` sites share them
        (ceil(T / hop), F); and "memory"."""
        shared = sites if self.hop == 1 else (-(-sites[0] // self.hop),)
        shapes = {"local": self.local and (*shared, self.local), "memory": self.memory}
        return {name: shape for name, shape in shapes.items() if shape is not None}


@flax.struct.dataclass
class Cond:
    """A condition. `label`: int32 [B]. `member`: int32 [], which member of the ensemble to be (None: member 0). `local`: float32
    features, [B, *sites, F] in the data's layout, or with a hop [B, ceil(T / hop), F]. `memory`: float32 [B, S, F], and
    `memory_mask`: bool [B, S], which of it is there (None: all). All of them may shape every theta."""

    label: jax.typing.ArrayLike | None = None
    member: jax.typing.ArrayLike | None = None
    local: jax.typing.ArrayLike | None = None
    memory: jax.typing.ArrayLike | None = None
    memory_mask: jax.typing.ArrayLike | None = None


@dataclasses.dataclass(frozen=True)
class Spec:
    """What a net is told about its data: `sites` is the data's shape, `event` one symbol's, `vocab` the number of symbols
    (None: real values), `param_size` the P numbers a head needs at every site, `cond` what the model is conditioned on."""

    sites: tuple[int, ...]
    event: tuple[int, ...]
    vocab: int | None
    param_size: int
    cond: CondSpec = CondSpec()

    @property
    def num_sites(self) -> int:
        """T, the number of sites."""
        return math.prod(self.sites)


class Net(Protocol):
    """A flax.linen.Module: final, never subclassed. Its parameters are its only state. `NetCapabilities` lists what it may
    declare besides."""

    spec: Spec | None  # filled in by Model, never by the user

    def __call__(self, x, order, cond=None, *, key=None):
        """x [B, T, *E], order [T] -> theta [B, T, P]. `key` draws dropout; None is deterministic."""
        ...

    def init_cache(self, batch: int, order, cond=None):
        """Fixed-size zeros, and what order and cond let be computed once."""
        ...

    def step(self, cache, x, t, order, cond=None):
        """cache, x [B, *E] (symbol t-1; ignored at t = 0), t [] -> (cache, theta [B, P])."""
        ...


@runtime_checkable
class Head(Protocol):
    """A frozen dataclass without parameters of its own: theta -> the distribution of one symbol. `HeadCapabilities` lists what
    it may declare besides."""

    event_shape: tuple[int, ...]  # () for one symbol a site
    vocab: int | None  # number of symbols (x is int32), or None for real values (x is float32)
    param_size: int  # P

    def log_prob(self, theta, x):
        """[..., P], [..., *E] -> [...] float32, nats; -inf outside the support."""
        ...

    def sample(self, key, theta):
        """[..., P] -> [..., *E]; deterministic in (key, theta), and its noise depends on key and shape only."""
        ...


@dataclasses.dataclass(frozen=True)
class NetCapabilities:
    """What a net may declare by an attribute or a method of the same name. One that does not mention it has the default."""

    any_order: bool = False
    """May `order` be any permutation, or only the model's own?"""
    order_per_example: bool = False
    """May `order` be [B, T], one for each example?"""
    dtype: Any = "float32"
    """What the net computes in, by its name or as a dtype."""
    tensor_axes: Mapping[str, int] | None = None
    """By the end of a parameter's dotted path, the axis that is split over the mesh axis `tensor`."""
    decays: tuple[str, ...] = ("kernel",)
    """What weight decay shrinks, by the ends of dotted paths: the matrices and kernels that multiply an activation, and neither
    biases, scales, embeddings and tables nor what multiplies a one-hot vector, which is a table too. A name also stands for
    itself with a number ("w": w, w0, w1); a path may begin with "params", at the net itself ("params.table")."""
    gives_theta: tuple[str, ...] = ()
    """Names in `decays` of the arrays that give theta. Muon leaves these to Adam."""
    step: Callable | None = None
    """`Net.step`, with `Net.init_cache`. A net without is trained and scored, and sampled by a pass for each site."""
    prefill: Callable | None = None
    """prefill(cache, x [B, L, *E], n [], order, cond) -> the cache after the first n <= L symbols, which enter in one pass."""
    before_theta: Callable | None = None
    """before_theta(x [B, T, *E], order, cond, *, key) -> h [B, T, D], where `__call__` is to_theta(h [..., D]) of it. `log_prob`
    then makes and scores a large theta some sites at a time, and again for the gradient."""
    attention: Callable | None = None
    """attention(x [B, T, *E], order, cond) -> for pictures, each layer's weights [B, N, T, S] of the start and sites before."""
    standardizes: bool = False
    """Does the net scale real values to a size of about one by itself?"""
    check_model: Callable | None = None
    """check_model(model), which a model calls last when it is made: InputError where the net does not fit it."""

    @classmethod
    def of(cls, net) -> "NetCapabilities":
        """Reads what `net` declares, which was told about its data (Model.bound)."""
        return declared_by(cls, net)


@dataclasses.dataclass(frozen=True)
class HeadCapabilities:
    """What a head may declare by an attribute or a method of the same name. One that does not mention it has the default."""

    logits: bool = False
    """Is theta one unnormalised log-probability a symbol? Samplers then take transforms of theta (Temperature and so on)."""
    log_conditionals: Callable | None = None
    """log_conditionals(theta, x) -> [..., *E]: for compression, a value's log-probability given those before it in its symbol."""
    nearest: Callable | None = None
    """nearest(theta, x) -> [..., *E]: the value of the support that is nearest to x, where not all real numbers belong to it."""

    @classmethod
    def of(cls, head) -> "HeadCapabilities":
        """Reads what `head` declares."""
        return declared_by(cls, head)


def decaying(params, decays: tuple[str, ...]):
    """Returns the same tree of bool: does the path of a leaf end in one of these names, as of `NetCapabilities.decays`?"""
    ends = re.compile(rf"\.({'|'.join(map(re.escape, decays))})\d*$" if decays else "(?!)")  # the last is found nowhere

    return jax.tree_util.tree_map_with_path(
        lambda path, _: ends.search(f".params.{jax.tree_util.keystr(path, simple=True, separator='.')}") is not None, params
    )


def declared_by(kind, part):
    """Returns what `part` declares of the capabilities `kind`, a dataclass of defaults."""
    return kind(**{field.name: getattr(part, field.name, field.default) for field in dataclasses.fields(kind)})


# What to choose where one order is not enough; a net of a user's own declares it, too.
ANY_ORDER = "a net with any_order=True, as MADE, LMConv and Transformer(any_order=True) have"
# More than any model has: a description that someone else wrote must not ask for any amount of memory.
MAX_SITES = 2**22


@dataclasses.dataclass(frozen=True)
class Model:
    """p(x) = prod_t head(x_t | theta_t): a net, a head, the data's shape, the order of generation, the kind of condition.

    Frozen, hashable and comparable: a static argument of `jax.jit`. The user's `net` stays as it is; `bound` is the same
    net told about its data, and is what `apply` runs. InputError where the parts do not fit.
    """

    net: Any
    """The network."""
    head: Any
    """The distribution of one symbol."""
    site_shape: tuple[int, ...]
    """Shape of an example in sites, as 28 28."""
    order: Any = Raster()
    """The order in which sites are generated."""
    cond: CondSpec = CondSpec()
    """What the model is conditioned on."""

    def __post_init__(self):
        try:
            hash((self.net, self.head, self.site_shape, self.order, self.cond))
        except TypeError as error:
            raise InputError(f"a model must be hashable, but has an {error}; use tuples, not lists") from error
        for name, part, kind, remedy in (
            ("net", self.net, nn.Module, "give a flax.linen.Module, as MADE()"),
            ("head", self.head, Head, "a head has event_shape, vocab, param_size, log_prob and sample, as Bernoulli()"),
            ("order", self.order, Order, "give one, as Raster(), or a class with permutation(site_shape)"),
            ("cond", self.cond, CondSpec, "choose CondSpec() for no condition"),
        ):
            if isinstance(part, type):
                raise InputError(f"{name}={part.__name__} is a class; give an instance of it, as {part.__name__}()")
            if not isinstance(part, kind):
                raise InputError(f"{name}={part!r} is no {kind.__name__}; {remedy}")
        if "spec" not in (field.name for field in dataclasses.fields(self.net)):
            net = type(self.net).__name__
            raise InputError(f"{net} has no field that Model can fill in; add `spec: arjax.Spec | None = None` to its class")
        if not isinstance(self.site_shape, tuple) or not all(isinstance(size, int) for size in self.site_shape):
            raise InputError(f"site_shape={self.site_shape!r} must be a tuple of whole numbers; write it as (64,) or (28, 28)")
        if not self.site_shape or min(self.site_shape) < 1:
            raise InputError(f"site_shape={self.site_shape} must name at least one axis, each of a site or more; give the data's")
        if math.prod(self.site_shape) > MAX_SITES:
            raise InputError(f"site_shape={self.site_shape} has more than {MAX_SITES} sites; choose fewer, as windows")
        if isinstance(self.order, AnyOrder) and not self.capabilities.any_order:
            raise InputError(
                f"{type(self.net).__name__} generates in one order only, not in AnyOrder(); choose a fixed order, or {ANY_ORDER}"
            )
        if self.cond.hop > 1 and len(self.site_shape) > 1:
            raise InputError(f"CondSpec(hop={self.cond.hop}) needs data on one axis, not {self.site_shape}; choose hop=1")
        check_permutation(self.permutation, math.prod(self.site_shape))
        if self.capabilities.check_model is not None:
            self.capabilities.check_model(self)

    @functools.cached_property
    def spec(self) -> Spec:
        """What the net is told about its data."""
        return Spec(self.site_shape, self.head.event_shape, self.head.vocab, self.head.param_size, self.cond)

    @functools.cached_property
    def bound(self) -> nn.Module:
        """The net, told about its data."""
        return self.net.clone(spec=self.spec)

    @functools.cached_property
    def capabilities(self) -> NetCapabilities:
        """What the net declares, told about its data."""
        return NetCapabilities.of(self.bound)

    @functools.cached_property
    def head_capabilities(self) -> HeadCapabilities:
        """What the head declares."""
        return HeadCapabilities.of(self.head)

    @functools.cached_property
    def permutation(self) -> np.ndarray:
        """[T] int32: the model's own order (for AnyOrder, its reference)."""
        return self.order.permutation(self.site_shape)

    @property
    def num_sites(self) -> int:
        """T, the number of sites."""
        return self.spec.num_sites

    @property
    def num_dims(self) -> int:
        """The number of values in one example: sites times the values of a symbol."""
        return self.num_sites * math.prod(self.head.event_shape)

    @property
    def dtype(self):
        """int32 for symbols, float32 for real values."""
        return jnp.float32 if self.head.vocab is None else jnp.int32

    def apply(self, params, *args, method: str = "__call__", **kwargs):
        """Run one of the net's methods with these parameters. InputError where a net without `step` is to have a cache."""
        if method == "init_cache" and self.capabilities.step is None:
            raise InputError(
                f"{type(self.net).__name__} has no step, by which texts are continued and data are coded; give it "
                "init_cache and step, or draw whole examples by arjax.sample"
            )
        if kwargs.get("key") is not None:  # of dropout
            kwargs["key"] = check_key(kwargs["key"])
        try:
            return self.bound.apply({"params": params}, *args, method=method, **kwargs)
        except (flax.errors.ScopeParamNotFoundError, flax.errors.ScopeParamShapeError) as error:
            what = f"params do not fit {type(self.net).__name__}: {one_line(error).partition(' (https://')[0]}"
            raise InputError(f"{what}; give those that arjax.init, fit or load made for it") from error

    def example_cond(self, batch: int) -> Cond:
        """A condition of the declared kind, all zeros, for shapes and tests."""
        label = None if self.cond.classes is None else jnp.zeros(batch, jnp.int32)
        member = None if self.cond.members is None else jnp.zeros((), jnp.int32)
        shapes = self.cond.features(self.site_shape)
        return Cond(label, member, **{name: jnp.zeros((batch, *shape), jnp.float32) for name, shape in shapes.items()})


def check_key(key) -> jax.Array:
    """`key` as a key of JAX. InputError unless it is one, or the words of one."""
    if not isinstance(key, jax.Array | np.ndarray):
        raise InputError(f"key={key!r} is no random key; give one, as jax.random.key(0)")
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        return key  # pyright: ignore[reportReturnType]
    try:
        return jax.random.wrap_key_data(jnp.asarray(key))
    except (TypeError, ValueError) as error:
        raise InputError(f"key is {key.dtype} of shape {key.shape}, no random key; give one, as jax.random.key(0)") from error


@functools.partial(jax.jit, static_argnames="model")
def init(model: Model, key: jax.Array):
    """The net's initial parameters, a tree of float32 arrays, the same whether or not JAX has 64 bits enabled."""
    key = check_key(key)
    with jax.enable_x64(False):
        x = jnp.zeros((1, model.num_sites, *model.head.event_shape), model.dtype)
        drawn = model.bound.init(key, x, jnp.asarray(model.permutation), model.example_cond(1))
    return drawn.get("params", {})  # a net may have none
