"""Compiling ahead of time, and looking at what is compiled."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile import engine

pytest.importorskip("llvmlite")

X = np.linspace(-1.0, 1.0, 12, dtype=np.float32).reshape(3, 4)
W = {"w": np.ones((4, 5), np.float32)}


@adlib.jit
def layer(x, params):
    return jnp.tanh(x @ params["w"]), x.sum()


def test_lowered_knows_structure_and_types():
    lowered = layer.lower(X, W)
    first, second = lowered.out_info
    assert (first.shape, first.dtype, second.shape) == ((3, 5), np.float32, ())
    args, kwargs = lowered.in_avals
    assert args[1]["w"].shape == (4, 5) and kwargs == {}
    assert lowered.in_tree.num_leaves == 2 and lowered.out_tree.num_leaves == 2
    assert repr(lowered) == "<Lowered layer: f32[3,4], f32[4,5]>"


def test_types_are_enough_to_lower():
    x = adlib.ShapeDtypeStruct((3, 4), np.float32)
    w = {"w": adlib.ShapeDtypeStruct((4, 5), np.float32)}
    compiled = layer.lower(x, w).compile()
    np.testing.assert_allclose(compiled(X, W)[0], layer(X, W)[0])


def test_static_arguments_are_part_of_what_is_lowered():
    @adlib.jit
    def double(x):
        return x * 2

    power = adlib.jit(lambda x, n: x**n, static_argnums=1)
    assert power.lower(2.0, 3).compile()(2.0) == 8.0
    assert double.lower(2.0).compile()(4.0) == 8.0


def test_keywords():
    f = adlib.jit(lambda x, *, scale: x * scale)
    compiled = f.lower(1.0, scale=2.0).compile()
    assert compiled(3.0, scale=4.0) == 12.0


def test_traced_is_the_stage_before():
    traced = layer.trace(X, W)
    assert traced.fun_name == "layer"
    assert [e.primitive.name for e in traced.jaxpr.eqns] == ["dot_general", "tanh", "reduce_sum"]
    assert traced.lower().out_info == traced.out_info == layer.lower(X, W).out_info


def test_a_compiled_function_takes_what_it_was_compiled_for():
    compiled = layer.lower(X, W).compile()
    with pytest.raises(TypeError, match=r"args\[0\]: compiled for f32\[3,4\].*f32\[2,4\]"):
        compiled(X[:2], W)
    with pytest.raises(TypeError, match="another structure(.|\n)*without the static ones"):
        compiled(X)
    with pytest.raises(TypeError, match="machine code cannot be transformed"):
        adlib.grad(lambda x: compiled(x, W)[1])(X)
    with pytest.raises(TypeError, match=r"\['w'\]: compiled for f32\[4,5\], called with i32"):
        compiled(X, {"w": np.ones((4, 5), np.int32)})


def test_lowering_inside_of_a_trace_that_it_depends_on():
    def outer(x):
        adlib.jit(lambda y: x * y).lower(1.0)
        return x

    with pytest.raises(TypeError, match="lower the outermost jitted function"):
        adlib.jit(outer)(1.0)


def test_texts():
    lowered = adlib.jit(lambda x: jnp.sin(x) * 1.0 + jnp.sin(x)).lower(jnp.ones(300))
    assert lowered.as_text() == lowered.as_text("jaxpr") and "mul b 1.0" in lowered.as_text()
    assert lowered.as_text("simplified").count("sin") == 1
    assert lowered.as_text("loops").startswith("kernel step0(") and "for i < 300:" in (
        lowered.as_text("loops")
    )
    assert "define" in lowered.as_text("llvm") and "define" in lowered.as_text("optimised llvm")
    assert "ret" in lowered.as_text("asm") and lowered.compile().as_text() == lowered.as_text("asm")
    assert len(lowered.compiler_ir().eqns) == 2
    assert "  const float v1 = sinf(v0);" in lowered.as_text("cuda")
    with pytest.raises(ValueError, match="unknown dialect: 'hlo'. There are 'jaxpr'"):
        lowered.as_text("hlo")


def test_calls_are_listed_with_the_reason():
    x = jnp.ones(3)
    text = adlib.jit(lambda x: adlib.pure_callback(np.sin, x, x)).lower(x).as_text("loops")
    assert "pure_callback(" in text and "\n  # not fused" in text


def test_texts_without_llvmlite(monkeypatch):
    lowered = layer.lower(X, W)
    monkeypatch.setattr(engine, "available", lambda: False)
    assert "kernel" in lowered.as_text("loops")
    with pytest.raises(ImportError, match="pip install llvmlite"):
        lowered._native  # noqa: B018
        lowered.as_text("asm")


def test_costs():
    cost = layer.lower(X, W).cost_analysis()
    assert cost["flops"] == 2 * 3 * 4 * 5 + 12 and cost["transcendentals"] == 15
    assert cost["bytes accessed"] > 4 * (12 + 20 + 15) and 0 < cost["optimal_seconds"] < 1e-3


def test_fused_values_are_not_counted_as_traffic():
    f = adlib.jit(lambda x: jnp.exp(jnp.sin(x) * 2 + x))
    assert f.lower(jnp.ones(1000)).cost_analysis()["bytes accessed"] == 8000


def test_loops_count_their_rounds_and_branches_the_longer_one():
    body = adlib.jit(lambda x: lax.fori_loop(0, 10, lambda i, c: jnp.sin(c) * 2.0, x))
    assert body.lower(jnp.ones(5)).cost_analysis()["transcendentals"] == 50
    choose = adlib.jit(lambda x: lax.cond(x[0] > 0, jnp.sin, lambda y: y * 2.0, x))
    assert choose.lower(jnp.ones(5)).cost_analysis()["transcendentals"] == 5


def test_memory():
    stats = layer.lower(X, W).compile().memory_analysis()
    assert stats.alias_size_in_bytes == 0
    assert stats.argument_size_in_bytes == 4 * (12 + 20)
    assert stats.output_size_in_bytes == 4 * (15 + 1)
    assert stats.generated_code_size_in_bytes > 0 and stats.temp_size_in_bytes >= 0


def test_memory_of_donated_arguments_is_counted():
    f = adlib.jit(lambda x, y: (x + y.sum(), y), donate_argnums=0)
    x, y = jnp.ones(100), jnp.ones((100, 100))
    for _ in range(2):
        stats = f.lower(x, y).compile().memory_analysis()
        assert stats.alias_size_in_bytes == 400
        assert stats.argument_size_in_bytes == 40_400
    np.testing.assert_array_equal(f.lower(x, y).compile()(x, y)[0], np.full(100, 10_001.0))
    np.testing.assert_array_equal(x, np.ones(100))


def test_show_tells_the_way_from_jaxpr_to_loops():
    shown = adlib.jit(lambda x: jnp.sin(x) * 1.0 + jnp.sin(x)).lower(jnp.ones(300)).show()
    text = repr(shown)
    titles = ["jaxpr", "passes", "simplified", "fusion", "loops", "work"]
    assert [line for line in text.splitlines() if line in titles] == titles
    assert "  mul removed: x · 1 is x" in text and "  sin merged with" in text
    assert "µs on this machine" in text
    page = shown._repr_html_()
    assert page.count("<details") == 7 and "&lt;Lowered &lt;lambda&gt;" in page


def test_show_escapes_names():
    def f(x):
        return x

    f.__name__ = "<script>alert(1)</script>"
    assert "<script>" not in adlib.jit(f).lower(1.0).show()._repr_html_()
