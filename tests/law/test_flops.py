import jax
import jax.numpy as jnp
import pytest

from arjax.testing.flops import executed_flops

A = jnp.ones((3, 4))
SQUARE = jnp.eye(4)
ONE = 2 * 3 * 4 * 4  # the FLOPs of A @ SQUARE


def test_executed_flops_of_a_matrix_product_are_two_for_each_multiply_and_add():
    assert executed_flops(lambda tree: tree["a"] @ tree["b"][0], {"a": A, "b": [SQUARE]}) == ONE
    assert executed_flops(lambda a: a + 1, A) == 0
    a, b = jnp.ones((5, 2, 3, 4)), jnp.ones((5, 2, 4, 6))
    assert executed_flops(lambda a, b: jnp.einsum("bnij,bnjk->bnik", a, b), a, b) == 2 * 5 * 2 * 3 * 4 * 6


@pytest.mark.parametrize("reverse", [False, True])
def test_executed_flops_of_a_scan_are_its_bodys_as_often_as_it_runs(reverse):
    def chain(a, matrices):
        return jax.lax.scan(lambda a, matrix: (a @ matrix, a.sum()), a, matrices, reverse=reverse)

    assert executed_flops(chain, A, jnp.ones((7, 4, 4))) == 7 * ONE


def test_executed_flops_of_a_while_loop_are_its_bodys_as_often_as_its_data_make_it_run():
    def triangle(a, n):
        def row(i, a):
            return jax.lax.fori_loop(0, i, lambda _, a: a @ SQUARE, a)  # i products in row i

        return jax.lax.fori_loop(0, n, row, a)

    for n in (0, 1, 5):
        assert executed_flops(triangle, A, jnp.array(n)) == n * (n - 1) // 2 * ONE


def test_executed_flops_include_those_of_a_loops_condition():
    def grow(a):
        return jax.lax.while_loop(lambda a: (a @ SQUARE).max() < 8, lambda a: 2 * a, a)

    assert executed_flops(grow, A) == 4 * ONE  # 1, 2, 4 go on, 8 stops


def test_executed_flops_of_a_switch_are_those_of_the_branch_taken_and_its_index_is_clamped():
    def choose(index, a):
        return jax.lax.switch(index, [lambda a: a, lambda a: a @ SQUARE, lambda a: a @ SQUARE @ SQUARE], a)

    assert [executed_flops(choose, jnp.array(i), A) for i in (-1, 0, 1, 2, 9)] == [0, 0, ONE, 2 * ONE, 2 * ONE]


@pytest.mark.parametrize(
    "activate",
    [jax.jit(jnp.tanh), jax.nn.relu, jax.nn.softplus, jax.nn.silu, jax.checkpoint(jnp.sin), jax.nn.logsumexp],
    ids=["jit", "relu", "softplus", "silu", "remat", "logsumexp"],
)
def test_executed_flops_include_those_of_functions_that_others_wrap(activate):
    assert executed_flops(lambda a: activate(a @ SQUARE), A) == ONE
    assert executed_flops(jax.jit(lambda a: jax.vmap(activate)(a @ SQUARE)), A) == ONE


def test_executed_flops_include_those_of_functions_with_derivatives_of_their_own():
    @jax.custom_vjp
    def product(a):
        return a @ SQUARE

    product.defvjp(lambda a: (a @ SQUARE, None), lambda _, g: (g @ SQUARE.T,))
    assert executed_flops(product, A) == ONE
    assert executed_flops(jax.grad(lambda a: product(a).sum()), A) == 2 * ONE


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_executed_flops_of_a_convolution_are_its_kernels_at_every_output(groups, stride):
    batch, height, width, inputs, outputs, kernel = 2, 6, 8, 4, 6, (3, 2)
    x, w = jnp.ones((batch, height, width, inputs)), jnp.ones((*kernel, inputs // groups, outputs))

    def convolve(x, w):
        return jax.lax.conv_general_dilated(
            x, w, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups
        )

    sites = batch * (height // stride) * (width // stride)
    assert executed_flops(convolve, x, w) == 2 * sites * outputs * kernel[0] * kernel[1] * inputs // groups


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.at[1].add(2.0),
        lambda x: x.at[jnp.array([0, 2])].max(5.0),
        lambda x: jax.lax.reduce(x, 0.0, lambda a, b: a + b, (0,)),
    ],
    ids=["scatter_add", "scatter_max", "reduce"],
)
def test_executed_flops_leave_inner_functions_of_scatters_and_reductions_to_them(change):
    def function(x, w):
        return change(x) @ w if change(x).ndim else change(x) * (x @ w)

    x, w = jnp.arange(3.0), jnp.ones((3, 4))
    assert executed_flops(function, x, w) == 2 * 3 * 4
