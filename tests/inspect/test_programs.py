"""Programs with their arguments: what is opened, named and seeded."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.core.check import check_jaxpr
from adlib.inspect.programs import (
    cotangent_seeds,
    output_names,
    step_ids,
    tangent_seeds,
    trace_program,
)


@adlib.jit
def scaled(x):
    return x * jnp.arange(3.0)


def test_jitted_functions_are_opened_wherever_they_are_called():
    program = trace_program(adlib.jit(lambda x: scaled(x) + scaled(x + 1)), (np.ones(3),), {})
    assert step_ids(program) == ["mul_0", "add_0", "mul_1", "add_1"]
    check_jaxpr(program.closed.jaxpr)
    (result,) = adlib.core.jaxpr.jaxpr_as_fun(program.closed)(jnp.ones(3))
    assert result.tolist() == [0.0, 3.0, 6.0]


def test_other_arguments_are_constants():
    program = trace_program(lambda x, mode: x * 2 if mode == "a" else x, (1.0, "a"), {})
    assert program.input_names == ("x",) and step_ids(program) == ["mul_0"]


def test_outputs_go_by_their_place_in_the_result():
    program = trace_program(lambda x: {"loss": x, "aux": (x, x)}, (1.0,), {})
    assert output_names(program) == ["result['aux'][0]", "result['aux'][1]", "result['loss']"]


def test_seeds_are_ones_by_default_and_none_for_integers():
    program = trace_program(lambda x, n: (x * n, n), (np.ones(2), 3), {})
    assert [s if s is None else s.tolist() for s in tangent_seeds(program, None)] == [[1, 1], None]
    assert [s if s is None else s.tolist() for s in cotangent_seeds(program, None)] == [
        [1, 1],
        None,
    ]


def test_a_tangent_is_like_the_argument_or_like_all_arguments():
    one = trace_program(lambda p: p["a"] * p["b"], ({"a": 1.0, "b": 2.0},), {})
    assert [float(s) for s in tangent_seeds(one, {"a": 3.0, "b": 4.0})] == [3.0, 4.0]
    two = trace_program(lambda x, y, *, z: x * y * z, (1.0, 2.0), {"z": 3.0})
    assert [float(s) for s in tangent_seeds(two, (5.0, 6.0))] == [5.0, 6.0, 0.0]


def test_wrong_seeds_are_refused_with_the_repair():
    program = trace_program(lambda x, y: x * y, (np.ones(3), np.ones(3)), {})
    with pytest.raises(TypeError, match="structure of the tuple of its 2 arguments.*Repair: pass"):
        tangent_seeds(program, 1.0)
    with pytest.raises(ValueError, match=r"tangent of y must have its shape \(3,\).*\(2,\)"):
        tangent_seeds(program, (np.ones(3), np.ones(2)))
    with pytest.raises(TypeError, match="structure of the function's result.*Repair: pass"):
        cotangent_seeds(program, (1.0, 2.0))
    with pytest.raises(ValueError, match=r"cotangent of result must have its shape \(3,\)"):
        cotangent_seeds(program, 1.0)
