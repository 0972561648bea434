"""Staging: functions of types written down as programs."""

from pathlib import Path

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import core, errors, make_jaxpr
from adlib.core.trace import fresh, state
from adlib.interpreters.stage import StageTrace, StageTracer, replay, single_equation, stage

vector = core.ShapedArray((3,), np.dtype("float32"))
sin = core.registry["sin"]


def test_stage_writes_down_what_runs():
    closed = stage(lambda x, y: [jnp.sin(x) * y, y], [vector, vector])
    assert [e.primitive.name for e in closed.eqns] == ["sin", "mul"]
    assert closed.in_avals == [vector, vector] == closed.out_avals
    assert closed.jaxpr.outvars[1] is closed.jaxpr.invars[1]


def test_nothing_is_computed():
    p = core.Primitive("explosive")
    p.def_abstract_eval(lambda x: x)
    p.def_impl(lambda x: 1 / 0)
    assert [e.primitive for e in stage(lambda x: [p.bind(x)], [vector]).eqns] == [p]


def test_what_does_not_depend_on_inputs_is_recorded_too():
    closed = stage(lambda x: [jnp.sin(jnp.ones(3)) * x], [vector])
    assert "sin" in [e.primitive.name for e in closed.eqns]


def test_constants_are_kept_once_and_scalars_are_literals():
    c = jnp.arange(3.0) + 1
    closed = stage(lambda x: [x * c + c, x * 2.0], [vector])
    assert len(closed.consts) == 1 and closed.consts[0] is c
    (add,) = [e for e in closed.eqns if e.primitive.name == "add"]
    assert add.invars[1] is closed.jaxpr.constvars[0]


def test_values_of_an_outer_transformation_become_constants():
    seen = []

    def f(a):
        closed = stage(lambda x: [x * a], [vector])
        seen.append(closed.consts[0] is a)
        return a

    adlib.jit(f)(2.0)
    assert seen == [True]


def test_leaked_values_are_refused():
    kept = []
    adlib.jit(lambda x: kept.append(x) or x)(1.0)
    with pytest.raises(errors.UnexpectedTracerError, match="outside of the transformation"):
        stage(lambda x: [x * kept[0]], [vector])
    assert state.trace is core.evaluate.evaluator


def test_equations_and_tracers_know_the_users_line():
    seen = []

    def f(x):
        y = jnp.cos(x)  # here
        seen.append((x.source(), y.source()))
        return [y]

    closed = stage(f, [vector])
    number = [i for i, line in enumerate(Path(__file__).read_text().splitlines(), 1)
              if line.endswith("# here")][0]  # fmt: skip
    assert closed.eqns[0].source.line == number
    assert seen[0][0] is None and seen[0][1].line == number


def test_replay_keeps_locations():
    closed = stage(lambda x: [jnp.cos(x)], [vector])
    with fresh(StageTrace()) as trace:
        (out,) = replay(closed.jaxpr, closed.consts, [trace.new_input(vector)], trace)
        again = trace.close([out])
    assert again.eqns[0].source is closed.eqns[0].source
    assert trace.location is None and isinstance(out, StageTracer)


def test_replay_restores_its_location_after_an_error():
    p = core.Primitive("failing")
    p.def_abstract_eval(lambda x: x)
    closed = stage(lambda x: [p.bind(x)], [vector])
    p.def_abstract_eval(lambda x: 1 / 0)
    with fresh(StageTrace()) as trace, pytest.raises(ZeroDivisionError):
        replay(closed.jaxpr, [], [trace.new_input(vector)], trace)
    assert trace.location is None


def test_single_equation():
    closed = single_equation(sin, [vector], {"accuracy": None})
    assert str(closed).count("sin") == 1 and len(closed.eqns) == 1
    several = core.Primitive("several", multiple_results=True)
    several.def_abstract_eval(lambda x: [x, x])
    assert len(single_equation(several, [vector], {}).out_avals) == 2


def test_rules_for_types_raise_while_tracing():
    for f in (lambda x: x + jnp.ones(4), lambda x: jnp.dot(x, jnp.ones(4))):
        with pytest.raises(TypeError, match=r"\(3,\).*\(4,\)"):
            make_jaxpr(f)(jnp.ones(3))
        assert state.trace is core.evaluate.evaluator


def test_inlined_primitives_leave_their_equations():
    """What runs as one operation between interpreters is spelt out in a jaxpr."""
    f = adlib.grad(lambda x: jnp.sum(jnp.tanh(x) * x))
    for _ in range(3):
        f(jnp.ones(3))
        names = {e.primitive.name for e in make_jaxpr(f)(jnp.ones(3)).eqns}
        assert not names & {"call", "linear_call"}
