"""Functions of named variables, from calls and cells."""

import numpy as np
import pytest

from adlib_kernel.actions.expressions import Call
from adlib_kernel.actions.mistakes import MagicMistake
from adlib_kernel.actions.problems import problem_of_call, problem_of_cell


def test_the_floats_of_a_call_are_its_variables():
    def f(x, n, p, *, scale, flag=True):
        return x * n * p["w"] * scale

    problem = problem_of_call(Call("f(…)", f, (2.0, 3, {"w": 5.0}), {"scale": 7.0}), "%grad")
    assert problem.names == ("x", "p", "scale") and problem.values == (2.0, {"w": 5.0}, 7.0)
    assert problem.function(1.0, {"w": 1.0}, 2.0) == 6.0


def test_arrays_of_integers_are_constants():
    problem = problem_of_call(Call("f", lambda t, x: x[t], (np.array([1]), np.ones(2)), {}), "%jvp")
    assert problem.names == ("x",)


def test_built_in_functions_have_names_too():
    assert problem_of_call(Call("abs(x)", abs, (1.0,), {}), "%grad").names in (("x",), ("args[0]",))


def test_a_call_without_floats_has_nothing_to_differentiate():
    with pytest.raises(MagicMistake) as caught:
        problem_of_call(Call("f(1)", abs, (1,), {}), "%grad")
    assert str(caught.value) == (
        "%grad f(1): no argument is a float or an array of floats, so there is nothing to "
        "differentiate with respect to. Write 2.0 instead of 2."
    )


def test_messages_about_cells_name_the_magic():
    with pytest.raises(MagicMistake, match="%%vjp wants the names of the variables"):
        problem_of_cell("x", [], {}, "%%vjp")
    with pytest.raises(MagicMistake, match="%%jaxpr wants a cell whose last line .* to trace"):
        problem_of_cell("", ["x"], {"x": 1.0}, "%%jaxpr")
