"""Flow records: rules in words and numbers, fan-outs, costs."""

import json

import numpy as np
import pytest

import adlib.numpy as jnp
from adlib.inspect import flow_record


def f(x, y):
    a = jnp.sin(x)
    b = a * x
    return b / y + x


def values(record):
    return {value.value.name: value for step in record.steps for value in step.results}


def test_the_rules_of_scalars_have_their_numbers():
    record = flow_record(f, (1.0, 2.0))
    sine, product, quotient, _ = (step.results[0] for step in record.steps)
    assert [step.text for step in record.steps] == ["sin a", "c·a", "d / b", "e + a"]
    assert (sine.rule, sine.numbers) == ("cos(a)·ȧ", "0.5403·1")
    assert (product.rule, product.numbers) == ("a·ċ + c·ȧ", "1·0.5403 + 0.8415·1")
    assert quotient.rule == "(1/b)·ḋ + (−e/b)·ḃ"
    assert quotient.numbers == "0.5·1.382 + (−0.2104)·1"


def test_a_value_that_fans_out_lists_what_each_reader_gives():
    (_, x), _ = flow_record(f, (1.0, 2.0)).inputs
    assert [(c.consumer, c.operand, c.rule, c.numbers) for c in x.contributions] == [
        ("add_0", 1, "f̄", "1"),
        ("mul_0", 1, "c·d̄", "0.8415·0.5"),
        ("sin_0", 0, "cos(a)·c̄", "0.5403·0.5"),
    ]
    total = sum(c.cotangent.values[0] for c in x.contributions)
    assert x.cotangent.values[0] == pytest.approx(total)


def test_steps_know_the_users_line():
    record = flow_record(f, (1.0, 2.0))
    line = f.__code__.co_firstlineno + 1
    assert record.steps[0].source == f"test_flow.py:{line}"
    assert record.steps[0].code == "a = jnp.sin(x)"


@pytest.mark.parametrize(
    ("function", "args", "text", "push", "pull"),
    [
        (lambda w, x: w @ x, (np.ones((2, 3)), np.ones(3)), "a @ b", "ȧ @ b + a @ ḃ", "c̄ ⊗ b"),
        (lambda x, w: x @ w, (np.ones((2, 3)), np.ones((3, 4))), "a @ b", "ȧ @ b + a @ ḃ",
         "c̄ @ bᵀ"),
        (lambda x: x.sum(axis=0), (np.ones((2, 3)),), "sum(a, axis=0)", "sum(ȧ, axis=0)",
         "broadcast(b̄)"),
        (lambda x: x.T, (np.ones((2, 3)),), "transpose a", "transpose ȧ", "transpose(b̄)"),
        (lambda x: x**3, (np.ones(3),), "a³", "3·a²⊙ȧ", "3·a²⊙b̄"),
        (lambda x: x * 2.0, (np.ones(3),), "a·2", "2⊙ȧ", "2⊙b̄"),
        (lambda x, y: x * y, (np.float32(2), np.ones(3)), "a·b", "b⊙ȧ + a⊙ḃ", "sum(b⊙c̄)"),
        (lambda x: x.max(), (np.arange(3.0),), "max(a)", "∂b/∂a ȧ", "b̄ where a = b"),
    ],
)  # fmt: skip
def test_rules_of_arrays(function, args, text, push, pull):
    record = flow_record(function, args)
    step = record.steps[-1]
    assert step.text == text and step.results[0].rule == push
    ((_, first), *_) = record.inputs
    assert first.contributions[0].rule == pull


def test_seeds_reach_the_record():
    record = flow_record(f, (1.0, 2.0), tangent=(1.0, 0.0), cotangent=3.0)
    assert record.outputs[0].cotangent.values == (3.0,)
    assert record.outputs[0].tangent.values[0] == pytest.approx(0.5 * 1.3817733 + 1)


def test_costs():
    record = flow_record(lambda w, x: jnp.tanh(w @ x).sum(), (np.ones((4, 8)), np.ones(8)))
    assert [step.flops for step in record.steps] == [64, 4, 4]
    matmul = record.steps[0]
    assert (matmul.bytes_read, matmul.bytes_written) == (4 * 40, 16)
    assert all(step.bytes_live >= 4 * 40 for step in record.steps)


def test_a_record_is_json_and_repeats():
    first, second = (flow_record(f, (1.0, 2.0)) for _ in range(2))
    assert first == second and first.version == 1
    json.dumps(first.to_json(), allow_nan=False)


def test_a_local_derivative_is_that_of_one_operand_though_another_is_infinite():
    record = flow_record(lambda p: p * jnp.log(p), (0.0,))
    (product,) = record.steps[-1].results
    assert product.numbers == "(−inf)·1 + 0·inf"


def test_constants_are_values_without_derivatives():
    w = np.full((2, 3), 2.0, np.float32)
    record = flow_record(lambda x: w @ x, (np.ones(3),))
    (constant,) = record.constants
    assert constant.value.name == "a" and constant.primal.min == 2.0
    assert constant.tangent is None and constant.cotangent is None
    assert record.steps[0].text == "a @ b"


def test_sums_at_a_fan_out_are_recorded_as_they_grow():
    (_, x), _ = flow_record(f, (1.0, 2.0)).inputs
    first, second, third = x.contributions
    assert first.total is None and third.total == x.cotangent
    parts = [part.cotangent.values[0] for part in x.contributions]
    assert second.total.values[0] == pytest.approx(parts[0] + parts[1])


def test_local_derivatives_of_scalar_equations():
    record = flow_record(f, (1.0, 2.0))
    assert record.steps[0].derivatives == pytest.approx((np.cos(1.0),))
    product = flow_record(lambda x: 3.0 * x, (2.0,)).steps[0]
    assert product.derivatives == (None, 3.0)
    assert flow_record(lambda x: x * 2.0, (np.ones(3),)).steps[0].derivatives == ()


def test_literals_have_the_digits_of_their_type():
    assert flow_record(lambda x: x * 1.01, (2.0,)).steps[0].text == "a·1.01"
