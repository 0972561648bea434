"""Names in programs, types of values, computing at once while tracing."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import errors


def test_named_scope_computes_nothing():
    def f(x):
        with adlib.named_scope("layer"):
            return jnp.sin(x)

    assert [e.primitive.name for e in adlib.make_jaxpr(f)(1.0).eqns] == ["sin"]
    assert float(adlib.grad(f)(0.0)) == 1.0

    @adlib.named_scope("decorated")
    def g(x):
        return x * 2.0

    assert float(g(1.0)) == 2.0
    with pytest.raises(TypeError) as caught, adlib.named_scope(3):
        pass
    assert "named_scope name argument must be a string, got <class 'int'>" in str(caught.value)
    assert "test_naming.py" in str(caught.value)


def test_named_call():
    def f(x):
        return -x

    for call, name in ((adlib.named_call(f), "f"), (adlib.named_call(f, name="flip"), "flip")):
        (eqn,) = adlib.make_jaxpr(call)(1.0).eqns
        assert eqn.primitive.name == "jit" and eqn.params["name"] == call.__name__ == name
        assert float(call(1.0)) == -1.0 and float(adlib.grad(call)(1.0)) == -1.0
    assert f.__name__ == "f"


@pytest.mark.parametrize("value, text", [
    (1.0, "ShapedArray(float32[], weak_type=True)"),
    (True, "ShapedArray(bool[])"),
    (np.ones((2, 3)), "ShapedArray(float32[2,3])"),
    (adlib.ShapeDtypeStruct((4,), np.int8), "ShapedArray(int8[4])"),
])  # fmt: skip
def test_typeof(value, text):
    assert repr(adlib.typeof(value)) == text


def test_typeof_of_traced_and_of_other_values():
    seen = []
    adlib.vmap(lambda x: seen.append(adlib.typeof(x)) or x)(jnp.ones((2, 3)))
    assert seen == [adlib.typeof(jnp.ones(3))]
    with pytest.raises(TypeError, match="typeof requires ndarray or scalar arguments"):
        adlib.typeof("text")


def test_computing_at_once():
    table = jnp.arange(4.0)

    def f(x):
        with adlib.ensure_compile_time_eval():
            n = int(jnp.sum(table > 1.0))
            weights = np.asarray(jnp.sin(table))
        return x * n + float(weights.sum())

    names = [e.primitive.name for e in adlib.make_jaxpr(f)(1.0).eqns]
    assert names == ["mul", "add"]
    for transform in (adlib.jit(f), adlib.jit(adlib.grad(f)), adlib.grad(f)):
        transform(1.0)
    assert float(adlib.jit(adlib.grad(f))(1.0)) == 2.0
    assert float(adlib.vmap(f)(jnp.ones(2))[0]) == pytest.approx(float(f(1.0)))


def test_traced_values_cannot_be_computed_at_once():
    def f(x):
        with adlib.ensure_compile_time_eval():
            return jnp.sin(x)

    with pytest.raises(errors.UnexpectedTracerError):
        adlib.jit(f)(1.0)
    assert adlib.core.trace.state.trace is adlib.core.evaluate.evaluator
