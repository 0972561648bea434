"""Derivation records: names, origins, and that the programs shown are the true ones."""

import json

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.core.jaxpr import eval_jaxpr
from adlib.inspect import derivation_record
from adlib.inspect import derivation_steps as steps

X = np.linspace(0.3, 1.2, 4).astype(np.float32)


def wave(x):
    y = jnp.sin(x)
    z = y * x
    return jnp.exp(z) + y


@adlib.custom_vjp
def clipped(x):
    return x * 1.0


clipped.defvjp(lambda x: (x * 1.0, None), lambda _, ct: (jnp.clip(ct, -1.0, 1.0),))

SCALARS = {
    "wave": lambda x: wave(x).sum(),
    "matrix": lambda x: jnp.tanh(x.reshape(2, 2) @ x[:2]).sum(),
    "jit": lambda x: adlib.jit(wave)(x).sum(),
    "scan": lambda x: lax.scan(lambda c, y: (c * y, c + y), 1.0, x)[1].sum(),
    "cond": lambda x: lax.cond(x[0] > 0, lambda y: y[0] * y[1], lambda y: y[2], x),
    "where": lambda x: jnp.where(x > 0.5, x, x**2).sum(),
    "maximum": lambda x: jnp.max(x),
    "index": lambda x: x[1] * x[3],
    "linear": lambda x: x.sum(),
    "identity": lambda x: x[0],
    "checkpoint": lambda x: adlib.checkpoint(wave)(x).sum(),
    "sort": lambda x: (jnp.sort(x) * X).sum(),
}


def lines(record, title):
    (program,) = (p for p in record.programs if p.title == title)
    return [line.text for line in program.lines]


def test_variables_keep_their_names_through_all_programs():
    record = derivation_record(wave, "grad", (1.0,))
    assert [p.title for p in record.programs] == ["f", "jvp", "known", "unknown", "transpose"]
    assert lines(record, "f") == ["b = sin a", "c = b · a", "d = exp c", "e = d + b"]
    assert lines(record, "known") == ["b = sin a", "t1 = cos a", *lines(record, "f")[1:]]
    assert lines(record, "unknown") == [
        "ḃ = ȧ · t1",
        "t2 = ḃ · a",
        "t3 = b · ȧ",
        "ċ = t2 + t3",
        "ḋ = ċ · d",
        "ė = ḋ + ḃ",
    ]
    assert lines(record, "transpose") == [
        "c̄ = ē · d",
        "t4 = b · c̄",
        "t5 = c̄ · a",
        "b̄ = ē + t5",
        "t6 = b̄ · t1",
        "ā = t4 + t6",
    ]
    assert record.programs[-1].inputs[-1] == "ē" and record.programs[-1].outputs == ("ā",)


def test_every_derived_equation_has_its_origin_and_role():
    record = derivation_record(wave, "grad", (1.0,))
    assert [o.id for o in record.origins] == ["sin_0", "mul_0", "exp_0", "add_0"]
    assert all(o.source.startswith("test_derivation.py:") for o in record.origins)
    back = record.programs[-1]
    assert back.upward and [line.origin for line in back.lines] == [2, 1, 1, 1, 0, 0]
    assert [line.role for line in back.lines].count("sum") == 2
    roles = {line.role for line in record.programs[1].lines}
    assert roles == {"primal", "tangent"}


@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.parametrize("kind", ["jvp", "linearize", "grad", "jit"])
def test_every_equation_of_every_program_is_traced_back(name, kind):
    record = derivation_record(SCALARS[name], kind, (X,))
    count = len(record.origins)
    for program in record.programs:
        assert all(0 <= line.origin < count for line in program.lines)
    json.dumps(record.to_json(), allow_nan=False)


@pytest.mark.parametrize("name", SCALARS)
def test_the_programs_compute_the_gradient(name):
    function = SCALARS[name]
    closed = adlib.make_jaxpr(function)(X)
    _, _, known, unknown, back = steps.derivatives(closed, [True], "grad")
    outs = eval_jaxpr(known.jaxpr, known.consts, X)
    values = dict(zip(known.jaxpr.outvars, outs, strict=True))
    values.update(zip(known.jaxpr.invars, [X], strict=True))
    residuals = [values[unknown.meanings[v][0]] for v in unknown.jaxpr.invars[:-1]]
    gradient = np.asarray(adlib.grad(function)(X))
    (tangent,) = eval_jaxpr(unknown.jaxpr, unknown.consts, *residuals, np.ones_like(X))
    np.testing.assert_allclose(tangent, gradient.sum(), rtol=1e-5)
    given = [*unknown.consts, *residuals, np.float32(1.0)]
    (found,) = eval_jaxpr(back.jaxpr, back.consts, *given)
    np.testing.assert_allclose(found, gradient, rtol=1e-5)


def test_a_custom_vjp_is_transposed_by_its_own_rule():
    record = derivation_record(lambda x: (clipped(x) * 3.0).sum(), "grad", (X,))
    assert "custom_vjp_call_0" in [o.id for o in record.origins]
    assert record.programs[-1].lines


def test_vmap_shows_the_new_types():
    record = derivation_record(
        lambda w, x: jnp.tanh(w @ x), "vmap", (np.ones((5, 2, 3)), np.ones((5, 3)))
    )
    plain, mapped = record.programs
    assert [line.type for line in plain.lines] == ["f32[2]", "f32[2]"]
    assert [line.type for line in mapped.lines] == ["f32[⟨5⟩,2]", "f32[⟨5⟩,2]"]
    assert mapped.inputs == ("a:f32[⟨5⟩,2,3]", "b:f32[⟨5⟩,3]") and mapped.outputs == ("d",)


def test_vmap_marks_the_new_axis_wherever_it_is():
    table = jnp.ones((2, 3))
    record = derivation_record(lambda x: jnp.exp(table @ x), "vmap", (np.ones((5, 3)),))
    lines = record.programs[1].lines
    assert [line.text for line in lines][:2] == ["c = dot_general[contract=1·1] a b", "d = exp c"]
    assert [line.type for line in lines][:2] == ["f32[2,⟨5⟩]", "f32[2,⟨5⟩]"]


def test_vmap_of_what_does_not_depend_on_the_argument():
    record = derivation_record(lambda x: (x, jnp.zeros(3) + 1.0), "vmap", (np.ones((5, 3)),))
    assert all("⟨" not in line.type for line in record.programs[1].lines if line.origin >= 0)


def test_jit_shows_the_lines_that_run():
    def wasteful(x):
        jnp.cos(x)
        return jnp.sin(x) * x

    record = derivation_record(wasteful, "jit", (1.0,))
    assert [o.id for o in record.origins] == ["cos_0", "sin_0", "mul_0"]
    program = record.programs[1]
    assert [line.origin for line in program.lines] == [1, 2]
    assert program.lines[-1].text.startswith("v1 = v0 * arg0; del")
    assert program.outputs == ("v1",)


def test_a_jitted_function_is_looked_into():
    assert [o.id for o in derivation_record(adlib.jit(wave), "jvp", (1.0,)).origins][0] == "sin_0"


def test_errors_teach():
    with pytest.raises(ValueError, match="kind must be one of 'jvp', .*; got 'vjp'"):
        derivation_record(wave, "vjp", (1.0,))
    with pytest.raises(TypeError, match=r"returns f32\[4\] is not defined.*Sum the result"):
        derivation_record(wave, "grad", (X,))
    with pytest.raises(TypeError, match="nothing to differentiate .* pass floats"):
        derivation_record(lambda n: n * 2, "jvp", (3,))
    with pytest.raises(ValueError, match=r"one of the same size.* the shapes are \(4,\), \(\)"):
        derivation_record(lambda x, y: x * y, "vmap", (X, 1.0))
    with pytest.raises(ValueError, match="argnums asks for argument 1, but .* with 1 positional"):
        derivation_record(wave, "jvp", (1.0,), argnums=1)


def test_what_the_function_raises_comes_through():
    def broken(x):
        raise ZeroDivisionError("mine")

    for kind in ("jvp", "grad", "jit"):
        with pytest.raises(ZeroDivisionError, match="^mine$"):
            derivation_record(broken, kind, (1.0,))


def test_a_constant_keeps_its_name():
    table = jnp.arange(4.0)
    record = derivation_record(lambda x: (x * table).sum(), "grad", (X,))
    f, jvp, _, unknown, back = record.programs
    assert f.inputs == ("b",) and f.constants == ("a",)
    assert f.lines[0].text == "c = b · a" and jvp.lines[1].text == "ċ = ḃ · a"
    assert unknown.lines[0].text == "ċ = ḃ · a" and back.lines[-1].text == "b̄ = c̄ · a"
