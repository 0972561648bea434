"""Gradients of cells."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib_kernel.actions.grad import gradient_of_cell


def test_value_and_gradients():
    result = gradient_of_cell("(x ** 2 * y).sum()", ["x", "y"], {"x": np.arange(3.0), "y": 2.0})
    assert float(result.value) == 10.0
    np.testing.assert_allclose(result["x"], [0.0, 4.0, 8.0])
    assert float(result["y"]) == 5.0


def test_pytrees_get_a_row_per_leaf():
    names = {"p": {"w": np.ones(2), "b": 1.0}, "jnp": jnp}
    result = gradient_of_cell("jnp.sum(p['w'] * 3.0) + p['b']", ["p"], names)
    assert repr(result) == (
        "value      7.0         f32[]\nd/dp['b']  1.0         f32[]\nd/dp['w']  [3.0, 3.0]  f32[2]"
    )


def test_large_gradients_are_summed_up():
    result = gradient_of_cell("(x * 2.0).sum()", ["x"], {"x": np.ones((4, 4))})
    assert "d/dx   16 entries, norm 8.0  f32[4,4]" in repr(result)


def test_html_is_a_table_and_escapes_names():
    result = gradient_of_cell("p['<b>'] * 2.0", ["p"], {"p": {"<b>": 1.0}})
    html = result._repr_mimebundle_()["text/html"]
    assert "<table" in html and "&lt;b&gt;" in html and "['<b>']" not in html


def test_the_check_finds_a_wrong_rule():
    @adlib.custom_jvp
    def wrong(x):
        return x * x

    wrong.defjvp(lambda primals, tangents: (primals[0] ** 2, 3.0 * tangents[0]))
    result = gradient_of_cell("wrong(x)", ["x"], {"x": 2.0, "wrong": wrong}, check=True)
    assert not result.checks["x"].agrees
    assert "DIFFERS from finite differences" in repr(result)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_check_accepts_right_gradients_of_any_size(scale):
    names = {"x": np.linspace(0.5, 2.0, 5) * scale, "jnp": jnp}
    for cell in ("jnp.sum(jnp.log(x))", "jnp.sum(x ** 2)", "jnp.sum(x) * 0.0"):
        result = gradient_of_cell(cell, ["x"], names, check=True)
        assert result.checks["x"].agrees, (cell, result.checks)


def test_what_grad_raises_comes_through():
    with pytest.raises(TypeError, match="scalar"):
        gradient_of_cell("x * 2.0", ["x"], {"x": np.ones(3)})


def test_second_derivatives_by_pairs_of_variables():
    names = {"p": {"w": np.ones(2), "b": 1.0}, "x": 3.0}
    result = gradient_of_cell("(p['w'] * x).sum() * p['b']", ["p", "x"], names, hessian=True)
    np.testing.assert_array_equal(result.hessian["p"]["x"]["w"], [1.0, 1.0])
    np.testing.assert_array_equal(result.hessian["x"]["p"]["w"], [1.0, 1.0])
    np.testing.assert_array_equal(result.hessian["p"]["p"]["b"]["w"], [3.0, 3.0])
    rows = {row[0]: row[1] for row in result.rows()}
    assert rows["d²/dp['w'] dx"] == "[1.0, 1.0]" and rows["d²/dx dp['b']"] == "2.0"
    assert len(rows) == 1 + 3 + 9


def test_the_graph_is_that_of_value_and_gradient():
    result = gradient_of_cell("x * x", ["x"], {"x": 2.0}, graph=True)
    assert repr(result).startswith("value  4.0  f32[]\nd/dx   4.0  f32[]\n{ lambda ; a:f32[]. let")
    assert "<img" in result._repr_mimebundle_()["text/html"]
    assert [node.note for node in result.graph.record.of_kind("input")] == ["x"]
    assert gradient_of_cell("x * x", ["x"], {"x": 2.0}).graph is None
