"""Programs as data."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import core, make_jaxpr
from adlib.core.jaxpr import (
    ClosedJaxpr,
    Eqn,
    Jaxpr,
    Literal,
    Var,
    dead_code_eliminated,
    eval_jaxpr,
    jaxpr_as_fun,
    last_uses,
    subjaxprs,
)

weights = np.arange(3.0, dtype=np.float32)


def f(x, y):
    unused = jnp.exp(x)  # noqa: F841
    return jnp.sin(x) * y + jnp.asarray(weights), y


closed = make_jaxpr(f)(jnp.ones(3), 2.0)


def names(jaxpr):
    return [eqn.primitive.name for eqn in jaxpr.eqns]


def test_parts():
    jaxpr = closed.jaxpr
    assert [a.str_short() for a in closed.in_avals] == ["f32[3]", "f32[]"]
    assert [a.str_short() for a in closed.out_avals] == ["f32[3]", "f32[]"]
    assert closed.eqns is jaxpr.eqns and closed.literals is closed.consts
    assert [v.aval.str_short() for v in jaxpr.constvars] == ["f32[3]"]
    assert closed.consts[0].tolist() == [0, 1, 2]
    assert "exp" in names(jaxpr) and "sin" in names(jaxpr)
    assert str(closed) == str(jaxpr) == repr(jaxpr) == repr(closed)


def test_texts_of_parts():
    var = Var(core.ShapedArray((2,), np.dtype("float32")))
    assert repr(var) == f"Var(id={id(var)}):f32[2]"
    assert repr(Literal(jnp.float32(2.0))) == "Literal(2.0)"
    eqn = closed.eqns[0]
    assert f"= {eqn.primitive.name} " in repr(eqn)


def test_notebooks_show_the_text():
    shown = []

    class Printer:
        text = shown.append

    closed._repr_pretty_(Printer, False)
    closed.jaxpr._repr_pretty_(Printer, False)
    assert shown == [str(closed)] * 2


def test_literals_are_scalars_of_the_program():
    jaxpr = make_jaxpr(lambda x: x * 2.0)(1.0)
    (literal,) = [v for v in jaxpr.eqns[0].invars if isinstance(v, Literal)]
    assert literal.val == 2.0 and literal.aval.str_short() == "f32[]"


def test_equations_are_replaced_field_by_field():
    eqn = closed.eqns[0]
    other = eqn.replace(params={"accuracy": 1})
    assert other.params == {"accuracy": 1} and other.primitive is eqn.primitive
    assert other.invars is eqn.invars and other.source is eqn.source
    assert eqn.params != {"accuracy": 1}


def test_evaluation_under_the_current_interpreter():
    x, y = jnp.ones(3), jnp.float32(2.0)
    run = jaxpr_as_fun(closed)
    for got in (run(x, y), eval_jaxpr(closed.jaxpr, closed.consts, x, y)):
        for a, b in zip(got, f(x, y), strict=True):
            np.testing.assert_array_equal(a, b)
    gradient = adlib.grad(lambda x: run(x, y)[0].sum())(x)
    np.testing.assert_allclose(gradient, 2 * np.cos(np.ones(3)), rtol=1e-6)
    again = make_jaxpr(run)(x, y)
    assert names(again.jaxpr) == names(closed.jaxpr)


def test_wrong_number_of_arguments():
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        eval_jaxpr(closed.jaxpr, closed.consts, jnp.ones(3))


def test_evaluation_drops_values_after_their_last_use():
    big = 1 << 20

    def chain(x):
        for _ in range(20):
            x = x * 1.5
        return x

    import tracemalloc

    jaxpr = make_jaxpr(chain)(jnp.ones(big // 4))
    x = jnp.ones(big // 4)
    tracemalloc.start()
    try:
        eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, x)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3.5 * big


def test_last_uses():
    last = last_uses(closed.jaxpr)
    position = {v: i for i, vs in enumerate(last) for v in vs}
    for i, eqn in enumerate(closed.eqns):
        for v in eqn.invars:
            if isinstance(v, Var) and v not in closed.jaxpr.outvars:
                assert position[v] >= i
    returned = closed.jaxpr.invars[1]
    assert returned in closed.jaxpr.outvars and returned not in position


def test_dead_code():
    kept = dead_code_eliminated(closed.jaxpr)
    assert "exp" not in names(kept) and "sin" in names(kept)
    assert kept.invars is closed.jaxpr.invars
    loud = core.Primitive("loud")
    loud.effect = True
    eqn = Eqn(loud, [closed.jaxpr.invars[0]], [], {})
    jaxpr = Jaxpr([], closed.jaxpr.invars, [], [eqn, *closed.eqns])
    assert names(dead_code_eliminated(jaxpr)) == ["loud"]


def test_programs_within_parameters():
    cond = make_jaxpr(lambda x: adlib.lax.cond(x > 0, jnp.sin, jnp.cos, x))(1.0)
    eqn = next(e for e in cond.eqns if e.primitive.name == "cond")
    assert [(n, names(j)) for n, j in subjaxprs(eqn.params)] == [
        ("branches", ["cos"]),
        ("branches", ["sin"]),
    ]
    assert list(subjaxprs({"jaxpr": closed.jaxpr, "n": 3})) == [("jaxpr", closed.jaxpr)]


def test_what_is_derived_is_kept_with_the_program():
    made = []
    own = ClosedJaxpr(closed.jaxpr, closed.consts)
    for _ in range(3):
        assert own.cached("key", lambda: made.append(1) or "value") == "value"
    assert made == [1]
    assert ClosedJaxpr(closed.jaxpr, closed.consts).cache == {}
