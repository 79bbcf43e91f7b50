"""MADE: its masks by boolean products, its degrees, and what a model is."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from nets import check_steps, passed, seen
from normal import Normal

import arjax
from arjax import Cond, CondSpec, Model, testing
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE
from arjax.models.made import _degree_tables
from arjax.orders import AnyOrder, Hilbert, Random, Raster, Reversed, Spiral, inverse
from arjax.testing import lively_params

KEY = jax.random.key(0)


def reachable(degrees, direct):
    """[T, T] bool: which inputs each output can see, in generation order, by boolean products of the paper's masks (degrees
    from 1)."""
    m_in = np.arange(1, 7)
    paths, below = np.eye(6, dtype=bool), m_in
    for m in degrees:
        mask = m[:, None] >= below[None, :]  # equation 8
        paths, below = (mask.astype(int) @ paths) > 0, m
    paths = ((m_in[:, None] > below[None, :]).astype(int) @ paths) > 0  # equation 9
    return paths | (m_in[:, None] > m_in[None, :]) if direct else paths


@pytest.mark.parametrize(
    ("net", "shape", "order"),
    [
        (MADE(hidden=(3,), activation="tanh"), (6,), Random(1)),  # too few units to connect everything
        (MADE(hidden=(3,), activation="tanh", direct=True), (2, 3), Spiral()),
        (MADE(hidden=(4, 9), activation="softplus", degrees="random", degree_seed=3), (2, 3), Hilbert()),
        (MADE(hidden=(7, 2, 6), activation="tanh", degrees="random"), (2, 3), Reversed()),
    ],
    ids=["natural", "direct", "random", "deep_random"],
)
def test_theta_depends_on_exactly_the_inputs_its_masks_connect_it_to(net, shape, order):
    model = Model(net, Normal(), shape, order, CondSpec(members=2))
    params = lively_params(model, KEY)
    for member in (0, 1):
        tables = _degree_tables(net.hidden, model.num_sites, 2, net.degrees, net.degree_seed)
        expected = reachable([table[member] + 1 for table in tables], net.direct)
        assert not np.triu(expected).any()
        for drawn in (model.permutation, np.array([4, 1, 5, 0, 3, 2])):
            np.testing.assert_array_equal(seen(model, params, drawn, Cond(member=jnp.array(member))), expected)


def test_made_connects_the_papers_example_as_in_its_figure():
    # Figure 1: the inputs' degrees are 3, 1, 2, so p(x) = p(x2) p(x3 | x2) p(x1 | x2, x3).
    model = Model(MADE(hidden=(4, 4), activation="tanh"), Normal(), (3,), AnyOrder())
    order = np.array([1, 2, 0])
    by_site = seen(model, lively_params(model, KEY), order)[inverse(order)][:, inverse(order)]
    np.testing.assert_array_equal(by_site, [[False, True, True], [False, False, False], [False, True, False]])


def test_made_that_is_wide_enough_sees_the_whole_past():
    model = Model(MADE(hidden=(9, 9), activation="tanh"), Normal(), (5,), Random(2))
    np.testing.assert_array_equal(seen(model, lively_params(model, KEY)), np.tri(5, k=-1, dtype=bool))


def test_direct_connections_are_a_linear_map_of_the_past_without_any_hidden_unit():
    model = Model(MADE(hidden=(4,), direct=True), Normal(), (5,), Random(2))
    params, order = lively_params(model, KEY), model.permutation
    x = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    theta = passed(model, params | {"v": jnp.zeros_like(params["v"])}, x, jnp.asarray(order))
    a = np.tril(np.asarray(params["a"])[:, 0][order][:, order], k=-1)
    np.testing.assert_allclose(theta[..., 0], x @ a.T + np.asarray(params["c"])[order, 0], rtol=1e-4, atol=1e-5)


# Degrees


@pytest.mark.parametrize(("num_sites", "width"), [(2, 1), (2, 20), (9, 1), (9, 3), (9, 20)])
def test_degree_tables_spread_natural_ones_evenly_and_alike_for_every_member(num_sites, width):
    (table,) = _degree_tables((width,), num_sites, 3, "natural", 0)
    assert table.min() >= 0
    assert table.max() <= num_sites - 2
    for row in table:
        counts = np.bincount(row, minlength=num_sites - 1)
        assert counts.max() - counts.min() <= 1
        np.testing.assert_array_equal(np.sort(row), np.sort(table[0]))


def test_degree_tables_of_random_ones_never_fall_below_the_least_of_the_layer_below():
    tables = _degree_tables((4, 200, 200), 30, 5, "random", 7)
    for below, above in itertools.pairwise(tables):
        assert (above.min(axis=1) >= below.min(axis=1)).all()
    assert all(table.min() >= 0 and table.max() <= 28 for table in tables)
    assert len(np.unique(tables[2])) > 20
    again, other = (_degree_tables((4, 200), 30, 5, "random", seed)[1] for seed in (7, 8))
    np.testing.assert_array_equal(tables[1], again)
    assert (again != other).any()


def test_members_differ_and_the_member_does_not_recompile():
    model = Model(MADE(hidden=(8,), degrees="random"), Bernoulli(), (6,), AnyOrder(), CondSpec(members=4))
    params, x, traces = lively_params(model, KEY), np.random.default_rng(0).integers(0, 2, (3, 6)), 0

    @jax.jit
    def says(member, order):
        nonlocal traces
        traces += 1
        return arjax.theta(model, params, x, order=order, cond=Cond(member=member))

    each = [np.asarray(says(jnp.array(member), jnp.arange(6))) for member in range(4)]
    says(jnp.array(1), jnp.arange(6)[::-1])
    assert traces == 1
    assert all((each[i] != each[j]).any() for i in range(4) for j in range(i))
    np.testing.assert_allclose(arjax.theta(model, params, x), each[0], rtol=1e-5, atol=1e-6)


# Sizes


@pytest.mark.parametrize(("hidden", "sites"), [((3,), 1), ((2, 9, 3), 5)], ids=["one_site", "uneven"])
def test_step_of_odd_sizes_is_the_pass_and_probabilities_sum_to_one(hidden, sites):
    model = Model(MADE(hidden=hidden, direct=True), Categorical(2), (sites,), Reversed(Raster()))
    params, space = lively_params(model, KEY), testing.enumerate_space(model)
    check_steps(model, params, space, jnp.asarray(model.permutation))
    np.testing.assert_allclose(np.exp(arjax.log_prob(model, params, space)).sum(), 1, rtol=1e-5)
    if sites == 1:  # a table that looks at nothing
        theta = arjax.theta(model, params, space)
        assert (theta == theta[:1]).all()


# What a model is


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Model(MADE(), Bernoulli(), ()), r"site_shape=\(\) must name at least one axis"),
        (lambda: Model(MADE(), Bernoulli(), (3, 0)), r"site_shape=\(3, 0\) must name .*, each of a site or more"),
        (lambda: CondSpec(classes=0), r"CondSpec\(classes=0\) needs at least one"),
        (lambda: CondSpec(members=-1), r"CondSpec\(members=-1\) needs at least one"),
        (lambda: Model(MADE(), Bernoulli(), [2, 3]), r"a model must be hashable, .* use tuples, not lists"),
        (lambda: Model(MADE(hidden=[8]), Bernoulli(), (2, 3)), r"hidden=\[8\] of MADE is of the type list"),
        (lambda: Model(MADE(), Bernoulli(), (2, 3), cond=None), r"cond=None is no CondSpec; choose CondSpec\(\)"),
    ],
)
def test_model_refuses_what_makes_no_sense(make, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the tests' own type checker would come first
    with pytest.raises(ValueError, match=message):
        make()


def test_model_hashes_compares_and_can_be_edited():
    model = Model(MADE(hidden=(5,)), Bernoulli(), (2, 3))
    same, other = Model(MADE(hidden=(5,)), Bernoulli(), (2, 3)), Model(MADE(hidden=(6,)), Bernoulli(), (2, 3))
    assert model == same != other
    assert hash(model) == hash(same)
    assert model.bound == same.bound  # and the user's own net stays as it was
    assert model.net.spec is None
    edited = dataclasses.replace(model, head=Categorical(4))
    assert edited.spec.param_size == 4
    params = jax.eval_shape(lambda: arjax.init(edited, KEY))
    assert params["c"].shape == (6, 4)


def test_num_sites_and_num_dims_count_sites():
    model = Model(MADE(), Categorical(4), (2, 3, 3))
    assert (model.num_sites, model.num_dims, model.spec.num_sites) == (18, 18, 18)
    assert model.dtype == jnp.int32
    assert Model(MADE(), Normal(), (2,)).dtype == jnp.float32
