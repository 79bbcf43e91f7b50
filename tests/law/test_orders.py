import itertools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arjax.orders import (
    AnyOrder,
    Column,
    Flipped,
    Hilbert,
    Permutation,
    Random,
    Raster,
    Reversed,
    Snake,
    Spiral,
    Topological,
    Transposed,
    arrange,
    check_permutation,
    draw,
    inverse,
    named,
    restore,
    s_curves,
)

EVERY = (
    *(Raster(), Column(), Snake(), Spiral(), Hilbert(), Random(5), Reversed(Spiral()), AnyOrder(Snake())),
    *(Flipped(Hilbert(), rows=True, columns=True), Transposed(Spiral()), Transposed(Flipped(Random(1), columns=True))),
)

# The rank of every site, as it lies on the page.
GRIDS = {
    (Raster(), 2, 3): [[0, 1, 2], [3, 4, 5]],
    (Column(), 2, 3): [[0, 2, 4], [1, 3, 5]],
    (Snake(), 2, 3): [[0, 1, 2], [5, 4, 3]],
    (Spiral(), 2, 3): [[0, 1, 2], [5, 4, 3]],
    (Reversed(), 2, 3): [[5, 4, 3], [2, 1, 0]],
    (Permutation((4, 2, 0, 1, 5, 3)), 2, 3): [[2, 3, 1], [5, 0, 4]],
    (Spiral(), 1, 4): [[0, 1, 2, 3]],
    (Spiral(), 3, 1): [[0], [1], [2]],
    (Spiral(), 3, 3): [[0, 1, 2], [7, 8, 3], [6, 5, 4]],
    (Snake(), 4, 4): [[0, 1, 2, 3], [7, 6, 5, 4], [8, 9, 10, 11], [15, 14, 13, 12]],
    (Spiral(), 4, 4): [[0, 1, 2, 3], [11, 12, 13, 4], [10, 15, 14, 5], [9, 8, 7, 6]],
    (Reversed(Spiral()), 4, 4): [[15, 14, 13, 12], [4, 3, 2, 11], [5, 0, 1, 10], [6, 7, 8, 9]],
    (Hilbert(), 2, 2): [[0, 3], [1, 2]],
    (Hilbert(), 4, 4): [[0, 1, 14, 15], [3, 2, 13, 12], [4, 7, 8, 11], [5, 6, 9, 10]],
    (AnyOrder(Column()), 2, 3): [[0, 2, 4], [1, 3, 5]],
    (Flipped(Raster()), 2, 3): [[0, 1, 2], [3, 4, 5]],
    (Flipped(Raster(), rows=True), 2, 3): [[3, 4, 5], [0, 1, 2]],
    (Flipped(Snake(), columns=True), 2, 3): [[2, 1, 0], [3, 4, 5]],
    (Flipped(Spiral(), rows=True, columns=True), 3, 3): [[4, 5, 6], [3, 8, 7], [2, 1, 0]],
    (Transposed(Raster()), 2, 3): [[0, 2, 4], [1, 3, 5]],
    (Transposed(Snake()), 2, 3): [[0, 3, 4], [1, 2, 5]],
    (Transposed(Flipped(Snake(), rows=True)), 2, 3): [[4, 3, 0], [5, 2, 1]],
}


@pytest.mark.parametrize(("order", "height", "width"), GRIDS, ids=str)
def test_permutation_visits_a_small_grid_as_drawn_by_hand(order, height, width):
    order_of_sites = order.permutation((height, width))
    np.testing.assert_array_equal(inverse(order_of_sites).reshape(height, width), GRIDS[order, height, width])


@given(order=st.sampled_from(EVERY), shape=st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple))
@settings(max_examples=150, deadline=None)
def test_permutation_of_every_order_and_shape_is_one(order, shape):
    permutation = order.permutation(shape)
    assert permutation.dtype == np.int32
    if len(shape) == 1 and order in (Raster(), Column(), Snake(), Spiral(), Hilbert()):
        np.testing.assert_array_equal(permutation, range(len(permutation)))
    np.testing.assert_array_equal(np.sort(permutation), np.arange(math.prod(shape)))


@pytest.mark.parametrize(
    ("order", "shape"),
    [
        *((Snake(), (3, 5)), (Spiral(), (5, 4)), (Spiral(), (7, 7)), (Hilbert(), (8, 8)), (Hilbert(), (16, 16))),
        *((curve, (3, 5)) for curve in s_curves()),
    ],
    ids=str,
)
def test_permutation_has_neighbours_in_space_as_neighbours_in_time(order, shape):
    rows, columns = np.divmod(order.permutation(shape), shape[1])
    np.testing.assert_array_equal(np.abs(np.diff(rows)) + np.abs(np.diff(columns)), 1)


def test_hilbert_through_another_shape_leaves_sites_out_and_keeps_the_rest_in_turn():
    whole = Hilbert().permutation((4, 4))
    kept = [4 * (site // 4) + site % 4 for site in whole if site // 4 < 3]
    np.testing.assert_array_equal(Hilbert().permutation((3, 4)), kept)


@pytest.mark.parametrize("order", [Raster(), Column(), Snake(), Spiral(), Hilbert(), *s_curves()[1:]], ids=str)
def test_permutation_has_channels_innermost_and_in_turn(order):
    pixels = order.permutation((4, 4))
    np.testing.assert_array_equal(order.permutation((4, 4, 3)), [3 * pixel + c for pixel in pixels for c in range(3)])


def test_s_curves_are_eight_two_from_each_corner():
    orders = [tuple(map(int, curve.permutation((3, 5)))) for curve in s_curves()]
    assert len(set(orders)) == 8
    assert sorted(order[:2] for order in orders) == [(0, 1), (0, 5), (4, 3), (4, 9), (10, 5), (10, 11), (14, 9), (14, 13)]
    assert s_curves()[0] == Snake()


def test_random_is_fixed_by_its_seed():
    np.testing.assert_array_equal(Random(1).permutation((4, 4)), Random(1).permutation((4, 4)))
    assert (Random(1).permutation((4, 4)) != Random(2).permutation((4, 4))).any()


def test_inverse_gives_the_rank_of_every_site():
    order = Random(0).permutation((3, 3))
    for array in (order, jnp.asarray(order)):
        np.testing.assert_array_equal(inverse(array)[array], np.arange(9))
        np.testing.assert_array_equal(array[inverse(array)], np.arange(9))
        assert inverse(array).dtype == np.int32
    two = np.stack([order, order[::-1]])
    np.testing.assert_array_equal(inverse(two), [inverse(row) for row in two])


@pytest.mark.parametrize("event", [(), (2,)], ids=str)
def test_arrange_puts_the_symbol_generated_t_th_at_t_and_restore_puts_it_back(event):
    shape, order = (2, 3), np.array([4, 2, 0, 1, 5, 3], np.int32)
    x = np.random.default_rng(0).integers(0, 100, (4, *shape, *event))
    arranged = arrange(x, order, shape)
    assert arranged.shape == (4, 6, *event)
    for t, site in enumerate(order):
        np.testing.assert_array_equal(arranged[:, t], x[:, site // 3, site % 3])
    np.testing.assert_array_equal(restore(arranged, order, shape), x)
    np.testing.assert_array_equal(jax.jit(lambda x, order: restore(x, order, shape))(arranged, order), x)


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        ([0, 1, 1], r"permutation of 0\.\.2; site 1 occurs 2 times"),
        ([0, 1, 3], r"permutation of 0\.\.2; site 2 occurs 0 times"),
        ([0, -1, 2], r"permutation of 0\.\.2; site 1 occurs 0 times"),
        ([0, 1], r"3 sites must have shape \(3,\), not \(2,\)"),
        ([[0, 1, 2]], r"3 sites must have shape \(3,\), not \(1, 3\)"),
        ([0.0, 1.0, 2.0], r"integer"),
    ],
    ids=str,
)
def test_check_permutation_refuses_what_is_none_and_names_the_site(sites, message):
    with pytest.raises(ValueError, match=message):
        check_permutation(sites, 3)


def test_permutation_is_checked_when_it_is_made_and_against_the_data():
    with pytest.raises(ValueError, match="site 0 occurs 2 times"):
        Permutation((0, 0, 1))
    with pytest.raises(ValueError, match="an order of 4 sites"):
        Permutation((0, 2, 1)).permutation((2, 2))
    checked = check_permutation((2, 0, 1), 3)
    assert checked.dtype == np.int32
    np.testing.assert_array_equal(checked, [2, 0, 1])


# Topological orders

NO_PAIRS = ((-1, 1), (0, 1.5), [0, 1], ("a", "b"), 1)


@given(st.permutations(range(5)), st.lists(st.booleans(), min_size=10, max_size=10))
@settings(max_examples=40, deadline=None)
def test_topological_is_the_first_of_all_that_put_parents_before_children(names, chosen):
    edges = tuple(pair for pair, kept in zip(itertools.combinations(names, 2), chosen, strict=True) if kept)
    fitting = (o for o in itertools.permutations(range(5)) if all(o.index(parent) < o.index(child) for parent, child in edges))
    np.testing.assert_array_equal(Topological(edges).permutation((5,)), next(fitting))


def test_topological_numbers_the_sites_of_a_grid_row_by_row():
    np.testing.assert_array_equal(Topological(((3, 0), (5, 3))).permutation((2, 3)), [1, 2, 4, 5, 3, 0])
    np.testing.assert_array_equal(Topological(()).permutation((2, 2)), range(4))
    with pytest.raises(ValueError, match=r"the edge \(1, 4\) names a site outside 0\.\.3; correct it"):
        Topological(((0, 1), (1, 4))).permutation((2, 2))


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (
            ((0, 1), (4, 5), (1, 2), (2, 0)),
            r"the edges close the cycle (0 -> 1 -> 2 -> 0|1 -> 2 -> 0 -> 1|2 -> 0 -> 1 -> 2); leave",
        ),
        (((0, 1), (1, 0)), r"the cycle (0 -> 1 -> 0|1 -> 0 -> 1)"),
        (((0, 1), (2, 2)), r"the edge \(2, 2\) leads from a site to itself; leave it out"),
        (((0, 1), (1, 2), (0, 1)), r"the edge \(0, 1\) is given twice; leave one out"),
        *(((edge,), rf"the edge {re.escape(str(edge))} is not a pair of sites; give \(parent, child\)") for edge in NO_PAIRS),
        ([(0, 1)], r"edges are a list, which does not hash; give a tuple of \(parent, child\)"),
    ],
)
def test_topological_refuses_edges_that_have_no_order_and_names_them(edges, message):
    # Not by calling the class: here signatures are checked, which would speak first.
    order = object.__new__(Topological)
    object.__setattr__(order, "edges", edges)
    with pytest.raises(ValueError, match=message):
        order.__post_init__()


@pytest.mark.parametrize(
    ("order", "shape", "all_of_them", "bound"),
    [
        # Chi-square with 5 and with 7 degrees of freedom, p = 1e-4.
        (AnyOrder(), (3, 1), list(itertools.permutations(range(3))), 25.7),
        (AnyOrder(Snake(), s_curves()), (2, 3), [curve.permutation((2, 3)) for curve in s_curves()], 29.9),
    ],
    ids=["all", "some"],
)
def test_draw_under_jit_gives_each_order_as_often_as_the_others_and_no_other(order, shape, all_of_them, bound):
    keys = jax.random.split(jax.random.key(0), 200 * len(all_of_them))
    drawn = np.asarray(jax.jit(jax.vmap(lambda key: draw(order, key, shape)))(keys))
    assert drawn.dtype == np.int32
    kinds, counts = np.unique(drawn, axis=0, return_counts=True)
    np.testing.assert_array_equal(kinds, np.unique(all_of_them, axis=0))
    assert ((counts - 200) ** 2 / 200).sum() < bound


def test_draw_of_a_fixed_order_is_that_order_whatever_the_key():
    for seed in (0, 1):
        np.testing.assert_array_equal(draw(Snake(), jax.random.key(seed), (2, 2)), [0, 1, 3, 2])


def test_named_orders_begin_with_the_models_own():
    some = (Spiral(), Raster(), Column())
    np.testing.assert_array_equal(named(AnyOrder(Spiral(), some), (2, 3)), [order.permutation((2, 3)) for order in some])
    for order in (Spiral(), AnyOrder(Spiral())):
        np.testing.assert_array_equal(named(order, (2, 3)), [Spiral().permutation((2, 3))])


def test_any_order_draws_from_orders_that_begin_with_the_reference():
    with pytest.raises(ValueError, match=r"reference Raster\(\) is not the first of the orders it draws from, Snake\(\)"):
        AnyOrder(among=(Snake(), Raster()))
