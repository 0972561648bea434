"""The first NaN or infinity: which equation, which sweep, why, and the repair."""

import json

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax, nn
from adlib.inspect import nan_record

# function, arguments, then of what is to be repaired first: sweep, kind, step, part of the reason
CASES = {
    "log of zero": (jnp.log, (0.0,), "primal", "inf", "log_0", "log(0) is −infinity"),
    "log below zero": (jnp.log, (-2.0,), "primal", "nan", "log_0", "negative number (−2)"),
    "log1p": (jnp.log1p, (-1.0,), "primal", "inf", "log1p_0", "the logarithm of 0, is −infinity"),
    "sqrt below zero": (jnp.sqrt, (-1.0,), "primal", "nan", "sqrt_0", "sqrt of a negative number"),
    "rsqrt": (lax.rsqrt, (0.0,), "primal", "inf", "rsqrt_0", "1/sqrt(0) is infinite"),
    "division": (lambda x, y: x / y, (1.0, 0.0), "primal", "inf", "div_0", "1/0: division by"),
    "0/0": (lambda x, y: x / y, (0.0, 0.0), "primal", "nan", "div_0", "0/0 is NaN"),
    "exp": (jnp.exp, (100.0,), "primal", "inf", "exp_0", "exp(100) overflows float32"),
    "difference": (lambda x: jnp.exp(x) - jnp.exp(2 * x), (100.0,), "primal", "nan", "sub_0",
                   "infinity − infinity"),
    "0 times inf": (lambda x: x * jnp.log(x), (0.0,), "primal", "nan", "mul_0", "0 times infinity"),
    "overflow": (lambda x: x * x, (1e30,), "primal", "inf", "mul_0", "1e30·1e30 overflows float32"),
    "root of a negative": (lambda x, p: x**p, (-2.0, 0.5), "primal", "nan", "pow_0",
                           "fractional power"),
    "acos": (jnp.arccos, (1.5,), "primal", "nan", "acos_0", "acos(1.5): acos is finite only"),
    "sum": (lambda x: x.sum(), (np.full(4, 3e38),), "primal", "inf", "reduce_sum_0",
            "reduce_sum overflows"),
    "sqrt at zero": (jnp.sqrt, (0.0,), "cotangent", "inf", "sqrt_0", "infinite at x = 0"),
    "norm at zero": (jnp.linalg.norm, (np.zeros(3),), "cotangent", "inf", "sqrt_0", "of sqrt"),
    "where over sqrt": (lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0), (0.0,), "cotangent", "nan",
                        "sqrt_0", "0 times infinity is NaN"),
    "where over log": (lambda x: jnp.where(x > 0, jnp.log(x), 0.0), (0.0,), "cotangent", "nan",
                       "log_0", "1/x, is infinite at x = 0"),
    "power at zero": (lambda x: x**0.5, (0.0,), "cotangent", "inf", "pow_0", "x^0.5"),
    "asin at one": (jnp.arcsin, (1.0,), "cotangent", "inf", "asin_0", "asin is infinite at 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_equation_to_repair_first(name):
    function, args, sweep, kind, step, why = CASES[name]
    record = nan_record(function, args)
    bad = record.first
    assert (bad.sweep, bad.kind, bad.step) == (sweep, kind, step)
    assert why in bad.why and bad.repair
    assert record.result_bad == (kind if sweep == "primal" else "")


def test_the_repairs_repair():
    """The suggested code is finite, with a finite gradient, where the original was not."""
    cases = [(jnp.log, 0.0), (jnp.sqrt, 0.0), (jnp.arccos, 1.0), (jnp.log1p, -1.0)]
    cases.append((lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0), 0.0))
    for function, at in cases:
        code = nan_record(function, (at,)).first.repair_code
        repaired = eval(f"lambda x: {code}", {"jnp": jnp})
        assert nan_record(repaired, (at,)).first is None


def test_the_division_repairs():
    code = nan_record(lambda n, d: n / d, (1.0, 0.0)).first.repair_code
    repaired = eval(f"lambda n, d: {code}", {"jnp": jnp})
    assert nan_record(repaired, (1.0, 0.0)).first is None


def test_a_nan_made_from_an_infinity_names_its_maker():
    def softmax(x):
        e = jnp.exp(x)
        return e / e.sum()

    record = nan_record(softmax, (np.array([1.0, 100.0]),))
    assert record.first.step == "div_0" and record.first.index == (1,)
    assert record.origin.step == "exp_0" and record.origin.code == "e = jnp.exp(x)"
    line = softmax.__code__.co_firstlineno + 1
    assert record.origin.source == f"test_nans.py:{line}"


def test_a_bad_argument_is_named():
    record = nan_record(lambda x, y: x * y, (1.0, np.array([1.0, np.nan])))
    assert record.first.step == "input"
    assert record.first.why == "The argument y already holds NaN at [1]."


def test_harmless_infinities_are_not_a_fault():
    masked = nan_record(
        lambda x: nn.softmax(jnp.where(x > 0, x, -jnp.inf)), (np.array([1.0, -1.0]),)
    )
    assert masked.result_bad == "" and masked.gradient_bad == ""


def test_where_all_is_finite_nothing_is_found():
    record = nan_record(lambda x: jnp.sin(x).sum(), (np.ones(3),))
    assert record.first is None and record.origin is None


def test_functions_without_a_gradient_are_still_looked_at():
    def loop(x):
        return jnp.log(lax.while_loop(lambda c: c > 0, lambda c: c - 1, x))

    record = nan_record(loop, (3.0,))
    assert record.first.step == "log_0" and record.first.sweep == "primal"
    assert record.not_differentiated.startswith("Reverse-mode differentiation does not work")


def test_what_the_function_raises_comes_through():
    def broken(x):
        raise FloatingPointError("mine")

    with pytest.raises(FloatingPointError, match="^mine$"):
        nan_record(broken, (1.0,))


def test_a_record_is_json():
    record = nan_record(jnp.log, (np.array([0.0, -1.0]),))
    assert record.version == 2
    json.dumps(record.to_json(), allow_nan=False)


@adlib.custom_vjp
def clipped(x):
    return jnp.log(x)


clipped.defvjp(lambda x: (jnp.log(x), x), lambda x, ct: (ct / x,))


def test_functions_with_a_backward_rule_alone_have_no_tangents():
    record = nan_record(lambda x: clipped(x).sum(), (np.array([0.0, 1.0]),))
    assert record.tangent is None and record.primal is not None
    assert record.gradient_bad == "inf" and not record.not_differentiated
