"""Calls and cells read as Python."""

import pytest

from adlib_kernel.actions.expressions import CellFunction, look_up, read_call
from adlib_kernel.actions.mistakes import MagicMistake


def test_a_call_is_read_but_not_made():
    def f(*args, **kwargs):
        raise AssertionError("called")

    call = read_call(" f(1, *[2, 3], k=4, **{'m': 5}) ", {"f": f}, "%jaxpr")
    assert call.function is f
    assert (call.args, call.kwargs) == ((1, 2, 3), {"k": 4, "m": 5})
    assert call.text == "f(1, *[2, 3], k=4, **{'m': 5})"


def test_the_function_may_be_any_expression():
    call = read_call("(lambda a: a + 1)(x)", {"x": 2}, "%jaxpr")
    assert call.function(*call.args) == 3
    call = read_call("fs[0](x)", {"fs": [abs], "x": -2}, "%jaxpr")
    assert call.function is abs


def test_a_lambda_without_arguments_is_shown_in_brackets():
    with pytest.raises(MagicMistake, match=r"Give it arguments: %jaxpr \(lambda x: x\)\(…\)"):
        read_call("lambda x: x", {}, "%jaxpr")


def test_errors_of_the_arguments_come_through():
    with pytest.raises(ZeroDivisionError):
        read_call("abs(1 / 0)", {}, "%jaxpr")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abs(nowhere)", "%jaxpr: there is no name nowhere. Set it first: nowhere = …"),
        ("fnu(2.0)", "%jaxpr: there is no name fnu. Did you mean fun?"),
        ("fun([fnu for _ in range(2)])", "%jaxpr: there is no name fnu. Did you mean fun?"),
        ("(lambda a: a * fnu)(1)", "%jaxpr: there is no name fnu. Did you mean fun?"),
    ],
)
def test_names_that_there_are_not(text, message):
    with pytest.raises(MagicMistake) as mistake:
        read_call(text, {"fun": abs}, "%jaxpr")
    assert str(mistake.value) == message


def test_names_that_the_expression_makes_itself_are_fine():
    names = {"fun": sum}
    call = read_call("fun([a * b for a, b in zip((1, 2), (3, 4)) if len(str(a))])", names, "%jaxpr")
    assert call.args == ([3, 8],)
    assert read_call("(lambda a, *b: a)((c := 2), c)", {}, "%jaxpr").args == (2, 2)


def test_a_cell_without_a_value_is_a_mistake():
    with pytest.raises(MagicMistake, match=r"this one has none: print\(x\) gives None"):
        CellFunction("print(x)", ["x"], {"x": 1.0})(2.0)


def test_a_cell_is_a_function_of_its_variables():
    names = {"x": 1, "y": 10}
    cell = CellFunction("z = x + y\nz * 2", ["x"], names)
    assert cell(5) == 30 and names == {"x": 1, "y": 10}


def test_a_cell_restores_the_names_after_an_error():
    names = {"x": 1}
    cell = CellFunction("1 / x", ["x"], names)
    with pytest.raises(ZeroDivisionError):
        cell(0)
    assert names["x"] == 1


def test_using_a_variable_in_its_own_new_value_is_fine():
    assert CellFunction("x = x * 2\nx", ["x"], {"x": 1})(4) == 8


def test_tuples_and_several_targets_count_as_new_values():
    for cell in ("x, y = 1, 2\nx", "y = x = 1\nx"):
        with pytest.raises(MagicMistake, match="line 1 gives x a new value"):
            CellFunction(cell, ["x"], {"x": 1})


def test_line_numbers_are_those_of_the_cell():
    cell = CellFunction("1 / x", ["x"], {"x": 0}, first_line=2)
    with pytest.raises(ZeroDivisionError) as caught:
        cell(0)
    assert caught.traceback[-1].lineno + 1 == 2


def test_names_are_looked_up():
    assert look_up(["a", "b"], {"a": 1, "b": 2}, "%%grad") == [1, 2]
    with pytest.raises(MagicMistake, match="'2a' is not a name.$"):
        look_up(["2a"], {}, "%%grad")
