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


def test_jit_shows_the_optimised_program():
    def wasteful(x):
        jnp.cos(x)
        return jnp.sin(x) * jnp.sin(x) * 1.0

    record = derivation_record(wasteful, "jit", (1.0,))
    names = ["cos_0", "sin_0", "sin_1", "mul_0", "mul_1"]
    assert [o.id for o in record.origins] == names
    program = record.programs[1]
    assert program.title == "optimised" and program.outputs == ("e",)
    assert [(line.text, line.origin) for line in program.lines] == [
        ("c = sin a", 1),
        ("e = c · c", 3),
    ]
    assert [line.rule for line in program.lines] == [
        "stands for sin_1 too",
        "stands for mul_1 too",
    ]
    assert {names[f.origin]: f.text for f in program.fates} == {
        "cos_0": "removed: nothing reads its result",
        "sin_1": "merged with sin_0",
        "mul_1": "removed: x · 1 is x",
    }
    assert [(p.name, p.summary) for p in record.passes] == [
        ("remove dead code", "5 → 4 equations: 1 removed"),
        ("algebra", "4 → 3 equations: 1 removed"),
        ("merge common equations", "3 → 2 equations: 1 merged"),
    ]
    assert record.passes[2].notes == ("sin_1 merged with sin_0",)


def test_jit_shows_what_is_computed_together():
    def layer(w, x):
        total = jnp.tanh(w @ x + 1.0).sum()
        return total, jnp.linalg.inv(w[:, :3]), adlib.pure_callback(np.sin, x, x)

    record = derivation_record(layer, "jit", (np.ones((3, 4)), np.ones(4)))
    program = record.programs[1]
    steps = [s for g in program.groups for s in g.steps]
    assert sorted(steps) == [line.step for line in program.lines]
    titles = [(g.kind, g.title) for g in program.groups]
    assert ("call", "a call: pure_callback") in titles and ("library", "native code: lu") in titles
    loop = next(g for g in program.groups if len(g.steps) > 1 and g.kind == "loop")
    assert "one pass over memory does them all" in loop.reason
    assert {"e = d + 1", "f = tanh e"} <= {program.lines[s - 1].text for s in loop.steps}


def test_jit_shows_rows_that_stay_in_the_cache_and_what_products_do():
    def layer(w, x, b):
        return adlib.nn.softmax(x, axis=1), 2 * (x @ w) + b

    args = np.ones((1000, 300)), np.ones((300, 1000)), np.ones((300, 300))
    record = derivation_record(layer, "jit", (args[0], args[1], args[2]))
    program = record.programs[1]
    steps = [s for g in program.groups for s in g.steps]
    assert sorted(steps) == [line.step for line in program.lines]
    by_kind = {g.kind: g for g in program.groups if g.kind != "view"}
    assert by_kind["loop"].title.endswith("loops over blocks of 300 rows")
    assert len(by_kind["product"].steps) > 1


def test_jit_looks_into_the_programs_that_are_called():
    f = adlib.jit(lambda x: x * adlib.jit(jnp.sin)(x))
    record = derivation_record(lambda x: f(x) + f(2 * x), "jit", (1.0,))
    lines = record.programs[1].lines
    assert [record.origins[line.origin].id for line in lines] == [
        "jit_0", "jit_0", "mul_0", "jit_1", "jit_1", "add_0",
    ]  # fmt: skip
    assert lines[0].rule == "out of the program that jit_0 calls"


def test_jit_of_a_loop_says_what_left_its_body():
    def f(x, y):
        return lax.fori_loop(0, 5, lambda i, c: c * jnp.sin(y), x)

    record = derivation_record(f, "jit", (X, X))
    done = next(p for p in record.passes if p.name == "loops")
    assert "equations left its body" in done.notes[0]
    assert any(line.text.endswith("sin b") for line in record.programs[1].lines)


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


# ------------------------------------------------------- parents, rules, programs inside


@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.parametrize("kind", ["jvp", "grad", "jit"])
def test_every_equation_has_a_parent_in_an_earlier_program(name, kind):
    record = derivation_record(SCALARS[name], kind, (X,))
    for position, program in enumerate(record.programs):
        for line in program.lines:
            if position == 0:
                assert line.parent == ()
                continue
            before, number = line.parent
            parent = record.programs[before].lines[number]
            assert before < position and parent.origin == line.origin


def test_known_and_unknown_come_from_the_jvp_and_the_transpose_from_unknown():
    record = derivation_record(wave, "grad", (1.0,))
    jvp, known, unknown, back = record.programs[1:]
    assert {line.parent[0] for line in known.lines} == {1}
    assert [jvp.lines[line.parent[1]].text for line in known.lines] == [x.text for x in known.lines]
    assert [jvp.lines[line.parent[1]].text for line in unknown.lines] == [
        line.text for line in unknown.lines
    ]
    parents = {line.text: unknown.lines[line.parent[1]].text for line in back.lines}
    assert parents["t5 = c̄ · a"] == "t2 = ḃ · a" and parents["c̄ = ē · d"] == "ḋ = ċ · d"


def rule(record, title, text):
    (program,) = (p for p in record.programs if p.title == title)
    return next(line.rule for line in program.lines if line.text == text)


def test_each_equation_says_its_rule():
    record = derivation_record(wave, "grad", (1.0,))
    assert rule(record, "jvp", "b = sin a") == "sin itself: values are computed as before."
    assert rule(record, "jvp", "t1 = cos a") == (
        "jvp of sin: a derivative at this point, for the rule of sin, ḃ = cos(a)·ȧ."
    )
    assert "the rule of mul, ċ = a·ḃ + b·ȧ." in rule(record, "jvp", "t2 = ḃ · a")
    assert "t1 is a residual" in rule(record, "known", "t1 = cos a")
    assert rule(record, "known", "c = b · a") == "It reads no tangent, so it runs now."
    assert "t1 is fixed, so it is linear." in rule(record, "unknown", "ḃ = ȧ · t1")
    assert rule(record, "transpose", "t6 = b̄ · t1") == (
        "Transpose of mul by t1: ḃ = ȧ · t1 is read backwards; multiplying by t1 is its own "
        "transpose, so t1 multiplies the cotangent."
    )
    assert "read more than once" in rule(record, "transpose", "b̄ = ē + t5")
    assert all(program.explanation for program in record.programs)


def test_vmap_says_what_becomes_of_the_new_axis():
    record = derivation_record(
        lambda w, x: (jnp.tanh(w @ x).sum(), jnp.arange(3.0) + 1.0),
        "vmap",
        (np.ones((5, 2, 3)), np.ones((5, 3))),
    )
    rules = [line.rule for line in record.programs[1].lines]
    assert rules[0].startswith("Batching of dot_general: the product of all examples")
    assert rules[1] == "Batching of tanh: it works entry by entry, so the new axis goes along."
    assert rules[2].startswith("Batching of reduce_sum: it goes over the same axes")
    assert any("computed once for all examples" in text for text in rules)


@pytest.mark.parametrize("name", SCALARS)
def test_every_derived_equation_of_a_gradient_has_a_rule(name):
    record = derivation_record(SCALARS[name], "grad", (X,))
    assert all(line.rule for program in record.programs[1:] for line in program.lines)


def test_programs_inside_of_equations_are_recorded():
    record = derivation_record(SCALARS["scan"], "grad", (X,))
    for program in record.programs:
        (loop,) = (line for line in program.lines if "scan" in line.text)
        (body,) = loop.nested
        assert body.title == "body" and body.lines and body.inputs and body.outputs
    plain = record.programs[0].lines[0].nested[0]
    assert [line.text for line in plain.lines] == ["c = a · b", "d = a + b"]
    branches = derivation_record(SCALARS["cond"], "jvp", (X,)).programs[0]
    found = next(line.nested for line in branches.lines if line.nested)
    assert [inner.title for inner in found] == ["false branch", "true branch"]


def test_long_programs_inside_are_cut():
    def body(c, x):
        for _ in range(300):
            c = jnp.sin(c)
        return c, x

    record = derivation_record(lambda x: lax.scan(body, 1.0, x)[0], "jvp", (X,))
    (inner,) = record.programs[0].lines[0].nested
    assert len(inner.lines) == 200 and inner.note == "the first 200 of 300 equations"


def test_the_tangents_of_i_and_j_have_their_dot_beside_them():
    def long(x):
        for _ in range(10):
            x = jnp.sin(x)
        return x

    record = derivation_record(long, "grad", (1.0,))
    assert "i˙ = ḣ · t8" in lines(record, "unknown") and "j˙ = i˙ · t9" in lines(record, "jvp")
    assert "ī = j̄ · t9" in lines(record, "transpose")
