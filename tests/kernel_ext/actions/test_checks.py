"""Derivatives against differences."""

import pytest

import adlib
import adlib.numpy as jnp
from adlib_kernel.actions.checks import check_derivatives
from adlib_kernel.actions.mistakes import MagicMistake
from adlib_kernel.actions.problems import Problem


def test_every_order_and_mode_gets_a_line():
    result = check_derivatives(Problem(jnp.tanh, ("x",), (0.5,)), order=2)
    assert result.passed
    assert repr(result) == "\n".join(
        f"order {order}  {mode}  agrees with finite differences"
        for order in (1, 2)
        for mode in ("forward", "reverse")
    )


def test_a_wrong_rule_is_found_and_higher_orders_are_not_tried():
    @adlib.custom_jvp
    def wrong(x):
        return x * x

    wrong.defjvp(lambda primals, tangents: (primals[0] ** 2, 3.0 * tangents[0]))
    result = check_derivatives(Problem(wrong, ("x",), (2.0,)), modes=("fwd",))
    assert not result.passed and [c.agrees for c in result.comparisons] == [False, None]
    assert "DIFFERS: JVP: the tangent does not match finite differences" in repr(result)
    assert repr(result).endswith("order 2  forward  not checked: a lower order differs")


def test_what_the_function_raises_comes_through():
    with pytest.raises(ZeroDivisionError):
        check_derivatives(Problem(lambda x: 1 / 0, ("x",), (1.0,)))


def test_mistakes():
    problem = Problem(jnp.sin, ("x",), (1.0,))
    with pytest.raises(MagicMistake, match="--order has to be at least 1; it is 0."):
        check_derivatives(problem, order=0)
    with pytest.raises(MagicMistake, match="--modes takes fwd, rev or both .*; 'back' is neither."):
        check_derivatives(problem, modes=("back",))
