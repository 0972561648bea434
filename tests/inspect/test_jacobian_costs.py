"""Operations of a function, its pushforward and its pullback."""

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib.inspect.jacobian_costs import derivative_costs, program_flops


def costs(function, *args):
    closed = adlib.make_jaxpr(function)(*args)
    return derivative_costs(closed, [True] * len(closed.in_avals))


def test_a_matrix_product_costs_as_much_both_ways():
    w = np.ones((20, 30), np.float32)
    found = costs(lambda x: w @ x, np.ones(30, np.float32))
    assert found.function == 2 * 20 * 30
    assert found.jvp == 2 * found.function and found.vjp == 2 * found.function and found.complete


def test_broadcast_operations_are_counted():
    found = costs(lambda x: jnp.outer(x, x), np.ones(3, np.float32))
    assert found.function == 9 and found.complete


def test_loops_count_their_rounds_and_branches_the_dearest():
    def loop(x):
        return adlib.lax.fori_loop(0, 5, lambda i, c: c * x, x)

    def branch(x):
        return adlib.lax.cond(x > 0, lambda y: y * y * y, lambda y: y + 1.0, x)

    assert program_flops(adlib.make_jaxpr(loop)(1.0)) == (5, True)
    assert program_flops(adlib.make_jaxpr(branch)(1.0)) == (2, True)


def test_what_has_no_reverse_mode_has_no_cost_of_one():
    def loop(x):
        return adlib.lax.while_loop(lambda c: c < 10.0, lambda c: c * 2.0, x)

    found = costs(loop, 1.0)
    assert found.vjp is None and not found.complete


def test_a_constant_function_has_nothing_to_differentiate():
    found = costs(lambda x: jnp.ones(3), 1.0)
    assert found.jvp == found.function == found.vjp
