"""Jacobians times vectors, from both sides."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib_kernel.actions.mistakes import MagicMistake
from adlib_kernel.actions.problems import Problem
from adlib_kernel.actions.products import pull_back, push_forward


def f(x, y):
    return {"sum": jnp.sum(x * y), "sin": jnp.sin(x)}


POINT = (np.array([1.0, 2.0], np.float32), 3.0)
PROBLEM = Problem(f, ("x", "y"), POINT)


def test_forward_is_the_jvp():
    result = push_forward(PROBLEM, [[1, 0], None], "%jvp")
    expected = adlib.jvp(f, POINT, (np.array([1.0, 0.0], np.float32), 1.0))[1]
    assert float(result.tangent["sum"]) == float(expected["sum"]) == 6.0
    np.testing.assert_array_equal(result.tangent["sin"], expected["sin"])
    assert repr(push_forward(Problem(jnp.sin, ("x",), (0.0,)), [2.0], "%jvp")) == (
        "value    0.0  f32[]\nalong x  2.0  f32[]\ntangent  2.0  f32[]"
    )
    assert [row[0] for row in result.rows()] == [
        "value['sin']", "value['sum']", "along x", "along y", "tangent['sin']", "tangent['sum']",
    ]  # fmt: skip


def test_backward_is_the_vjp():
    result = pull_back(PROBLEM, {"sum": 2.0, "sin": [0.0, 1.0]}, "%vjp")
    np.testing.assert_allclose(result["x"], [6.0, 6.0 + np.cos(2.0)], rtol=1e-6)
    assert float(result["y"]) == 6.0
    assert "pulled back to y  6.0" in repr(result)


def test_both_sides_agree():
    tangents, cotangent = [np.array([0.3, -1.0]), 0.5], {"sum": 0.7, "sin": np.array([1.0, 2.0])}
    pushed = push_forward(PROBLEM, tangents, "%jvp").tangent
    pulled = pull_back(PROBLEM, cotangent, "%vjp").cotangents
    left = sum(float(np.sum(cotangent[k] * np.asarray(pushed[k]))) for k in pushed)
    right = sum(float(np.sum(t * np.asarray(pulled[n]))) for t, n in zip(tangents, "xy"))  # noqa: B905
    assert left == pytest.approx(right, rel=1e-5)


def test_directions_that_do_not_fit_are_explained():
    with pytest.raises(MagicMistake) as caught:
        push_forward(PROBLEM, [np.ones(3), 1.0], "%jvp")
    assert str(caught.value) == (
        "%jvp: the tangent of x has to have the shape (2,); this one has (3,)."
    )
    with pytest.raises(MagicMistake, match=r"one tangent for each of x, y, in a tuple; 1 came for"):
        push_forward(PROBLEM, [1.0], "%jvp")
    with pytest.raises(MagicMistake, match="%vjp: the cotangent has to be built like it"):
        pull_back(PROBLEM, 1.0, "%vjp")


def test_html_escapes_names():
    result = push_forward(Problem(lambda p: p["<b>"], ("p",), ({"<b>": 1.0},)), [None], "%jvp")
    html = result._repr_mimebundle_()["text/html"]
    assert "&lt;b&gt;" in html and "<b>" not in html
