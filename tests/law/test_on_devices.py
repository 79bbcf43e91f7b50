"""Everything public on several devices: on a mesh of Auto or of Explicit axes, inside jax.shard_map and jax.pmap with JAX's
defaults. Each call is held against the same one on a single device."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from nets import stepped
from zoo import QUICK, ZOO

import arjax
from arjax.heads import Categorical
from arjax.models import Transformer
from arjax.orders import AnyOrder
from arjax.sampling import fixed_point, generate, naive
from arjax.sharding import automatic, varying
from arjax.testing import lively_params
from arjax.testing.cases import random_cond, random_symbols, tolerance

pytestmark = pytest.mark.contract
DEVICES = 8
MODEL = arjax.Model(Transformer(4, 1, 1), Categorical(3), (3,), cond=arjax.CondSpec(classes=2))
PARAMS, KEYS = lively_params(MODEL, jax.random.key(0)), jax.random.split(jax.random.key(1), DEVICES)
X = np.random.default_rng(0).integers(0, 3, (DEVICES, 3))
COND = arjax.Cond(label=np.arange(DEVICES) % 2)
WHOLE, ROWS = PartitionSpec(), PartitionSpec("data")


def mesh_of(kind, sizes=(DEVICES,), names=("data",)):
    return jax.make_mesh(sizes, names, axis_types=(kind,) * len(names))


def step(model, params, x, cond, mean=jnp.mean):
    """Parameters after one step of gradient descent."""
    gradient = jax.grad(lambda params: -mean(arjax.log_prob(model, params, x, cond=cond)))(params)
    return jax.tree.map(lambda leaf, slope: leaf - 0.1 * slope, params, gradient)


SCORERS = {
    "log_prob": lambda model, params, x, cond: arjax.log_prob(model, params, x, cond=cond),
    "theta": lambda model, params, x, cond: arjax.theta(model, params, x, cond=cond),
}
SAMPLERS = {
    "sample": arjax.sample,
    "naive": naive,
    "fixed_point": lambda *args, **given: fixed_point(*args, **given)[0],
    "generate": lambda model, params, key, batch, *, cond: (
        generate(model, params, key, np.zeros((batch, 1), int), tokens=model.num_sites - 1, cond=cond).x
    ),
}

QUICKEST = ["log_prob", "sample"]
REST = [pytest.param(name, marks=pytest.mark.slow) for name in ("theta", "naive", "fixed_point", "generate", "step")]


def on_one_device(name, key=KEYS[0], rows=slice(None)):
    """The oracle, of some of the examples."""
    cond = arjax.Cond(label=COND.label[rows])
    if name in SAMPLERS:
        return SAMPLERS[name](MODEL, PARAMS, key, len(cond.label), cond=cond)
    return jax.jit((SCORERS | {"step": step})[name], static_argnums=0)(MODEL, PARAMS, X[rows], cond)


def assert_same(found, expected, rtol=1e-4):
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol / 10)


def assert_split(array):
    assert array.sharding.shard_shape(array.shape)[0] == len(array) // DEVICES


@pytest.mark.parametrize("kind", [AxisType.Explicit, pytest.param(AxisType.Auto, marks=pytest.mark.slow)], ids=str)
@pytest.mark.parametrize("name", QUICKEST + REST)
def test_a_mesh_splits_the_batch_and_changes_no_result(kind, name):
    mesh = mesh_of(kind)
    with jax.set_mesh(mesh):
        rows, whole = (NamedSharding(mesh, spec) for spec in (ROWS, WHOLE))
        params, x, cond = jax.device_put(PARAMS, whole), jax.device_put(X, rows), jax.device_put(COND, rows)
        if name in SAMPLERS:
            found = jax.jit(functools.partial(SAMPLERS[name], MODEL, batch=DEVICES))(params, key=KEYS[0], cond=cond)
        else:
            found = jax.jit((SCORERS | {"step": step})[name], static_argnums=0)(MODEL, params, x, cond)
    assert_same(found, on_one_device(name))
    if name != "step":
        assert_split(found)


@pytest.mark.parametrize("name", QUICKEST + REST)
def test_shard_map_computes_each_devices_share_as_one_device_does(name):
    mapped = functools.partial(jax.shard_map, mesh=mesh_of(AxisType.Auto))
    if name in SAMPLERS:
        draw = lambda params, keys, cond: SAMPLERS[name](MODEL, params, keys[0], 1, cond=cond)  # noqa: E731
        found = jax.jit(mapped(draw, in_specs=(WHOLE, ROWS, ROWS), out_specs=ROWS))(PARAMS, KEYS, COND)
        expected = np.concatenate([on_one_device(name, key, slice(i, i + 1)) for i, key in enumerate(KEYS)])
    elif name == "step":
        shared = functools.partial(step, MODEL, mean=lambda each: jax.lax.pmean(each.mean(), "data"))
        found = jax.jit(mapped(shared, in_specs=(WHOLE, ROWS, ROWS), out_specs=WHOLE))(PARAMS, X, COND)
        expected = on_one_device(name)
    else:
        inside = functools.partial(SCORERS[name], MODEL)
        found = jax.jit(mapped(inside, in_specs=(WHOLE, ROWS, ROWS), out_specs=ROWS))(PARAMS, X, COND)
        expected = on_one_device(name)
    assert_same(found, expected)


@pytest.mark.slow
def test_pmap_samples_on_each_device_by_its_key():
    found = jax.pmap(lambda key, label: arjax.sample(MODEL, PARAMS, key, 1, cond=arjax.Cond(label=label[None])))(KEYS, COND.label)
    assert_same(found[:, 0], np.concatenate([on_one_device("sample", key, slice(i, i + 1)) for i, key in enumerate(KEYS)]))


@pytest.mark.slow
def test_pmap_scores_on_each_device_its_share():
    found = jax.pmap(lambda x, label: arjax.log_prob(MODEL, PARAMS, x[None], cond=arjax.Cond(label=label[None])))(X, COND.label)
    assert_same(found[:, 0], on_one_device("log_prob"))


@pytest.mark.parametrize("names", [("batch", "model"), pytest.param(("data", "fsdp"), marks=pytest.mark.slow)])
def test_sample_on_the_mesh_that_make_mesh_gives_splits_what_it_draws(names):
    mesh, cond = jax.make_mesh((4, 2), names), jax.tree.map(jnp.asarray, COND)
    with jax.set_mesh(mesh):
        found = arjax.sample(MODEL, PARAMS, KEYS[0], DEVICES, cond=cond)
    assert_same(found, on_one_device("sample"))
    assert found.sharding.shard_shape(found.shape)[0] == (1 if "fsdp" in names else 2)


class Sums(nn.Module):
    """A net of a user's own, which has a table and a loop and declares nothing: theta_t = W sum_{s < t} a^(t - s) table[x_s]."""

    spec: arjax.Spec | None = None

    def setup(self):
        self.table = self.param("table", nn.initializers.normal(1.0), (self.spec.vocab, 4))
        self.w = self.param("w", nn.initializers.normal(1.0), (4, self.spec.param_size))

    def __call__(self, x, order, cond=None, *, key=None):
        entered = jnp.moveaxis(self.table[x], 1, 0)
        start = varying(jnp.zeros(entered.shape[1:]), entered)
        h = jax.lax.scan(lambda h, e: (0.5 * h + e, h), start, entered)[1]
        return jnp.moveaxis(h, 0, 1) @ self.w

    def init_cache(self, batch, order, cond=None):
        return jnp.zeros((batch, 4))

    def step(self, cache, x, t, order, cond=None):
        h = jnp.where(t == 0, 0, jnp.where(t == 1, 0, 0.5) * cache + self.table[x])
        return h, h @ self.w


@pytest.mark.slow
def test_a_users_own_net_has_the_same_rights_on_a_mesh_and_in_shard_map():
    model, mesh = arjax.Model(Sums(), Categorical(3), (3,)), mesh_of(AxisType.Explicit)
    params = lively_params(model, KEYS[0])

    def both(params, keys, x):
        return arjax.sample(model, params, keys[0], len(x)), arjax.log_prob(model, params, x), step(model, params, x, None)

    expected = jax.jit(both)(params, KEYS, X)
    with jax.set_mesh(mesh):
        x = jax.device_put(X, NamedSharding(mesh, ROWS))
        assert_same(jax.jit(both)(params, KEYS, x), expected)
        # What applies a net itself, as a sampler of one's own does, passes `automatic`.
        theta = jax.jit(automatic(stepped.__wrapped__), static_argnums=0)(model, params, x, jnp.arange(3))
        assert_same(theta, arjax.theta(model, params, X))
        assert_split(theta)
        arjax.testing.check(model, jax.device_put(params, NamedSharding(mesh, WHOLE)))
    mapped = jax.shard_map(both, mesh=mesh_of(AxisType.Auto), in_specs=(WHOLE, ROWS, ROWS), out_specs=ROWS)
    drawn, scores, _ = jax.jit(mapped)(params, KEYS, X)
    assert_same(scores, expected[1])
    assert_same(drawn, np.concatenate([arjax.sample(model, params, key, 1) for key in KEYS]))


@pytest.mark.slow
def test_completion_on_an_explicit_mesh_takes_masks_and_orders_that_are_split():
    model, rng = arjax.Model(Transformer(4, 1, 1, any_order=True), Categorical(3), (3,), AnyOrder()), np.random.default_rng(0)
    params, masks, orders = (
        lively_params(model, KEYS[0]),
        rng.random((DEVICES, 3)) < 0.5,
        rng.permuted([[0, 1, 2]] * DEVICES, axis=1),
    )

    def completed(x, masks, orders):
        drawn = arjax.sample(model, params, KEYS[0], DEVICES, order=orders, observed=x, mask=masks)
        return drawn, arjax.conditional_log_prob(model, params, x, masks, order=orders)

    expected, mesh = completed(X, masks, orders), mesh_of(AxisType.Explicit)
    with jax.set_mesh(mesh):
        split = jax.device_put((X, masks, orders), NamedSharding(mesh, ROWS))
        for found in (completed(*split), completed(split[0], masks, orders), jax.jit(completed)(*split)):
            assert_same(found, expected)


@pytest.mark.slow
def test_gradients_of_each_example_on_an_explicit_mesh_need_no_parameters_on_it():
    def each(x, label):
        score = lambda params: arjax.log_prob(MODEL, params, x[None], cond=arjax.Cond(label=label[None]))[0]  # noqa: E731
        return jax.grad(score)(PARAMS)

    expected, mesh = jax.vmap(each)(X, COND.label), mesh_of(AxisType.Explicit)
    with jax.set_mesh(mesh):
        split = jax.device_put((X, COND.label), NamedSharding(mesh, ROWS))
        assert_same(jax.jit(jax.vmap(each))(*split), expected)
        assert_same(jax.vmap(each)(*split), expected)


def test_log_prob_follows_the_type_of_its_data_without_a_mesh_in_context():
    x = jax.device_put(X, NamedSharding(mesh_of(AxisType.Explicit), ROWS))
    found = arjax.log_prob(MODEL, PARAMS, x, cond=COND)
    assert_same(found, on_one_device("log_prob"))
    assert_split(found)


# Every family: a program for each, and one for its oracle.
FAMILIES = [(AxisType.Explicit, name) for name in sorted(ZOO)] + [(AxisType.Auto, name) for name in sorted(QUICK)]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), FAMILIES, ids=str)
def test_every_family_trains_scores_and_samples_on_a_mesh(kind, name):
    model, mesh = ZOO[name], mesh_of(kind, (4, 2), ("data", "fsdp"))
    params, key = lively_params(model, KEYS[0]), KEYS[1]
    x, cond = random_symbols(model, key, DEVICES), random_cond(model, key, DEVICES)
    x = x.reshape(DEVICES, *model.site_shape, *model.head.event_shape)
    line = len(model.site_shape) == 1 < model.num_sites and model.head.vocab and (np.diff(model.permutation) == 1).all()

    @jax.jit
    def all_of_it(params, x, cond):
        drawn = arjax.sample(model, params, key, DEVICES, cond=cond)
        more = SAMPLERS["generate"](model, params, key, DEVICES, cond=cond) if line else drawn
        return arjax.log_prob(model, params, x, cond=cond), step(model, params, x, cond), drawn, more

    expected = all_of_it(params, x, cond)
    with jax.set_mesh(mesh):
        rows, whole = NamedSharding(mesh, PartitionSpec(("data", "fsdp"))), NamedSharding(mesh, WHOLE)
        params, x = jax.device_put(params, whole), jax.device_put(x, rows)
        cond = jax.tree.map(lambda leaf: jax.device_put(leaf, rows if leaf.ndim else whole), cond)
        assert_same(all_of_it(params, x, cond), expected, 100 * tolerance(model).theta)


@pytest.mark.slow  # the same, inside shard_map
@pytest.mark.parametrize("name", sorted(QUICK))
def test_every_family_trains_scores_and_samples_inside_shard_map(name):
    model, mesh = ZOO[name], mesh_of(AxisType.Auto)
    params, key = lively_params(model, KEYS[0]), KEYS[1]
    x, cond = random_symbols(model, key, DEVICES), random_cond(model, key, DEVICES)
    x = x.reshape(DEVICES, *model.site_shape, *model.head.event_shape)

    def each(params, keys, x, cond):
        mean = lambda scores: jax.lax.pmean(scores.mean(), "data")  # noqa: E731
        drawn = arjax.sample(model, params, keys[0], 1, cond=cond)
        return step(model, params, x, cond, mean), arjax.log_prob(model, params, x, cond=cond), drawn

    mapped = jax.shard_map(each, mesh=mesh, in_specs=(WHOLE, ROWS, ROWS, ROWS), out_specs=(WHOLE, ROWS, ROWS))
    updated, scores, drawn = jax.jit(mapped)(params, KEYS, x, cond)
    assert_same(updated, jax.jit(step, static_argnums=0)(model, params, x, cond))
    assert_same(scores, arjax.log_prob(model, params, x, cond=cond))
    for i, one in enumerate(KEYS):
        of_one = jax.tree.map(lambda leaf, i=i: leaf[i : i + 1] if leaf.ndim else leaf, cond)
        assert_same(drawn[i : i + 1], arjax.sample(model, params, one, 1, cond=of_one))
