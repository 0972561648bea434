"""Flattening and checking of the arguments of transformed functions."""

import functools

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.api import arguments
from adlib.api.arguments import Partial


def f(a, b, *rest, c=3):
    return a


@pytest.mark.parametrize("given, wanted", [
    (0, (0,)), (-1, (-1,)), ((0, 2), (0, 2)), ([1], (1,)), (np.int32(2), (2,)), ((), ()),
])  # fmt: skip
def test_argnums(given, wanted):
    assert arguments.normalize_argnums(given, "grad") == wanted


@pytest.mark.parametrize("given", [0.5, "0", (0, None), None])
def test_what_argnums_are_not(given):
    with pytest.raises(TypeError) as caught:
        arguments.normalize_argnums(given, "grad")
    assert "grad: argnums must be an int or a tuple of ints" in str(caught.value)
    assert repr(given) in str(caught.value)


def test_positions_are_resolved():
    assert arguments.select((1, 2, 3), (0, -1), "grad", f) == (0, 2)
    for count, text in ((1, "1 positional argument."), (2, "2 positional arguments.")):
        with pytest.raises(TypeError) as caught:
            arguments.select((0,) * count, (5,), "grad", f)
        message = str(caught.value)
        assert "grad of f is asked for argument 5 (argnums=(5,))" in message and text in message


def test_names_of_parameters():
    assert arguments.argument_names(f, 4) == ["a", "b", "rest", "c"]
    assert arguments.argument_names(lambda x: x, 2) == ["x", "argument 1"]
    assert arguments.argument_names(print, 0) == []
    assert arguments.argument_names(functools.partial(f, 1), 1) == ["b"]


def test_partial_calls_with_the_chosen_leaves():
    calls = []

    def fun(p, n, q, scale=1.0):
        calls.append((p, n, q, scale))
        return {"out": p["a"] * n, "q": q}

    partial = Partial(fun, [{"a": 1.0, "b": [2.0]}, 5, jnp.ones(2)], {"scale": 2.0}, (0, 2), "vjp")
    leaves = partial.leaves()
    assert [v.aval.str_short() for v in leaves] == ["f32[]", "f32[]", "f32[2]"]
    outs = partial(*[2 * v for v in leaves])
    p, n, q, scale = calls[0]
    assert (float(p["a"]), float(p["b"][0]), n, q.tolist(), scale) == (2.0, 4.0, 5, [2, 2], 2.0)
    assert [v.aval.str_short() for v in outs] == ["f32[]", "f32[2]"]
    assert partial.unflatten_args([1, 2, 3]) == [{"a": 1, "b": [2]}, 3]
    assert partial.unflatten_out(["x", "y"]) == {"out": "x", "q": "y"}


def test_partial_lets_go_of_what_it_transforms():
    partial = Partial(f, [jnp.ones(2), 1.0], {}, (0,), "grad")
    partial.leaves()
    assert partial.args == [None, 1.0]


def test_single_arrays_need_no_structure():
    partial = Partial(lambda x: x * 2, [jnp.ones(2)], {}, (0,), "grad")
    (out,) = partial(*partial.leaves())
    assert partial.out_tree is None and partial.unflatten_out([7]) == 7
    assert out.tolist() == [2, 2]


def test_pairs_with_auxiliary_data():
    assert arguments.split_aux((1, 2), "grad", f) == (1, 2) == arguments.split_aux([1, 2], "g", f)
    for value, text in ((3, "<class 'int'>"), ((1,), "a tuple of length 1")):
        with pytest.raises(TypeError) as caught:
            arguments.split_aux(value, "grad", f)
        assert "grad with has_aux=True expects f to return a pair" in str(caught.value)
        assert text in str(caught.value)


def test_arguments_and_results():
    x = jnp.ones(2)
    assert arguments.argument(x, "grad", f, 0) is x is arguments.result(x, "grad", f)
    assert arguments.argument(2, "grad", f, 0).weak_type
    assert arguments.describe_type(x) == "float32[2]"
    assert arguments.is_float0(np.zeros(2, adlib.float0)) and not arguments.is_float0(x)
    with pytest.raises(TypeError, match="Argument 3 of f, given to grad, holds 'a'"):
        arguments.argument("a", "grad", f, 3)
    with pytest.raises(TypeError, match="f, given to grad, returned 'a'"):
        arguments.result("a", "grad", f)


def test_callables():
    arguments.check_callable(f, "grad")
    with pytest.raises(TypeError) as caught:
        arguments.check_callable(jnp.ones(1), "vmap")
    assert "vmap(f)(x) transforms the function f; vmap(f(x))" in str(caught.value)
