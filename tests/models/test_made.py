import dataclasses
import itertools

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from normal import Normal

import arjax
from arjax import Cond, CondSpec, Model, testing
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE
from arjax.models.made import _degree_tables
from arjax.orders import AnyOrder, Hilbert, Random, Raster, Reversed, Spiral, inverse
from arjax.testing import lively_params

KEY = jax.random.key(0)


def jacobian(model, params, order=None, member=None):
    """[T, T]: by how much the output of each site moves with the input of each site (sites, not ranks)."""
    rank = inverse(np.asarray(model.permutation if order is None else order))
    cond = Cond(member=None if member is None else jnp.asarray(member))

    def by_site(x):
        says = arjax.theta(model, params, x.reshape(1, *model.site_shape), order=order, cond=cond)
        return says[0, :, 0][rank]

    return np.asarray(jax.jacobian(by_site)(jax.random.normal(KEY, (model.num_sites,))))


def reachable(degrees, rank, direct):
    """[T, T] bool: which inputs each output can see, by boolean matrix products over the paper's masks (degrees from 1)."""
    m_in, paths = rank + 1, np.eye(len(rank), dtype=bool)
    below = m_in
    for m in degrees:
        mask = m[:, None] >= below[None, :]  # equation 8
        paths, below = (mask.astype(int) @ paths) > 0, m
    paths = ((m_in[:, None] > below[None, :]).astype(int) @ paths) > 0  # equation 9
    return paths | (m_in[:, None] > m_in[None, :]) if direct else paths


@pytest.mark.parametrize(
    ("net", "shape", "order"),
    [
        (MADE(hidden=(5,), activation="tanh"), (2, 3), Spiral()),
        (MADE(hidden=(3,), activation="tanh"), (6,), Random(1)),  # too few units to connect everything
        (MADE(hidden=(3,), activation="tanh", direct=True), (6,), Random(1)),
        (MADE(hidden=(4, 9), activation="softplus", degrees="random", degree_seed=3), (2, 3), Hilbert()),
        (MADE(hidden=(7, 2, 6), activation="tanh", degrees="random"), (2, 3), Reversed()),
    ],
    ids=["natural", "narrow", "narrow_direct", "random", "deep_random"],
)
def test_an_output_depends_on_exactly_the_inputs_its_masks_connect_it_to(net, shape, order):
    model = Model(net, Normal(), shape, order, CondSpec(members=2))
    params = lively_params(model, KEY)
    for member in (0, 1):
        tables = _degree_tables(net.hidden, model.num_sites, 2, net.degrees, net.degree_seed)
        degrees = [table[member] + 1 for table in tables]
        for drawn in (model.permutation, np.array([4, 1, 5, 0, 3, 2])):
            expected = reachable(degrees, inverse(drawn), net.direct)
            np.testing.assert_array_equal(jacobian(model, params, drawn, member) != 0, expected)
            assert not (expected & (inverse(drawn)[:, None] <= inverse(drawn)[None, :])).any()


def test_the_papers_example_is_connected_as_in_its_figure():
    # Figure 1: the inputs' degrees are 3, 1, 2, so p(x) = p(x2) p(x3 | x2) p(x1 | x2, x3).
    model = Model(MADE(hidden=(4, 4), activation="tanh"), Normal(), (3,), AnyOrder())
    seen = jacobian(model, lively_params(model, KEY), np.array([1, 2, 0])) != 0
    np.testing.assert_array_equal(seen, [[False, True, True], [False, False, False], [False, True, False]])


def test_a_wide_enough_net_sees_the_whole_past():
    model = Model(MADE(hidden=(9, 9), activation="tanh"), Normal(), (5,), Random(2))
    rank = inverse(model.permutation)
    np.testing.assert_array_equal(jacobian(model, lively_params(model, KEY)) != 0, rank[:, None] > rank[None, :])


def test_direct_connections_reach_the_whole_past_without_any_hidden_unit():
    model = Model(MADE(hidden=(4,), direct=True), Normal(), (5,), Random(2))
    params = lively_params(model, KEY)
    rank = inverse(model.permutation)
    seen = jacobian(model, params | {"v": jnp.zeros_like(params["v"])})
    np.testing.assert_allclose(seen, np.where(rank[:, None] > rank[None, :], params["a"][:, 0], 0), rtol=1e-6)


# Degrees


@pytest.mark.parametrize("width", [1, 3, 8, 20])
@pytest.mark.parametrize("num_sites", [2, 9])
def test_natural_degrees_are_spread_evenly_and_every_member_has_the_same_ones(num_sites, width):
    (table,) = _degree_tables((width,), num_sites, 3, "natural", 0)
    assert table.min() >= 0
    assert table.max() <= num_sites - 2
    for row in table:
        counts = np.bincount(row, minlength=num_sites - 1)
        assert counts.max() - counts.min() <= 1
        np.testing.assert_array_equal(np.sort(row), np.sort(table[0]))


def test_random_degrees_never_fall_below_the_least_of_the_layer_below():
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
    params, x, traces = lively_params(model, KEY), jax.random.bernoulli(KEY, 0.5, (3, 6)), 0

    @jax.jit
    def says(member, order):
        nonlocal traces
        traces += 1
        return arjax.theta(model, params, x, order=order, cond=Cond(member=member))

    each = [np.asarray(says(jnp.array(member), jnp.arange(6))) for member in range(4)]
    says(jnp.array(1), jnp.arange(6)[::-1])
    assert traces == 1
    assert all((each[i] != each[j]).any() for i in range(4) for j in range(i))
    np.testing.assert_array_equal(arjax.theta(model, params, x), arjax.theta(model, params, x, cond=Cond(member=jnp.array(0))))


# Dropout, labels, embeddings


def test_a_dropout_key_changes_theta_and_without_one_it_is_deterministic():
    model = Model(MADE(hidden=(64, 64), dropout=0.5), Bernoulli(), (6,))
    params, x = lively_params(model, KEY), jnp.ones((2, 6), jnp.int32)
    still = arjax.theta(model, params, x)
    first, again, other = (arjax.theta(model, params, x, key=jax.random.key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(still, arjax.theta(dataclasses.replace(model, net=model.net.clone(dropout=0.0)), params, x))
    np.testing.assert_array_equal(first, again)
    assert (first != other)[:, 1:].all()
    assert (first != still)[:, 1:].all()
    assert (first[0] != first[1])[1:].all()  # equal examples are dropped out apart


def test_dropout_keeps_the_mean_of_a_linear_readout():
    model = Model(MADE(hidden=(8,), dropout=0.3), Bernoulli(), (3,))
    params, x = lively_params(model, KEY), jnp.ones((4000, 3), jnp.int32)
    dropped = np.asarray(arjax.theta(model, params, x, key=KEY), np.float64)
    error = dropped.mean(axis=0) - np.asarray(arjax.theta(model, params, x[:1]))[0]
    assert (np.abs(error) <= 5 * dropped.std(axis=0) / np.sqrt(4000) + 1e-5).all()


def test_a_label_changes_theta_at_every_site_and_only_in_its_own_example():
    model = Model(MADE(hidden=(8,)), Bernoulli(), (4,), cond=CondSpec(classes=3))
    params, x = lively_params(model, KEY), jnp.ones((2, 4), jnp.int32)
    first, second = (arjax.theta(model, params, x, cond=Cond(label=jnp.array(label))) for label in ([0, 1], [0, 2]))
    np.testing.assert_array_equal(first[0], second[0])
    assert (first[1] != second[1]).all()


def test_an_embedding_of_one_hot_vectors_is_the_one_hot_net():
    plain = Model(MADE(hidden=(6,), direct=True), Categorical(3), (4,), Random(0))
    embedded = dataclasses.replace(plain, net=plain.net.clone(embedding=3))
    params, x = lively_params(plain, KEY), jax.random.randint(KEY, (5, 4), 0, 3)
    np.testing.assert_allclose(
        arjax.theta(embedded, params | {"table": jnp.eye(3)}, x), arjax.theta(plain, params, x), rtol=1e-5, atol=1e-6
    )


# Sizes and construction


@pytest.mark.parametrize(
    ("hidden", "shape"),
    [((3,), (1,)), ((1,), (6,)), ((2, 9, 3), (5,)), ((30,), (2,))],
    ids=["one_site", "one_unit", "uneven", "wide"],
)
def test_odd_sizes_step_as_they_are_called(hidden, shape):
    model = Model(MADE(hidden=hidden, direct=True), Bernoulli(), shape, Reversed(Raster()))
    params = lively_params(model, KEY)
    testing.check_step(model, params, KEY)
    space = testing.enumerate_space(model)
    np.testing.assert_allclose(np.exp(arjax.log_prob(model, params, space)).sum(), 1, rtol=1e-5)


def test_one_site_is_a_table_that_looks_at_nothing():
    model = Model(MADE(hidden=(3,)), Categorical(4), (1,))
    params = lively_params(model, KEY)
    said = arjax.theta(model, params, jnp.arange(4)[:, None])
    assert (said == said[:1]).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden": ()}, r"hidden=\(\) has no layer"),
        ({"hidden": (5, 0)}, r"hidden=\(5, 0\) must be at least 1"),
        ({"dropout": 1.0}, r"dropout=1\.0 is not in \[0, 1\); choose the rate of units to drop"),
        ({"dropout": -0.1}, r"dropout=-0\.1 is not in"),
        ({"embedding": 0}, "embedding=0 must be at least 1"),
    ],
)
def test_impossible_nets_are_refused_when_they_are_made(fields, message):
    with pytest.raises(ValueError, match=message):
        MADE(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"activation": "swish"}, "activation='swish' is not known; choose one of relu, tanh"),
        ({"degrees": "sequential"}, "degrees='sequential' is not known; choose one of natural, random"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(fields, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the tests' own type checker would come first
    with pytest.raises(ValueError, match=message):
        MADE(**fields)


def test_an_embedding_of_real_values_is_refused():
    with pytest.raises(ValueError, match="embedding=2 needs symbols, but the head's values are real"):
        arjax.init(Model(MADE(hidden=(3,), embedding=2), Normal(), (4,)), KEY)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Model(MADE(), Bernoulli(), ()), r"site_shape=\(\) must name at least one axis"),
        (
            lambda: Model(MADE(), Bernoulli(), (3, 0)),
            r"site_shape=\(3, 0\) must name at least one axis, each of at least one site",
        ),
        (lambda: CondSpec(classes=0), r"CondSpec\(classes=0\) needs at least one"),
        (lambda: CondSpec(members=-1), r"CondSpec\(members=-1\) needs at least one"),
    ],
)
def test_impossible_models_are_refused_when_they_are_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_models_hash_and_compare_and_can_be_edited():
    model = Model(MADE(hidden=(5,)), Bernoulli(), (2, 3))
    same, other = Model(MADE(hidden=(5,)), Bernoulli(), (2, 3)), Model(MADE(hidden=(6,)), Bernoulli(), (2, 3))
    assert model == same != other
    assert hash(model) == hash(same)
    assert model.bound == same.bound  # and the user's own net stays as it was
    assert model.net.spec is None
    edited = dataclasses.replace(model, head=Categorical(4))
    assert edited.spec.param_size == 4
    params = arjax.init(edited, KEY)
    assert arjax.theta(edited, params, np.full((2, 2, 3), 3)).shape == (2, 6, 4)


def test_sizes_are_counted_in_sites():
    model = Model(MADE(), Categorical(4), (2, 3, 3))
    assert (model.num_sites, model.num_dims, model.spec.num_sites) == (18, 18, 18)
    assert model.dtype == jnp.int32
    assert Model(MADE(), Normal(), (2,)).dtype == jnp.float32


def test_a_model_of_lists_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the tests' own type checker would come first
    for parts in ({"site_shape": [2, 3]}, {"net": MADE(hidden=[8])}):
        with pytest.raises(ValueError, match=r"a model must be hashable, .* use tuples, not lists"):
            Model(**({"net": MADE(hidden=(8,)), "head": Bernoulli(), "site_shape": (2, 3)} | parts))
    with pytest.raises(ValueError, match=r"cond=None must be a CondSpec; choose CondSpec\(\)"):
        Model(MADE(hidden=(8,)), Bernoulli(), (2, 3), cond=None)
