"""Every primitive on all of its samples: types, derivatives, transposes, batching, staging.

A new primitive is tested by being defined. What does not hold for a primitive is declared
in the tables below, with the reason; an entry that is not needed fails.
"""

from __future__ import annotations

import re

import pytest

from adlib.base.config import enable_x64
from adlib.core import Absent
from tests.ops import harness
from tests.ops.harness import Case
from tests.ops.program_samples import PROGRAM_SAMPLES

PRIMITIVES = harness.load_primitives()

# No samples, because
_AXIS = "it needs the axis name of an enclosing vmap, as tests/control has it"
NO_SAMPLES = {
    "psum": _AXIS,
    "pmax": _AXIS,
    "pmin": _AXIS,
    "all_gather": _AXIS,
    "axis_index": _AXIS,
    "custom_root": "its equation and solver share constants, which cannot move one by one; "
    "tests/control has it",
    "custom_linear_solve": "its map and solvers share constants, which cannot move one by one; "
    "tests/control has it",
    "check": "it has an effect and no result; tests/experimental has it",
    "debug_check": "it has an effect and no result; tests/experimental has it",
    "debug_callback": "it has an effect and no result; tests/control has it",
    "pure_callback": "it calls a Python function, which has no derivative; tests/control has it",
    "custom_lin": "it is what custom_vjp_call leaves on the tape, and is tested through that",
}

# Finite differences do not see the derivative, because
NOT_BY_DIFFERENCES = {
    "stop_gradient": "it is the identity with a derivative of zero, on purpose",
    "reduce_precision": "rounding is a staircase, through which tangents pass",
    "lu_solve": "it is given a matrix with its factors, which differences move one by one",
    "random_gamma": "a draw's derivative is that of its quantile, not of the sampler's path",
}

# Tangents are rounded, so that they are linear only to a few digits
ROUNDED = {"reduce_precision"}

# Other dtypes draw other numbers
DRAWS = {"random_gamma"}

# Arguments in which there is no derivative (of the order given), and the error that says so
NOT_DIFFERENTIABLE = {
    "polygamma": ({0}, ValueError, "with respect to m is not supported"),
    "expn": ({0}, ValueError, "with respect to n is not supported"),
}
# Modes that do not exist, and the error that says so
NO_REVERSE = {"while": (ValueError, "Reverse-mode differentiation does not work")}
NO_FORWARD = {"custom_vjp_call": (TypeError, "forward-mode")}


def samples_of(primitive) -> list:
    return PROGRAM_SAMPLES.get(primitive.name, primitive.samples)()


SAMPLES = [
    pytest.param(primitive, i, id=f"{name}-{sample.name or i}")
    for name, primitive in sorted(PRIMITIVES.items())
    for i, sample in enumerate(samples_of(primitive))
]


def _parametrize(*leave_out):
    """Over all samples of primitives that have derivatives and are not in the tables given."""
    chosen = [
        sample
        for sample in SAMPLES
        if not isinstance(sample.values[0].jvp, Absent)
        and not any(sample.values[0].name in table for table in leave_out)
    ]
    return pytest.mark.parametrize("primitive, sample", chosen)


every_sample = pytest.mark.parametrize("primitive, sample", SAMPLES)


@pytest.fixture
def x64():
    with enable_x64(True):
        yield


def _case(primitive, index, wide=False, tables=(NOT_DIFFERENTIABLE,)) -> Case:
    case = Case(primitive, samples_of(primitive)[index], wide)
    for table in tables:
        refused = table.get(primitive.name, (set(),))[0]
        case.places = [i for i in case.places if i not in refused]
    return case


def test_every_primitive_has_samples():
    without = {name for name, p in PRIMITIVES.items() if not samples_of(p)}
    assert without == set(NO_SAMPLES)


def test_tables_name_primitives():
    tables = (
        NO_SAMPLES,
        NOT_BY_DIFFERENCES,
        NOT_DIFFERENTIABLE,
        ROUNDED,
        DRAWS,
        NO_REVERSE,
        NO_FORWARD,
        PROGRAM_SAMPLES,
    )
    for table in tables:
        assert set(table) <= set(PRIMITIVES)


@every_sample
def test_results_have_the_types_of_the_shape_rule(primitive, sample):
    harness.check_shape(_case(primitive, sample))


@every_sample
def test_staged_program_agrees_with_eager(primitive, sample):
    harness.check_staged(_case(primitive, sample))


@every_sample
def test_batching_agrees_with_a_loop(primitive, sample):
    harness.check_batch(_case(primitive, sample))


@_parametrize(NOT_BY_DIFFERENCES, NO_FORWARD)
def test_jvp_agrees_with_finite_differences(primitive, sample, x64):
    harness.check_jvp(_case(primitive, sample, wide=True))


@_parametrize(NO_FORWARD, DRAWS)
def test_jvp_in_the_samples_own_dtypes(primitive, sample):
    case = _case(primitive, sample)
    with enable_x64(True):
        wide = _case(primitive, sample, wide=True)
        harness.check_native_jvp(case, wide)


@_parametrize(NO_REVERSE, NO_FORWARD, ROUNDED)
def test_reverse_mode_is_the_transpose_of_forward_mode(primitive, sample, x64):
    harness.check_transpose(_case(primitive, sample, wide=True))


@_parametrize(NOT_BY_DIFFERENCES, NO_REVERSE, NO_FORWARD)
def test_second_derivatives_in_all_orders_of_modes(primitive, sample, x64):
    harness.check_second_order(_case(primitive, sample, wide=True))


@_parametrize(NO_REVERSE, NO_FORWARD)
def test_derived_programs_agree_with_the_rules(primitive, sample):
    harness.check_derived(_case(primitive, sample))


@pytest.mark.parametrize("name", NO_REVERSE)
def test_forward_mode_alone(name, x64):
    error, message = NO_REVERSE[name]
    for i in range(len(samples_of(PRIMITIVES[name]))):
        case = _case(PRIMITIVES[name], i, wide=True)
        harness.check_forward_second_order(case)
        with pytest.raises(error, match=message):
            harness.check_transpose(case)


@pytest.mark.parametrize("name", NO_FORWARD)
def test_reverse_mode_alone(name, x64):
    error, message = NO_FORWARD[name]
    for i in range(len(samples_of(PRIMITIVES[name]))):
        case = _case(PRIMITIVES[name], i, wide=True)
        harness.check_reverse(case)
        with pytest.raises(error, match=message):
            harness.check_jvp(case)


@pytest.mark.parametrize(
    "name",
    sorted(n for n, p in PRIMITIVES.items() if isinstance(p.jvp, Absent) and n not in NO_SAMPLES),
)
def test_absent_derivatives_say_so(name):
    primitive = PRIMITIVES[name]
    for i in range(len(samples_of(primitive))):
        case = _case(primitive, i)
        for place in case.places:
            args = case.moving([place])
            with pytest.raises(primitive.jvp.error, match=re.escape(primitive.jvp.message[:40])):
                harness.jvp_flat(case.function([place]), args, case.directions(args))


@pytest.mark.parametrize("name", sorted(NOT_DIFFERENTIABLE))
def test_refused_arguments_say_so(name):
    places, error, message = NOT_DIFFERENTIABLE[name]
    for sample in PRIMITIVES[name].samples():
        case = Case(PRIMITIVES[name], sample)
        for place in places:
            args = case.moving([place])
            with pytest.raises(error, match=message):
                harness.jvp_flat(case.function([place]), args, case.directions(args))
