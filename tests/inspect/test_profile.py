"""Costs that are counted, and what a run measures, nested programs included."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.core.array import as_value
from adlib.inspect import profile
from adlib.inspect.profile import cost_record, profile_record


def loop(weights, rows):
    def body(carry, row):
        carry = jnp.tanh(carry @ weights + row)
        return carry, carry.sum()

    return lax.scan(body, jnp.zeros(3), rows)[1].sum()


ARGS = (np.ones((3, 3), np.float32), np.ones((5, 3), np.float32))


def measured(function, *args):
    values = [as_value(arg) for arg in args]
    return profile_record(adlib.make_jaxpr(function)(*args), values)


def test_a_loop_costs_its_rounds():
    costs = cost_record(adlib.make_jaxpr(loop)(*ARGS))
    product = costs["scan_0/body/dot_general_0"]
    assert (product.flops, product.rounds) == (5 * 2 * 9, 5)
    inside = [cost.flops for path, cost in costs.items() if path.startswith("scan_0/body/")]
    assert costs["scan_0"].flops == sum(inside)
    assert costs["scan_0"].bytes == 4 * (3 * 3 + 3 + 5 * 3 + 3 + 5)


def test_what_is_not_counted_is_said():
    costs = cost_record(adlib.make_jaxpr(lambda x: adlib.jit(jnp.linalg.inv)(x))(np.eye(3)))
    assert not costs["jit_0"].counted


def test_a_run_gives_seconds_values_and_rounds():
    record = measured(loop, *ARGS)
    assert record.complete
    tanh = record.measures["scan_0/body/tanh_0"]
    assert tanh.runs == 5 and tanh.seconds > 0 and 0.9 < tanh.largest < 1.0
    total = record.measures["reduce_sum_0"]
    assert total.values == (f"{float(loop(*ARGS)):.4g}",)


def test_not_a_number_is_counted_and_is_no_magnitude():
    record = measured(lambda x: jnp.log(x) * 2.0, np.array([-1.0, 1.0, 0.0], np.float32))
    log = record.measures["log_0"]
    assert (log.nans, log.infs, log.largest) == (1, 1, 0.0)


def test_branches_calls_and_while_loops_are_entered():
    def program(x):
        y = lax.while_loop(lambda c: c < 10.0, lambda c: c * 2.0, x)
        return adlib.jit(lambda z: lax.cond(z > 0, jnp.sin, jnp.cos, z))(y)

    measures = measured(program, 1.0).measures
    assert measures["while_0/body/mul_0"].runs == 4
    assert any(path.endswith("/true branch/sin_0") for path in measures)
    assert not any(path.endswith("/false branch/cos_0") for path in measures)


def test_long_loops_are_measured_in_part(monkeypatch):
    monkeypatch.setattr(profile, "_MOST_RUNS", 50)
    record = measured(lambda x: lax.fori_loop(0, 1000, lambda i, c: c * 1.01, x), 1.0)
    assert not record.complete
    assert record.measures["scan_0"].runs == 1
    assert 10 < record.measures["scan_0/body/mul_0"].runs < 100


def test_values_are_one_per_input():
    jaxpr = adlib.make_jaxpr(loop)(*ARGS)
    with pytest.raises(ValueError, match="one value per input.*given 1 values.*has 2 inputs"):
        profile_record(jaxpr, [as_value(1.0)])
